"""The bytes of files of several formats."""

import io

import numpy as np
from PIL import Image


def pillow(pixels, kind="PNG", mode=None, **options):
    """An image file as Pillow writes it, converted to `mode` before."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def as_tiff(array, **options):
    """A TIFF as tifffile writes it."""
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def npy(array):
    """A .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
