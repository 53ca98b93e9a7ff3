import random
import re
import subprocess
import sys

import numpy as np
import pytest

from pix2pix_tf.evaluation.curves import draw_curves

PIX2PIX = ("discriminator_loss", "generator_loss_GAN", "generator_loss_L1")


def write_log(path, names, rows):
    """Writes a log as training does; a row is the tuple of its losses."""
    lines = [",".join(["step", "epoch", *names, "images_per_second"])]
    for number, losses in enumerate(rows, start=1):
        lines.append(",".join(map(str, [50 * number, 1, *losses, 9.5])))
    path.write_text("\n".join(lines) + "\n")
    return path


def drawn_texts(folder, names, rows):
    """The texts of a drawing per axes; SVG keeps each as a comment."""
    log = write_log(folder / "log.csv", names, rows)
    svg = draw_curves(log, folder / "curves.svg").read_text()
    axes = re.split(r'<g id="axes_\d+">', svg)[1:]
    return [re.findall(r"<!-- (.*?) -->", part) for part in axes]


def noise(count, losses):
    draw = random.Random(0)
    return [tuple(place + draw.gauss(1, 0.1) for place in range(losses)) for _ in range(count)]


def test_every_loss_gets_axes_with_its_name_and_last_value(tmp_path):
    rows = [(0.7, 2.0, 0.4)] * 9 + [(0.6, 3.0, 0.25)]
    texts = drawn_texts(tmp_path, PIX2PIX, rows)
    assert len(texts) == 3
    for axes, name, last in zip(texts, PIX2PIX, ("0.6000", "3.000", "0.2500"), strict=True):
        assert {name, "step", f"last  {last}"} <= set(axes)
        assert "500" in axes  # the last step


def test_losses_of_both_domains_share_axes(tmp_path):
    names = ("D_A", "D_B", "loss_cycle_ab", "loss_cycle_ba", "disc_a_loss", "disc_b_loss", "idt")
    texts = drawn_texts(tmp_path, names, [tuple(range(1, 8))])
    assert len(texts) == 4
    wanted = (
        ("D", "D_A  1.000", "D_B  2.000"),
        ("loss_cycle", "loss_cycle_ab  3.000", "loss_cycle_ba  4.000"),
        ("disc_loss", "disc_a_loss  5.000", "disc_b_loss  6.000"),
        ("idt", "last  7.000"),
    )
    for axes, expected in zip(texts, wanted, strict=True):
        assert set(expected) <= set(axes)


def test_the_smooth_line_averages_a_20th_of_the_log(tmp_path):
    (texts,) = drawn_texts(tmp_path, ["ramp"], [(float(value),) for value in range(1000)])
    (last,) = [float(text.split()[1]) for text in texts if text.startswith("smoothed")]
    # At the end the window of 50 rows holds the last 25 or 26.
    assert last == pytest.approx(np.mean(range(975, 1000)), abs=1)


@pytest.mark.parametrize("place", [0, 12_345, 19_999])
def test_a_long_log_keeps_its_spikes(tmp_path, place):
    rows = noise(20_000, 1)
    rows[place] = (800.0,)
    (texts,) = drawn_texts(tmp_path, ["loss"], rows)
    assert "800" in texts  # a tick: the axis reaches up to the spike
    assert (tmp_path / "curves.svg").stat().st_size < 300_000


def test_cells_without_a_number_are_gaps(tmp_path):
    rows = [(1.0, "nan"), ("", 5.0), ("inf", 5.0), (1.0, "torn")] * 30
    texts = drawn_texts(tmp_path, ["first", "second"], rows)
    assert "smoothed  1.000" in texts[0] and "smoothed  5.000" in texts[1]


def test_a_torn_last_line_and_a_second_heading_are_passed_over(tmp_path):
    log = write_log(tmp_path / "log.csv", ["loss"], [(2.0,)] * 5)
    with log.open("a") as file:
        file.write("step,epoch,loss,images_per_second\n300,1,4.0,9.5\n350,1")
    svg = draw_curves(log, tmp_path / "curves.svg").read_text()
    assert "<!-- last  4.000 -->" in svg


@pytest.mark.parametrize("text", ["", "step,epoch,loss,images_per_second\n", "step,epoch\n50,1\n"])
def test_a_log_without_losses_becomes_a_picture_that_says_so(tmp_path, text):
    (tmp_path / "log.csv").write_text(text)
    svg = draw_curves(tmp_path / "log.csv", tmp_path / "curves.svg").read_text()
    assert "<!-- No losses are logged yet. -->" in svg
    assert 'id="axes_1"' not in svg


def test_names_are_drawn_as_they_are_written(tmp_path):
    names = ["$\\frac{a}$_a", "$\\frac{a}$_b", "_hidden", "100% <loss>"]
    texts = sum(drawn_texts(tmp_path, names, noise(3, 4)), [])
    assert "$\\frac{a}$" in texts
    assert [text for text in texts if text.startswith("$\\frac{a}$_a  ")]
    assert "_hidden" in texts


def test_a_missing_log_is_an_error_and_leaves_the_picture(tmp_path):
    path = tmp_path / "curves.png"
    path.write_bytes(b"before")
    with pytest.raises(FileNotFoundError):
        draw_curves(tmp_path / "log.csv", path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.process
def test_drawing_leaves_pyplot_alone(tmp_path):
    log = write_log(tmp_path / "log.csv", ["loss"], noise(3, 1))
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from pix2pix_tf.evaluation.curves import draw_curves\n"
        "assert 'matplotlib' not in sys.modules\n"
        "print(draw_curves(*map(Path, sys.argv[1:])))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    words = [sys.executable, "-c", code, log, tmp_path / "curves.png"]
    process = subprocess.run(words, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == str(tmp_path / "curves.png")
