"""Normalisation of feature maps, by the statistics of a batch or of each image."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.networks.layers import INIT_STDDEV, Initialization, Level, Shape, check_choice
from pix2pix_tf.networks.portable import is_portable

# pix2pix.py, batchnorm(): epsilon=1e-5; torch.nn.BatchNorm2d and InstanceNorm2d: eps=1e-05.
EPSILON = 1e-5
BATCH_NORMS = ("batch", "sync_batch")
NORMS = (*BATCH_NORMS, "instance", "instance_affine", "none")

Means = Callable[..., list[tf.Tensor]]


def normalization(
    kind: str, *, gamma_initializer: Any = None, dtype: Any = None
) -> keras.layers.Layer | None:
    """Makes a normalisation layer.

    Args:
        kind: "batch", "sync_batch", "instance", "instance_affine" or "none".
        gamma_initializer: Of the scales; None for N(1, 0.02).
        dtype: Keras dtype policy, or None for the global one.

    Returns:
        A layer, or None for "none".

    Raises:
        InputError: If `kind` is unknown.
    """
    check_choice("norm", kind, NORMS)
    if kind == "none":
        return None
    options = {"gamma_initializer": gamma_initializer, "dtype": dtype}
    if kind in BATCH_NORMS:
        return BatchNorm(synchronized=kind == "sync_batch", **options)
    return InstanceNorm(affine=kind == "instance_affine", **options)


def make_level(
    name: str, convolution: keras.layers.Layer, norm: str, initial: Initialization
) -> Level:
    """Makes the `Level` of a convolution and the normalisation of its result, see `normalization`.

    The scales of the normalisation are drawn from `initial`.
    """
    dtype = convolution.dtype_policy
    scales = normalization(norm, gamma_initializer=initial.gamma(), dtype=dtype)
    return Level(convolution, scales, name=name, dtype=dtype)


class _Normalization(keras.layers.Layer):
    """Base of both normalisations, which compute in float32: a scale and an offset per channel.

    Args:
        gamma_initializer: Of the scales; None for N(1, 0.02).
        kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, *, gamma_initializer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        default = keras.initializers.RandomNormal(1.0, INIT_STDDEV)
        self.gamma_initializer = keras.initializers.get(gamma_initializer or default)

    def add_affine(self, count: int | None) -> None:
        """Adds gamma and beta for `count` channels."""
        self.gamma = self.add_weight(
            shape=(count,), initializer=self.gamma_initializer, name="gamma", autocast=False
        )
        self.beta = self.add_weight(
            shape=(count,), initializer="zeros", name="beta", autocast=False
        )

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.gamma_initializer)
        return {**super().get_config(), "gamma_initializer": initializer}


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class BatchNorm(_Normalization):
    """Batch normalisation without moving averages.

    With `training` the statistics are those of the batch, which on several devices is each
    replica's share unless they are synchronized. Without, each image is normalised by
    its own: at batch size 1 this is what the reference does at test time, and at any other it
    keeps an image's result independent of its neighbours in the batch.

    Args:
        synchronized: Whether the statistics are those of the global batch, in gradients too: N
            replicas then do what one would do with all their images.
        gamma_initializer: Of the scales; None for N(1, 0.02).
        name: Name of the layer.
        kwargs: Arguments of `keras.layers.Layer`.

    Reference:
        pix2pix.py, batchnorm(): epsilon 1e-5, gamma ~ N(1, 0.02), training=True always.
    """

    def __init__(
        self,
        *,
        synchronized: bool = False,
        gamma_initializer: Any = None,
        name: str = "batch_normalization",
        **kwargs: Any,
    ) -> None:
        super().__init__(gamma_initializer=gamma_initializer, name=name, **kwargs)
        self.synchronized = synchronized

    def build(self, input_shape: Shape) -> None:
        self.add_affine(input_shape[-1])

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return self.normalized(x, *moments(x))
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if self.synchronized:
            y = _standardize(tf.cast(x, tf.float32), _global_means)
            return tf.cast(y * gamma + beta, x.dtype)
        # One kernel for the statistics of the whole batch and what follows from them.
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=EPSILON, is_training=True
        ).y

    def normalized(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Normalises `x` [n, h, w, c] by known statistics, [n, 1, 1, c] each."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        wide, mean, variance = (tf.cast(part, tf.float32) for part in (x, mean, variance))
        y = tf.nn.batch_normalization(wide, mean, variance, beta, gamma, EPSILON)
        return tf.cast(y, x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "synchronized": self.synchronized}


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class InstanceNorm(_Normalization):
    """Normalises every channel of every image by its own mean and variance.

    Args:
        affine: Whether a scale and an offset per channel are learned.
        gamma_initializer: Of the scales; None for N(1, 0.02).
        name: Name of the layer.
        kwargs: Arguments of `keras.layers.Layer`.

    Reference:
        Ulyanov et al. 2016 (arXiv:1607.08022); PyTorch CycleGAN, get_norm_layer(): affine=False,
        epsilon 1e-5.
    """

    def __init__(
        self,
        *,
        affine: bool = False,
        gamma_initializer: Any = None,
        name: str = "instance_normalization",
        **kwargs: Any,
    ) -> None:
        super().__init__(gamma_initializer=gamma_initializer, name=name, **kwargs)
        self.affine = affine

    def build(self, input_shape: Shape) -> None:
        if self.affine:
            self.add_affine(input_shape[-1])

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return self.normalized(x, *moments(x))
        y = _standardize(tf.cast(x, tf.float32), _image_means)
        return tf.cast(self._scaled(y), x.dtype)

    def normalized(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Normalises `x` [n, h, w, c] by known statistics, [n, 1, 1, c] each."""
        wide, mean, variance = (tf.cast(part, tf.float32) for part in (x, mean, variance))
        y = (wide - mean) * tf.math.rsqrt(variance + EPSILON)
        return tf.cast(self._scaled(y), x.dtype)

    def _scaled(self, y: tf.Tensor) -> tf.Tensor:
        return y * self.gamma + self.beta if self.affine else y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "affine": self.affine}


def moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance over the pixels of each image, [n, 1, 1, c] each.

    In float64: an image then has the same statistics, to the last bit of float32, whether it is
    read as a whole or in windows. Layers amplify such a bit. Graphs for other runtimes, which may
    not have the type, use float32.
    """
    if is_portable():
        wide = tf.cast(x, tf.float32)
        mean = _image_mean(wide)
        return mean, _image_mean(tf.square(wide - mean))
    _, height, width, _ = tf.unstack(tf.shape(x))
    pixels = tf.cast(x, tf.float64)
    # Products add up rows in a third of the time that a reduction takes.
    equal = tf.fill((1, height, 1, width), 1 / tf.cast(height * width, tf.float64))
    mean, square = (
        tf.reduce_sum(tf.matmul(equal, part), 1, keepdims=True)
        for part in (pixels, tf.square(pixels))
    )
    return mean, tf.maximum(square - tf.square(mean), 0)


def _image_mean(x: tf.Tensor) -> tf.Tensor:
    """Mean over the pixels of each image, [n, 1, 1, c].

    Rows first: a sum over 128x128 pixels in one go loses a digit, which the variance and in the
    end the sign of a ReLU would show.
    """
    return tf.reduce_mean(tf.reduce_mean(x, 2, keepdims=True), 1, keepdims=True)


def _image_means(*tensors: tf.Tensor) -> list[tf.Tensor]:
    return [_image_mean(x) for x in tensors]


def _global_means(*tensors: tf.Tensor) -> list[tf.Tensor]:
    """Means over the pixels of the global batch, [1, 1, 1, c] each.

    All replicas have equally many images. Their means are averaged in one exchange.
    """
    local = tf.stack([tf.reduce_mean(_image_mean(x), 0, keepdims=True) for x in tensors])
    context = tf.distribute.get_replica_context()
    return tf.unstack(context.all_reduce(tf.distribute.ReduceOp.MEAN, local))


def _standardize(x: tf.Tensor, means: Means) -> tf.Tensor:
    """Maps each channel to mean 0 and variance 1 by `means`.

    The gradient takes half the passes over memory of TensorFlow's.
    """

    @tf.custom_gradient
    def standardize(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        centred = x - means(x)[0]
        inverse = tf.math.rsqrt(means(tf.square(centred))[0] + EPSILON)
        y = centred * inverse

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            mean, along = means(upstream, upstream * y)
            return inverse * (upstream - mean - y * along)

        return y, gradient

    return standardize(x)
