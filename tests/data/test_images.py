"""Splitting and converting."""

import numpy as np
import pytest

from pix2pix_tf.data import color, images


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
def test_lab_images_keep_the_input_where_nothing_was_predicted(direction):
    rgb = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    a, b = color.split(rgb)
    inputs, targets = (a, b) if direction == "AtoB" else (b, a)
    shown = images.units(inputs, targets, targets, lab=True, direction=direction)
    colour = "targets" if direction == "AtoB" else "inputs"
    grey = "inputs" if direction == "AtoB" else "targets"
    assert np.abs(shown[colour] - rgb).max() <= 1 / 255
    assert shown[grey].shape[-1] == 1
