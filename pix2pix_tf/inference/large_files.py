"""TIFF files that are read and written by windows, so that they need no more memory than a tile."""

import collections
import contextlib
import math
import os
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.data import tiff
from pix2pix_tf.data.samples import (
    Range,
    Samples,
    Side,
    from_unit,
    marked,
    to_unit,
    without_missing,
)
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.inference import translate, windows

# Decoded tiles or strips of a file are kept up to so many bytes, so that neighbouring windows do
# not decode them again.
KEPT_BYTES = 2**26
# Side of the tiles of files that are written, and of the windows that are measured, in pixels.
TILE, WINDOW = 512, 1024
# Largest side of the image that a report shows of a file.
SHOWN = 1024


class TiffSource:
    """An image of a TIFF or BigTIFF, in tiles or strips, read by windows.

    Args:
        path: The file.
        side: What the networks see of it.
        half: 0 or 1 for the left or right half of a side-by-side pair, None for the whole image.

    Raises:
        InputError: If the file is no TIFF that can be read by windows, see `tiff.windowed_page`.
    """

    def __init__(self, path: str | os.PathLike, side: Side, *, half: int | None = None) -> None:
        import tifffile  # an extra; without it no file is large

        try:
            self._file = tifffile.TiffFile(path)
            self._page, self.nodata = tiff.windowed_page(self._file, side.selection)
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise InputError(f"{path} cannot be read by windows: {error}") from None
        page, self._chosen = self._page, side
        height, width = int(page.imagelength), int(page.imagewidth)
        middle = width // 2
        self._left, right = (0, width) if half is None else ((0, middle), (middle, width))[half]
        self.shape = (height, right - self._left, side.channels)
        rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, height)
        self._side = (rows, page.tilewidth if page.is_tiled else width)
        self._kept: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()

    def __enter__(self) -> "TiffSource":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def samples(self, window: windows.Window) -> Samples:
        """Reads the samples [rows, columns, c] of the file's own type."""
        rows, columns = self._side
        across = -(-int(self._page.imagewidth) // columns)
        start, stop = window.left + self._left, window.right + self._left
        array = np.empty((*window.shape, self._page.samplesperpixel), self._page.dtype)
        for row in range(window.top // rows, -(-window.bottom // rows)):
            for column in range(start // columns, -(-stop // columns)):
                part = self._segment(row * across + column)
                top, left = row * rows, column * columns
                high, low = max(window.top, top), min(window.bottom, top + rows)
                first, last = max(start, left), min(stop, left + columns)
                array[high - window.top : low - window.top, first - start : last - start] = part[
                    high - top : low - top, first - left : last - left
                ]
        samples = Samples(array)
        for nodata in (self.nodata, self._chosen.selection.nodata):
            samples = without_missing(samples, nodata)
        return samples

    def read(self, window: windows.Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]."""
        try:
            unit = self._chosen.to_unit(self.samples(window))
        except ValueError as error:
            raise InputError(f"{self._file.filename} cannot be read: {error}") from None
        return unit[None] * 2 - 1

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
            decoded = np.full((1, *self._side, page.samplesperpixel), page.nodata, page.dtype)
        self._kept[index] = decoded[0]
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return decoded[0]


class Result:
    """A translated image in a file without a name; `save` writes it as a TIFF.

    Args:
        source: Path of the file that was translated.
        side: What the networks saw of it.
        half: As of `TiffSource`.
        shape: (h, w, c).
        dtype: NumPy's type of the samples.
        value_range: The (low, high) samples that stand for 0 and 1; see `samples.to_unit`.
        folder: Folder of the file; None for the system's.
    """

    def __init__(
        self,
        source: str | os.PathLike,
        side: Side,
        *,
        half: int | None,
        shape: tuple[int, int, int],
        dtype: str,
        value_range: Range,
        folder: str | None,
    ) -> None:
        self.shape, self.dtype, self._value_range = shape, np.dtype(dtype), value_range
        self._source, self._chosen, self._half = source, side, half
        self._store = windows.Scratch(shape, self.dtype, folder)

    def __enter__(self) -> "Result":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write(self, window: windows.Window, values: np.ndarray) -> None:
        """Writes float32 [1, rows, columns, c] in [-1, 1]."""
        unit = (values + 1) / 2
        self._store.write(window, from_unit(unit, self.dtype, self._value_range))

    def read(self, window: windows.Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]: what the file can hold."""
        return to_unit(self._store.read(window), self._value_range) * 2 - 1

    def save(self, path: str | os.PathLike) -> None:
        """Writes a tiled TIFF, a BigTIFF where needed, with what `tiff.place_of` finds.

        Pixels that are missing in the source are missing in the result. The file appears when it
        is complete.
        """
        with (
            TiffSource(self._source, self._chosen, half=self._half) as source,
            run_folder.atomic(path) as temporary,
        ):
            tiff.write(
                temporary,
                self._tiles(source),
                shape=self.shape,
                dtype=self.dtype,
                place=tiff.place_of(self._source, is_half=self._half is not None),
                tile=TILE,
            )

    def _tiles(self, source: TiffSource) -> Iterator[np.ndarray]:
        height, width, channels = self.shape
        nodata = self._chosen.selection.nodata if source.nodata is None else source.nodata
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                window = windows.Window(top, min(top + TILE, height), left, min(left + TILE, width))
                tile = np.zeros((TILE, TILE, channels), self.dtype)
                found = self._store.read(window)[0]
                if nodata is not None:
                    missing = source.samples(window).missing
                    found = marked(found, missing, nodata)
                tile[: window.shape[0], : window.shape[1]] = found
                yield tile if channels > 1 else tile[..., 0]

    def close(self) -> None:
        """Frees the space."""
        self._store.close()


def translate_tiff(
    generator: keras.Model,
    path: str | os.PathLike,
    *,
    sides: tuple[Side, Side],
    tile: int,
    dtype: str,
    half: int | None = None,
    dropout_seed: tf.Tensor | None = None,
    scratch_dir: str | None = None,
) -> Result:
    """Translates a TIFF with neither the image nor the result in memory.

    Args:
        generator: A built `UNet` or `ResNet`.
        path: The file.
        sides: How images that go in, and images that come out, correspond to [0, 1].
        tile: As for `windows.evaluate`.
        dtype: NumPy's name of the type of the result.
        half: As of `TiffSource`.
        dropout_seed: int64 [2], or None for no dropout.
        scratch_dir: As for `windows.evaluate`.

    Raises:
        InputError: If the source cannot be read by windows.
    """
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(TiffSource(path, sides[0], half=half))
        shape = (*source.shape[:2], generator.output_channels)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        folder = stack.enter_context(windows.scratch_folder(scratch_dir, size))
        result = Result(
            path,
            sides[0],
            half=half,
            shape=shape,
            dtype=dtype,
            value_range=sides[1].value_range,
            folder=folder,
        )
        try:
            windows.evaluate(
                generator,
                source,
                result,
                tile=tile,
                dropout_seed=dropout_seed,
                scratch_dir=folder,
                progress=translate.Progress(),
            )
        except BaseException:
            result.close()
            raise
    return result


def compare(
    target: windows.Source, output: windows.Source, *, span: float = metrics.DATA_RANGE
) -> dict[str, np.ndarray]:
    """`metrics.pair_metrics` of whole images, and MAE, float32 [1] each.

    Args:
        target: The ground truth.
        output: The result.
        span: The width of the range of values that [-1, 1] stands for, in the units of MAE.

    Raises:
        InputError: If the sizes differ.
    """
    if target.shape != output.shape:
        raise InputError(
            f"large images are compared in one size; got {output.shape} and {target.shape}"
        )
    height, width, _ = target.shape
    around = metrics.SSIM_WINDOW - 1
    # Sums of |x - y|, x, y and SSIM; of x and y with each other; numbers of samples and windows.
    differences, similarities, samples, places = 0.0, 0.0, 0, 0
    sums, products, limits = np.zeros(2), np.zeros((2, 2)), [np.inf, -np.inf]
    for window in windows.cut((height, width), (WINDOW, WINDOW)):
        # Each place of SSIM's window counts where its first pixel is.
        wide = windows.Window(
            window.top, min(window.bottom + around, height), window.left,
            min(window.right + around, width),
        )  # fmt: skip
        pair = [image.read(wide) for image in (target, output)]
        both = np.stack([window.of(one, wide).ravel() for one in pair]).astype(np.float64)
        differences += np.abs(both[0] - both[1]).sum()
        sums, products = sums + both.sum(1), products + both @ both.T
        limits = [min(limits[0], both[0].min()), max(limits[1], both[0].max())]
        samples += both.shape[1]
        count = (wide.shape[0] - around) * (wide.shape[1] - around)
        if min(wide.shape) > around:
            similarities += float(metrics.ssim(*pair)[0]) * count
            places += count
    squared = (products[0, 0] - 2 * products[0, 1] + products[1, 1]) / samples
    covariance = products / samples - np.outer(sums, sums) / samples**2
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "L1": differences / samples,
            "PSNR": 20 * np.log10(metrics.DATA_RANGE) - 10 * np.log10(squared),
            "SSIM": similarities / places if places else np.nan,
            "NRMSE": np.sqrt(squared) / (limits[1] - limits[0]),
            "Pearson": covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]),
            "MAE": differences / samples * span / metrics.DATA_RANGE,
        }
    return {name: np.array([value], np.float32) for name, value in found.items()}


def reduced(image: windows.Source) -> np.ndarray:
    """A copy of at most SHOWN pixels a side, each the mean of a square, float32 in [-1, 1]."""
    height, width, channels = image.shape
    square = -(-max(height, width) // SHOWN)
    rows, columns = max(height // square, 1), max(width // square, 1)
    found = np.empty((rows, columns, channels), np.float32)
    side = max(WINDOW // square, 1)
    for window in windows.cut((rows, columns), (side, side)):
        values = image.read(window.scaled(square))[0]
        parts = values.reshape(window.shape[0], square, window.shape[1], square, channels)
        found[window.top : window.bottom, window.left : window.right] = parts.mean((1, 3))
    return found
