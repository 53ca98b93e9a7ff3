"""TIFF files that are read and written by windows, so that they need no more memory than a tile."""

import collections
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import keras
import numpy as np
import tifffile

from pix2pix_tf.data import codecs
from pix2pix_tf.errors import InputError
from pix2pix_tf.inference import windows

# Decoded tiles or strips of a file are kept up to so many bytes, so that neighbouring windows do
# not decode them again.
KEPT_BYTES = 2**26
_PLAIN = ("MINISBLACK", "RGB")
_ORIENTATION = 274


class TiffSource:
    """The first page of a TIFF or BigTIFF, tiled or in strips, read by windows.

    Args:
        path: The file.
        channels: Channels to convert to, see `codecs.with_channels`.
        value_range: The (low, high) samples that stand for 0 and 1; see `codecs.to_unit`.

    Raises:
        InputError: If the file is no TIFF that can be read by windows: planes one after the other,
            palettes, uncommon colour spaces and turned images cannot.
    """

    def __init__(
        self, path: str | os.PathLike, *, channels: int, value_range: codecs.Range = None
    ) -> None:
        try:
            self._file = tifffile.TiffFile(path)
            page: Any = self._file.pages.first
            self._page = page
            tag = page.tags.get(_ORIENTATION)
            turned = tag is not None and int(tag.value) != 1
            plain = self._page.photometric.name in _PLAIN and self._page.axes in ("YX", "YXS")
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise InputError(f"{path} cannot be read as a TIFF: {error}") from None
        if turned or not plain or self._page.dtype is None:
            self._file.close()
            raise InputError(f"{path} is a TIFF that cannot be read in parts")
        height, width = self._page.imagelength, self._page.imagewidth
        self.dtype = self._page.dtype
        self.shape = (height, width, channels)
        self._value_range = value_range
        rows = self._page.tilelength if self._page.is_tiled else self._page.rowsperstrip
        columns = self._page.tilewidth if self._page.is_tiled else width
        self._side = (min(rows, height) if not self._page.is_tiled else rows, columns)
        self._kept: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()

    def __enter__(self) -> "TiffSource":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, window: windows.Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]."""
        rows, columns = self._side
        across = -(-self.shape[1] // columns)
        samples = np.empty((*window.shape, self._page.samplesperpixel), self.dtype)
        for row in range(window.top // rows, -(-window.bottom // rows)):
            for column in range(window.left // columns, -(-window.right // columns)):
                part = self._segment(row * across + column)
                top, left = row * rows, column * columns
                first, last = max(window.top, top), min(window.bottom, top + rows)
                start, stop = max(window.left, left), min(window.right, left + columns)
                samples[
                    first - window.top : last - window.top,
                    start - window.left : stop - window.left,
                ] = part[first - top : last - top, start - left : stop - left]
        unit = codecs.to_unit(samples, self._value_range)
        return (codecs.with_channels(unit, self.shape[2]) * 2 - 1)[None].astype(np.float32)

    def _segment(self, index: int) -> np.ndarray:
        """A decoded tile or strip [h, w, c]."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        handle, page = self._file.filehandle, self._page
        handle.seek(page.dataoffsets[index])
        data = handle.read(page.databytecounts[index]) or None
        decoded, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
        if decoded is None:  # a sparse file
            decoded = np.full((1, *self._side, page.samplesperpixel), page.nodata, self.dtype)
        self._kept[index] = decoded[0]
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return decoded[0]


class TiffSink:
    """A TIFF that is written by windows; a BigTIFF where it exceeds 4 GiB.

    Args:
        path: The file.
        shape: (h, w, c).
        dtype: NumPy's type of the samples.
        value_range: The (low, high) samples that stand for 0 and 1; see `codecs.to_unit`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        shape: tuple[int, int, int],
        dtype: np.dtype,
        *,
        value_range: codecs.Range = None,
    ) -> None:
        self._dtype, self._value_range = np.dtype(dtype), value_range
        kind = "rgb" if shape[2] in (3, 4) else "minisblack"
        stored = shape if shape[2] > 1 else shape[:2]
        mapped: Any = tifffile.memmap(
            path,
            shape=stored,
            dtype=dtype,
            metadata=None,
            photometric=kind,
            planarconfig="contig" if shape[2] > 1 else None,
        )
        offset = mapped.offset
        del mapped
        self._store = windows.Scratch(shape, self._dtype, file=Path(path).open("r+b"), at=offset)

    def write(self, window: windows.Window, values: np.ndarray) -> None:
        """Writes float32 [1, rows, columns, c] in [-1, 1]."""
        unit = (values + 1) / 2
        self._store.write(window, codecs.from_unit(unit, self._dtype, self._value_range))

    def close(self) -> None:
        """Closes the file."""
        self._store.close()


def translate_tiff(
    generator: keras.Model,
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    channels: int,
    tile: int,
    value_range: codecs.Range = None,
    scratch_dir: str | None = None,
) -> None:
    """Translates a TIFF to a TIFF of the same type without either in memory; dropout is off.

    The target appears when it is complete.

    Args:
        generator: A built `UNet` or `ResNet`.
        source: The file.
        target: Where the result goes.
        channels: Channels of the generator's inputs.
        tile: As for `windows.evaluate`.
        value_range: The (low, high) samples that stand for 0 and 1; see `codecs.to_unit`.
        scratch_dir: As for `windows.evaluate`.

    Raises:
        InputError: If the source cannot be read by windows.
    """
    target = Path(target)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with TiffSource(source, channels=channels, value_range=value_range) as image:
            shape = (*image.shape[:2], generator.output_channels)
            sink = TiffSink(partial, shape, image.dtype, value_range=value_range)
            try:
                windows.evaluate(generator, image, sink, tile=tile, scratch_dir=scratch_dir)
            finally:
                sink.close()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
