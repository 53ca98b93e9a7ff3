"""Fixtures, and the place the tested package comes from."""

import os
from pathlib import Path

import pytest
from launcher import Launcher
from support import ROOT, write_pairs

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


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """A folder with five side-by-side pairs."""
    return write_pairs(tmp_path_factory.mktemp("pairs"), 5)


@pytest.fixture(scope="session")
def launcher():
    """Starts commands quickly."""
    launcher = Launcher()
    yield launcher
    launcher.close()
