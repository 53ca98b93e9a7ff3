"""A generator as a functional model of Keras' own layers.

Such a model is saved to a .keras file without code and names of this package: any Keras 3 opens
it, on TensorFlow, JAX or PyTorch, with this package installed or not.
"""

from collections.abc import Callable
from typing import Any

import keras

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import EPSILON
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

# Makes the layer of a convolution and calls it on an input: returns (layer, output).
Convolve = Callable[..., tuple[keras.Layer, Any]]


def functional(generator: UNet | ResNet, *, channels: int) -> keras.Model:
    """Rebuilds a generator, with its weights.

    Args:
        generator: A built `UNet` or `ResNet`.
        channels: Channels of its inputs.

    Returns:
        `keras.Model` from [n, h, w, channels] to [n, h, w, c'], both in [-1, 1]; h and w
        multiples of the generator's `multiple`; dropout is off.
    """
    inputs = keras.Input((None, None, channels), name="images")
    is_unet = isinstance(generator, UNet)
    logits = _unet(generator, inputs) if is_unet else _resnet(generator, inputs)
    outputs = keras.layers.Activation("tanh", name="outputs")(logits)
    return keras.Model(inputs, outputs, name=generator.name)


def _unet(generator: UNet, x: Any) -> Any:
    skips: list[Any] = []
    for level in generator.encoders:
        x = _level(level, _leaky_relu(x) if skips else x, _down(level))
        skips.append(x)
    x = None
    for level in generator.decoders:
        skip = skips.pop()
        x = skip if x is None else keras.layers.Concatenate()([x, skip])
        x = _level(level, keras.layers.ReLU()(x), _up(level))
    return x


def _leaky_relu(x: Any) -> Any:
    return keras.layers.LeakyReLU(negative_slope=layers.LEAKY_SLOPE)(x)


def _separable(level: Any) -> bool:
    return isinstance(level.convolution, keras.layers.SeparableConv2D)


def _down(level: Any) -> Convolve:
    kind = keras.layers.SeparableConv2D if _separable(level) else keras.layers.Conv2D
    return lambda x, **options: _call(kind(kernel_size=4, strides=2, padding="same", **options), x)


def _up(level: Any) -> Convolve:
    def resized(x: Any, **options: Any) -> tuple[keras.Layer, Any]:
        x = keras.layers.UpSampling2D(interpolation="nearest")(x)
        return _call(keras.layers.SeparableConv2D(kernel_size=4, padding="same", **options), x)

    def transposed(x: Any, **options: Any) -> tuple[keras.Layer, Any]:
        options |= {"kernel_size": 4, "strides": 2, "padding": "same"}
        return _call(keras.layers.Conv2DTranspose(**options), x)

    return resized if _separable(level) else transposed


def _resnet(generator: ResNet, x: Any) -> Any:
    relu = keras.layers.ReLU
    first, *down = generator.encoders
    x = relu()(_level(first, x, _padded(7, reflect=True)))
    for level in down:
        x = relu()(_level(level, x, _padded(3, strides=2)))
    for block in generator.blocks:
        y = relu()(_level(block.first, x, _padded(3, reflect=True), prefix=block.name))
        y = _level(block.second, y, _padded(3, reflect=True), prefix=block.name)
        x = keras.layers.Add()([x, y])
    *up, last = generator.decoders
    for level in up:
        x = relu()(_level(level, x, _doubling))
    return _level(last, x, _padded(7, reflect=True))


def _padded(size: int, *, strides: int = 1, reflect: bool = False) -> Convolve:
    def convolve(x: Any, **options: Any) -> tuple[keras.Layer, Any]:
        side = size // 2
        border = ((0, 0), (side, side), (side, side), (0, 0))
        x = keras.ops.pad(x, border, mode="reflect" if reflect else "constant")
        return _call(keras.layers.Conv2D(kernel_size=size, strides=strides, **options), x)

    return convolve


def _doubling(x: Any, **options: Any) -> tuple[keras.Layer, Any]:
    layer, y = _call(keras.layers.Conv2DTranspose(kernel_size=3, strides=2, **options), x)
    return layer, keras.layers.Cropping2D(((1, 0), (1, 0)))(y)


def _call(layer: keras.Layer, x: Any) -> tuple[keras.Layer, Any]:
    return layer, layer(x)


def _level(level: Any, x: Any, convolve: Convolve, *, prefix: str = "") -> Any:
    """Applies a copy of `level`; `convolve` makes and calls the layer of the convolution."""
    name = f"{prefix}_{level.name}" if prefix else level.name
    bias = level.convolution.use_bias
    copy, y = convolve(x, filters=level.filters, use_bias=bias, name=f"{name}_convolution")
    copy.set_weights(level.convolution.get_weights())
    if not level.norm:
        return y
    affine = bool(level.norm.weights)
    # One group per channel: the statistics of one channel of one image.
    norm = keras.layers.GroupNormalization(
        groups=-1, epsilon=EPSILON, scale=affine, center=affine, name=f"{name}_normalization"
    )
    # Keras computes x / deviation - mean / deviation: exact only where the mean is small.
    y = norm(y - keras.ops.mean(y, (1, 2), keepdims=True))
    norm.set_weights(level.norm.get_weights())
    return y
