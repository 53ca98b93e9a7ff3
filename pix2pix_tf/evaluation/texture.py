"""Metrics of texture: of two sets of images, without weights of a network.

All of them take the outputs and the targets as collections of float32 [h, w, c] in [0, 1], of any
sizes, and return (dict from titles to values, dict from the metric's name to its settings).
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pix2pix_tf.data.samples import with_channels
from pix2pix_tf.errors import InputError


class Images(Protocol):
    """A set of images, such as a list: how many there are, and one after the other."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


Scores = tuple[dict[str, float], dict[str, dict[str, Any]]]

# Periods in pixels of the grids that layers of stride 2 leave: of the last one, and of the one
# before.
PERIODS = (2, 4)
# Frequencies at these distances from that of a period, in steps of the spectrum, are its
# neighbourhood; nearer ones get a share of its power from the window.
_DISTANCES = (2, 3, 4)
# An image as short as this has its neighbourhoods of both periods apart from each other.
_LEAST_SIDE = 32
_BINS = 32
# Karras et al. 2018, appendix: 7x7 px, 128 per image, 4 times 128 directions, levels down to 16 px.
_PATCH, _PATCHES_PER_IMAGE, _REPEATS, _DIRECTIONS, _LEAST_LEVEL = 7, 128, 4, 128, 16
# Of more images fewer patches each are taken, which bounds the memory of a level to 40 MB.
_MOST_PATCHES = 65536
_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16


# ---- Spectra


def power_spectrum(image: np.ndarray) -> np.ndarray:
    """The power spectrum of an image's luminance under a Hann window.

    Args:
        image: float32 [h, w, c] in [0, 1].

    Returns:
        float64 [h, w], [0, 0] for the mean, which is removed; 1 for white noise of variance 1.
    """
    channels = image.shape[-1]
    luminance = with_channels(image, 1) if channels <= 4 else image.mean(axis=-1, keepdims=True)
    window = np.outer(*(np.hanning(side + 1)[:-1] for side in image.shape[:2]))
    spectrum = np.fft.fft2((luminance[..., 0] - luminance.mean(dtype=float)) * window)
    return np.square(np.abs(spectrum)) / np.square(window).sum()


def checkerboard(outputs: Images, targets: Images) -> Scores:
    """How much more power the outputs have at periods of 2 and 4 pixels than the targets have.

    The power on the lines of the spectrum with that period across or down, over the power on the
    lines beside them (distances of 2 to 4 steps); then the ratio of the outputs over that of the
    targets. 1 is ideal, a grid is far above.
    """
    ratios = {
        kind: _line_ratios(images) for kind, images in (("outputs", outputs), ("targets", targets))
    }
    values = {
        f"checkerboard_{period}": float(ratios["outputs"][index] / ratios["targets"][index])
        for index, period in enumerate(PERIODS)
    }
    settings = {kind: list(map(float, ratio)) for kind, ratio in ratios.items()}
    return values, {"checkerboard": {"periods": list(PERIODS), **settings}}


def _line_ratios(images: Images) -> np.ndarray:
    """The power at each period over that of its neighbourhood."""
    line, beside = np.zeros(len(PERIODS)), np.zeros(len(PERIODS))
    for image in images:
        height, width = (side // 4 * 4 for side in image.shape[:2])
        if min(height, width) < _LEAST_SIDE:
            raise InputError(
                f"Expected images of at least {_LEAST_SIDE}x{_LEAST_SIDE} px for checkerboard. "
                f"Received: {image.shape[1]}x{image.shape[0]} px (width x height)"
            )
        power = power_spectrum(image[:height, :width])
        for axis in (0, 1):
            lines = power.mean(axis=1 - axis)
            for index, period in enumerate(PERIODS):
                centre = len(lines) // period
                line[index] += lines[centre]
                beside[index] += np.mean(
                    [lines[centre + s * d] for d in _DISTANCES for s in (-1, 1)]
                )
    return line / beside


def spectrum(outputs: Images, targets: Images) -> Scores:
    """Distance of the radial log spectra: the mean of |ln power - ln power| over 32 frequencies.

    0 is ideal; 1.4 is twice, or half, the amplitude at every frequency.
    """
    difference = np.abs(_log_spectrum(outputs) - _log_spectrum(targets))
    settings = {"frequencies": _BINS, "logarithm": "natural, of the power of each image"}
    return {"spectrum": float(np.nanmean(difference))}, {"spectrum": settings}


def _log_spectrum(images: Images) -> np.ndarray:
    """Means over images of ln power [bins] of rising frequency; NaN where none has one."""
    total, count = np.zeros(_BINS), np.zeros(_BINS)
    for image in images:
        power = power_spectrum(image)
        down, across = (np.fft.fftfreq(side) for side in power.shape)
        frequency = np.hypot(down[:, None], across)
        inside = (frequency > 0) & (frequency < 0.5)
        bins = (frequency[inside] * 2 * _BINS).astype(int)
        members = np.bincount(bins, minlength=_BINS)
        sums = np.bincount(bins, weights=power[inside], minlength=_BINS)
        # A flat image has no power; the floor is that of rounding in 8 bits.
        floor = 1 / (12 * 255**2)
        total += np.log(np.maximum(sums, floor * members), where=members > 0, out=np.zeros(_BINS))
        total -= np.log(members, where=members > 0, out=np.zeros(_BINS))
        count += members > 0
    return np.divide(total, count, where=count > 0, out=np.full(_BINS, np.nan))


# ---- Sliced Wasserstein distance


def swd(outputs: Images, targets: Images, *, seed: int = 0) -> Scores:
    """Sliced Wasserstein distance of 7x7 patches at each level of a Laplacian pyramid.

    Args:
        outputs: Images to measure.
        targets: Their ground truth.
        seed: Seed of the patches and directions.

    Returns:
        Scores with "SWD_1" of the finest level, "SWD_2" of half its resolution and so on, as long
        as the shortest side of all images has at least 16 px, and their mean "SWD". 0 is ideal.

    Reference:
        Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs for Improved Quality,
        Stability, and Variation", 2018, section 5.
    """
    levels = [_patches(images, np.random.default_rng([seed, 0])) for images in (outputs, targets)]
    count = min(map(len, levels))
    rng, values = np.random.default_rng([seed, 1]), {}
    for level in range(count):
        values[f"SWD_{2**level}"] = _sliced_distance(levels[0][level], levels[1][level], rng)
    values["SWD"] = float(np.mean(list(values.values())))
    settings = {"patch": _PATCH, "directions": _REPEATS * _DIRECTIONS, "seed": seed}
    return values, {"swd": settings}


def laplacian_pyramid(image: np.ndarray, levels: int) -> Iterator[np.ndarray]:
    """Differences of an image [h, w, c] to its halved copy, level by level; then the last copy."""
    for _ in range(levels - 1):
        smaller = _blur(image)[::2, ::2]
        larger = np.zeros_like(image)
        larger[::2, ::2] = smaller * 4
        yield image - _blur(larger)
        image = smaller
    yield image


def _blur(image: np.ndarray) -> np.ndarray:
    """Convolves [h, w, c] with the 5x5 binomial filter, mirrored at the edges."""
    for axis in (0, 1):
        border = [(2, 2) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(image, border, "reflect")
        image = sliding_window_view(padded, 5, axis) @ _BINOMIAL
    return image


def _patches(images: Images, rng: np.random.Generator) -> list[np.ndarray]:
    """Random patches of each level, float32 [n, 7 * 7 * c], every channel normalised."""
    levels: list[list[np.ndarray]] | None = None
    each = max(1, min(_PATCHES_PER_IMAGE, _MOST_PATCHES // len(images)))
    for image in images:
        image = with_channels(image, 3) if image.shape[-1] <= 4 else image
        if (shortest := min(image.shape[:2])) < _LEAST_LEVEL:
            raise InputError(
                f"Expected images of at least {_LEAST_LEVEL}x{_LEAST_LEVEL} px for swd. "
                f"Received: {image.shape[1]}x{image.shape[0]} px (width x height)"
            )
        possible = (shortest // _LEAST_LEVEL).bit_length()
        levels = [[] for _ in range(possible)] if levels is None else levels[:possible]
        for level, band in zip(levels, laplacian_pyramid(image, len(levels)), strict=True):
            # The types of NumPy 2.2, the last for Python 3.10, do not have axes in a tuple.
            windows = sliding_window_view(band, (_PATCH, _PATCH), (0, 1))  # type: ignore[call-overload]
            places = (rng.integers(side, size=each) for side in windows.shape[:2])
            level.append(windows[tuple(places)].copy())
    assert levels is not None
    return [_normalise(np.concatenate(level)) for level in levels]


def _normalise(patches: np.ndarray) -> np.ndarray:
    """Patches [n, c, 7, 7] with mean 0 and deviation 1 of each channel, as rows."""
    axes = (0, 2, 3)
    centred = patches - patches.mean(axis=axes, keepdims=True)
    deviation = centred.std(axis=axes, keepdims=True)
    return (centred / np.where(deviation > 0, deviation, 1)).reshape(len(patches), -1)


def _sliced_distance(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    """Mean over random directions of the Wasserstein distance of two sets of rows."""
    count = min(len(a), len(b))
    a, b = (rows[rng.permutation(len(rows))[:count]] for rows in (a, b))
    distances = []
    for _ in range(_REPEATS):
        directions = rng.normal(size=(a.shape[1], _DIRECTIONS))
        directions = (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)
        sorted_a, sorted_b = (np.sort(rows @ directions, axis=0) for rows in (a, b))
        distances.append(np.abs(sorted_a - sorted_b).mean())
    return float(np.mean(distances))
