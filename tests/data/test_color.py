"""Lab colour against the reference's numbers."""

import numpy as np
from support import GOLDENS

from pix2pix_tf.data import color

GOLDEN = np.load(GOLDENS / "reference_lab.npz")


def test_rgb_to_lab():
    np.testing.assert_allclose(color.rgb_to_lab(GOLDEN["rgb"]), GOLDEN["lab"], atol=2e-4)


def test_lab_to_rgb():
    np.testing.assert_allclose(color.lab_to_rgb(GOLDEN["lab"]), GOLDEN["rgb_back"], atol=1e-5)


def test_split_and_join_are_inverse_and_in_range():
    lightness, colour = color.split(GOLDEN["rgb"])
    assert np.abs(lightness).max() <= 1 and np.abs(colour).max() <= 1
    np.testing.assert_allclose(color.join(lightness, colour), GOLDEN["rgb"], atol=1e-3)
