"""TIFF: series, planes, missing pixels and the place on Earth, by tifffile."""

import dataclasses
import io
import math
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from pix2pix_tf import run_folder
from pix2pix_tf.data import dicom, nifti
from pix2pix_tf.data.samples import (
    WHOLE,
    Samples,
    Selection,
    check_size,
    holds,
    picked,
    upright,
    without_missing,
)

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# TIFFs of more pixels are read and written by windows where a tile is given.
LARGE_PIXELS = 2**24
ORIENTATION, _NO_DATA = 274, 42113  # TIFF tags; EXIF shares the first
# Those of sizes, types, compression, colour, strips and tiles (TIFF 6.0).
_SIZES, _STRIPS, _TILES = {256, 257, 258, 259, 262, 277}, {273, 278, 279}, {322, 323, 324, 325}
_SAMPLE_TAGS = _SIZES | _STRIPS | _TILES | {284, 317, 320, 338, 339}
# GeoTIFF: scale, tie points, transformation, keys; GDAL: metadata, no-data.
_SCALE, _TIE_POINTS, _TRANSFORMATION = 33550, 33922, 34264
_PLACE = (_SCALE, _TIE_POINTS, _TRANSFORMATION, 34735, 34736, 34737, 42112, _NO_DATA)
_ASCII = 2
# What every result is compressed with that has to be lossless.
_LOSSLESS = ("LZW", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS", "LZMA", "ZSTD", "NONE")


def is_tiff(head: bytes) -> bool:
    """Whether a file is a TIFF; the preamble of DICOM may look like one."""
    return head.startswith(MARKS) and not dicom.is_dicom(head)


def read(contents: bytes, selection: Selection) -> Samples | None:
    """Decodes a TIFF.

    Args:
        contents: The bytes of a file.
        selection: Which image of the file.

    Returns:
        `Samples`; None for uncommon colour spaces, which are for Pillow to convert.

    Raises:
        ValueError: What is wrong, without the file's name.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(contents)) as file:
        page = file.pages.first
        check_size(int(page.imagewidth), int(page.imagelength))  # damaged ones are tuples or bytes
        _check_tags(file, page)
        if not _is_plain(page):
            return None
        series = _picked_series(file, selection)
        page = series.keyframe
        check_size(int(page.imagewidth), int(page.imagelength))
        array = _plane(series.asarray(), series.axes, selection)
        orientation = int(page.tags.valueof(ORIENTATION, 1))
        nodata = _number(page.tags.valueof(_NO_DATA))
        has_alpha = any(int(kind) in (1, 2) for kind in page.extrasamples)
    return without_missing(Samples(upright(array, orientation), has_alpha=has_alpha), nodata)


def _check_tags(file: Any, page: Any) -> None:
    """Raises an error if a tag that samples depend on is listed without its values."""
    form, handle = file.tiff, file.filehandle
    handle.seek(page.offset)
    (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    entries = handle.read(count * form.tagsize)
    codes = {
        struct.unpack_from(form.byteorder + "H", entries, at)[0]
        for at in range(0, len(entries), form.tagsize)
    }
    if lost := sorted(codes & _SAMPLE_TAGS - {tag.code for tag in page.tags}):
        raise ValueError(f"the file ends before the values of its tag {lost[0]}")


def _is_plain(page: Any) -> bool:
    """Whether tifffile gives the samples of a page as they are: grey or RGB, also as JPEG."""
    kind = page.photometric.name
    is_jpeg = kind == "YCBCR" and page.compression.name == "JPEG"
    return page.dtype is not None and (kind in ("MINISBLACK", "RGB") or is_jpeg)


def _number(text: Any) -> float | None:
    """The number in the text of a tag such as "-9999", or None."""
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def _picked_series(file: Any, selection: Selection) -> Any:
    """The series of a TIFF that is read; thumbnails, overviews and masks do not count."""
    series = [one for one in file.series if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    series = series or list(file.series)
    return series[picked(selection.series, len(series), things="series", flag="series")]


def _plane(array: np.ndarray, axes: str, selection: Selection) -> np.ndarray:
    """[h, w, c] of an array whose axes are named: C and S are channels, all others planes."""
    channels = [axis for axis in axes if axis in "CS"]
    others = [axis for axis in axes if axis not in "CSYX"]
    order = [axes.index(axis) for axis in [*others, "Y", "X", *channels]]
    array = np.transpose(array, order)
    count = math.prod(array.shape[: len(others)])
    height, width = array.shape[len(others) : len(others) + 2]
    sizes = ", ".join(f"{name} {size}" for name, size in zip(others, array.shape, strict=False))
    plane = selection.plane if count > 1 else None
    number = picked(plane, count, things=f"planes ({sizes})", flag="plane")
    return array.reshape(count, height, width, -1)[number]


def windowed_page(file: Any, selection: Selection = WHOLE) -> tuple[Any, float | None]:
    """The page of an open `tifffile.TiffFile` that is read by windows.

    Returns:
        (tifffile's page; the sample that stands for missing pixels by the file's own tag, or None).

    Raises:
        ValueError: If that is not possible: turned images, planes of several pages or one after
            the other, palettes and uncommon colour spaces have to be read as a whole.
    """
    series = _picked_series(file, selection)
    page = series.keyframe
    turned = int(page.tags.valueof(ORIENTATION, 1)) != 1
    if turned or not _is_plain(page) or series.axes not in ("YX", "YXS") or len(series.pages) != 1:
        raise ValueError("turned images, planes and uncommon colour spaces are read as a whole")
    return page, _number(page.tags.valueof(_NO_DATA))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """The metadata of a TIFF that is copied to a result.

    Attributes:
        compression: tifffile's name of the compression, or None.
        tags: Tags of the place on Earth as tifffile's `extratags`.
        size: (height, width) of what the tags are of.
    """

    compression: str | None = None
    tags: tuple = ()
    size: tuple[int, int] = (1, 1)


def place_of(path: str | os.PathLike, *, is_half: bool = False) -> Place:
    """Reads the place and the compression of a TIFF; those of other files are empty.

    Args:
        path: The file.
        is_half: Whether only its left half is meant.
    """
    try:
        import tifffile
    except ImportError:
        return Place()
    if nifti.is_slice(path):
        return Place()
    with run_folder.place(path).open("rb") as opened:
        if not is_tiff(opened.read(dicom.HEAD)):
            return Place()
        opened.seek(0)
        page: Any = tifffile.TiffFile(opened).pages.first
        name = page.compression.name
        tags = [page.tags[code] for code in _PLACE if code in page.tags]
        return Place(
            compression=None if name == "NONE" else name if name in _LOSSLESS else "ADOBE_DEFLATE",
            tags=tuple((tag.code, int(tag.dtype), tag.value) for tag in tags),
            size=(int(page.imagelength), int(page.imagewidth) // (1 + is_half)),
        )


def is_large(path: str | os.PathLike) -> bool:
    """Whether a file is a local TIFF of more than LARGE_PIXELS pixels."""
    if run_folder.is_remote(path):
        return False
    try:
        return math.prod(place_of(path).size) > LARGE_PIXELS
    except Exception:  # a damaged file: whoever reads it reports that
        return False


def _scaled_tags(place: Place, height: int, width: int, dtype: np.dtype) -> list[tuple]:
    """The tags of a result of a size and a type, as tifffile's `extratags`."""
    by_y, by_x = place.size[0] / height, place.size[1] / width
    tags = []
    for code, kind, value in place.tags:
        if code == _NO_DATA and not holds(dtype, _number(value)):
            continue
        if code == _SCALE:
            value = (value[0] * by_x, value[1] * by_y, *value[2:])
        elif code == _TIE_POINTS:
            offsets = (1 / by_x, 1 / by_y, 1.0, 1.0, 1.0, 1.0)
            value = tuple(v * offsets[i % 6] for i, v in enumerate(value))
        elif code == _TRANSFORMATION:
            factors = (by_x, by_y, 1.0, 1.0)
            value = tuple(v * factors[i % 4] for i, v in enumerate(value))
        count = 0 if kind == _ASCII else len(value) if isinstance(value, tuple) else 1
        tags.append((code, kind, count, value, True))
    return tags


def write(
    file: Any,
    samples: np.ndarray | Iterator[np.ndarray],
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    place: Place = Place(),  # noqa: B008 (frozen)
    tile: int = 0,
) -> None:
    """Writes a TIFF, a BigTIFF if it may exceed 4 GiB.

    Args:
        file: Path of a local file, or an open one.
        samples: Array, or with `tile` the tiles [tile, tile, c] from left to right and top to
            bottom, [tile, tile] of one channel.
        shape: (h, w, c).
        dtype: NumPy's type of the samples.
        place: Tags and compression of the TIFF that the samples were made of.
        tile: Side of the tiles in pixels; 0 for strips.

    Raises:
        ImportError: If tifffile is not installed.
    """
    import tifffile

    channels = shape[-1]
    if isinstance(samples, np.ndarray) and channels == 1:
        samples = samples[..., 0]
    tifffile.imwrite(
        file,
        samples,
        shape=shape if channels > 1 else shape[:2],
        dtype=dtype,
        tile=(tile, tile) if tile else None,
        bigtiff=math.prod(shape) * np.dtype(dtype).itemsize > 2**32 - 2**25,
        photometric="rgb" if channels in (3, 4) else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        compression=place.compression,
        extratags=_scaled_tags(place, shape[0], shape[1], np.dtype(dtype)),
        metadata=None,
    )
