"""What a command says of the machine; lists of flags as real processors have them."""

import pytest

from pix2pix_tf.training import hardware

# Excerpts of /proc/cpuinfo.
XEON = (
    "model name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx avx2 avx512f avx512_bf16 amx_bf16"
)
XEON += " amx_tile avx512_fp16\n"
EPYC = "processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t\t: fpu sse2 avx f16c avx2 fma\n\n"
EPYC += EPYC.replace(": 0", ": 1")
ICE_LAKE = (
    "model name\t: Intel(R) Xeon(R) Platinum 8375C\nflags\t\t: fpu avx avx2 avx512f avx512_vnni\n"
)
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd fphp asimdhp bf16\n"


@pytest.mark.parametrize(
    ("text", "vectors", "slow"),
    [
        (XEON, "AVX-512 and AMX", ()),
        (EPYC, "AVX2", ("mixed_bfloat16", "mixed_float16")),
        (ICE_LAKE, "AVX-512", ("mixed_bfloat16", "mixed_float16")),
        (GRAVITON, "NEON", ()),
    ],
)
def test_slow_precisions_are_warned_of(tmp_path, text, vectors, slow):
    (tmp_path / "cpuinfo").write_text(text)
    name, flags = hardware.processor(tmp_path / "cpuinfo")
    assert hardware.description(name, flags, []).endswith(f" cores, {vectors}")
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        warning = hardware.slow_precision(precision, flags, [])
        assert (warning is not None) == (precision in slow)
        assert warning is None or (precision in warning and "\n" not in warning)
        assert hardware.slow_precision(precision, flags, ["NVIDIA A100"]) is None


def test_gpus_are_named():
    assert hardware.description("x", [], ["NVIDIA A100"]) == "running on NVIDIA A100"


def test_a_system_without_the_list_has_no_flags(tmp_path):
    name, flags = hardware.processor(tmp_path / "nothing")
    assert name and not flags and hardware.slow_precision("mixed_float16", flags, []) is None
