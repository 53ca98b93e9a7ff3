"""A generator as a functional model of Keras' own layers.

Such a model is saved to a .keras file without code and names of this package: any Keras 3 opens
it, on TensorFlow, JAX or PyTorch, with this package installed or not.
"""

import functools
from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import EPSILON
from pix2pix_tf.networks.stages import Generator

# What the stages of generators call, as layers.
_ACTIVATIONS = {
    tf.nn.relu: keras.layers.ReLU,
    layers.leaky_relu: functools.partial(keras.layers.LeakyReLU, negative_slope=layers.LEAKY_SLOPE),
}
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.SeparableConv2D)


def rebuild(generator: Generator, *, channels: int) -> keras.Model:
    """Rebuilds a generator, with its weights.

    Args:
        generator: A built `UNet` or `ResNet`.
        channels: Channels of its inputs.

    Returns:
        `keras.Model` from [n, h, w, channels] to [n, h, w, c'], both in [-1, 1]; h and w
        multiples of the generator's `multiple`; dropout is off.
    """
    maps = [keras.Input((None, None, channels), name="images")]
    for stage in generator.stages:
        sources = [maps[number] for number in stage.sources]
        x = sources[0] if len(sources) == 1 else keras.layers.Concatenate()(sources)
        x = x if stage.before is None else _ACTIVATIONS[stage.before]()(x)
        x = _apply_level(stage.level, x)
        x = x if stage.after is None else _ACTIVATIONS[stage.after]()(x)
        maps.append(x if stage.add is None else keras.layers.Add()([maps[stage.add], x]))
    outputs = keras.layers.Activation("tanh", name="outputs")(maps[-1])
    return keras.Model(maps[0], outputs, name=generator.name)


def _apply_level(level: layers.Level, x: Any) -> Any:
    """Applies a copy of `level`."""
    # Of generator/block_1/conv_1/conv2d/kernel the part between the generator and the convolution.
    name = "_".join(level.convolution.weights[0].path.split("/")[1:-2])
    y = _convolve(level.convolution, x, name=f"{name}_convolution")
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


def _convolve(convolution: Any, x: Any, *, name: str) -> Any:
    """Applies a copy of `convolution`, whose class is one of Keras' or made of one in `layers`."""
    if isinstance(convolution, layers.UpsampleSeparableConv):
        x = keras.layers.UpSampling2D(interpolation="nearest")(x)
    if isinstance(convolution, layers.PaddedConv):
        side = (convolution.border, convolution.border)
        mode = "reflect" if convolution.reflect else "constant"
        x = keras.ops.pad(x, ((0, 0), side, side, (0, 0)), mode=mode)
    kind = next(kind for kind in _CONVOLUTIONS if isinstance(convolution, kind))
    copy = kind(
        convolution.filters,
        convolution.kernel_size,
        strides=convolution.strides,
        padding=convolution.padding,
        use_bias=convolution.use_bias,
        name=name,
    )
    y = copy(x)
    copy.set_weights(convolution.get_weights())
    if isinstance(convolution, layers.UpConv3x3):
        y = keras.layers.Cropping2D(((1, 0), (1, 0)))(y)
    return y
