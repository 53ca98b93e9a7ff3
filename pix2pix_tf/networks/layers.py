"""Padding, initialisation and dropout as pix2pix and CycleGAN define them.

Layers are named after TensorFlow 1's (`conv2d`, `conv2d_transpose`, `separable_conv2d`,
`batch_normalization`), so the path of every weight is its name in a checkpoint of the reference.
"""

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.networks import cpu_convolution

# Isola et al. 2017, section 6.2: "weights were initialized from a Gaussian distribution with mean
# 0 and standard deviation 0.02"; normalisation scales from N(1, 0.02) in the authors' code.
INIT_STDDEV = 0.02
# pix2pix.py, lrelu(x, 0.2); Isola et al. 2017, section 6.1.1.
LEAKY_SLOPE = 0.2
# pix2pix.py, create_generator(): dropout=0.5; PyTorch CycleGAN: nn.Dropout(0.5).
DROPOUT_RATE = 0.5
# How far the places with dropout in one network shift an image's seed at most, and 1.
SEED_SHIFTS = 16


def kernel_initializer(stddev=INIT_STDDEV):
    """The distribution of all convolution kernels: N(0, stddev)."""
    return keras.initializers.RandomNormal(0.0, stddev)


def leaky_relu(x):
    """Leaky ReLU with slope 0.2 for negative values."""
    return tf.nn.leaky_relu(x, alpha=LEAKY_SLOPE)


def conv(filters, *, bias=True, stddev=INIT_STDDEV):
    """4x4 convolution with stride 2, one pixel of padding on each side of an even image."""
    return cpu_convolution.Conv(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=bias,
        kernel_initializer=kernel_initializer(stddev),
        name="conv2d",
    )


def deconv(filters, *, bias=True, stddev=INIT_STDDEV):
    """4x4 transposed convolution with stride 2: twice the size."""
    return cpu_convolution.Deconv(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=bias,
        kernel_initializer=kernel_initializer(stddev),
        name="conv2d_transpose",
    )


class SeparableConv(keras.layers.SeparableConv2D):
    """4x4 depthwise convolution followed by a 1x1 one, with stride 2.

    Args:
        filters: Number of output channels.
        strides: 2, or 1 after a resize.
        bias: Whether there is a bias.
        stddev: Standard deviation of the initial kernels.

    Reference:
        pix2pix.py, gen_conv() with --separable_conv.
    """

    def __init__(self, filters, *, strides=2, bias=True, stddev=INIT_STDDEV):
        super().__init__(
            filters,
            4,
            strides=strides,
            padding="same",
            use_bias=bias,
            depthwise_initializer=kernel_initializer(stddev),
            pointwise_initializer=kernel_initializer(stddev),
            name="separable_conv2d",
        )


class ResizeConv(SeparableConv):
    """Nearest-neighbour resize to twice the size, then a separable convolution.

    Args:
        filters: Number of output channels.
        kwargs: As for `SeparableConv`.

    Reference:
        pix2pix.py, gen_deconv() with --separable_conv.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(filters, strides=1, **kwargs)

    def call(self, x):
        """Maps [n, h, w, c] to [n, 2h, 2w, filters]."""
        n, h, w, _ = tf.unstack(tf.shape(x))
        doubled = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        # Of images of unknown size tf.repeat forgets the channels; LiteRT must know them.
        return super().call(tf.reshape(doubled, tf.stack([n, 2 * h, 2 * w, x.shape[3]])))


class PaddedConv(cpu_convolution.Conv):
    """Convolution without padding after the same explicit padding on every side.

    Keras' "same" would pad 1 and 2 where a 4x4 kernel has stride 1 (a 32x32 map instead of 30x30)
    and 0 and 1 where a 3x3 kernel has stride 2 (all features shifted by one pixel).

    Args:
        filters: Number of output channels.
        kernel_size: Side of the kernel in pixels.
        strides: 1 or 2.
        padding: Pixels added on every side.
        reflect: Mirror the image at its border instead of adding zeros.
        bias: Whether there is a bias.
        stddev: Standard deviation of the initial kernel.

    Reference:
        pix2pix.py, discrim_conv(); Zhu et al. 2017, section 7.2: reflection padding.
    """

    def __init__(
        self,
        filters,
        kernel_size=4,
        *,
        strides=1,
        padding=1,
        reflect=False,
        bias=True,
        stddev=INIT_STDDEV,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="valid",
            use_bias=bias,
            kernel_initializer=kernel_initializer(stddev),
            name="conv2d",
        )
        self._border = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
        self._pad_mode = "REFLECT" if reflect else "CONSTANT"

    def call(self, x):
        """Maps [n, h, w, c] to [n, (h + 2 padding - kernel) // strides + 1, ..., filters]."""
        return super().call(tf.pad(x, self._border, self._pad_mode) if any(self._border[1]) else x)


class DoublingConv(keras.layers.Conv2DTranspose):
    """3x3 transposed convolution with stride 2: exactly twice the size.

    The adjoint of a convolution that pads one pixel on every side, as PyTorch's padding=1,
    output_padding=1; Keras' "same" would crop the other end and shift the image by one pixel.

    Args:
        filters: Number of output channels.
        bias: Whether there is a bias.
        stddev: Standard deviation of the initial kernel.

    Reference:
        Zhu et al. 2017 (arXiv:1703.10593), section 7.2: u128 and u64.
    """

    def __init__(self, filters, *, bias=True, stddev=INIT_STDDEV):
        super().__init__(
            filters,
            3,
            strides=2,
            use_bias=bias,
            kernel_initializer=kernel_initializer(stddev),
            name="conv2d_transpose",
        )

    def call(self, x):
        """Maps [n, h, w, c] to [n, 2h, 2w, filters]."""
        n, h, w, _ = tf.unstack(tf.shape(x))
        # No explicit padding: converters to LiteRT and ONNX refuse or, worse, ignore it here.
        y = tf.nn.conv2d_transpose(
            x,
            tf.convert_to_tensor(self.kernel),
            tf.stack([n, 2 * h + 1, 2 * w + 1, self.filters]),
            strides=2,
            padding="VALID",
        )
        y = tf.slice(y, [0, 1, 1, 0], [-1] * 4)  # Its gradient is faster than that of y[:, 1:, 1:].
        y.set_shape([x.shape[0], *_doubled(x.shape[1:3]), self.filters])
        return tf.nn.bias_add(y, tf.convert_to_tensor(self.bias)) if self.use_bias else y


def _doubled(sides):
    return [side and 2 * side for side in sides]


class Level(keras.layers.Layer):
    """A convolution and, where the architecture has one, a normalisation.

    Args:
        convolution: The convolution layer.
        norm: The normalisation layer, or None.
    """

    def __init__(self, convolution, norm=None, **kwargs):
        super().__init__(**kwargs)
        self.convolution, self.norm = convolution, norm

    @property
    def filters(self):
        """Number of channels of the result."""
        return self.convolution.filters

    def build(self, input_shape):
        """Creates the weights for `input_shape` [n, h, w, c]."""
        self.convolution.build(input_shape)
        if self.norm:
            self.norm.build((None, None, None, self.filters))
            # Normalisation takes any constant away, so the bias has the gradient 0. Of that,
            # rounding leaves a noise that Adam would turn into steps of its full learning rate,
            # others on any number of devices.
            if self.convolution.use_bias:
                self.convolution.bias.is_erased = True
        self.built = True

    def call(self, x, training=False):
        """Convolves `x` [n, h, w, c] and normalises the result."""
        x = self.convolution(x)
        return self.norm(x, training=training) if self.norm else x


def dropout_mask(x, seeds, *, rate=DROPOUT_RATE):
    """Which elements dropout keeps, one mask per image.

    Stateless: the same seed gives the same mask, so a step can be computed again, and an image's
    mask does not depend on the batch that it is in.

    Args:
        x: [n, h, w, c].
        seeds: int64 [n, 2], one seed per image.
        rate: Probability in [0, 1) that an element is dropped.

    Returns:
        bool like `x`.
    """
    shape = tf.shape(x)[1:]

    def keep(seed):
        return tf.random.stateless_uniform(shape, seed, alg="philox") >= rate

    if seeds.shape[0] is None:
        return tf.map_fn(keep, seeds, fn_output_signature=tf.bool)
    # A loop would be traced, and differentiated, for every place with dropout.
    return tf.stack([keep(seed) for seed in tf.unstack(seeds)])


def dropout_window(
    seed: tf.Tensor,
    shape: tuple[int, int, int],
    rows: slice,
    columns: slice,
    *,
    rate: float = DROPOUT_RATE,
) -> tf.Tensor:
    """The part of an image's `dropout_mask` in a window, without the rest of the mask.

    Philox makes four numbers from one value of its counter, so the numbers from any element on
    follow from the counter there.

    Args:
        seed: int64 [2].
        shape: Shape (h, w, c) of the whole mask.
        rows: Rows of the window.
        columns: Columns of the window.
        rate: Probability in [0, 1) that an element is dropped.

    Returns:
        bool [1, rows, columns, c].
    """
    _, width, channels = shape
    key, counter = map(np.asarray, tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed))
    count = (columns.stop - columns.start) * channels
    parts = []
    for row in range(rows.start, rows.stop):
        first, rest = divmod((row * width + columns.start) * channels, 4)
        numbers = tf.raw_ops.StatelessRandomUniformV2(
            shape=[count + rest], key=key, counter=_advanced(counter, first), alg=1
        )
        parts.append(numbers[rest:] >= rate)
    return tf.reshape(tf.stack(parts), [1, len(parts), -1, channels])


def _advanced(counter: np.ndarray, amount: int) -> np.ndarray:
    """A 128-bit counter, uint64 [2], the lower half first, plus `amount`."""
    low, high = (int(half) for half in counter)
    carry, low = divmod(low + amount, 2**64)
    return np.array([low, (high + carry) % 2**64], np.uint64)


def dropped(x, kept, *, rate=DROPOUT_RATE):
    """Zeroes the elements of `x` that the mask does not keep and scales the rest."""
    return tf.where(kept, x / (1.0 - rate), tf.zeros_like(x))


def dropout(x, seeds, *, rate=DROPOUT_RATE):
    """Zeroes elements of `x` [n, h, w, c] with probability `rate`, see `dropout_mask`."""
    return dropped(x, dropout_mask(x, seeds, rate=rate), rate=rate)


def shifted(seeds, amount):
    """Other seeds from int64 `seeds` [n, 2]: places with dropout must not share a mask.

    A network shifts by less than SEED_SHIFTS; who calls it more than once for an image shifts by
    multiples of that.
    """
    return seeds + tf.constant([amount, 0], tf.int64)


def dropout_seeds(seed, first, count):
    """Seeds for the dropout of `count` consecutive images, of which `first` is the first number.

    Returns:
        int64 [count, 2].
    """
    numbers = first + tf.range(count, dtype=tf.int64)
    return tf.stack([tf.fill(tf.shape(numbers), tf.constant(seed, tf.int64)), numbers], 1)


def step_seeds(seed, step, images):
    """Seeds for the dropout of this replica's share of the batch of one training step.

    Args:
        seed: The run's seed, an int.
        step: Number of updates already made, an integer tensor.
        images: The share, [n, ...].

    Returns:
        int64 [n, 2]: (seed, number of the image since the start of training).
    """
    context, count = tf.distribute.get_replica_context(), images.shape[0]
    count = tf.shape(images, tf.int64)[0] if count is None else count
    share = tf.cast(context.replica_id_in_sync_group, tf.int64) * count
    first = tf.cast(step, tf.int64) * count * context.num_replicas_in_sync + share
    return dropout_seeds(seed, first, count)
