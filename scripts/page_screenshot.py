"""Writes a screenshot of an exported page, as docs/pictures/page.png is.

Usage: python scripts/page_screenshot.py --page PAGE/index.html --output_file FILE.png [flags]

Needs Chromium with its driver (Debian: chromium chromium-driver) and the package selenium.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import flags
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli

FLAGS = flags.FlagValues()
flags.DEFINE_string("page", None, "index.html that --export_format web wrote", flag_values=FLAGS)
flags.DEFINE_string("output_file", None, "PNG file", flag_values=FLAGS)
flags.DEFINE_integer("width", 1240, "of the window, in pixels", flag_values=FLAGS)
flags.DEFINE_integer("height", 740, "of the window, in pixels", flag_values=FLAGS)

_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
_PATIENCE = 60  # seconds


def main() -> None:
    """Opens the page, waits for its first translation and saves what is seen."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for word in (*_OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(word)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options=options, service=service)
        try:
            size = {"width": FLAGS.width, "height": FLAGS.height}
            metrics = {**size, "deviceScaleFactor": 1, "mobile": FLAGS.width < 640}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.get(Path(FLAGS.page).resolve().as_uri())
            _wait(driver)
            shot = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
        finally:
            driver.quit()
    shot.save(FLAGS.output_file, optimize=True)


def _wait(driver: Any) -> None:
    # A drawing that is always the same: the first example.
    script = "Math.random = () => 0; return document.getElementById('took').textContent"
    end = time.monotonic() + _PATIENCE
    while not driver.execute_script(script):
        if time.monotonic() > end:
            raise ValueError("the page translated nothing within a minute")
        time.sleep(0.2)
    driver.execute_script("document.getElementById('example').click()")
    time.sleep(3)


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["page", "output_file"])
