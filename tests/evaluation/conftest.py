"""One Chromium and one InceptionV3 for all tests in this room."""

import numpy as np
import pytest


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


@pytest.fixture(scope="package")
def network():
    """InceptionV3 with seeded weights that keep the size of the activations."""
    import keras

    random = np.random.default_rng(0)
    network = keras.applications.InceptionV3(
        weights=None, include_top=False, input_shape=(299, 299, 3)
    )

    def value(variable):
        if variable.name == "kernel":
            deviation = np.sqrt(2 / np.prod(variable.shape[:-1]))
            return deviation * random.standard_normal(variable.shape, np.float32)
        low, high = (0.5, 1.5) if variable.name == "moving_variance" else (-0.3, 0.3)
        return random.uniform(low, high, variable.shape)

    network.set_weights([value(variable) for variable in network.weights])
    return network


@pytest.fixture(scope="package")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "seeded.weights.h5"
    network.save_weights(path)
    return path
