"""Normalisation of feature maps, by the statistics of a batch or of each image."""

import keras
import tensorflow as tf

from pix2pix_tf.networks.layers import INIT_STDDEV

# pix2pix.py, batchnorm(): epsilon=1e-5; torch.nn.BatchNorm2d and InstanceNorm2d: eps=1e-05.
EPSILON = 1e-5


def normalization(kind, *, stddev=INIT_STDDEV):
    """Makes a normalisation layer.

    Args:
        kind: "batch", "instance", "instance_affine" or "none".
        stddev: Standard deviation of the initial scales around 1.

    Returns:
        A layer, or None for "none".
    """
    if kind == "batch":
        return BatchNorm(stddev=stddev)
    if kind == "none":
        return None
    return InstanceNorm(affine=kind == "instance_affine", stddev=stddev)


class BatchNorm(keras.layers.Layer):
    """Batch normalisation without moving averages.

    With `training` the statistics are those of the batch. Without, each image is normalised by
    its own: at batch size 1 this is what the reference does at test time, and at any other it
    keeps an image's result independent of its neighbours in the batch.

    Args:
        stddev: Standard deviation of the initial gamma around 1.

    Reference:
        pix2pix.py, batchnorm(): epsilon 1e-5, gamma ~ N(1, 0.02), training=True always.
    """

    def __init__(self, *, stddev=INIT_STDDEV, **kwargs):
        super().__init__(**{"name": "batch_normalization", **kwargs})
        self._stddev = stddev

    def build(self, input_shape):
        """Adds gamma and beta, one of each per channel."""
        _add_affine(self, input_shape[-1], self._stddev)

    def call(self, x, training=False):
        """Normalises `x` [n, h, w, c]; the statistics are float32 whatever the type of `x`."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        return _fused(x, gamma, beta) if training else _by_image(x, gamma, beta)


class InstanceNorm(keras.layers.Layer):
    """Normalises every channel of every image by its own mean and variance.

    Args:
        affine: Whether a scale and an offset per channel are learned.
        stddev: Standard deviation of the initial gamma around 1.

    Reference:
        Ulyanov et al. 2016 (arXiv:1607.08022); PyTorch CycleGAN, get_norm_layer(): affine=False,
        epsilon 1e-5.
    """

    def __init__(self, *, affine=False, stddev=INIT_STDDEV, **kwargs):
        super().__init__(**{"name": "instance_normalization", **kwargs})
        self._affine, self._stddev = affine, stddev

    def build(self, input_shape):
        """Adds gamma and beta if the layer is affine."""
        if self._affine:
            _add_affine(self, input_shape[-1], self._stddev)

    def call(self, x, training=False):
        """Normalises `x` [n, h, w, c]; the statistics are float32 whatever the type of `x`."""
        wide = tf.cast(x, tf.float32)
        # An export needs no gradient and has one operation fewer to be converted.
        y = _standardize(wide) if training else _standardized(wide)[0]
        return tf.cast(y * self.gamma + self.beta if self._affine else y, x.dtype)


def _add_affine(layer, count, stddev):
    layer.gamma = layer.add_weight(
        shape=(count,),
        initializer=keras.initializers.RandomNormal(1.0, stddev),
        name="gamma",
        autocast=False,
    )
    layer.beta = layer.add_weight(shape=(count,), initializer="zeros", name="beta", autocast=False)


def _fused(x, gamma, beta):
    """Normalises by the statistics of the whole batch in one kernel."""
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=EPSILON, is_training=True
    ).y


def _by_image(x, gamma, beta):
    """Normalises each image by its own statistics."""
    wide = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(wide, [1, 2], keepdims=True)
    return tf.cast(tf.nn.batch_normalization(wide, mean, variance, beta, gamma, EPSILON), x.dtype)


def _image_mean(x):
    """Mean over the pixels of each image, [n, 1, 1, c].

    Rows first: a sum over 128x128 pixels in one go loses a digit, which the variance and in the
    end the sign of a ReLU would show.
    """
    return tf.reduce_mean(tf.reduce_mean(x, 2, keepdims=True), 1, keepdims=True)


def _standardized(x):
    """Maps each channel of each image to mean 0 and variance 1; also returns 1 / deviation."""
    centred = x - _image_mean(x)
    inverse = tf.math.rsqrt(_image_mean(tf.square(centred)) + EPSILON)
    return centred * inverse, inverse


@tf.custom_gradient
def _standardize(x):
    """As `_standardized`, with a gradient in half the passes over memory that TensorFlow takes."""
    y, inverse = _standardized(x)

    def gradient(upstream):
        return inverse * (upstream - _image_mean(upstream) - y * _image_mean(upstream * y))

    return y, gradient
