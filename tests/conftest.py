"""Fixtures, and the place the tested package comes from."""

import os
from pathlib import Path

import pytest
from launcher import shared
from support import ROOT, run_forked, write_pairs

import pix2pix_tf
from pix2pix_tf.training import runtime


def pytest_configure():
    # In CI the wheel is tested, not the checkout.
    inside = Path(pix2pix_tf.__file__).is_relative_to(ROOT / "pix2pix_tf")
    if os.environ.get("CI") and inside:
        raise pytest.UsageError("Expected an installed pix2pix_tf. Received: the checkout's")
    # Sums are rounded by how many threads share them: the same on machines of any number of cores.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "2"
    runtime.load_tensorflow()


# Why a test may be skipped in CI; any other reason fails the run.
ALLOWED_SKIPS = (
    "needs the extra [bench]",  # PyTorch, several gigabytes
    "needs the extra [metrics]",
    "the extra edges is not installed",
    "needs chromium",
    "needs npm",
    "no file system can be mounted here",
    "../shared/data is not here",
)
_unexpected = []


def pytest_runtest_logreport(report):
    """Notes skips that nobody allowed."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            _unexpected.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session):
    """Fails a CI run in which a test was skipped for a reason that is not listed."""
    if os.environ.get("CI") and _unexpected and not hasattr(session.config, "workerinput"):
        print("\nskipped for a reason that is not allowed:", *_unexpected, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """A folder with five side-by-side pairs."""
    return write_pairs(tmp_path_factory.mktemp("pairs"), 5)


@pytest.fixture(scope="session")
def launcher():
    """Starts commands quickly."""
    return shared()


@pytest.fixture(scope="session")
def run_tool():
    """Runs tools/NAME.py with flags; returns the finished process with its output as text."""

    def run(name, *words, flags=None, **options):
        words = [*words, *(f"--{flag}={value}" for flag, value in (flags or {}).items())]
        return run_forked(ROOT / "tools" / f"{name}.py", *words, **options)

    return run
