"""The command line of both programs (parse, dispatch, one-line errors) and that of pix2pix-tf."""

import dataclasses
import errno
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import pix2pix_tf
from pix2pix_tf import options, run_folder
from pix2pix_tf.commands.check_data import check_data
from pix2pix_tf.commands.demo import demo
from pix2pix_tf.commands.evaluate import evaluate
from pix2pix_tf.commands.export import export
from pix2pix_tf.commands.import_run import import_run
from pix2pix_tf.commands.serve import serve
from pix2pix_tf.commands.test import test
from pix2pix_tf.commands.train import train
from pix2pix_tf.config import CHECK_DATA, MODES
from pix2pix_tf.errors import InputError, printable
from pix2pix_tf.task import ConfigT, ModelT, Pix2PixTask, Task
from pix2pix_tf.training import runtime


class Command(Protocol):
    """One mode: takes a program, its options and the names of the explicit ones."""

    def __call__(
        self, task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]
    ) -> int:
        """Returns the exit code."""


COMMANDS: Mapping[str, Command] = {
    "train": train,
    "test": test,
    "evaluate": evaluate,
    "export": export,
    "serve": serve,
    "import": import_run,
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


def run(
    task: Task[ConfigT, ModelT], argv: Sequence[str] | None = None, *, summary: str = ""
) -> int:
    """Runs one command: parses, calls the mode, turns errors into one line.

    Args:
        task: The program.
        argv: The words after the program's name, or None for those of the process.
        summary: Paragraphs that `--help` shows before the flags.

    Returns:
        The exit code.
    """
    if argv is None:
        argv = sys.argv[1:]
        _prepare_streams()
    try:
        code = _run(task, _with_flags(argv), summary=summary)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"{task.name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads any more; the end of the process would try to write again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if (line := _line(error)) is None:
            raise
        print(f"{task.name}: {printable(line)}", file=sys.stderr)
        return 1


def _run(task: Task[ConfigT, ModelT], words: list[str], *, summary: str) -> int:
    if any(word in options.HELP for word in words):
        mode = next((mode for mode in (*MODES, CHECK_DATA) if _names(words, mode)), None)
        config_class = task.config_class
        text = options.help_text(
            config_class.options_of(mode) if mode else dataclasses.fields(config_class),
            program=task.name,
            summary=summary,
            mode=mode,
            uses_run=mode is not None and config_class.COMMANDS[mode].uses_run,
        )
        sys.stdout.write(text)
        return 0
    if "--version" in words:
        print(task.name, pix2pix_tf.__version__)
        return 0
    config, explicit = options.parse(task.config_class, words)
    config.refuse_foreign(explicit)
    if any(map(run_folder.is_remote, vars(config).values())):
        # Its file systems open addresses.
        runtime.import_tensorflow()
    mode = CHECK_DATA if config.check_data else config.mode
    return COMMANDS[mode](task, config, explicit)


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
  pix2pix-tf import --checkpoint OLD --output_dir RUN       weights of other code as a run

`pix2pix-tf train --help` shows only the flags of train; `--mode train` is the same as `train`.
Below, pix2pix.py is affinelayer/pix2pix-tensorflow, and the PyTorch code is
junyanz/pytorch-CycleGAN-and-pix2pix.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs pix2pix-tf; returns the exit code."""
    return run(Pix2PixTask(), argv, summary=SUMMARY)


if __name__ == "__main__":
    sys.exit(main())
