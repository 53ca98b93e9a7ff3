"""Convolutions by matrix products against TensorFlow's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks.cpu import convolution

# (batch, side of the smaller map): all passes are products, only the forward one is, none is.
SIZES = ((1, 1), (2, 4), (1, 16), (3, 16), (2, 32))


@pytest.fixture
def small_kernels_too(monkeypatch):
    """Products also where a small kernel does without."""
    monkeypatch.setattr(convolution, "SMALL_KERNEL", 0)


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def outcome(layer, x):
    """The result, and the gradients of its scalar product with noise."""
    layer.build(x.shape)
    layer.kernel.assign(images(*layer.kernel.shape, seed=1))
    layer.bias.assign(images(*layer.bias.shape, seed=3))

    @tf.function
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            product = tf.reduce_sum(y * images(*y.shape, seed=2))
        return y, *tape.gradient(product, [x, *layer.trainable_variables])

    return compute(tf.constant(x))


def check(ours, theirs, x):
    found, expected = outcome(ours, x), outcome(theirs, x)
    assert len(found) == 4
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=4e-6 * np.abs(other).max())


@pytest.mark.parametrize(("count", "side"), SIZES)
def test_convolution_and_its_gradients(count, side, small_kernels_too):
    options = {"filters": 5, "kernel_size": 4, "strides": 2, "padding": "same"}
    pair = (convolution.Conv(**options), keras.layers.Conv2D(**options))
    check(*pair, images(count, 2 * side, 2 * side, 3))


@pytest.mark.parametrize(("count", "side"), SIZES)
def test_transposed_convolution_and_its_gradients(count, side, small_kernels_too):
    options = {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same"}
    pair = (convolution.Deconv(**options), keras.layers.Conv2DTranspose(**options))
    check(*pair, images(count, side, side, 5))


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("side", [3, 4])
@pytest.mark.parametrize("width", [6, 10, 32])
def test_convolution_without_padding(width, side, strides, small_kernels_too):
    options = {"filters": 2, "kernel_size": side, "strides": strides, "padding": "valid"}
    pair = (convolution.Conv(**options), keras.layers.Conv2D(**options))
    check(*pair, images(2, width, width + 1, 3))


def passes(larger, smaller, side, **options):
    options = {"strides": 1, "padding": "VALID", **options}
    return convolution.Passes(larger, smaller, side=side, **options)


@pytest.mark.parametrize(("side", "height"), [(3, 32), (4, 30), (1, 2)])
def test_one_image_is_convolved_in_two_bands(side, height):
    options = {"filters": 6, "kernel_size": side}
    pair = (convolution.Conv(**options), keras.layers.Conv2D(**options))
    x = images(1, height + side - 1, 12, 256)
    smaller = (1, height, 13 - side, 6)
    assert passes(x.shape, smaller, side).split_rows
    check(*pair, x)
    assert not passes((2, *x.shape[1:]), (2, *smaller[1:]), side).split_rows
    assert not passes(x.shape, smaller, side, dtype="bfloat16").split_rows
    assert not passes((1, None, None, 256), (1, None, None, 6), side).split_rows
    assert not passes(x[:, 1:].shape, (1, height - 1, 13 - side, 6), side).split_rows


@pytest.mark.parametrize("filters", [1, 3, 4])
@pytest.mark.parametrize("count", [1, 2])
def test_neighbours_of_few_filters_are_made_at_once(filters, count):
    options = {"filters": filters, "kernel_size": 7}
    pair = (convolution.Conv(**options), keras.layers.Conv2D(**options))
    x = images(count, 16, 22, 5)
    assert passes(x.shape, (count, 10, 16, filters), 7).widen_kernel
    check(*pair, x)
    assert not passes((count, 16, 21, 5), (count, 10, 15, filters), 7).widen_kernel
    assert not passes((count, 12, 18, 5), (count, 10, 16, filters), 3).widen_kernel
    assert not passes(x.shape, (count, 10, 16, 16), 7).widen_kernel


def test_each_pass_has_its_own_limit():
    def fits(count, side, channels=256, **options):
        shapes = (count, 2 * side, 2 * side, channels), (count, side, side, channels)
        passes = convolution.Passes(*shapes, side=4, strides=2, padding="SAME", **options)
        return [passes.use_matmul(forward=forward) for forward in (True, False)]

    assert fits(4, 8) == [True, True]
    assert fits(1, 32) == [True, False]
    assert fits(1, 32, dtype="bfloat16") == [False, False]
    assert fits(2, 32) == [False, False]
    assert fits(None, 8) == [False, False]
    assert fits(1, 8, 64) == [True, True] and fits(2, 8, 64) == [False, False]


def test_images_of_unknown_size():
    layer, x = convolution.Conv(2, 4, strides=2, padding="same"), images(2, 8, 8, 3)
    expected = layer(x)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(unknown(x), expected, atol=1e-6)
