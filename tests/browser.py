"""A headless Chromium for tests of pages, and short words for what they ask of it."""

import base64
import io
import shutil
import time

import numpy as np
import pytest
from PIL import Image

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402, F401

COLORS = {"inputs": (200, 100, 50), "outputs": (40, 160, 90), "targets": (60, 100, 90)}

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1400,900",
    "--force-color-profile=srgb", "--force-device-scale-factor=1",
)  # fmt: skip


def start(profile, *flags, downloads=None):
    """Starts Chromium with a new profile folder; skips the test where there is none."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if downloads:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    for flag in (*FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def write_images(folder, name="1"):
    """Writes one picture of plain colour, 8 x 6, per kind; returns {kind: relative path}."""
    paths = {}
    for kind, color in COLORS.items():
        paths[kind] = f"images/{name}-{kind}.png"
        (folder / paths[kind]).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), color).save(folder / paths[kind])
    return paths


def names(driver):
    """Names of the report's rows that are in the document."""
    return driver.execute_script(
        "return Array.from(document.querySelectorAll('#rows .name span'), (e) => e.textContent)"
    )


def css(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def all_css(driver, selector):
    return driver.find_elements(By.CSS_SELECTOR, selector)


def press(driver, *keys):
    for key in keys:
        driver.switch_to.active_element.send_keys(key)


def choose(driver, selector, text):
    for option in css(driver, selector).find_elements(By.TAG_NAME, "option"):
        if option.get_attribute("textContent") == text:
            return option.click()
    raise AssertionError(f"no option {text} in {selector}")


def wait(condition, seconds=20):
    """Waits until `condition()` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def canvas(driver, name, mode="RGB"):
    """The pixels of a canvas."""
    url = driver.execute_script(
        "return document.getElementById(arguments[0]).toDataURL('image/png')", name
    )
    file = io.BytesIO(base64.b64decode(url.split(",")[1]))
    return np.asarray(Image.open(file).convert(mode), np.int16)


def colors(driver, selector, *places):
    """RGB of an element as painted, at fractions of its width, a quarter from its top."""
    driver.execute_async_script(
        "const done = arguments[1], images = document.querySelectorAll(arguments[0] + ' img');"
        "Promise.all(Array.from(images, (image) => image.decode()))"
        ".then(() => requestAnimationFrame(() => requestAnimationFrame(done)))",
        selector,
    )
    shot = Image.open(io.BytesIO(css(driver, selector).screenshot_as_png)).convert("RGB")
    return [shot.getpixel((int(place * shot.width), shot.height // 4)) for place in places]


def near(color, expected):
    return max(abs(a - b) for a, b in zip(color, expected, strict=True)) <= 2
