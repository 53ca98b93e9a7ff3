"""The bytes of files of several formats."""

import io
import struct
import zlib

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


def exif(orientation, *, order="<", offset=8, kind="H", others=0):
    """An EXIF block.

    Args:
        orientation: Value of its tag.
        order: "<" or ">", the order of bytes.
        offset: Where its directory begins.
        kind: "H" for a short, "I" for a long.
        others: Number of tags before.
    """
    tags = [struct.pack(order + "HHII", 0x9000 + i, 4, 1, 7) for i in range(others)]
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    tags.append(struct.pack(order + "HHI", 274, {"H": 3, "I": 4}[kind], 1) + value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", offset)
    directory = struct.pack(order + "H", len(tags)) + b"".join(tags) + bytes(4)
    return head.ljust(offset, b"\0") + directory


def with_segments(jpeg, *segments):
    """A JPEG with segments (marker, data) before all others."""
    parts = [struct.pack(">BBH", 255, marker, len(data) + 2) + data for marker, data in segments]
    return jpeg[:2] + b"".join(parts) + jpeg[2:]


def with_chunks(png, *chunks, after=False):
    """A PNG with chunks (name, data) before or after its pixels."""
    at = png.index(b"IEND" if after else b"IDAT") - 4
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return png[:at] + b"".join(parts) + png[at:]


def read(contents, selection=WHOLE):
    """The samples [h, w, c] in the bytes of a file."""
    return image_file.from_bytes(contents, selection).samples().array


def read_unit(contents, side):
    """What networks see of the bytes of a file, decoded in Python."""
    return side.to_unit(image_file.from_bytes(contents, side.selection).samples())
