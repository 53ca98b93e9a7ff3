"""Normalisation of feature maps, by the statistics of a batch or of each image."""

import keras
import tensorflow as tf

from pix2pix_tf.networks.layers import INIT_STDDEV

# pix2pix.py, batchnorm(): epsilon=1e-5; torch.nn.BatchNorm2d and InstanceNorm2d: eps=1e-05.
EPSILON = 1e-5


def normalization(kind, *, stddev=INIT_STDDEV):
    """Makes a normalisation layer.

    Args:
        kind: "batch", "sync_batch", "instance", "instance_affine" or "none".
        stddev: Standard deviation of the initial scales around 1.

    Returns:
        A layer, or None for "none".
    """
    if kind in ("batch", "sync_batch"):
        return BatchNorm(synchronized=kind == "sync_batch", stddev=stddev)
    if kind == "none":
        return None
    return InstanceNorm(affine=kind == "instance_affine", stddev=stddev)


class BatchNorm(keras.layers.Layer):
    """Batch normalisation without moving averages.

    With `training` the statistics are those of the batch, which on several devices is each
    replica's share unless they are synchronized. Without, each image is normalised by
    its own: at batch size 1 this is what the reference does at test time, and at any other it
    keeps an image's result independent of its neighbours in the batch.

    Args:
        synchronized: Whether the statistics are those of the global batch, in gradients too: N
            replicas then do what one would do with all their images.
        stddev: Standard deviation of the initial gamma around 1.

    Reference:
        pix2pix.py, batchnorm(): epsilon 1e-5, gamma ~ N(1, 0.02), training=True always.
    """

    def __init__(self, *, synchronized=False, stddev=INIT_STDDEV, **kwargs):
        super().__init__(**{"name": "batch_normalization", **kwargs})
        self._synchronized, self._stddev = synchronized, stddev

    def build(self, input_shape):
        """Adds gamma and beta, one of each per channel."""
        _add_affine(self, input_shape[-1], self._stddev)

    def call(self, x, training=False):
        """Normalises `x` [n, h, w, c]; the statistics are float32 whatever the type of `x`."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if not training:
            return self.normalized(x, *moments(x))
        if not self._synchronized:
            return _fused(x, gamma, beta)
        wide = tf.cast(x, tf.float32)
        return tf.cast(_standardize(wide, _global_means) * gamma + beta, x.dtype)

    def normalized(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Normalises `x` [n, h, w, c] by known statistics, float32 [n, 1, 1, c] each."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        wide = tf.cast(x, tf.float32)
        y = tf.nn.batch_normalization(wide, mean, variance, beta, gamma, EPSILON)
        return tf.cast(y, x.dtype)


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
        y = _standardize(wide, _image_means) if training else _standardized(wide, _image_means)[0]
        return tf.cast(self._scaled(y), x.dtype)

    def normalized(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Normalises `x` [n, h, w, c] by known statistics, float32 [n, 1, 1, c] each."""
        y = (tf.cast(x, tf.float32) - mean) * tf.math.rsqrt(variance + EPSILON)
        return tf.cast(self._scaled(y), x.dtype)

    def _scaled(self, y: tf.Tensor) -> tf.Tensor:
        return y * self.gamma + self.beta if self._affine else y


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


def moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance over the pixels of each image, float32 [n, 1, 1, c] each."""
    wide = tf.cast(x, tf.float32)
    mean = _image_mean(wide)
    return mean, _image_mean(tf.square(wide - mean))


def _image_mean(x):
    """Mean over the pixels of each image, [n, 1, 1, c].

    Rows first: a sum over 128x128 pixels in one go loses a digit, which the variance and in the
    end the sign of a ReLU would show.
    """
    return tf.reduce_mean(tf.reduce_mean(x, 2, keepdims=True), 1, keepdims=True)


def _image_means(*tensors):
    return [_image_mean(x) for x in tensors]


def _global_means(*tensors):
    """Means over the pixels of the global batch, [1, 1, 1, c] each.

    All replicas have as many images. Theirs are averaged in one exchange.
    """
    local = tf.stack([tf.reduce_mean(_image_mean(x), 0, keepdims=True) for x in tensors])
    context = tf.distribute.get_replica_context()
    return tf.unstack(context.all_reduce(tf.distribute.ReduceOp.MEAN, local))


def _standardized(x, means):
    """Maps each channel to mean 0 and variance 1 by `means`; also returns 1 / deviation."""
    centred = x - means(x)[0]
    inverse = tf.math.rsqrt(means(tf.square(centred))[0] + EPSILON)
    return centred * inverse, inverse


def _standardize(x, means):
    """As `_standardized`, with a gradient in half the passes over memory that TensorFlow takes."""

    @tf.custom_gradient
    def standardize(x):
        y, inverse = _standardized(x, means)

        def gradient(upstream):
            mean, along = means(upstream, upstream * y)
            return inverse * (upstream - mean - y * along)

        return y, gradient

    return standardize(x)
