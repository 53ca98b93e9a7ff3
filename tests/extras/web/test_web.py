"""The page of --export_format web: opened from the file system, without network, and compared."""

import base64
import hashlib
import io
import tarfile

import browser
import numpy as np
import pytest
import tensorflow as tf
from archives import served
from browser import By
from PIL import Image
from support import GOLDENS, ROOT, refused, run_forked

import cyclegan_tf
import pix2pix_tf
from pix2pix_tf.data import images
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.web import page as web
from pix2pix_tf.extras.web import runtime as onnx_web
from tests.export.test_formats import ONNX, Model

pytestmark = [ONNX, pytest.mark.process]


@pytest.fixture(scope="session")
def runtime():
    """The runtime's files, which are downloaded the first time."""
    try:
        return onnx_web.load_runtime()
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


def export(program, *words):
    done = run_forked(program, "--mode", "export", "--export_format", "web", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compare(page, translate, folder, *, model=None):
    """The page against a function of uint8 images, at the training size and another."""
    for shape in ((64, 64), (75, 110)):
        picture = image(*shape)
        found = page.translate(picture, folder, model=model)
        assert np.abs(found - translate(picture)).max() <= 1, shape


def test_an_imported_reference_run_from_the_file_system(runtime, driver, tmp_path):
    run, tool = tmp_path / "reference", ROOT / "tools" / "import_checkpoint.py"
    done = run_forked(tool, "--source", GOLDENS / "small", "--output_dir", run)
    assert done.returncode == 0, done.stderr
    printed = export("pix2pix-tf", "--checkpoint", run, "--output_dir", tmp_path / "page")
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["index.html"]
    size = (tmp_path / "page" / "index.html").stat().st_size
    assert f"{size / 1e6:.1f} MB" in printed and " dB)" in printed
    page = Page(driver, (tmp_path / "page" / "index.html").as_uri())
    compare(page, pix2pix_tf.load(run), tmp_path)
    assert page.text("name") == "reference"
    assert page.close() == []


def test_both_directions_of_a_cyclegan(runtime, driver, tmp_path):
    run = tmp_path / "summer2winter_run"
    sizes = {"ngf": 3, "ndf": 1, "netG": "resnet_6blocks", "netD": "pixel"}
    config = cyclegan_tf.CycleGANConfig(**sizes, crop_size=64, load_size=64, seed=0)
    cyclegan_tf.save_run(cyclegan_tf.build(config), config, run)
    words = ("--checkpoint", run, "--direction", "both", "--quantize", "none")
    export("cyclegan-tf", *words, "--output_dir", tmp_path / "page")
    page = Page(driver, (tmp_path / "page" / "index.html").as_uri())
    for direction in ("AtoB", "BtoA"):
        name = f"summer2winter_run-{direction}"
        compare(page, cyclegan_tf.load(run, direction=direction), tmp_path, model=name)
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

    def lab(picture):
        unit = tf.constant(picture[None] / np.float32(255))
        return images.from_unit(models["lab"].served.serving_default(unit)["outputs"][0]).numpy()

    written = web.export_page(pages, tmp_path / "page", single_file=False, quantize="none")
    assert written.size == sum(p.stat().st_size for p in (tmp_path / "page").iterdir())
    with served(tmp_path / "page") as address:
        cut_off(driver, False)
        page = Page(driver, address)
        compare(page, lab, tmp_path, model="lab")
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


@pytest.fixture
def archive(runtime, monkeypatch):
    """An archive of the same files, and the address of a server that has it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, contents in runtime.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(contents)
            file.addfile(member, io.BytesIO(contents))
    digest = base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    monkeypatch.setattr(onnx_web, "INTEGRITY", f"sha512-{digest}")
    return buffer.getvalue()


def test_the_runtime_is_downloaded_once(runtime, archive, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / onnx_web.ARCHIVE).write_bytes(archive)
    with served(tmp_path) as address:
        monkeypatch.setattr(onnx_web, "URL", f"{address}/{onnx_web.ARCHIVE}")
        assert onnx_web.load_runtime() == runtime
    assert onnx_web.load_runtime() == runtime  # the server is gone
    name = onnx_web.WASM[0]
    (stored,) = (tmp_path / "cache").rglob(name)
    stored.write_bytes(b"another")
    with pytest.raises(InputError, match="could not be downloaded .*--web_runtime") as caught:
        onnx_web.load_runtime()
    assert "\n" not in str(caught.value)


def test_a_folder_may_have_the_files_or_the_archive(runtime, archive, tmp_path):
    for folder in (tmp_path / "files", tmp_path / "unpacked" / "package" / "dist"):
        folder.mkdir(parents=True)
        for name, contents in runtime.items():
            (folder / name).write_bytes(contents)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / onnx_web.ARCHIVE).write_bytes(archive)
    for name in ("files", "unpacked", "packed"):
        assert onnx_web.load_runtime(str(tmp_path / name)) == runtime


def test_another_archive_or_file_is_refused(runtime, tmp_path):
    (tmp_path / onnx_web.ARCHIVE).write_bytes(b"another")
    with pytest.raises(InputError, match="checksum differs"):
        onnx_web.load_runtime(str(tmp_path))
    for name, contents in runtime.items():
        (tmp_path / name).write_bytes(contents[:-1] + b" ")
    with pytest.raises(InputError, match="checksum differs"):
        onnx_web.load_runtime(str(tmp_path))
    with pytest.raises(InputError, match="Expected --web_runtime to be a folder"):
        onnx_web.load_runtime(str(tmp_path / "nowhere"))


def test_models_that_a_page_cannot_run_are_refused(tmp_path):
    served = Model("grey").served
    served.channels = 5
    with pytest.raises(InputError, match="1, 3 or 4 channels, .* Received: 5"):
        web.convert(served, quantize="none")
    words = ("--mode", "export", "--export_format", "web", "--output_dir", tmp_path / "page")
    assert "--checkpoint" in refused(run_forked("cyclegan-tf", *words))
