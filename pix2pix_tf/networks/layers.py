"""Padding, normalisation, initialisation and dropout as pix2pix defines them.

Layers are named after TensorFlow 1's (`conv2d`, `conv2d_transpose`, `separable_conv2d`,
`batch_normalization`), so the path of every weight is its name in a checkpoint of the reference.
"""

import keras
import tensorflow as tf

# Isola et al. 2017, section 6.2: "weights were initialized from a Gaussian distribution with mean
# 0 and standard deviation 0.02"; normalisation scales from N(1, 0.02) in the authors' code.
INIT_STDDEV = 0.02
# pix2pix.py, batchnorm(): epsilon=1e-5.
EPSILON = 1e-5
# pix2pix.py, lrelu(x, 0.2); Isola et al. 2017, section 6.1.1.
LEAKY_SLOPE = 0.2


def kernel_initializer(stddev=INIT_STDDEV):
    """The distribution of all convolution kernels: N(0, 0.02)."""
    return keras.initializers.RandomNormal(0.0, stddev)


def leaky_relu(x):
    """Leaky ReLU with slope 0.2 for negative values."""
    return tf.nn.leaky_relu(x, alpha=LEAKY_SLOPE)


def conv(filters):
    """4x4 convolution with stride 2, one pixel of padding on each side of an even image."""
    return keras.layers.Conv2D(
        filters,
        4,
        strides=2,
        padding="same",
        kernel_initializer=kernel_initializer(),
        name="conv2d",
    )


def deconv(filters):
    """4x4 transposed convolution with stride 2: twice the size."""
    return keras.layers.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        kernel_initializer=kernel_initializer(),
        name="conv2d_transpose",
    )


class SeparableConv(keras.layers.SeparableConv2D):
    """4x4 depthwise convolution followed by a 1x1 one, with stride 2.

    Args:
        filters: Number of output channels.
        strides: 2, or 1 after a resize.

    Reference:
        pix2pix.py, gen_conv() with --separable_conv.
    """

    def __init__(self, filters, *, strides=2):
        super().__init__(
            filters,
            4,
            strides=strides,
            padding="same",
            depthwise_initializer=kernel_initializer(),
            pointwise_initializer=kernel_initializer(),
            name="separable_conv2d",
        )


class ResizeConv(SeparableConv):
    """Nearest-neighbour resize to twice the size, then a separable convolution.

    Args:
        filters: Number of output channels.

    Reference:
        pix2pix.py, gen_deconv() with --separable_conv.
    """

    def __init__(self, filters):
        super().__init__(filters, strides=1)

    def call(self, x):
        """Maps [n, h, w, c] to [n, 2h, 2w, filters]."""
        return super().call(tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2))


class ValidConv(keras.layers.Conv2D):
    """4x4 convolution of the discriminator: one zero on every side, then no padding.

    Keras' "same" would pad 1 and 2 at stride 1 and give a 32x32 map instead of 30x30.

    Args:
        filters: Number of output channels.
        strides: 1 or 2.

    Reference:
        pix2pix.py, discrim_conv().
    """

    def __init__(self, filters, strides, **kwargs):
        super().__init__(
            filters, 4, strides=strides, kernel_initializer=kernel_initializer(), **kwargs
        )

    def call(self, x):
        """Maps [n, h, w, c] to [n, h', w', filters]; h' is h / 2, or h - 1 with stride 1."""
        return super().call(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))


class BatchNorm(keras.layers.Layer):
    """Batch normalisation without moving averages.

    With `training` the statistics are those of the batch. Without, each image is normalised by
    its own: at batch size 1 this is what the reference does at test time, and at any other it
    keeps an image's result independent of its neighbours in the batch.

    Reference:
        pix2pix.py, batchnorm(): epsilon 1e-5, gamma ~ N(1, 0.02), training=True always.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"name": "batch_normalization", **kwargs})

    def build(self, input_shape):
        """Adds gamma and beta, one of each per channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(
            shape=shape,
            initializer=keras.initializers.RandomNormal(1.0, INIT_STDDEV),
            name="gamma",
            autocast=False,
        )
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta", autocast=False)

    def call(self, x, training=False):
        """Normalises `x` [n, h, w, c]; the statistics are float32 whatever the type of `x`."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if training:
            return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0]
        wide = tf.cast(x, tf.float32)
        mean, variance = tf.nn.moments(wide, [1, 2], keepdims=True)
        return tf.cast(
            tf.nn.batch_normalization(wide, mean, variance, beta, gamma, EPSILON), x.dtype
        )


def dropout(x, rate, seeds):
    """Zeroes elements with probability `rate` and scales the rest, one mask per image.

    Stateless: the same seed gives the same mask, so a step can be computed again, and an image's
    mask does not depend on the batch that it is in.

    Args:
        x: [n, h, w, c].
        rate: Probability in [0, 1).
        seeds: Integers [n, 2], one seed per image.

    Returns:
        Tensor like `x`.
    """
    shape = tf.shape(x)[1:]

    def keep(seed):
        return tf.random.stateless_uniform(shape, seed, alg="philox") >= rate

    kept = tf.map_fn(keep, seeds, fn_output_signature=tf.bool)
    return tf.where(kept, x / (1.0 - rate), tf.zeros_like(x))
