"""One Chromium for all tests in this folder."""

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
