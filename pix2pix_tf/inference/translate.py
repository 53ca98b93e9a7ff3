"""Translation of images of any size, in bounded memory if requested.

With `tile` the generator is evaluated window by window, see `windows`, with the result of the whole
image.
"""

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.data import resize
from pix2pix_tf.inference import windows

# Seconds after which the progress of an image is shown.
PATIENCE = 5


def translate(
    generator: Callable[..., tf.Tensor],
    batch: tf.Tensor,
    *,
    multiple: int,
    tile: int = 0,
    scratch_dir: Path | None = None,
    dropout_seeds: tf.Tensor | None = None,
) -> tf.Tensor:
    """Translates images of any size.

    Images are reflection-padded to the next multiple that the network needs, and the result is
    cropped back. Nothing is added to images of such a size, so those are translated exactly as in
    training.

    Args:
        generator: Model from [n, h, w, c] to [n, h, w, c'] in [-1, 1]; with `tile` a `UNet` or
            `ResNet`.
        batch: Float [n, h, w, c] in [-1, 1].
        multiple: The sides that the generator takes are multiples of this.
        tile: Images with a side of more than so many pixels are translated in the memory that such
            a tile needs, see `windows.evaluate`; 0 for whole images. The result is the same. Not
            for graphs that are exported.
        scratch_dir: Folder for what `tile` does not keep in memory; None for the system's.
        dropout_seeds: int64 [n, 2], one per image; None switches dropout off.

    Returns:
        float32 [n, h, w, c'] in [-1, 1].
    """
    shape = tf.shape(batch)
    drop = {} if dropout_seeds is None else {"dropout_seeds": dropout_seeds}

    def whole() -> tf.Tensor:
        least = getattr(generator, "minimum", 1)
        return generator(resize.reflect_to_multiple(batch, multiple, least=least), **drop)

    if tile:
        largest = tf.reduce_max(shape[1:3])
        exact = functools.partial(_by_windows, generator, tile, scratch_dir)
        given = [batch, *drop.values()]
        if tf.executing_eagerly():  # in this thread, so that Ctrl-C gets through
            result = whole() if largest <= tile else tf.convert_to_tensor(exact(*given))
        else:
            outside = lambda: tf.py_function(exact, given, tf.float32)  # noqa: E731
            result = tf.cond(largest <= tile, whole, outside)
            channels = getattr(generator, "output_channels", None)
            result = tf.ensure_shape(result, [None, None, None, channels])
    else:
        result = whole()
    return result[:, : shape[1], : shape[2]]


def _by_windows(
    generator: Any,
    tile: int,
    scratch_dir: Path | None,
    batch: tf.Tensor,
    dropout_seeds: tf.Tensor | None = None,
) -> np.ndarray:
    """Translates images one by one in bounded memory; see `translate`."""
    source = np.asarray(batch, np.float32)
    result = np.empty((*source.shape[:3], generator.output_channels), np.float32)
    for index, image in enumerate(source):
        windows.evaluate(
            generator,
            Pixels(image),
            Pixels(result[index]),
            tile=tile,
            dropout_seed=None if dropout_seeds is None else dropout_seeds[index],
            scratch_dir=scratch_dir,
            progress=Progress(),
        )
    return result


class Pixels:
    """An array [h, w, c] as source or sink of `windows.evaluate`."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.shape = array, array.shape

    def read(self, window: windows.Window) -> np.ndarray:
        """Reads [1, rows, columns, c]."""
        return self._array[None, window.top : window.bottom, window.left : window.right]

    def write(self, window: windows.Window, values: np.ndarray) -> None:
        """Writes [1, rows, columns, c]."""
        self._array[window.top : window.bottom, window.left : window.right] = values[0]


class Progress:
    """A progress bar for images that take longer than PATIENCE seconds, on terminals only."""

    def __init__(self) -> None:
        self._start, self._bar = time.monotonic(), None

    def __call__(self, share: float) -> None:
        """Shows the share of the work that is done, in [0, 1]."""
        late = time.monotonic() - self._start > PATIENCE
        if self._bar is None and late and share < 1 and sys.stdout.isatty():
            self._bar = keras.utils.Progbar(100, unit_name="percent", interval=0.5)
        if self._bar is not None:
            self._bar.update(min(int(share * 100), 100), finalize=share >= 1)
