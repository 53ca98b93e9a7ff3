"""The report's viewer in a real browser: enlarge, slide, subtract."""

import pytest
from browser import (
    COLORS,
    Keys,
    all_css,
    choose,
    colors,
    css,
    names,
    near,
    press,
    wait,
    webdriver,
    write_images,
)

from pix2pix_tf.evaluation.report import write_report


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    images = write_images(folder)
    rows = [
        {"name": f"building {number}", "images": images, "metrics": {"PSNR": number / 60}}
        for number in range(60)
    ]
    return write_report(folder, title="Facades", rows=rows).as_uri()


@pytest.fixture
def page(chromium, small):
    chromium.get(small)
    return chromium


def viewer(driver):
    """What the viewer shows: mode, row, and the kinds of its left and right image."""
    return driver.execute_script(
        "const open = document.querySelector('#viewer[open]'); return open && ["
        "open.querySelector('figure').dataset.mode, document.querySelector('#viewer-name')"
        ".textContent, ...['over', 'under'].map((id) => document.getElementById(id).src"
        ".match(/-(\\w+).png/)[1])]"
    )


def test_an_image_enlarges_and_the_keys_walk_through_images_and_rows(page):
    css(page, ".image a").send_keys(Keys.ENTER)
    assert viewer(page) == ["one", "building 0", "inputs", "inputs"]
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert viewer(page)[1:3] == ["building 0", "targets"]
    press(page, Keys.ARROW_RIGHT)
    assert viewer(page)[1:3] == ["building 1", "inputs"]
    press(page, Keys.ARROW_LEFT)
    assert viewer(page)[1:3] == ["building 0", "targets"]
    press(page, Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert viewer(page)[1:3] == ["building 1", "outputs"]
    assert css(page, "#place").text == "2 of 60"
    assert "PSNR 0." in css(page, "#viewer-metrics").text
    assert near(*colors(page, "#viewer figure", 0.5), COLORS["outputs"])
    shape = css(page, "#viewer figure").size
    assert shape["width"] / shape["height"] == pytest.approx(8 / 6, abs=0.02)
    assert shape["height"] > 600
    press(page, Keys.ESCAPE)
    assert viewer(page) is None
    # The page hears of the closing, and moves the focus, in a task of its own.
    focused = "return document.activeElement.querySelector('img')?.alt"
    wait(lambda: page.execute_script(focused) == "outputs of building 1")


def test_the_viewer_stops_at_both_ends_and_follows_the_order_of_the_page(page):
    css(page, "#filter").send_keys("building 5")
    css(page, "[data-sort=name]").click()
    css(page, "[data-sort=name]").click()
    css(page, ".image a").click()
    press(page, Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert viewer(page)[1] == "building 59"
    press(page, *[Keys.ARROW_DOWN] * 12)
    assert viewer(page)[1] == "building 5"
    assert css(page, "#place").text == "11 of 11"


def test_the_slider_shows_one_image_left_and_another_right_of_it(page):
    css(page, ".compare").click()
    assert viewer(page) == ["slider", "building 0", "outputs", "targets"]
    left, right = COLORS["outputs"], COLORS["targets"]
    found = colors(page, "#viewer figure", 0.25, 0.45, 0.55, 0.75)
    assert all(map(near, found, [left, left, right, right]))
    press(page, *[Keys.ARROW_RIGHT] * 40)  # half a per cent each
    found = colors(page, "#viewer figure", 0.65, 0.75)
    assert all(map(near, found, [left, right]))
    figure = css(page, "#viewer figure")
    webdriver.ActionChains(page).move_to_element_with_offset(
        figure, -figure.size["width"] // 4, 0
    ).click().perform()
    found = colors(page, "#viewer figure", 0.2, 0.3)
    assert all(map(near, found, [left, right]))
    choose(page, "#left", "inputs")
    assert viewer(page) == ["slider", "building 0", "inputs", "targets"]
    assert near(*colors(page, "#viewer figure", 0.2), COLORS["inputs"])


def test_the_difference_is_absolute_and_can_be_amplified(page):
    css(page, ".compare").click()
    css(page, "[data-mode=difference]").click()
    assert near(*colors(page, "#viewer figure", 0.5), (80, 240, 0))  # at ×4
    choose(page, "#viewer .gain select", "×1")
    assert near(*colors(page, "#viewer figure", 0.5), (20, 60, 0))
    choose(page, "#right", "inputs")
    assert near(*colors(page, "#viewer figure", 0.5), (160, 60, 40))


def test_a_column_of_differences_stands_beside_the_images(page):
    choose(page, "#difference", "|inputs − targets|")
    assert css(page, "#extra").text == "|inputs − targets|"
    css(page, "#best").click()  # new rows get their difference as well
    assert near(*colors(page, "#rows .blend", 0.5), (255, 0, 160))  # at ×4
    rows = all_css(page, "#rows tbody tr")
    assert len(all_css(page, "#rows td.extra")) == len(rows) > 10
    css(page, "#rows .blend").click()
    assert viewer(page)[0] == "difference" and viewer(page)[2:] == ["inputs", "targets"]
    press(page, Keys.ESCAPE)
    choose(page, "#difference", "off")
    assert not all_css(page, "#rows td.extra")


def test_hostile_names_are_shown_and_their_images_load(chromium, tmp_path):
    hostile = [
        "<script>alert(1)<slash>script>", "\" onerror=\"alert(1)\" x='y", "a  b#c?d%20&amp;e",
        "two\nlines", "Zürich 東京 🏛", "</style>${title}", "javascript:alert(1)",
    ]  # fmt: skip
    rows = [{"name": name, "images": write_images(tmp_path, name)} for name in hostile]
    chromium.get(write_report(tmp_path, title=hostile[0], rows=rows).as_uri())
    assert names(chromium) == hostile
    assert chromium.title == hostile[0]
    chromium.execute_script(
        "const size = document.querySelector('#size'); size.value = 64;"
        "size.dispatchEvent(new Event('input'))"  # all rows come in sight
    )
    loaded = "return Array.from(document.querySelectorAll('#rows img'), (i) => i.naturalWidth)"
    wait(lambda: chromium.execute_script(loaded) == [8] * 3 * len(hostile))
    css(chromium, "[data-sort=name]").click()
    css(chromium, ".compare").click()
    css(chromium, "[data-mode=difference]").click()
    assert near(*colors(chromium, "#viewer figure", 0.5), (80, 240, 0))
