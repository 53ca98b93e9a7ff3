"""Convolutions by tiles against exact ones."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks.cpu import convolution, winograd

# (kernel's side, strides, height, width): whole tiles, cut ones, and less than one.
CASES = [(3, 1, 34, 18), (3, 1, 9, 12), (3, 1, 4, 3), (4, 1, 33, 34), (4, 1, 6, 5), (4, 2, 14, 34)]


def noise(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float64)


def outcome(function, x, kernel, dy):
    """The result and its gradients, in the type of the arguments."""
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = function(x, kernel)
    return [y, *tape.gradient(y, [x, kernel], dy)]


def errors(found, exact):
    """Norms of the differences to exact arrays, relative to theirs."""
    pairs = zip(found, exact, strict=True)
    return [float(tf.norm(tf.cast(a, tf.float64) - b) / tf.norm(b)) for a, b in pairs]


def rounded(function, *arguments):
    return outcome(function, *(tf.cast(array, tf.float32) for array in arguments))


@pytest.mark.parametrize(("side", "strides", "height", "width"), CASES)
def test_convolution_and_its_gradients(side, strides, height, width):
    def usual(x, kernel):
        return tf.nn.conv2d(x, kernel, strides, "VALID")

    x, kernel = noise(2, height, width, 32), noise(side, side, 32, 24, seed=1)
    arguments = x, kernel, noise(*usual(x, kernel).shape, seed=2)
    found = rounded(lambda x, k: winograd.convolve(x, k, strides=strides), *arguments)
    assert max(errors(found, outcome(usual, *arguments))) < 2e-6


@pytest.mark.parametrize(("side", "strides", "height", "width"), CASES)
def test_transposed_convolution_and_its_gradients(side, strides, height, width):
    larger = (2, height, width, 32)

    def usual(y, kernel):
        return tf.nn.conv2d_transpose(y, kernel, larger, strides, "VALID")

    smaller = ((size - side) // strides + 1 for size in (height, width))
    y, kernel = noise(2, *smaller, 24), noise(side, side, 32, 24, seed=1)
    arguments = y, kernel, noise(*larger, seed=2)
    found = rounded(lambda y, k: winograd.convolve_transpose(y, k, strides=strides), *arguments)
    assert max(errors(found, outcome(usual, *arguments))) < 2e-6


@pytest.mark.parametrize("side", [3, 4])
def test_many_channels_after_a_relu_are_rounded_as_the_module_says(side):
    def usual(x, kernel):
        return tf.nn.conv2d(x, kernel, 1, "VALID")

    # Maps after a ReLU, as layers see them.
    arguments = tf.nn.relu(noise(1, 34, 34, 256)), 0.02 * noise(side, side, 256, 64, seed=1)
    arguments = *arguments, noise(1, 35 - side, 35 - side, 64, seed=2)
    found = rounded(winograd.convolve, *arguments)
    assert max(errors(found, outcome(usual, *arguments))) < 1.5e-6


HALVING = {"kernel_size": 4, "strides": 2, "padding": "same"}
# Layer, shape of its map, options, and whether it is made by tiles.
LAYERS = {
    "residual": (convolution.Conv, (1, 18, 18, 128), {"kernel_size": 3}, True),
    "discriminator": (convolution.Conv, (1, 18, 19, 128), {"kernel_size": 4}, True),
    "down": (convolution.Conv, (4, 32, 32, 128), HALVING, True),
    "up": (convolution.Deconv, (1, 32, 32, 128), HALVING, True),
    "few pixels": (convolution.Conv, (1, 12, 12, 128), {"kernel_size": 3}, False),
    "few channels": (convolution.Conv, (1, 18, 18, 64), {"kernel_size": 3}, False),
    "one pixel": (convolution.Conv, (1, 32, 32, 128), {"kernel_size": 1}, False),
    "odd sides": (convolution.Conv, (4, 33, 33, 128), HALVING, False),
    "padded": (
        convolution.Conv,
        (1, 18, 18, 128),
        {"kernel_size": 3, "padding": "same"},
        False,
    ),
}


@pytest.mark.parametrize("case", LAYERS)
def test_layers_use_tiles_in_training_alone(case, monkeypatch):
    make, shape, options, expected = LAYERS[case]
    layer = make(filters=128, **options)
    x = tf.cast(noise(*shape), tf.float32)
    usual = layer(x)
    used = []
    for name in ("convolve", "convolve_transpose"):
        real = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *a, f=real, **k: used.append(1) or f(*a, **k))
    np.testing.assert_array_equal(layer(x, training=False), usual)
    assert not used
    result = layer(x, training=True)
    assert bool(used) == expected
    np.testing.assert_allclose(result, usual, rtol=0, atol=2e-5 * np.abs(usual).max())
    assert result.shape == usual.shape
