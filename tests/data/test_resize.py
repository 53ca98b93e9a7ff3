"""Sides of images: reflected, rounded, made equal."""

import numpy as np
import pytest

from pix2pix_tf.data import resize


def picture(height, width):
    return np.random.default_rng(0).random((height, width, 3), np.float32)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 20), (16, 16), (17, 5)])
def test_reflection_reaches_the_next_multiple(size):
    x = picture(*size)
    y = resize.reflect_to_multiple(x, 8).numpy()
    assert y.shape[0] % 8 == y.shape[1] % 8 == 0
    np.testing.assert_array_equal(y[: size[0], : size[1]], x)
    expected = np.pad(x, [(0, y.shape[0] - size[0]), (0, y.shape[1] - size[1]), (0, 0)], "reflect")
    np.testing.assert_array_equal(y, expected)


def test_an_image_that_is_large_enough_is_not_touched():
    x = picture(9, 30)
    np.testing.assert_array_equal(resize.reflect(x, 5, 30), x)


@pytest.mark.parametrize("other", [(8, 9), (9, 8), (8, 8)])
def test_a_spare_row_or_column_is_cut(other):
    x = picture(*other)
    np.testing.assert_array_equal(resize.same_size(picture(8, 8), x), x[:8, :8])


@pytest.mark.parametrize("other", [(16, 16), (7, 8), (3, 11)])
def test_other_sizes_are_resized(other):
    assert resize.same_size(picture(8, 8), np.full((*other, 3), 0.5, "f4")).shape == (8, 8, 3)
