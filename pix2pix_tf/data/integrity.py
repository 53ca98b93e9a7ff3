"""Damage in JPEG and PNG files that their decoders overlook."""

import struct
import zlib

import simplejpeg

from pix2pix_tf.data.samples import TOO_LARGE, check_size

PNG_MARK = b"\x89PNG\r\n\x1a\n"
# Interlaced PNGs: first column and row, and steps between columns and rows, of each of 7 passes.
ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
# libjpeg warns of these and fills in grey; what it says of stray bytes does no harm.
_JPEG_DAMAGE = ("Corrupt JPEG data: premature", "Corrupt JPEG data: bad", "Premature end")


def check_jpeg(contents: bytes) -> None:
    """Raises a ValueError for truncated JPEG data, of which libjpeg only warns."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(contents, strict=False)
        check_size(width, height)
        simplejpeg.decode_jpeg(contents, "GRAY", strict=True)
    except ValueError as error:
        if str(error).startswith(_JPEG_DAMAGE) or str(error) == TOO_LARGE:
            raise


def check_png(contents: bytes) -> None:
    """Raises a ValueError for wrong checksums and missing data, which Pillow accepts sometimes."""
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", contents, 16)
    check_size(width, height)
    pixel = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 1)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    missing = sum(rows * (1 + -(-columns * pixel // 8)) for columns, rows in sizes if columns > 0)
    stream, at = zlib.decompressobj(), len(PNG_MARK)
    while missing > 0 and at + 8 <= len(contents):
        length, name = struct.unpack_from(">I4s", contents, at)
        at, end = at + 12 + length, at + 8 + length
        if name == b"IDAT":
            if contents[end:at] != struct.pack(">I", zlib.crc32(contents[end - length - 4 : end])):
                raise ValueError("a checksum is wrong")
            missing -= len(stream.decompress(contents[end - length : end]))
    if missing > 0:
        raise ValueError("image file is truncated")
