"""One Chromium and one file of Inception weights for all tests in this room."""

import pytest
from evaluation import inception


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
    if not inception.HAS_TORCH:
        pytest.skip("needs the extra [metrics]")


@pytest.fixture(scope="session")
def network(needs_torch):
    """InceptionV3 of 2015 in TensorFlow, with seeded weights."""
    return inception.network()


@pytest.fixture(scope="session")
def weights(network, tmp_path_factory):
    """A file of those weights as torch-fidelity's."""
    return inception.write_weights(tmp_path_factory.mktemp("inception") / "seeded.pth")
