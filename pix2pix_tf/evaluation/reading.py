"""Image files as evaluation reads them, under a progress bar."""

import sys

import numpy as np
from tqdm import tqdm

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs
from pix2pix_tf.errors import InputError


def progress(items, label, *, total=None):
    """Yields `items` under a progress bar, which writes rarely where there is no terminal."""
    pause = 0.1 if sys.stdout.isatty() else 10.0
    return tqdm(
        items, label, total, file=sys.stdout, mininterval=pause, maxinterval=pause, unit="image"
    )


def read(path):
    """Decodes a file to [h, w, c] of its own type.

    Raises:
        InputError: If it cannot be read; it is named.
    """
    try:
        return codecs.read(run_folder.place(path).read_bytes())
    except ValueError as error:
        raise InputError(f"Expected readable images. Received: {path} ({error})") from None


def pixels(array):
    """What a person sees of an array [h, w, c]: uint8 [h, w, 3]."""
    if array.dtype != np.uint8:
        array = codecs.from_unit(codecs.to_unit(array), np.uint8)
    array = array[..., :-1] if array.shape[-1] in (2, 4) else array
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array


def signed(*arrays):
    """Two arrays as float32 [1, h, w, c] in [-1, 1]; of different channels, in colour."""
    units = [codecs.to_unit(array) for array in arrays]
    if units[0].shape != units[1].shape:
        units = [codecs.with_channels(unit, 3) for unit in units]
    return [unit[None] * 2 - 1 for unit in units]
