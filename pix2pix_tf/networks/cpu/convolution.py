"""Convolutions as matrix products on CPUs, for the passes where that is faster.

On a CPU, oneDNN reorders a kernel into blocks for every pass that uses it and its gradient back,
and some of its forward passes keep one core busy at batch size 1. Deep inside a U-Net kernels are
far larger than maps: 8 of the 16 levels of pix2pix hold 50 of its 57 million parameters and meet
64 pixels or fewer per image, so the reorders take several times as long as the arithmetic. A
product of the map's windows with the kernel reads the kernel as it lies in memory. A training
step at batch size 1 takes three quarters of the time.

For one image with many channels oneDNN chooses a slow forward kernel as well. For two it does not:
cut into an upper and a lower band, the image counts as two, and takes 0.5 to 0.75 of the time.

The last layer of a ResNet makes 3 channels with a processor that computes 16 at a time. A kernel
that moves 4 pixels at a time makes 4 neighbours at once, as 12 channels, in 0.4 to 0.7 of the time.

Where maps and kernels are both large, training multiplies less, see `winograd`: a layer takes 0.3
to 1.0 of the time. Images are translated without it: there the result of a window of an image has
to be the window of the result.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.networks.cpu import winograd
from pix2pix_tf.networks.portable import is_portable

Shape = Sequence[int | None]
# Forward pass and backward pass, as tf.custom_gradient takes them.
WithGradient = tuple[tf.Tensor, Callable[..., Any]]

# Pixels of the smaller map, in the whole batch, up to which a pass is a product, and up to which
# the forward pass in float32 is one: measured with pix2pix at 256x256 and batch sizes 1 and 4.
LIMIT, FORWARD_LIMIT = 256, 1024
# Channels of one image from which it is cut into bands: slower with 128, faster with 256.
BAND_CHANNELS = 256
# Filters of a kernel that makes neighbours at once, its least side, and how many it makes: measured
# with 1, 2, 4 and 8 of the 3 filters of 7x7 pixels on maps of 128 and 256 pixels.
FEW_FILTERS, WIDE_SIDE, NEIGHBOURS = 4, 7, 4
# With kernels of fewer elements than these the reorders are cheap, and products pay up to 64
# pixels only: measured with 16 and with 64 filters, a step of 16 is a tenth faster for it.
SMALL_KERNEL, SMALL_LIMIT = 2**19, 64

# Channels, filters, and pixels of the smaller map in the whole batch by strides, from which tiles
# are worth their transforms: measured, with AVX-512 1.0 to 2.3 times as fast, with AVX2 1.2 to 3.4.
TILED_CHANNELS = 128
TILED_PIXELS = {1: 200, 2: 1024}

# The environment variable that switches all of this off.
SWITCH = "PIX2PIX_TF_CPU_KERNELS"


def are_enabled() -> bool:
    """Whether kernels of this module may be used: all of this is measured on CPUs."""
    is_wanted = os.environ.get(SWITCH, "1") != "0"
    return is_wanted and not (is_portable() or tf.config.list_physical_devices("GPU"))


@dataclasses.dataclass(frozen=True)
class Passes:
    """The passes of a convolution between a larger and a smaller map, of static shapes.

    Attributes:
        larger: Shape [n, h, w, c] that the convolution reads; None where it is unknown.
        smaller: Shape [n, h', w', c'] that it makes.
        side: Side of the kernel in pixels; the kernel is [side, side, c, c'].
        strides: The step between two windows.
        padding: "SAME" or "VALID".
        dtype: What the passes compute in, the name of a type.
    """

    larger: tuple[Any, ...]
    smaller: tuple[Any, ...]
    side: int
    strides: int
    padding: str
    dtype: str = "float32"

    def use_matmul(self, *, forward: bool) -> bool:
        """Whether to compute the forward pass, or else the backward passes, as matrix products."""
        if not self._applies:
            return False
        n, height, width, channels = self.smaller
        if channels == 1:  # A matrix times a vector gains nothing.
            return False
        limit = FORWARD_LIMIT if forward and self.dtype == "float32" else LIMIT
        if self.side**2 * self.larger[3] * channels < SMALL_KERNEL:
            limit = SMALL_LIMIT
        return n * height * width <= limit

    @property
    def split_rows(self) -> bool:
        """Whether to cut an image into an upper and a lower half."""
        if not self._applies or (self.smaller[0], self.strides, self.padding) != (1, 1, "VALID"):
            return False
        is_even = self.smaller[1] % 2 == 0
        return is_even and self.larger[3] >= BAND_CHANNELS and self.dtype == "float32"

    @property
    def widen_kernel(self) -> bool:
        """Whether to compute neighbouring pixels at once, with a wider kernel."""
        if not self._applies or (self.strides, self.padding) != (1, "VALID"):
            return False
        if self.smaller[3] > FEW_FILTERS or self.side < WIDE_SIDE:
            return False
        return self.smaller[2] % NEIGHBOURS == 0 and self.dtype == "float32"

    @property
    def use_winograd(self) -> bool:
        """Whether training computes tiles with fewer multiplications, see `winograd`."""
        if not self._applies or self.dtype != "float32" or self.strides not in TILED_PIXELS:
            return False
        n, height, width, filters = self.smaller
        if n * height * width < TILED_PIXELS[self.strides]:
            return False
        if min(self.larger[3], filters) < TILED_CHANNELS:
            return False
        if self.strides == 2:  # "SAME" is 1 pixel on each side then
            return self.side == 4 and not (self.larger[1] % 2 or self.larger[2] % 2)
        return self.side in (3, 4) and self.padding == "VALID"

    @property
    def use_default(self) -> bool:
        """Whether the forward pass is TensorFlow's."""
        return not (self.widen_kernel or self.use_matmul(forward=True))

    @property
    def _applies(self) -> bool:
        """Whether shapes are known and the kernels are enabled."""
        return None not in (*self.larger, *self.smaller) and are_enabled()

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The convolution: from the larger to the smaller map."""
        if self.widen_kernel:
            y = tf.nn.conv2d(x, _widened(kernel), [1, NEIGHBOURS], "VALID")
            return tf.reshape(y, self.smaller)
        if not self.use_matmul(forward=True):
            return tf.nn.conv2d(x, kernel, self.strides, self.padding)
        return tf.reshape(tf.matmul(self._windows(x), _matrix(kernel)), self.smaller)

    def convolve_by_winograd(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """As `convolve`, if `use_winograd`."""
        if self.padding == "SAME":
            x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return winograd.convolve(x, kernel, strides=self.strides)

    def transpose_by_winograd(self, y: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """As `convolve_transpose`, if `use_winograd`."""
        x = winograd.convolve_transpose(y, kernel, strides=self.strides)
        return x[:, 1:-1, 1:-1] if self.padding == "SAME" else x

    def convolve_transpose(self, y: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The transposed convolution: from the smaller to the larger map."""
        is_doubling = (self.side, self.strides, self.padding) == (4, 2, "SAME")
        if is_doubling and self.use_matmul(forward=False):
            return self._overlapped(tf.matmul(_matrix(y), _matrix(kernel), transpose_b=True))
        return tf.raw_ops.Conv2DBackpropInput(
            input_sizes=self.larger, filter=kernel, out_backprop=y, **self._options
        )

    def kernel_gradient(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """The gradient of the kernel, from the larger map and the smaller one (either way)."""
        if self.widen_kernel:
            return self._wide_gradient(x, y)
        shape = (self.side, self.side, self.larger[3], self.smaller[3])
        if self.use_matmul(forward=False):
            return tf.reshape(tf.matmul(self._windows(x), _matrix(y), transpose_a=True), shape)
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=shape, out_backprop=y, **self._options
        )

    def _wide_gradient(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """The adjoint of `_widened`, of the gradient of the widened kernel."""
        n, height, width, filters = self.smaller
        shape = (self.side, self.side + NEIGHBOURS - 1, self.larger[3], NEIGHBOURS * filters)
        gradient = tf.raw_ops.Conv2DBackpropFilter(
            input=x,
            filter_sizes=shape,
            out_backprop=tf.reshape(y, (n, height, width // NEIGHBOURS, -1)),
            strides=[1, 1, NEIGHBOURS, 1],
            padding="VALID",
        )
        parts = tf.split(gradient, NEIGHBOURS, axis=3)
        return tf.add_n([part[:, at : at + self.side] for at, part in enumerate(parts)])

    @property
    def _options(self) -> dict[str, Any]:
        return {"strides": [1, self.strides, self.strides, 1], "padding": self.padding}

    def _windows(self, x: tf.Tensor) -> tf.Tensor:
        """A row for each pixel of the smaller map: what the kernel sees there."""
        sides, steps = [1, self.side, self.side, 1], [1, self.strides, self.strides, 1]
        return _matrix(tf.image.extract_patches(x, sides, steps, [1, 1, 1, 1], self.padding))

    def _overlapped(self, rows: tf.Tensor) -> tf.Tensor:
        """The adjoint of `_windows`: 4x4 windows at a distance of 2 add up where they overlap."""
        n, h, w, _ = self.smaller
        x = tf.reshape(rows, (n, h, w, 4, 4, self.larger[3]))
        x = _pad(x[:, :, :, :2], 1, [0, 1]) + _pad(x[:, :, :, 2:], 1, [1, 0])
        x = _pad(x[:, :, :, :, :2], 2, [0, 1]) + _pad(x[:, :, :, :, 2:], 2, [1, 0])
        x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (n, 2 * h + 2, 2 * w + 2, -1))[:, 1:-1, 1:-1]


def _matrix(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))


def _bands(x: tf.Tensor, passes: Passes) -> tf.Tensor:
    """The upper and the lower half of an image as two, with the rows that both need."""
    start, shared = passes.smaller[1] // 2, passes.side - 1

    @tf.custom_gradient
    def cut(x: tf.Tensor) -> WithGradient:
        def gradient(d: tf.Tensor) -> tf.Tensor:
            middle = d[:1, start:] + d[1:, :shared]
            return tf.concat([d[:1, :start], middle, d[1:, shared:]], 1)

        return tf.concat([x[:, : start + shared], x[:, start:]], 0), gradient

    return cut(x)


def _widened(kernel: tf.Tensor) -> tf.Tensor:
    """A kernel for neighbouring pixels of a row: [side, side + neighbours - 1, c, ...]."""
    last = NEIGHBOURS - 1
    return tf.concat([_pad(kernel, 1, [at, last - at]) for at in range(NEIGHBOURS)], axis=3)


def _pad(x: tf.Tensor, axis: int, amounts: list[int]) -> tf.Tensor:
    return tf.pad(x, [amounts if i == axis else [0, 0] for i in range(x.shape.rank)])


def _passes(layer: keras.layers.Layer, larger: Shape, smaller: Shape) -> Passes:
    return Passes(
        larger=tuple(larger),
        smaller=tuple(smaller),
        side=layer.kernel_size[0],
        strides=layer.strides[0],
        padding=layer.padding.upper(),
        dtype=layer.compute_dtype,
    )


def _biased(layer: keras.layers.Layer, y: tf.Tensor) -> tf.Tensor:
    return tf.nn.bias_add(y, tf.convert_to_tensor(layer.bias)) if layer.use_bias else y


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class Conv(keras.layers.Conv2D):
    """Keras' convolution."""

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        smaller = keras.layers.Conv2D.compute_output_shape(self, x.shape)  # Not a subclass'.
        passes = _passes(self, x.shape, smaller)
        if training and passes.use_winograd:
            return _biased(self, passes.convolve_by_winograd(x, tf.convert_to_tensor(self.kernel)))
        if passes.split_rows:
            return tf.reshape(super().call(_bands(x, passes)), passes.smaller)
        if passes.use_default:
            return super().call(x)

        @tf.custom_gradient
        def convolve(x: tf.Tensor, kernel: tf.Tensor) -> WithGradient:
            def backward(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                return passes.convolve_transpose(dy, kernel), passes.kernel_gradient(x, dy)

            return passes.convolve(x, kernel), backward

        return _biased(self, convolve(x, tf.convert_to_tensor(self.kernel)))


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class Deconv(keras.layers.Conv2DTranspose):
    """Keras' transposed convolution."""

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        passes = _passes(self, self.compute_output_shape(x.shape), x.shape)
        if training and passes.use_winograd:
            return _biased(self, passes.transpose_by_winograd(x, tf.convert_to_tensor(self.kernel)))
        if passes.use_default:
            return super().call(x)

        @tf.custom_gradient
        def convolve(x: tf.Tensor, kernel: tf.Tensor) -> WithGradient:
            def backward(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                return passes.convolve(dy, kernel), passes.kernel_gradient(dy, x)

            return passes.convolve_transpose(x, kernel), backward

        return _biased(self, convolve(x, tf.convert_to_tensor(self.kernel)))
