"""Results in the depth of their sources: 8 or 16 bits, floats, any number of channels."""

import os

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs
from pix2pix_tf.data.codecs import Depth, Range


def quantized(
    units: dict[str, np.ndarray], depths: list[Depth], ranges: dict[str, Range]
) -> dict[str, list[np.ndarray]]:
    """What files of the sources' depth can hold.

    Args:
        units: Dict from kinds ("inputs", ...) to float32 [n, h, w, c] in [0, 1].
        depths: `codecs.Depth` of each of the n sources.
        ranges: Of each kind, the (low, high) samples that stand for 0 and 1, or None.

    Returns:
        Dict from kinds to lists of n arrays [h, w, c] of the sources' types.
    """
    return {
        kind: [
            codecs.from_unit(unit, depth.dtype, ranges[kind])
            for unit, depth in zip(batch, depths, strict=True)
        ]
        for kind, batch in units.items()
    }


def signed(samples: list[np.ndarray], value_range: Range = None) -> np.ndarray:
    """What `quantized` gave of one kind, as float32 [n, h, w, c] in [-1, 1]."""
    return np.stack([codecs.to_unit(array, value_range) * 2 - 1 for array in samples])


def views(
    samples: dict[str, list[np.ndarray]], ranges: dict[str, Range]
) -> dict[str, list[np.ndarray]]:
    """What `quantized` gave, as images to look at: uint8 or uint16 with 1, 3 or 4 channels."""
    return {
        kind: [_view(array, ranges[kind]) for array in arrays] for kind, arrays in samples.items()
    }


def _view(array: np.ndarray, value_range: Range) -> np.ndarray:
    count = array.shape[-1]
    if count not in (1, 3, 4):
        array = array[..., : 3 if count > 4 else 1]
    if value_range is None and array.dtype in (np.uint8, np.uint16):
        return array
    return codecs.from_unit(codecs.to_unit(array, value_range), np.uint8)


def write_exact(
    folder: str | os.PathLike,
    names: list[str],
    *,
    outputs: list[np.ndarray],
    depths: list[Depth],
    kind: str = "outputs",
) -> None:
    """Writes images/NAME-KIND.tif or .npy for outputs that a PNG cannot hold.

    Args:
        folder: Folder of the results.
        names: The n names.
        outputs: List of n arrays [h, w, c] of the sources' types.
        depths: `codecs.Depth` of each of the n sources.
        kind: What the outputs are called.
    """
    for name, array, depth in zip(names, outputs, depths, strict=True):
        if not depth.fits_png(array.shape[-1]):
            suffix = ".npy" if depth.suffix == ".png" else depth.suffix
            path = run_folder.place(folder) / run_folder.IMAGES / f"{name}-{kind}{suffix}"
            with run_folder.atomic(path) as temporary:
                codecs.write(temporary, array)
