"""--help: every flag, grouped, at once, the same text for everybody."""

import dataclasses
import os
import subprocess
import sys

import pytest
from support import GOLDENS, command_line, run_command

from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf.config import Pix2PixConfig

PROGRAMS = {"pix2pix-tf": Pix2PixConfig, "cyclegan-tf": CycleGANConfig}


def committed(program):
    return (GOLDENS / f"help_{program}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_the_committed_text(program):
    """After a change of options: PROGRAM --help > tests/goldens/help_PROGRAM.txt."""
    module = [sys.executable, "-m", program.replace("-", "_")]
    for start in (command_line(program), module):
        shown = subprocess.run([*start, "--help"], capture_output=True, text=True)
        assert (shown.returncode, shown.stdout) == (0, committed(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_every_flag(program):
    text = committed(program)
    for field in dataclasses.fields(PROGRAMS[program]):
        assert f"--{field.name} " in text or f"--[no]{field.name}\n" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_does_not_load_tensorflow(program):
    package = program.replace("-", "_")
    code = (
        f"import sys; from {package}.cli import main; main(['--help']); "
        "sys.exit('tensorflow' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_version():
    shown = run_command("pix2pix-tf", "--version")
    assert shown.stdout.startswith("pix2pix-tf ")
    assert shown.returncode == 0


def test_import_changes_nothing():
    code = (
        "import os, sys, signal; before = dict(os.environ), signal.getsignal(2), sys.argv[:]; "
        "import pix2pix_tf, pix2pix_tf.cli; "
        "assert before == (dict(os.environ), signal.getsignal(2), sys.argv[:]); "
        "assert 'tensorflow' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ.copy()).returncode == 0
