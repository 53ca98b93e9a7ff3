"""How the tests run the scripts: as a person does."""

import pytest
from support import ROOT, run_forked


@pytest.fixture(scope="session")
def run_tool():
    """Runs tools/NAME.py with flags; returns the finished process with its output as text."""

    def run(name, *words, flags=None, **options):
        words = [*words, *(f"--{flag}={value}" for flag, value in (flags or {}).items())]
        return run_forked(ROOT / "tools" / f"{name}.py", *words, **options)

    return run
