"""What tests share: places, real image files and the installed commands."""

import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import launcher
import numpy as np
import safetensors.numpy
from PIL import Image

from pix2pix_tf import run_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # which pytest brings

ROOT = Path(__file__).parent.parent
GOLDENS = Path(__file__).parent / "goldens"

# The networks that are traced fastest, for tests of what stands around them.
SMALLEST = {
    "pix2pix-tf": (
        "--ngf", 1, "--ndf", 1, "--netD", "pixel", "--crop_size", 8, "--scale_size", 9,
        "--summary_freq", 0,
    ),
    "cyclegan-tf": (
        "--ngf", 1, "--ndf", 1, "--netG", "unet", "--netD", "pixel", "--crop_size", 8,
        "--load_size", 9, "--pool_size", 2, "--summary_freq", 0,
    ),
}  # fmt: skip


def pyproject():
    """The contents of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tolerance(tight, *, without_onednn):
    """A tolerance beside the goldens: `tight`, or the other one where the user turned oneDNN off.

    TensorFlow's own kernels add in another order. Where a ReLU's input or an absolute value is
    within rounding of 0, it then falls on the other side and moves a gradient by up to 2 %, with
    the losses of the updates that follow.
    """
    return without_onednn if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else tight


def write_pairs(folder, count, *, size=64, suffix=".png", seed=0):
    """Writes side-by-side pairs whose right half is the negative of the left."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        left = rng.integers(0, 256, (8, 8, 3), np.uint8)
        left = np.asarray(Image.fromarray(left).resize((size, size)))
        Image.fromarray(np.hstack([left, 255 - left])).save(folder / f"{number}{suffix}")
    return folder


def write_unpaired(folder):
    """Writes trainA, trainB, testA and testB of three, two, three and two images."""
    for seed, (name, count) in enumerate(
        {"trainA": 3, "trainB": 2, "testA": 3, "testB": 2}.items()
    ):
        write_pairs(folder / name, count, size=40, seed=seed)
    return folder


def write_all(folder):
    """Writes pairs, and the two folders of images that are not paired."""
    write_pairs(folder / "trainA", 5, size=40)
    write_pairs(folder / "trainB", 4, size=40, seed=1)
    return write_pairs(folder, 5)


def png(width, height, *chunks, depth=8, kind=2, interlaced=0):
    """The bytes of a PNG file of chunks, each (type, data), between header and end."""
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    contents = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", head), *chunks, (b"IEND", b"")):
        contents += struct.pack(">I", len(data)) + name + data
        contents += struct.pack(">I", zlib.crc32(name + data))
    return contents


def command_line(program, *words):
    """The installed console script, or the module where there is none."""
    script = shutil.which(program, path=str(Path(sys.executable).parent))
    start = [script] if script else [sys.executable, "-m", program.replace("-", "_")]
    return [*start, *map(str, words)]


def run_command(program, *words, timeout=300, **options):
    """Runs a command to its end; returns the finished process with its output as text."""
    return subprocess.run(
        command_line(program, *words), capture_output=True, text=True, timeout=timeout, **options
    )


def run_forked(program, *words, **options):
    """As `run_command`, without the seconds that TensorFlow takes to load; see `launcher`."""
    return launcher.shared().complete(program, *words, **options)


def refused(process):
    """Asserts that a command refused its input properly; returns the line."""
    lines = process.stderr.strip().splitlines()
    assert process.returncode == 1, process.stderr
    assert len(lines) == 1, process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    return lines[0]


def state(folder, step):
    """All arrays of a run's checkpoint."""
    return safetensors.numpy.load_file(run_folder.checkpoint_path(folder, step))


def assert_equal_to_rounding(found, expected):
    """Asserts that two runs' checkpoints, dicts of arrays, differ by no more than rounding.

    Weights move by up to 2e-4 per update. Rounding can move those by more whose gradients are
    hardly larger than Adam's epsilon.
    """
    assert list(found) == list(expected)
    for name, value in expected.items():
        largest = np.abs(value).max()
        allowed = 1e-3 * largest if "adam/" in name or "averages/" in name else 2e-5
        np.testing.assert_allclose(found[name], value, rtol=0, atol=allowed, err_msg=name)


def logged_losses(folder):
    """A run's log.csv without the last column, which is the speed; float [steps, columns]."""
    lines = (folder / run_folder.LOG).read_text().splitlines()
    return np.array([[float(cell) for cell in line.split(",")[:-1]] for line in lines[1:]])


def shown_by_tensorboard(folder):
    """What TensorBoard shows of a folder of event files: sorted (step, tag, value)."""
    import tensorflow as tf
    from tensorboard.backend.event_processing import plugin_event_accumulator as accumulator

    found = []
    shown = accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0})
    shown.Reload()
    for tag in shown.Tags()["tensors"]:
        for event in shown.Tensors(tag):
            array = tf.make_ndarray(event.tensor_proto)
            value = b"".join(array.ravel()) if array.dtype == object else array.tobytes()
            is_number = array.ndim == 0 and array.dtype != object
            found.append((event.step, tag, float(array) if is_number else value))
    return sorted(found, key=lambda event: event[:2])
