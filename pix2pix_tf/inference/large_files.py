"""Images larger than memory: translated and measured window by window."""

import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.data.image_file import ImageFile
from pix2pix_tf.data.samples import DomainSpec, Range, from_unit, to_unit
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.inference import translate, windows

# Side of the windows that are measured, in pixels.
WINDOW = 1024
# Largest side of the image that a report shows of a file.
SHOWN = 1024


class WindowedImage:
    """What networks see of an image file, read by windows.

    Args:
        file: The image file.
        side: What the networks see of it.
        half: 0 or 1 for the left or right half of a side-by-side pair, None for the whole image.

    Raises:
        InputError: If the file cannot be read by windows.
    """

    def __init__(self, file: ImageFile, side: DomainSpec, *, half: int | None = None) -> None:
        self._file, self._side = file, side
        try:
            height, width, _ = file.shape
        except ValueError as error:
            raise InputError(f"{file.path} cannot be read by windows: {error}") from None
        middle = width // 2
        self._left, right = (0, width) if half is None else ((0, middle), (middle, width))[half]
        self.shape = (height, right - self._left, side.channels)

    def read(self, window: windows.Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]."""
        columns = slice(window.left + self._left, window.right + self._left)
        try:
            samples = self._file.samples(slice(window.top, window.bottom), columns)
            unit = self._side.to_unit(samples)
        except ValueError as error:
            raise InputError(f"{self._file.path} cannot be read: {error}") from None
        return unit[None] * 2 - 1


class LargeResult:
    """A translated image in a file without a name; `ImageFile.save_like` writes it.

    Args:
        shape: (h, w, c).
        dtype: NumPy's type of the samples.
        value_range: The (low, high) samples that stand for 0 and 1; see `samples.to_unit`.
        folder: Folder of the file; None for the system's.
    """

    def __init__(
        self, shape: tuple[int, int, int], dtype: str, value_range: Range, *, folder: Path | None
    ) -> None:
        self.shape, self.dtype, self._value_range = shape, np.dtype(dtype), value_range
        self._store = windows.Scratch(shape, self.dtype, folder)

    def write(self, window: windows.Window, values: np.ndarray) -> None:
        """Writes float32 [1, rows, columns, c] in [-1, 1]."""
        self._store.write(window, from_unit((values + 1) / 2, self.dtype, self._value_range))

    def read(self, window: windows.Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]: what the file can hold."""
        return to_unit(self._store.read(window), self._value_range) * 2 - 1

    def samples(self, rows: slice, columns: slice) -> np.ndarray:
        """Reads a part [rows, columns, c]."""
        window = windows.Window(rows.start, rows.stop, columns.start, columns.stop)
        return self._store.read(window)[0]

    def close(self) -> None:
        """Frees the space."""
        self._store.close()


def translate_large(
    generator: keras.Model,
    source: WindowedImage,
    *,
    tile: int,
    dtype: str,
    value_range: Range,
    dropout_seed: tf.Tensor | None = None,
    scratch_dir: Path | None = None,
) -> LargeResult:
    """Translates an image with neither it nor the result in memory.

    Args:
        generator: A built `UNet` or `ResNet`.
        source: The image.
        tile: As for `windows.evaluate`.
        dtype: NumPy's name of the type of the result.
        value_range: The (low, high) samples of the result that stand for 0 and 1, or None.
        dropout_seed: int64 [2], or None for no dropout.
        scratch_dir: As for `windows.evaluate`.

    Raises:
        InputError: If the source cannot be read by windows.
    """
    shape = (*source.shape[:2], generator.output_channels)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with windows.scratch_folder(scratch_dir, size) as folder:
        result = LargeResult(shape, dtype, value_range, folder=folder)
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
            f"Expected large images of one size. Received: {output.shape} and {target.shape}"
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
        both = np.stack([window.of(image, wide).ravel() for image in pair]).astype(np.float64)
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
        scores = {
            "L1": differences / samples,
            "PSNR": 20 * np.log10(metrics.DATA_RANGE) - 10 * np.log10(squared),
            "SSIM": similarities / places if places else np.nan,
            "NRMSE": np.sqrt(squared) / (limits[1] - limits[0]),
            "Pearson": covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]),
            "MAE": differences / samples * span / metrics.DATA_RANGE,
        }
    return {name: np.array([value], np.float32) for name, value in scores.items()}


def thumbnail(image: windows.Source) -> np.ndarray:
    """A copy of at most SHOWN pixels a side, each the mean of a square, float32 in [-1, 1]."""
    height, width, channels = image.shape
    square = -(-max(height, width) // SHOWN)
    rows, columns = max(height // square, 1), max(width // square, 1)
    reduced = np.empty((rows, columns, channels), np.float32)
    side = max(WINDOW // square, 1)
    for window in windows.cut((rows, columns), (side, side)):
        values = image.read(window.scaled(square))[0]
        parts = values.reshape(window.shape[0], square, window.shape[1], square, channels)
        reduced[window.top : window.bottom, window.left : window.right] = parts.mean((1, 3))
    return reduced
