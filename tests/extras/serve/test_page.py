"""The page in a real browser, driven by mouse, keyboard and touch."""

import contextlib
import time

import browser
import numpy as np
import pytest
from browser import By, Keys, css
from PIL import Image

import pix2pix_tf
from pix2pix_tf.demo.facades import PALETTE

ActionChains = browser.webdriver.ActionChains


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    flags = (
        "--window-size=1280,900", "--disable-dev-shm-usage", "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    )  # fmt: skip
    driver = browser.start(folder / "profile", *flags, downloads=folder / "downloads")
    driver.downloads = folder / "downloads"
    yield driver
    driver.quit()


class Page:
    """What a person does and sees."""

    def __init__(self, driver, server):
        self.driver = driver
        driver.get("about:blank")
        driver.get(f"http://127.0.0.1:{server.port}/#facades")
        browser.wait(lambda: self["took"].text)

    def __getitem__(self, name):
        return self.driver.find_element(By.ID, name)

    def choose_size(self, value):
        css(self.driver, f"#size option[value='{value}']").click()
        self.settle()

    def pixels(self, name, **options):
        return browser.canvas(self.driver, name, **options)

    def settle(self):
        """Waits until what is drawn is translated."""
        browser.wait(lambda: not self["busy"].is_displayed())
        time.sleep(0.1)
        browser.wait(lambda: not self["busy"].is_displayed())

    def choose(self, name, value):
        css(self.driver, f"input[name={name}][value={value}]").click()

    def drag(self, start, end):
        """Drags the mouse over the drawing; points in 0 to 1."""
        canvas = self["input"]
        size = canvas.size["width"], canvas.size["height"]
        (x0, y0), (x1, y1) = (
            [int((part - 0.5) * side) for part, side in zip(point, size, strict=True)]
            for point in (start, end)
        )
        chain = ActionChains(self.driver, duration=50).move_to_element_with_offset(canvas, x0, y0)
        chain.click_and_hold().move_by_offset(x1 - x0, y1 - y0).release().perform()
        self.settle()

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()
        self.settle()


@pytest.fixture
def page(driver, server):
    driver.get_log("browser")
    page = Page(driver, server)
    page.settle()
    yield page
    assert driver.get_log("browser") == []


def test_a_box_is_drawn_translated_undone_and_drawn_again(page, served):
    before, painted = page.pixels("input"), page.pixels("output")
    page.choose("label", "shop")
    page.drag((0.25, 0.25), (0.75, 0.6))
    drawn = page.pixels("input")
    assert drawn[100, 128].tolist() == list(PALETTE["shop"])
    # No blurred edges: every colour is one of a class.
    assert {tuple(c) for c in drawn.reshape(-1, 3).tolist()} <= set(PALETTE.values())
    translated = page.pixels("output")
    assert np.abs(translated - painted).max() > 2
    expected = pix2pix_tf.load(served / "facades")(drawn.astype(np.uint8))
    assert np.abs(translated - expected).max() <= 1
    page["undo"].click()
    page.settle()
    np.testing.assert_array_equal(page.pixels("input"), before)
    assert np.abs(page.pixels("output") - painted).max() <= 1
    page["redo"].click()
    np.testing.assert_array_equal(page.pixels("input"), drawn)
    page["clear"].click()
    assert np.unique(page.pixels("input").reshape(-1, 3), axis=0).tolist() == [
        list(PALETTE["background"])
    ]


def test_a_label_map_is_opened_to_draw_on_and_saved(page, tmp_path):
    labels = np.full((300, 600, 3), PALETTE["facade"], np.uint8)
    labels[:150, :301] = PALETTE["sill"]
    Image.fromarray(labels).save(tmp_path / "labels.png")
    page["file"].send_keys(str(tmp_path / "labels.png"))
    page.settle()
    page.drag((0.6, 0.6), (0.9, 0.9))
    drawn = page.pixels("input")
    assert drawn.shape == (128, 256, 3)
    colors = {tuple(color) for color in drawn.reshape(-1, 3).tolist()}
    assert colors == {PALETTE[name] for name in ("facade", "sill", "window")}
    page["save-drawing"].click()
    saved = page.driver.downloads / "facades-drawing.png"
    browser.wait(saved.exists)
    np.testing.assert_array_equal(np.asarray(Image.open(saved).convert("RGB")), drawn)


def test_a_broken_address_shows_the_first_model(page):
    page.driver.execute_script("location.hash = '#%zz'")
    browser.wait(lambda: page.driver.current_url.endswith("#exported"))
    assert page["model"].get_attribute("value") == "exported"


def test_lines_are_drawn_and_erased(page):
    page.choose("editor", "lines")
    assert not page["example"].is_displayed()  # a facades model has no handbag to draw
    page["clear"].click()
    page.settle()
    blank = page.pixels("output")
    page.drag((0.2, 0.5), (0.8, 0.5))
    drawn = page.pixels("input")
    assert drawn[126:131, 128].min() < 128 and (drawn == 255).mean() > 0.95
    assert np.abs(page.pixels("output") - blank).max() > 2
    page.choose("pen", "eraser")
    page.drag((0.1, 0.5), (0.9, 0.5))
    assert page.pixels("input").min() == 255


def test_the_keyboard_draws_undoes_and_saves(page):
    before = page.pixels("input")
    page.driver.execute_script("document.getElementById('input').focus()")
    page.keys("8", " ", *[Keys.ARROW_RIGHT] * 6, *[Keys.ARROW_DOWN] * 4, " ")
    drawn = page.pixels("input")
    assert drawn[140, 140].tolist() == list(PALETTE["blind"])
    assert page["cursor"].is_displayed()
    page.keys(" ", *[Keys.ARROW_LEFT] * 6, Keys.ESCAPE)
    np.testing.assert_array_equal(page.pixels("input"), drawn)
    with_control = ActionChains(page.driver).key_down(Keys.CONTROL)
    with_control.send_keys("z").send_keys("s").key_up(Keys.CONTROL).perform()
    np.testing.assert_array_equal(page.pixels("input"), before)
    saved = page.driver.downloads / "facades.png"
    browser.wait(saved.exists)
    assert Image.open(saved).size == (256, 256)


def test_a_photo_is_opened_and_compared(page, tmp_path):
    page.choose("editor", "picture")
    photo = np.zeros((200, 400, 3), np.uint8)
    photo[:, 200:] = 255, 128, 0
    Image.fromarray(photo).save(tmp_path / "photo.png")
    page["file"].send_keys(str(tmp_path / "photo.png"))
    page.settle()
    assert page.pixels("input").shape == (128, 256, 3)  # its longer side fits into 256
    assert page.pixels("output").shape == (128, 256, 3)
    np.testing.assert_array_equal(page.pixels("before"), page.pixels("input"))
    page["compare"].send_keys(*[Keys.ARROW_RIGHT] * 30)
    clip = page.driver.execute_script(
        "return getComputedStyle(arguments[0]).clipPath", page["before"]
    )
    assert "70%" in clip
    # The size applies to what is open already; without anything there is nothing to translate.
    page.choose_size("512")
    assert page.pixels("input").shape == (200, 400, 3)
    page.choose_size("256")
    page["clear"].click()
    page.settle()
    assert page["drop-hint"].is_displayed() and not page["save"].is_enabled()
    assert not page.pixels("output", mode="RGBA").any()
    page["undo"].click()
    page.settle()
    assert page.pixels("output").shape == (128, 256, 3) and not page["drop-hint"].is_displayed()


def test_the_camera_is_translated_until_a_photo_is_taken(page):
    page.choose("editor", "picture")
    page["camera"].click()
    browser.wait(lambda: not page["drop-hint"].is_displayed())
    first = page.pixels("input")
    browser.wait(lambda: (page.pixels("input") != first).any())
    page["camera"].click()
    page.settle()
    eval_transform = page.pixels("input")
    time.sleep(0.3)
    np.testing.assert_array_equal(page.pixels("input"), eval_transform)
    assert page["undo"].is_enabled()


@pytest.mark.parametrize(("width", "height"), [(375, 667), (900, 700), (1280, 900)])
def test_every_target_is_large_and_its_words_fit(page, width, height):
    with screen(page.driver, width, height):
        boxes = page.driver.execute_script(
            "return [...document.querySelectorAll('button, select, fieldset label')]"
            ".filter((e) => e.getClientRects().length).map((e) => [e.innerText || e.id,"
            " e.offsetWidth, e.offsetHeight, e.scrollWidth - e.clientWidth])"
        )
        assert len(boxes) > 15
        for words, wide, high, over in boxes:
            assert wide >= 44 and high >= 44 and over <= 1, (words, wide, high, over)
        stage, handle = (
            page.driver.execute_script(
                "const r = arguments[0].getBoundingClientRect(); return [r.left, r.right]", element
            )
            for element in (page["output-stage"], page["handle"])
        )
        assert stage[0] <= handle[0] and handle[1] <= stage[1]
        after = page.driver.execute_script(
            "const s = getComputedStyle(arguments[0], '::after');"
            "return [parseFloat(s.left), parseFloat(s.width)]",
            page["handle"],
        )
        assert handle[0] + after[0] >= stage[0] and after[1] == 30


@contextlib.contextmanager
def screen(driver, width, height):
    """Another size of the window, that of a phone with touch below 640 pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 640}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_phone_shows_drawing_result_and_colours_at_once(page):
    with screen(page.driver, 375, 667):
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= 375
        page.driver.execute_script("scrollTo(0, 0)")
        seen = page.driver.execute_script(
            "return ['input', 'undo', 'palette', 'output'].map((id) => {"
            " const r = document.getElementById(id).getBoundingClientRect();"
            " return [id, r.left, r.right, r.top, r.bottom]; })"
        )
        for name, left, right, top, bottom in seen:
            assert 0 <= left < right <= 375 and 0 <= top < bottom <= 667, name
        before = page.pixels("input")
        frame = page.driver.execute_script(
            "const r = document.getElementById('input').getBoundingClientRect();"
            "return [r.x, r.y, r.width, r.height]"
        )
        touch = lambda kind, *at: page.driver.execute_cdp_cmd(  # noqa: E731
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [
                    {"x": frame[0] + frame[2] * x, "y": frame[1] + frame[3] * y} for x, y in at
                ],
            },
        )
        touch("touchStart", (0.3, 0.3))
        touch("touchMove", (0.7, 0.6))
        touch("touchEnd")
        page.settle()
        assert page.pixels("input")[110, 128].tolist() == list(PALETTE["window"])
        assert (page.pixels("input") != before).any()


def test_the_other_model_and_a_server_that_refuses(page, tmp_path):
    css(page.driver, "#model option[value=exported]").click()
    page.settle()
    assert page.driver.current_url.endswith("#exported")
    (tmp_path / "text.png").write_text("no picture")
    page["file"].send_keys(str(tmp_path / "text.png"))
    browser.wait(lambda: page["message"].text)
    assert "cannot read text.png" in page["message"].text
