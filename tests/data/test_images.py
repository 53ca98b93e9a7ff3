"""Decoding, splitting and converting."""

import io

import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.data import color, decode, images


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(contents):
    """uint8 [h, w, 3], as exports decode."""
    return images.from_unit(decode.decode_unit(contents)).numpy()


def ramp(mode):
    pixels = np.arange(6 * 4, dtype=np.uint8).reshape(4, 6) * 10
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1"])
def test_every_kind_of_png_becomes_three_channels(mode):
    image = ramp(mode)
    np.testing.assert_array_equal(decoded(encoded(image)), image.convert("RGB"))


def test_sixteen_bits_become_eight():
    wide = Image.fromarray((np.arange(24, dtype=np.uint16) * 2570).reshape(4, 6))
    np.testing.assert_array_equal(decoded(encoded(wide))[..., 0], np.asarray(wide) >> 8)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg(mode):
    image = ramp(mode)
    found = decoded(encoded(image, "JPEG", quality=95))
    assert found.shape == (4, 6, 3)
    assert np.abs(found.astype(int) - np.asarray(image.convert("RGB"))).max() < 20


def test_range_is_minus_one_to_one_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    signed = images.to_signed(images.to_unit(levels))
    np.testing.assert_allclose(signed, levels / np.float32(127.5) - 1, atol=1e-6)
    np.testing.assert_array_equal(images.from_unit(images.from_signed(signed)), levels)


def test_values_out_of_range_are_saturated():
    np.testing.assert_array_equal(images.from_unit([-0.5, 1.5]), [0, 255])


@pytest.mark.parametrize("width", [2, 7, 8])
def test_a_pair_is_cut_at_half_its_width(width):
    image = np.linspace(0, 1, width * 3, dtype=np.float32).reshape(1, width, 3)
    a, b = images.split_pair(image)
    assert (a.shape[1], b.shape[1]) == (width // 2, width - width // 2)
    np.testing.assert_array_equal(np.concatenate([a, b], 1), image * 2 - 1)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_lab_pictures_show_the_original_where_nothing_was_predicted(direction):
    rgb = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    a, b = color.split(rgb)
    inputs, targets = (a, b) if direction == "AtoB" else (b, a)
    shown = images.units(inputs, targets, targets, lab=True, direction=direction)
    colour = "targets" if direction == "AtoB" else "inputs"
    grey = "inputs" if direction == "AtoB" else "targets"
    assert np.abs(shown[colour] - rgb).max() <= 1 / 255
    assert shown[grey].shape[-1] == 1


@pytest.mark.parametrize(("filetype", "mark"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8")])
def test_encode(filetype, mark):
    pixels = np.full((4, 4, 3), 100, np.uint8)
    contents = images.encode(pixels, filetype=filetype)
    assert contents.numpy().startswith(mark)
    assert np.abs(decoded(contents).astype(int) - 100).max() <= 2
