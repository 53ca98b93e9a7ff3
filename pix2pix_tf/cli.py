"""The command line of both programs (parse, dispatch, one-line errors) and that of pix2pix-tf."""

import dataclasses
import errno
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pix2pix_tf
from pix2pix_tf import options, run_folder
from pix2pix_tf.commands import datasets
from pix2pix_tf.commands.check_data import check_data
from pix2pix_tf.commands.demo import demo
from pix2pix_tf.commands.evaluate import evaluate
from pix2pix_tf.commands.export import export
from pix2pix_tf.commands.program import Demo, Direction, Examples, Program
from pix2pix_tf.commands.serve import serve
from pix2pix_tf.commands.test import test
from pix2pix_tf.commands.train import train
from pix2pix_tf.config import CHECK_DATA, MODES, PROGRAM, Pix2PixConfig
from pix2pix_tf.data import check, listing, sizes
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError, printable
from pix2pix_tf.training import runtime

VERBS = {
    "train": train,
    "test": test,
    "evaluate": evaluate,
    "export": export,
    "serve": serve,
    "demo": demo,
    CHECK_DATA: check_data,
}
# Errors of TensorFlow that are defects of this program, not of its surroundings.
_DEFECTS = ("InvalidArgumentError", "InternalError", "UnimplementedError", "OutOfRangeError")
# What the system says of files, however TensorFlow classifies it.
_SYSTEM = [
    os.strerror(code)
    for code in (errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EROFS)
]


def run(program: Program, argv: Sequence[str] | None = None) -> int:
    """Runs one command: parses, calls the mode, turns errors into one line.

    Args:
        program: The program.
        argv: The words after the program's name, or None for those of the process.

    Returns:
        The exit code.
    """
    if argv is None:
        argv = sys.argv[1:]
        _prepare_streams()
    try:
        code = _run(program, _with_flags(argv))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"{program.name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads any more; the end of the process would try to write again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if (line := _line(error)) is None:
            raise
        print(f"{program.name}: {printable(line)}", file=sys.stderr)
        return 1


def _run(program: Program, words: list[str]) -> int:
    if any(word in options.HELP for word in words):
        mode = next((mode for mode in (*MODES, CHECK_DATA) if _names(words, mode)), None)
        config_class = program.config_class
        text = options.help_text(
            config_class.options_of(mode) if mode else dataclasses.fields(config_class),
            program=program.name,
            summary=program.summary,
            mode=mode,
            uses_run=mode is not None and config_class.COMMANDS[mode].uses_run,
        )
        sys.stdout.write(text)
        return 0
    if "--version" in words:
        print(program.name, pix2pix_tf.__version__)
        return 0
    config, explicit = options.parse(program.config_class, words)
    config.refuse_foreign(explicit)
    if any(map(run_folder.is_remote, dataclasses.astuple(config))):
        # Its file systems open addresses.
        runtime.import_tensorflow()
    return VERBS[CHECK_DATA if config.check_data else config.mode](program, config, explicit)


def _with_flags(argv: Sequence[str]) -> list[str]:
    """Spells `train ...` as `--mode train ...`."""
    words = list(argv)
    if words and words[0].replace("-", "_") == CHECK_DATA:
        return ["--check_data", *words[1:]]
    if not words or words[0] not in MODES:
        return words
    if given := [word for word in words[1:] if word.lstrip("-").partition("=")[0] == "mode"]:
        raise InputError(f"Expected one mode. Received: {words[0]} and {given[0]}")
    return ["--mode", *words]


def _names(words: list[str], mode: str) -> bool:
    """Whether words that ask for help name a mode."""
    if mode == CHECK_DATA:
        return "--check_data" in words
    return ("--mode", mode) in zip(words, words[1:], strict=False) or f"--mode={mode}" in words


def _line(error: Exception) -> str | None:
    """The one line that explains an error, or None for a defect."""
    if isinstance(error, InputError):
        return error.command_line_text()
    if isinstance(error, OSError):
        name = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{name}"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, ImportError):
        return str(error) if str(error).startswith("Expected") else None
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return None
    # TensorFlow puts the operation in front of it: {{node ...}}.
    reason = run_folder.reason(error).rpartition("}} ")[2]
    if type(error).__name__ in _DEFECTS and not any(text in reason for text in _SYSTEM):
        return None
    return f"out of memory ({reason})" if "OOM" in reason or "alloc" in reason else reason


def _prepare_streams() -> None:
    """Makes standard streams that are closed, or narrower than a name, usable.

    A closed one is replaced by the null device; else the next file opened would take its place.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


SUMMARY = """
Learns to translate images from pairs (pix2pix: conditional adversarial networks with a U-Net and
a 70x70 PatchGAN), on TensorFlow 2 and Keras 3.

  pix2pix-tf                                        a demonstration on data that it draws
  pix2pix-tf train --input_dir DIR --output_dir RUN
  pix2pix-tf check_data --input_dir DIR             summarise a data set and find faults
  pix2pix-tf test --input_dir DIR --output_dir OUT --checkpoint RUN
  pix2pix-tf evaluate --input_dir DIR --output_dir OUT --checkpoint RUN
  pix2pix-tf evaluate --input_dir OUTPUTS --target_dir TARGETS --output_dir OUT
  pix2pix-tf export --output_dir OUT --checkpoint RUN [--export_format onnx]
  pix2pix-tf serve --checkpoint RUN                 a web page to draw on, and an HTTP API

`pix2pix-tf train --help` shows only the flags of train; `--mode train` is the same as `train`.
Below, pix2pix.py is affinelayer/pix2pix-tensorflow, and the PyTorch code is
junyanz/pytorch-CycleGAN-and-pix2pix.
"""


def _data_sets(config: Any) -> dict[str, check.Contents]:
    try:
        if config.input_dir_A and config.input_dir_B:
            return {"A and B": datasets.paired(config, None)}
        return {
            name: datasets.paired(config, folder)
            for name, folder in check.data_sets(config.input_dir).items()
        }
    except FileNotFoundError:
        raise InputError(
            f"Expected --input_dir to be a folder. Received: {config.input_dir}"
        ) from None


def _training_examples(
    config: Any,
) -> tuple[Pix2PixConfig, dict[str, Examples], dict[str, str]]:
    contents = datasets.paired(config, config.input_dir)
    config, (paths,), types = datasets.training_examples(
        config, [contents], direction=config.which_direction
    )
    validated = _checked(config, config.val_dir) if config.val_dir else ()
    return config, {"train": paths, "val": validated}, types


def _checked(config: Any, folder: str | None) -> Examples:
    """The examples of a folder, each looked at."""
    contents = datasets.paired(config, folder)
    return datasets.checked(config, contents, direction=config.which_direction)


def _test_examples(config: Any, explicit: Collection[str]) -> dict[str, Examples]:
    return {config.which_direction: _checked(config, config.input_dir)}


def _target_files(config: Any, direction: str) -> Sequence[str] | None:
    from pix2pix_tf.evaluation import comparison

    if not config.target_dir:
        return None
    side = config.sides["AB".index(direction[-1])]
    return comparison.ground_truth(config.target_dir, side=side)


def _parts() -> ModuleType:
    from pix2pix_tf.commands import pix2pix

    return pix2pix


def _draw_demo(folder: Path, config: Any) -> None:
    print("drawing 440 facades")
    size = max(sizes.sides(config.scale_size))
    facades.write_pairs(folder / "train", 400, seed=config.seed, size=size)
    facades.write_pairs(folder / "val", 40, seed=config.seed, start=400, size=size)


CONSTANT = "L1 of the best constant image"


def _demo_context(config: Any, folder: Path) -> dict[str, float]:
    known, paths = (listing.list_images(folder / name) for name in ("train", "val"))
    return {CONSTANT: _parts().constant_image_l1(config, known=known, paths=paths)}


def _demo_summary(mean: Mapping[str, Any]) -> tuple[list[str], bool]:
    constant = mean["context"][CONSTANT]
    lines = [
        f"held-out L1 {mean['L1']:.3f}, PSNR {mean['PSNR']:.2f} dB, SSIM {mean['SSIM']:.3f}",
        f"{CONSTANT} {constant:.3f}",
    ]
    return lines, mean["L1"] < constant


PIX2PIX = Program(
    name=PROGRAM,
    title="pix2pix",
    config_class=Pix2PixConfig,
    summary=SUMMARY,
    directions=dict.fromkeys(("AtoB", "BtoA"), Direction(output="outputs", target="targets")),
    data_sets=_data_sets,
    training_examples=_training_examples,
    test_examples=_test_examples,
    reading=lambda config, direction: config.reading,
    is_paired=True,
    target_files=_target_files,
    parts=_parts,
    demo=Demo(
        settings={
            "batch_size": 1,
            "bottleneck_norm": False,
            "ema_decay": 0.99,
            "flip": False,
            "lr": 0.001,
            "max_steps": 3000,
            "ndf": 16,
            "ngf": 16,
            "output_dir": "pix2pix-demo",
            "scale_size": 256,
            "seed": 1,
            "summary_freq": 250,
            "which_direction": "BtoA",
        },
        draw=_draw_demo,
        train_dir="train",
        test_dir="val",
        targets=lambda examples: None,
        context=_demo_context,
        summary=_demo_summary,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs pix2pix-tf; returns the exit code."""
    return run(PIX2PIX, argv)


if __name__ == "__main__":
    sys.exit(main())
