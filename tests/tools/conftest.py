"""How the tests run the scripts: as a person does."""

import subprocess
import sys

import pytest
from support import ROOT, run_forked


@pytest.fixture(scope="session")
def run_tool():
    """Runs tools/NAME.py with flags; returns the finished process with its output as text.

    With `env`, in a new process that has these variables alone.
    """

    def run(name, *words, flags=None, env=None, cwd=".", **options):
        script = ROOT / "tools" / f"{name}.py"
        words = [*words, *(f"--{flag}={value}" for flag, value in (flags or {}).items())]
        if env is None:
            return run_forked(script, *words, cwd=cwd, **options)
        command = [sys.executable, str(script), *map(str, words)]
        return subprocess.run(
            command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, **options
        )

    return run
