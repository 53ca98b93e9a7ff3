"""TIFF: series, planes, missing pixels, the place on Earth, and files larger than memory."""

import dataclasses
import functools
import io
import math
import os
import struct
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import DTypeLike

from pix2pix_tf import run_folder
from pix2pix_tf.data.image_file import ALL, ORIENTATION, ImageFile, PillowImage, Result
from pix2pix_tf.data.samples import (
    WHOLE,
    PlaneSelection,
    Samples,
    add_missing,
    apply_orientation,
    check_size,
    dtype_holds,
    fill_missing,
    resolve_index,
)

# Images of more pixels are read and written by windows where a tile is given.
LARGE_PIXELS = 2**24
# Decoded tiles or strips of a file are kept up to so many bytes, so that neighbouring windows do
# not decode them again.
KEPT_BYTES = 2**26
# Side of the tiles of large files that are written, in pixels.
TILE = 512
_NO_DATA = 42113
# Tags of sizes, types, compression, colour, strips and tiles (TIFF 6.0).
_SIZES, _STRIPS, _TILES = {256, 257, 258, 259, 262, 277}, {273, 278, 279}, {322, 323, 324, 325}
_SAMPLE_TAGS = _SIZES | _STRIPS | _TILES | {284, 317, 320, 338, 339}
# GeoTIFF: scale, tie points, transformation, keys; GDAL: metadata, no-data.
_SCALE, _TIE_POINTS, _TRANSFORMATION = 33550, 33922, 34264
_GEO_TAGS = (_SCALE, _TIE_POINTS, _TRANSFORMATION, 34735, 34736, 34737, 42112, _NO_DATA)
_ASCII = 2
# What every result is compressed with that has to be lossless.
_LOSSLESS = ("LZW", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS", "LZMA", "ZSTD", "NONE")


class TiffImage(ImageFile):
    """An image of a TIFF or BigTIFF."""

    suffix = ".tif"

    def __init__(
        self,
        path: str,
        file: BinaryIO,
        selection: PlaneSelection = WHOLE,
        *,
        windowed: bool = False,
    ) -> None:
        self.is_large = windowed and not run_folder.is_remote(path) and _is_large(file)
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        if self.is_large:
            self.path, self.selection, self.contents, self._file = path, selection, b"", file
        else:
            super().__init__(path, file, selection)
            self._file = io.BytesIO(self.contents)

    def close(self) -> None:
        """Closes the file, if that is still open."""
        self._file.close()

    @functools.cached_property
    def _tiff(self) -> tifffile.TiffFile:
        self._file.seek(0)
        return tifffile.TiffFile(self._file)

    @functools.cached_property
    def _page(self) -> Any:
        """The page of a large image."""
        return _windowed_page(self._tiff, self.selection)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        if not self.is_large:
            return super().shape
        page = self._page
        return int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of the samples."""
        return self._page.dtype if self.is_large else super().dtype

    def decode(self) -> Samples:
        """Decodes the image; uncommon colour spaces are left to Pillow."""
        page: Any = self._tiff.pages.first
        check_size(int(page.imagewidth), int(page.imagelength))  # damaged ones are tuples or bytes
        _check_tags(self._tiff, page)
        if not _is_plain(page):
            self._file.seek(0)
            return PillowImage(self.path, self._file, self.selection).decode()
        series = _chosen_series(self._tiff, self.selection)
        page = series.keyframe
        check_size(int(page.imagewidth), int(page.imagelength))
        array = _choose_plane(series.asarray(), series.axes, self.selection)
        array = apply_orientation(array, int(page.tags.valueof(ORIENTATION, 1)))
        has_alpha = any(int(kind) in (1, 2) for kind in page.extrasamples)
        return add_missing(
            Samples(array, has_alpha=has_alpha), _number(page.tags.valueof(_NO_DATA))
        )

    def samples(self, rows: slice = ALL, columns: slice = ALL) -> Samples:
        """Decodes the image or a part of it; of a large one no more than the part."""
        if not self.is_large or rows == columns == ALL:
            return super().samples(rows, columns)
        top, bottom, _ = rows.indices(self.shape[0])
        left, right, _ = columns.indices(self.shape[1])
        array = np.empty((bottom - top, right - left, self.shape[2]), self.dtype)
        high, wide = self._segment_shape
        across = -(-self.shape[1] // wide)
        for row in range(top // high, -(-bottom // high)):
            for column in range(left // wide, -(-right // wide)):
                part = self._segment(row * across + column)
                y, x = row * high, column * wide
                first, last = max(top, y), min(bottom, y + high)
                start, stop = max(left, x), min(right, x + wide)
                array[first - top : last - top, start - left : stop - left] = part[
                    first - y : last - y, start - x : stop - x
                ]
        samples = add_missing(Samples(array), _number(self._page.tags.valueof(_NO_DATA)))
        return add_missing(samples, self.selection.nodata)

    @property
    def _segment_shape(self) -> tuple[int, int]:
        """Rows and columns of a tile or strip."""
        page = self._page
        if page.is_tiled:
            return page.tilelength, page.tilewidth
        return min(page.rowsperstrip, self.shape[0]), self.shape[1]

    def _segment(self, index: int) -> np.ndarray:
        """A decoded tile or strip [h, w, c]."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        page = self._page
        self._file.seek(page.dataoffsets[index])
        data = self._file.read(page.databytecounts[index]) or None
        decoded, _, _ = page.decode(data, index, jpegtables=page.jpegtables)
        if decoded is None:  # a sparse file
            shape = (1, *self._segment_shape, page.samplesperpixel)
            decoded = np.full(shape, page.nodata, page.dtype)
        self._kept[index] = decoded[0]
        while len(self._kept) > 1 and sum(s.nbytes for s in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return decoded[0]

    # ---- Results

    def write(self, path: Path, result: np.ndarray | Result, *, half: int | None = None) -> Path:
        """Writes a result; a TIFF gets the compression and the place on Earth of this one."""
        if not os.fspath(path).lower().endswith((".tif", ".tiff")):
            return super().write(path, result, half=half)
        metadata = _geo_metadata(self._tiff.pages.first, is_half=half is not None)
        with run_folder.atomic(path) as temporary:
            if isinstance(result, np.ndarray):
                temporary.write_bytes(_encode(self.with_missing(result, half=half), metadata))
            else:
                _write(
                    temporary,
                    self._tiles(result, half),
                    shape=result.shape,
                    dtype=result.dtype,
                    metadata=metadata,
                    tile=TILE,
                )
        return path

    def _tiles(self, result: Result, half: int | None) -> Iterator[np.ndarray]:
        """The tiles [TILE, TILE, c] of a large result, missing where this image is."""
        height, width, channels = result.shape
        nodata = _number(self._page.tags.valueof(_NO_DATA))
        nodata = self.selection.nodata if nodata is None else nodata
        offset = self.shape[1] // 2 if half else 0
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                rows, columns = slice(top, min(top + TILE, height)), (left, min(left + TILE, width))
                values = result.samples(rows, slice(*columns))
                if nodata is not None:
                    source = self.samples(rows, slice(*(column + offset for column in columns)))
                    values = fill_missing(values, source.missing, nodata)
                tile = np.zeros((TILE, TILE, channels), result.dtype)
                tile[: values.shape[0], : values.shape[1]] = values
                yield tile if channels > 1 else tile[..., 0]

    @staticmethod
    def encode(array: np.ndarray) -> bytes:
        """The bytes of a TIFF."""
        return _encode(array)


# ---- Reading


def _is_large(file: BinaryIO) -> bool:
    try:
        page = tifffile.TiffFile(file).pages.first
        return int(page.imagelength) * int(page.imagewidth) > LARGE_PIXELS
    except Exception:  # a damaged file: whoever reads it reports that
        return False
    finally:
        file.seek(0)


def _check_tags(file: tifffile.TiffFile, page: Any) -> None:
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


def _chosen_series(file: tifffile.TiffFile, selection: PlaneSelection) -> Any:
    """The series of a TIFF that is read; thumbnails, overviews and masks do not count."""
    every = list(file.series)
    series = [s for s in every if not (s.keyframe.is_reduced or s.keyframe.is_mask)] or every
    return series[resolve_index(selection.series, len(series), things="series", flag="series")]


def _choose_plane(array: np.ndarray, axes: str, selection: PlaneSelection) -> np.ndarray:
    """[h, w, c] of an array whose axes are named: C and S are channels, all others planes."""
    channels = [axis for axis in axes if axis in "CS"]
    others = [axis for axis in axes if axis not in "CSYX"]
    order = [axes.index(axis) for axis in [*others, "Y", "X", *channels]]
    array = np.transpose(array, order)
    count = math.prod(array.shape[: len(others)])
    height, width = array.shape[len(others) : len(others) + 2]
    sizes = ", ".join(f"{name} {size}" for name, size in zip(others, array.shape, strict=False))
    plane = selection.plane if count > 1 else None
    index = resolve_index(plane, count, things=f"planes ({sizes})", flag="plane")
    return array.reshape(count, height, width, -1)[index]


def _windowed_page(file: tifffile.TiffFile, selection: PlaneSelection) -> Any:
    """The page of a file that is read by windows.

    Raises:
        ValueError: If that is not possible: turned images, planes of several pages or one after
            the other, palettes and uncommon colour spaces have to be read as a whole.
    """
    series = _chosen_series(file, selection)
    page = series.keyframe
    turned = int(page.tags.valueof(ORIENTATION, 1)) != 1
    if turned or not _is_plain(page) or series.axes not in ("YX", "YXS") or len(series.pages) != 1:
        raise ValueError("turned images, planes and uncommon colour spaces are read as a whole")
    return page


# ---- Writing


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeoMetadata:
    """The metadata of a TIFF that is copied to a result.

    Attributes:
        compression: tifffile's name of the compression, or None.
        tags: Tags of the place on Earth as tifffile's `extratags`.
        size: (height, width) of what the tags are of.
    """

    compression: str | None = None
    tags: tuple = ()
    size: tuple[int, int] = (1, 1)


def _geo_metadata(page: Any, *, is_half: bool) -> GeoMetadata:
    """The metadata of a page, or of half of its width."""
    name = page.compression.name
    tags = [page.tags[code] for code in _GEO_TAGS if code in page.tags]
    return GeoMetadata(
        compression=None if name == "NONE" else name if name in _LOSSLESS else "ADOBE_DEFLATE",
        tags=tuple((tag.code, int(tag.dtype), tag.value) for tag in tags),
        size=(int(page.imagelength), int(page.imagewidth) // (1 + is_half)),
    )


def _scaled_tags(metadata: GeoMetadata, height: int, width: int, dtype: np.dtype) -> list[tuple]:
    """The tags of a result of a size and a type, as tifffile's `extratags`."""
    by_y, by_x = metadata.size[0] / height, metadata.size[1] / width
    tags = []
    for code, kind, value in metadata.tags:
        if code == _NO_DATA and not dtype_holds(dtype, _number(value)):
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


def _encode(array: np.ndarray, metadata: GeoMetadata = GeoMetadata()) -> bytes:  # noqa: B008
    file = io.BytesIO()
    _write(file, array, shape=array.shape, dtype=array.dtype, metadata=metadata)
    return file.getvalue()


def _write(
    file: Any,
    samples: np.ndarray | Iterator[np.ndarray],
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    metadata: GeoMetadata = GeoMetadata(),  # noqa: B008 (frozen)
    tile: int = 0,
) -> None:
    """Writes a TIFF, a BigTIFF if it may exceed 4 GiB.

    Args:
        file: Path, or an open file.
        samples: Array, or with `tile` the tiles [tile, tile, c] from left to right and top to
            bottom, [tile, tile] of one channel.
        shape: (h, w, c).
        dtype: NumPy's type of the samples.
        metadata: Tags and compression of the TIFF that the samples were made of.
        tile: Side of the tiles in pixels; 0 for strips.
    """
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
        compression=metadata.compression,
        extratags=_scaled_tags(metadata, shape[0], shape[1], np.dtype(dtype)),
        metadata=None,
    )
