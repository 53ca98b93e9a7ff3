"""How the tests run the scripts: as a person does."""

import subprocess
import sys

import pytest
from support import ROOT


@pytest.fixture
def run_tool():
    """Runs tools/NAME.py with flags; returns the finished process with its output as text."""

    def run(name, *words, flags=None, **options):
        words = [*words, *(f"--{flag}={value}" for flag, value in (flags or {}).items())]
        command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)

    return run
