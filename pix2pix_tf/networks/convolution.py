"""Convolutions whose passes are matrix products where those are faster.

On a CPU, oneDNN reorders a kernel into blocks for every pass that uses it and its gradient back,
and some of its forward passes keep one core busy at batch size 1. Deep inside a U-Net kernels are
far larger than maps: 8 of the 16 levels of pix2pix hold 50 of its 57 million parameters and meet
64 pixels or fewer per image, so the reorders take several times as long as the arithmetic. A
product of the map's windows with the kernel reads the kernel as it lies in memory. A training
step at batch size 1 takes three quarters of the time.
"""

import dataclasses

import keras
import tensorflow as tf

# Pixels of the smaller map, in the whole batch, up to which a pass is a product, and up to which
# the forward pass in float32 is one: measured with pix2pix at 256x256 and batch sizes 1 and 4.
LIMIT, FORWARD_LIMIT = 256, 1024
# With kernels of fewer elements than these the reorders are cheap, and products pay up to 64
# pixels only: measured with 16 and with 64 filters, a step of 16 is a tenth faster for it.
SMALL_KERNEL, SMALL_LIMIT = 2**19, 64


@dataclasses.dataclass(frozen=True)
class Passes:
    """The passes of a convolution between a larger and a smaller map, of static shapes.

    Attributes:
        larger: Shape [n, h, w, c] that the convolution reads.
        smaller: Shape [n, h', w', c'] that it makes.
        side: Side of the kernel in pixels; the kernel is [side, side, c, c'].
        strides: The step between two windows.
        padding: "SAME" or "VALID".
        dtype: What the passes compute in, the name of a type.
    """

    larger: tuple
    smaller: tuple
    side: int
    strides: int
    padding: str
    dtype: str = "float32"

    def fit(self, *, forward):
        """Whether the forward pass or else the others are products.

        Not on accelerators, which reorder nothing.
        """
        if None in (*self.larger, *self.smaller) or tf.config.list_physical_devices("GPU"):
            return False
        n, height, width, channels = self.smaller
        if channels == 1:  # A matrix times a vector gains nothing.
            return False
        limit = FORWARD_LIMIT if forward and self.dtype == "float32" else LIMIT
        if self.side**2 * self.larger[3] * channels < SMALL_KERNEL:
            limit = SMALL_LIMIT
        return n * height * width <= limit

    def shrink(self, x, kernel):
        """The convolution: from the larger to the smaller map."""
        if not self.fit(forward=True):
            return tf.nn.conv2d(x, kernel, self.strides, self.padding)
        return tf.reshape(tf.matmul(self._windows(x), _matrix(kernel)), self.smaller)

    def spread(self, y, kernel):
        """The transposed convolution: from the smaller to the larger map."""
        if self.fit(forward=False) and (self.side, self.strides, self.padding) == (4, 2, "SAME"):
            return self._overlapped(tf.matmul(_matrix(y), _matrix(kernel), transpose_b=True))
        return tf.raw_ops.Conv2DBackpropInput(
            input_sizes=self.larger, filter=kernel, out_backprop=y, **self._options
        )

    def kernel_gradient(self, x, y):
        """The gradient of the kernel, from the larger map and the smaller one (either way)."""
        shape = (self.side, self.side, self.larger[3], self.smaller[3])
        if self.fit(forward=False):
            return tf.reshape(tf.matmul(self._windows(x), _matrix(y), transpose_a=True), shape)
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=shape, out_backprop=y, **self._options
        )

    @property
    def _options(self):
        return {"strides": [1, self.strides, self.strides, 1], "padding": self.padding}

    def _windows(self, x):
        """A row for each pixel of the smaller map: what the kernel sees there."""
        sides, steps = [1, self.side, self.side, 1], [1, self.strides, self.strides, 1]
        return _matrix(tf.image.extract_patches(x, sides, steps, [1, 1, 1, 1], self.padding))

    def _overlapped(self, rows):
        """The adjoint of `_windows`: 4x4 windows at a distance of 2 add up where they overlap."""
        n, h, w, _ = self.smaller
        x = tf.reshape(rows, (n, h, w, 4, 4, self.larger[3]))
        x = _pad(x[:, :, :, :2], 1, [0, 1]) + _pad(x[:, :, :, 2:], 1, [1, 0])
        x = _pad(x[:, :, :, :, :2], 2, [0, 1]) + _pad(x[:, :, :, :, 2:], 2, [1, 0])
        x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (n, 2 * h + 2, 2 * w + 2, -1))[:, 1:-1, 1:-1]


def _matrix(x):
    return tf.reshape(x, (-1, x.shape[-1]))


def _pad(x, axis, amounts):
    return tf.pad(x, [amounts if i == axis else [0, 0] for i in range(x.shape.rank)])


def _passes(layer, larger, smaller):
    return Passes(
        larger=tuple(larger),
        smaller=tuple(smaller),
        side=layer.kernel_size[0],
        strides=layer.strides[0],
        padding=layer.padding.upper(),
        dtype=layer.compute_dtype,
    )


def _biased(layer, y):
    return tf.nn.bias_add(y, tf.convert_to_tensor(layer.bias)) if layer.use_bias else y


class Conv(keras.layers.Conv2D):
    """Keras' convolution."""

    def call(self, x):
        """Maps [n, h, w, c] to [n, h', w', filters]."""
        passes = _passes(self, x.shape, self.compute_output_shape(x.shape))
        if not passes.fit(forward=True):
            return super().call(x)

        @tf.custom_gradient
        def convolve(x, kernel):
            def backward(dy):
                return passes.spread(dy, kernel), passes.kernel_gradient(x, dy)

            return passes.shrink(x, kernel), backward

        return _biased(self, convolve(x, tf.convert_to_tensor(self.kernel)))


class Deconv(keras.layers.Conv2DTranspose):
    """Keras' transposed convolution."""

    def call(self, x):
        """Maps [n, h, w, c] to the larger [n, h', w', filters]."""
        passes = _passes(self, self.compute_output_shape(x.shape), x.shape)
        if not passes.fit(forward=True):
            return super().call(x)

        @tf.custom_gradient
        def convolve(x, kernel):
            def backward(dy):
                return passes.shrink(dy, kernel), passes.kernel_gradient(dy, x)

            return passes.spread(x, kernel), backward

        return _biased(self, convolve(x, tf.convert_to_tensor(self.kernel)))
