"""Commands in the test's own process, and the smallest runs."""

import contextlib
import importlib
import io
import json
import subprocess

from support import SMALLEST

from pix2pix_tf import run_folder

PACKAGES = {"pix2pix-tf": "pix2pix_tf", "cyclegan-tf": "cyclegan_tf"}


def command(program, *words):
    """Runs a command in this process, which loads TensorFlow once.

    Tests of signals, limits, exit codes and closed streams need a process of their own: see the
    fixture `launcher`.

    Args:
        program: Name of the command.
        words: Its words, converted to text.

    Returns:
        A `subprocess.CompletedProcess` with both streams as text.
    """
    main = importlib.import_module(f"{PACKAGES[program]}.cli").main
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return subprocess.CompletedProcess([program, *words], code, out.getvalue(), err.getvalue())


def succeed(program, *words, run=command):
    """Runs a command that must succeed; returns what it printed on standard output."""
    process = run(program, *words)
    assert process.returncode == 0, process.stderr
    return process.stdout


def train(program, source, folder, *words, steps=2, run=command):
    """Trains the smallest networks eagerly; later words override earlier ones.

    Args:
        program: Name of the command.
        source: Value of `--input_dir`.
        folder: Value of `--output_dir`.
        words: More words.
        steps: Value of `--max_steps`; None leaves it out.
        run: `command`, or a function like it such as `launcher.complete`.

    Returns:
        The finished process.
    """
    start = ("train", "--input_dir", source, "--output_dir", folder, *SMALLEST[program])
    end = () if steps is None else ("--max_steps", steps)
    return run(program, *start, "--seed", 3, "--run_eagerly", *end, *words)


def translate(program, source, run, folder, *words):
    """Runs `test`, which must succeed; returns the contents of metrics.json."""
    places = ("--input_dir", source, "--checkpoint", run, "--output_dir", folder)
    succeed(program, "test", *places, *words)
    return json.loads((folder / run_folder.METRICS).read_text(encoding="utf-8"))


def untrained(folder, program="pix2pix-tf", **options):
    """Writes the run folder of a small model before its first update; returns the folder."""
    package = importlib.import_module(PACKAGES[program])
    small = {"ngf": 2, "ndf": 2, "seed": 3}
    if program == "cyclegan-tf":
        small |= {"netG": "unet", "netD": "pixel", "crop_size": 8, "load_size": 12, "pool_size": 2}
    places = {"mode": "train", "input_dir": "in", "output_dir": "out"}
    name = "CycleGANConfig" if program == "cyclegan-tf" else "Pix2PixConfig"
    config = getattr(package, name)(**places, **small | options)
    package.save_run(package.build(config), config, folder)
    return folder
