"""Results in the depth of their sources: 8 or 16 bits, floats, any number of channels."""

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs


def quantized(units, depths, value_range):
    """What files of the sources' depth can hold.

    Args:
        units: Dict from kinds ("inputs", ...) to float32 [n, h, w, c] in [0, 1].
        depths: `codecs.Depth` of each of the n sources.
        value_range: The (low, high) of float samples.

    Returns:
        Dict from kinds to lists of n arrays [h, w, c] of the sources' types.
    """
    return {
        kind: [
            codecs.from_unit(unit, depth.dtype, value_range)
            for unit, depth in zip(batch, depths, strict=True)
        ]
        for kind, batch in units.items()
    }


def signed(samples, value_range):
    """What `quantized` gave of one kind, as float32 [n, h, w, c] in [-1, 1]."""
    return np.stack([codecs.to_unit(array, value_range) * 2 - 1 for array in samples])


def views(samples, value_range):
    """What `quantized` gave, as pictures: uint8 or uint16 with 1, 3 or 4 channels."""
    return {
        kind: [_view(array, value_range) for array in arrays] for kind, arrays in samples.items()
    }


def _view(array, value_range):
    count = array.shape[-1]
    if count not in (1, 3, 4):
        array = array[..., : 3 if count > 4 else 1]
    if array.dtype in (np.uint8, np.uint16):
        return array
    return codecs.from_unit(codecs.to_unit(array, value_range), np.uint8)


def write_exact(folder, names, *, outputs, depths, kind="outputs"):
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
