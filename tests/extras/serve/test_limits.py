"""Image files that are looked at before they are decoded."""

import io

import numpy as np
import pytest
from contents import as_tiff, pillow, read
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pix2pix_tf.data.integrity import PNG_MARK
from pix2pix_tf.extras.serve.limits import Limits, RequestError, check_file

LIMITS = Limits(max_request_bytes=10**6, max_pixels=2 * 256**2, max_queue=1, max_batch=1, timeout=1)


def file(kind, size=(20, 10), **options):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    return pillow(pixels, kind, **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_files_pass_unchanged(kind):
    contents = file(kind)
    assert check_file(contents, LIMITS) == (256**2, contents)


def test_of_a_gif_only_the_first_picture_is_passed_on():
    first, second = (Image.new("RGB", (20, 10), color) for color in ("red", "blue"))
    frames = {"save_all": True, "append_images": [second] * 50}
    pixels, passed = check_file(pillow(np.asarray(first), "GIF", **frames), LIMITS)
    assert pixels == 256**2 and passed.startswith(b"\x89PNG")
    np.testing.assert_array_equal(Image.open(io.BytesIO(passed)).convert("RGB"), first)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
@pytest.mark.parametrize("size", [(257, 257), (513, 1), (1, 513)])
def test_too_many_pixels(kind, size):
    with pytest.raises(RequestError, match="at most 131072 pixels") as refusal:
        check_file(file(kind, size), LIMITS)
    assert refusal.value.status == 413
    assert check_file(file(kind, (512, 256)), LIMITS)[0] == LIMITS.max_pixels


@pytest.mark.parametrize("others", [[(3000, 3000)], [(8, 8)] * 2000, [(300, 8)] * 3])
def test_a_small_first_page_hides_no_others(monkeypatch, others):
    tifffile = pytest.importorskip("tifffile", reason="the extra [tiff] is not installed")
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as pages:
        pages.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb")
        for size in others:
            pages.write(np.zeros((*size, 3), np.uint8), photometric="rgb", compression="zlib")
    assert Image.open(buffer).size == (8, 8)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", None)  # it is refused before it is decoded
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", None)
    with pytest.raises(RequestError, match="at most 131072 pixels") as refusal:
        check_file(buffer.getvalue(), LIMITS)
    assert refusal.value.status == 413


def test_a_jpeg_of_very_many_scans():
    contents = file("JPEG", progressive=True)
    assert check_file(contents, LIMITS)[0] == 256**2
    bomb = contents[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 200 + contents[-2:]
    with pytest.raises(RequestError, match="scans"):
        check_file(bomb, LIMITS)


@given(st.data())
def test_damaged_files_are_passed_or_refused(data):
    contents = bytearray(file(data.draw(st.sampled_from(["PNG", "JPEG", "BMP", "GIF"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        contents[data.draw(st.integers(0, min(len(contents) - 1, 60)))] = data.draw(
            st.integers(0, 255)
        )
    contents = bytes(contents[: data.draw(st.integers(0, len(contents)))])
    try:
        pixels, passed = check_file(contents, LIMITS)
    except RequestError as refusal:
        assert refusal.status in (400, 413)
    else:
        assert 0 < pixels <= LIMITS.max_pixels and passed


@pytest.mark.parametrize(("dtype", "fits"), [("uint8", True), ("uint16", True), ("int16", False)])
def test_a_range_of_values_takes_only_samples_that_stay_true(dtype, fits):
    pytest.importorskip("tifffile", reason="the extra [tiff] is not installed")
    contents = as_tiff(np.full((8, 8), 100, dtype), photometric="minisblack")
    assert check_file(contents, LIMITS)[1].startswith(PNG_MARK)
    if fits:
        _, png = check_file(contents, LIMITS, ranged=True)
        assert (read(png) == 100).all()
    else:
        with pytest.raises(RequestError, match="the model has a range of values"):
            check_file(contents, LIMITS, ranged=True)
