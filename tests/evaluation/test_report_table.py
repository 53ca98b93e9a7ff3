"""The report's table in a real browser that opens it from the file system."""

import math
import random

import pytest
from browser import Keys, all_css, choose, css, names, wait, write_images

from pix2pix_tf.evaluation.report import write_report


@pytest.fixture(scope="module")
def rows():
    """5,000 rows; every 1,000th has an L1 that is no number."""
    draw = random.Random(0)
    return [
        {
            "name": f"building {number}",
            "metrics": {"L1": draw.random() if number % 1000 else math.nan, "PSNR": draw.random()},
        }
        for number in range(5000)
    ]


def write_rows(folder, rows):
    images = write_images(folder)
    rows = [row | {"images": images} for row in rows]
    return write_report(folder, title="Facades", rows=rows).as_uri()


@pytest.fixture(scope="module")
def large(tmp_path_factory, rows):
    return write_rows(tmp_path_factory.mktemp("large"), rows)


@pytest.fixture
def page(chromium, large):
    chromium.get(large)
    return chromium


def count(driver):
    return css(driver, "#count").text


def sorted_names(rows, metric, *, reverse):
    finite = [row for row in rows if math.isfinite(row["metrics"][metric])]
    finite.sort(key=lambda row: row["metrics"][metric], reverse=reverse)
    return [row["name"] for row in finite]


def test_5000_rows_load_and_scroll_to_the_last(page):
    assert page.title == "Facades"
    assert count(page) == "5,000 rows"
    assert names(page)[:2] == ["building 0", "building 1"]
    assert len(names(page)) < 200
    page.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
    wait(lambda: names(page)[-1] == "building 4999")
    last = all_css(page, "#rows tbody tr")[-1]
    assert last.get_attribute("aria-rowindex") == "5001"
    assert css(page, "#rows").get_attribute("aria-rowcount") == "5001"


@pytest.mark.parametrize(("key", "metric"), [("0", "L1"), ("1", "PSNR")])
def test_a_heading_sorts_both_ways_and_what_is_no_number_comes_last(page, rows, key, metric):
    heading = css(page, f"[data-sort='{key}']")
    for order in ("ascending", "descending"):
        heading.send_keys(Keys.ENTER)
        expected = sorted_names(rows, metric, reverse=order == "descending")
        assert names(page)[:15] == expected[:15]
        assert len(names(page)) < 200  # no others are laid out: sorting stays fast
        marked = all_css(page, "[aria-sort]:not([aria-sort=none])")
        assert [(m.text[:2], m.get_attribute("aria-sort")) for m in marked] == [(metric[:2], order)]
        page.execute_script("dispatchEvent(new Event('beforeprint'))")  # brings all rows
        missing = [row["name"] for row in rows if not math.isfinite(row["metrics"][metric])]
        assert names(page) == expected + missing


def test_names_sort_as_people_count(page):
    heading = css(page, "[data-sort=name]")
    heading.click()
    assert names(page)[1:4] == ["building 1", "building 2", "building 3"]
    heading.click()
    assert names(page)[:2] == ["building 4999", "building 4998"]


def test_best_and_worst_first_know_each_metric(page, rows):
    css(page, "#best").click()
    assert names(page)[:9] == sorted_names(rows, "L1", reverse=False)[:9]
    assert css(page, "#better").text == "lower is better"
    choose(page, "#metric", "PSNR (dB)")
    assert names(page)[:9] == sorted_names(rows, "PSNR", reverse=True)[:9]
    assert css(page, "#better").text == "higher is better"
    css(page, "#worst").click()
    assert names(page)[:9] == sorted_names(rows, "PSNR", reverse=False)[:9]
    pressed = [css(page, name).get_attribute("aria-pressed") for name in ("#best", "#worst")]
    assert pressed == ["false", "true"]


def test_the_filter_keeps_names_that_hold_the_text(page):
    field = css(page, "#filter")
    field.send_keys("BUILDING 499")
    assert count(page) == "11 of 5,000 rows"
    assert names(page) == ["building 499", *(f"building {n}" for n in range(4990, 5000))]
    field.send_keys("x<b>")
    assert css(page, "#nothing").text == "No name contains “building 499x<b>”."
    field.send_keys(Keys.CONTROL, "a", Keys.DELETE)
    assert count(page) == "5,000 rows"
    assert not css(page, "#nothing").is_displayed()


def test_on_a_phone_rows_are_cards_without_sideways_scrolling(chromium, rows, tmp_path):
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        chromium.get(write_rows(tmp_path, rows[:20]))
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= 390
        first = css(chromium, "#rows tbody tr")
        name, image = (css(first, part) for part in (".name", ".image"))
        assert image.rect["y"] >= name.rect["y"] + name.rect["height"]
        assert image.size["width"] > 90
        css(chromium, "[data-sort='1']").click()
        css(chromium, ".image a").click()
        assert css(chromium, "#viewer figure").size["width"] > 300
        assert (
            chromium.execute_script("return document.querySelector('#viewer').scrollWidth") <= 390
        )
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
