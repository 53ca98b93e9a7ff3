"""The bytes of files of several formats."""

import io

import numpy as np
from PIL import Image

from pix2pix_tf.data import image_file
from pix2pix_tf.data.samples import WHOLE


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


def read(contents, selection=WHOLE):
    """The samples [h, w, c] in the bytes of a file."""
    return image_file.from_bytes(contents, selection).samples().array


def read_unit(contents, side):
    """What networks see of the bytes of a file, decoded in Python."""
    return side.to_unit(image_file.from_bytes(contents, side.selection).samples())
