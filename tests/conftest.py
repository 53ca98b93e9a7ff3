"""Fixtures, markers, and the place the tested package comes from."""

import functools
import os
from pathlib import Path

import pytest
import runs
from hypothesis import HealthCheck, settings
from launcher import shared
from support import ROOT, write_pairs, write_unpaired

import pix2pix_tf
from pix2pix_tf.training import runtime

# Fixtures whose tests carry a marker.
MARKERS = {"launcher": "process", "driver": "browser"}

for profile, examples in (("default", 25), ("ci", 150)):
    settings.register_profile(
        profile, max_examples=examples, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip


def pytest_configure():
    in_checkout = Path(pix2pix_tf.__file__).is_relative_to(ROOT / "pix2pix_tf")
    if os.environ.get("CI") and in_checkout:
        raise pytest.UsageError("Expected an installed pix2pix_tf in CI. Received: the checkout's")
    settings.load_profile("ci" if os.environ.get("CI") else "default")
    # Rounding depends on how many threads share a sum: the same on machines of any number of cores.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "2"
    # Test files that need TensorFlow import it; selections without them start in a second.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    runtime.prefer_onednn()


def pytest_itemcollected(item):
    """Adds the markers that follow from a test's folder and fixtures."""
    folders = item.path.relative_to(Path(__file__).parent).parts
    if folders[0] == "extras":
        item.add_marker(folders[1])
    for fixture in set(MARKERS) & set(item.fixturenames):
        item.add_marker(MARKERS[fixture])


# Why a test may be skipped in CI; any other reason fails the run.
ALLOWED_SKIPS = (
    "needs PyTorch",  # several gigabytes
    "needs the extra [metrics]",
    "the extra edges is not installed",
    "needs chromium",
    "onnxruntime-web",  # without a network
)
_unexpected = set()


def pytest_runtest_logreport(report):
    """Notes skips for a reason that is not listed."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            _unexpected.add(f"{report.nodeid}: {reason}")


# Whole files are skipped when they are collected.
pytest_collectreport = pytest_runtest_logreport


def pytest_sessionfinish(session):
    """Fails a CI run in which a test was skipped for a reason that is not listed."""
    if os.environ.get("CI") and _unexpected and not hasattr(session.config, "workerinput"):
        print("\nskipped for a reason that is not allowed:", *sorted(_unexpected), sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """A folder with five side-by-side pairs."""
    return write_pairs(tmp_path_factory.mktemp("pairs"), 5)


@pytest.fixture(scope="session")
def unpaired(tmp_path_factory):
    """A folder with trainA, trainB, testA and testB of three, two, three and two images."""
    return write_unpaired(tmp_path_factory.mktemp("unpaired"))


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, pairs, unpaired):
    """A function from the name of a program to the folder of a run of two updates.

    Tests share the folder: those that change it make a copy.
    """

    @functools.cache
    def make(program="pix2pix-tf"):
        folder = tmp_path_factory.mktemp("runs") / program
        source = pairs if program == "pix2pix-tf" else unpaired
        watch = ("--progress_freq", 1, "--display_freq", 2, "--save_freq", 1)
        process = runs.train(program, source, folder, *watch)
        assert process.returncode == 0, process.stderr
        return folder

    return make


@pytest.fixture(scope="session")
def launcher():
    """Starts commands quickly."""
    return shared()


@pytest.fixture(scope="session")
def run_tool(launcher):
    """Runs a script by its name with flags; returns the process with its output as text."""

    def run(name, *words, flags=None, **options):
        words = [*words, *(f"--{flag}={value}" for flag, value in (flags or {}).items())]
        folders = (ROOT / folder for folder in ("tools", "benchmarks", "scripts"))
        script = next(path for folder in folders if (path := folder / f"{name}.py").is_file())
        return launcher.complete(script, *words, **options)

    return run


@pytest.fixture(params=["1", pytest.param("0", marks=pytest.mark.slow)])
def cpu_kernels(request, monkeypatch):
    """Our kernels for convolutions, and TensorFlow's."""
    monkeypatch.setenv("PIX2PIX_TF_CPU_KERNELS", request.param)
