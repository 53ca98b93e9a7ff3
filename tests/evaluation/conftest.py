"""One Chromium and one file of Inception weights for all tests in this room."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

HAS_TORCH = all(map(importlib.util.find_spec, ("torch", "torchmetrics", "torch_fidelity")))


@pytest.fixture(scope="package")
def driver(tmp_path_factory):
    import browser

    chromium = browser.start(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.quit()


@pytest.fixture
def chromium(driver):
    """The browser, which must not have complained by the end of the test."""
    driver.get_log("browser")
    yield driver
    assert driver.get_log("browser") == []


@pytest.fixture(scope="session")
def needs_torch():
    if not HAS_TORCH:
        pytest.skip("needs the extra [metrics]")


@pytest.fixture(scope="session")
def network(needs_torch):
    """InceptionV3 of 2015 in TensorFlow, with seeded weights."""
    from evaluation import inception

    return inception.network()


@pytest.fixture(scope="session")
def weights(network, tmp_path_factory):
    """A file of those weights as torch-fidelity's."""
    folder = tmp_path_factory.mktemp("inception")
    np.savez(folder / "weights.npz", **network.weights)
    code = (
        "import sys, numpy, torch\n"
        "weights = numpy.load(sys.argv[1])\n"
        "torch.save({name: torch.from_numpy(weights[name]) for name in weights}, sys.argv[2])"
    )
    path = folder / "seeded.pth"
    subprocess.run([sys.executable, "-c", code, folder / "weights.npz", path], check=True)
    return path
