"""Padding, normalisation and dropout."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.cpu_convolution import Conv, Deconv
from pix2pix_tf.networks.normalization import BatchNorm


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def naive_conv(x, kernel, stride):
    """4x4 convolution with one zero on each side, written with loops."""
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    size = (padded.shape[1] - 4) // stride + 1
    rows = []
    for i in range(size):
        for j in range(size):
            window = padded[:, i * stride : i * stride + 4, j * stride : j * stride + 4]
            rows.append(np.einsum("nhwc,hwcf->nf", window, kernel))
    return np.stack(rows, 1).reshape(len(x), size, size, -1)


@pytest.mark.parametrize(
    ("layer", "stride"),
    [(Conv(3, 4, strides=2, padding="same"), 2), (layers.PaddedConv(3, strides=2), 2)],
)
def test_strided_convolutions_pad_one_pixel_on_each_side(layer, stride):
    x = images(2, 8, 8, 5)
    expected = naive_conv(x, np.asarray((layer(x), layer.kernel)[1]), stride)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_unit_stride_convolution_loses_one_pixel():
    layer, x = layers.PaddedConv(2), images(1, 32, 32, 3)
    assert layer(x).shape == (1, 31, 31, 2)
    expected = naive_conv(x, np.asarray(layer.kernel), 1)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def naive_doubling(x, kernel):
    """The adjoint of a 3x3 convolution with stride 2 and one zero on each side, with loops."""
    count, height, width, _ = x.shape
    y = np.zeros((count, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for i in range(height):
        for j in range(width):
            spread = np.einsum("nc,hwfc->nhwf", x[:, i, j], kernel)
            y[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += spread
    return y[:, 1:-1, 1:-1]


def test_doubling_convolution_is_pytorchs_with_output_padding():
    layer, x = layers.DoublingConv(4), images(2, 5, 6, 3)
    y = layer(x)
    layer.bias.assign([1.0, 2.0, 3.0, 4.0])
    assert y.shape == (2, 10, 12, 4)
    np.testing.assert_allclose(y, naive_doubling(x, np.asarray(layer.kernel)), atol=1e-5)
    np.testing.assert_allclose(layer(x) - y, np.broadcast_to([1, 2, 3, 4], y.shape), atol=1e-5)


def test_doubling_convolution_knows_its_size_in_a_graph():
    layer = layers.DoublingConv(2)
    layer.build((None, None, None, 3))
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, 4, None, 3])])
    assert graph.get_concrete_function().output_shapes.as_list() == [None, 8, None, 2]
    assert graph(tf.zeros([1, 4, 6, 3])).shape == (1, 8, 12, 2)


def test_reflection_padding_mirrors_without_repeating_the_border():
    layer, x = layers.PaddedConv(1, 3, reflect=True, use_bias=False), images(1, 4, 4, 1)
    layer.build(x.shape)
    corner = np.zeros((3, 3, 1, 1), np.float32)
    corner[0, 0] = 1
    layer.kernel.assign(corner)
    expected = np.pad(x[0, ..., 0], 1, mode="reflect")[:4, :4]
    np.testing.assert_allclose(layer(x)[0, ..., 0], expected)


def test_deconvolution_spreads_a_pixel_over_rows_minus_one_to_two():
    layer = Deconv(1, 4, strides=2, padding="same")
    layer.build((None, 4, 4, 1))
    layer.kernel.assign(tf.ones_like(layer.kernel))
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 1, 1] = 1
    rows = np.flatnonzero(np.asarray(layer(x))[0].sum((1, 2)))
    assert rows.tolist() == [1, 2, 3, 4]


def test_resize_convolution_repeats_pixels():
    layer = layers.ResizeConv(1, 4, padding="same")
    x = images(1, 3, 3, 1)
    layer(x)
    layer.depthwise_kernel.assign(tf.reshape(tf.one_hot(5, 16), [4, 4, 1, 1]))
    layer.pointwise_kernel.assign(tf.ones([1, 1, 1, 1]))
    np.testing.assert_allclose(layer(x)[0, ..., 0], np.kron(x[0, ..., 0], np.ones((2, 2))))


def test_initial_scales():
    norm = BatchNorm()
    norm.build((None, 8, 8, 4096))
    assert np.mean(norm.gamma) == pytest.approx(1, abs=2e-3)
    assert np.std(norm.gamma) == pytest.approx(0.02, rel=0.05)


def test_training_uses_the_statistics_of_the_batch():
    norm, x = BatchNorm(), images(4, 5, 6, 3) * 3 + 2
    y = np.asarray(norm(x, training=True))
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + 1e-5) * np.asarray(norm.gamma)
    np.testing.assert_allclose(y, expected, atol=2e-6)


def test_inference_normalises_each_image_by_itself():
    norm, x = BatchNorm(), images(3, 5, 6, 2)
    alone = np.concatenate([norm(x[i : i + 1], training=True) for i in range(3)])
    np.testing.assert_allclose(norm(x, training=False), alone, atol=2e-6)


def test_statistics_are_float32_in_half_precision():
    norm = BatchNorm(dtype="mixed_bfloat16")
    x = tf.cast(images(1, 16, 16, 2) * 0.01 + 100, tf.bfloat16)
    assert norm(x).dtype == tf.bfloat16
    assert norm.gamma.dtype == "float32"
    assert np.isfinite(np.asarray(norm(x), np.float32)).all()


def dropout(x, seeds):
    return layers.dropped(x, layers.dropout_mask(x, seeds))


def test_dropout_is_a_function_of_the_seed_of_each_image():
    x = tf.ones([3, 8, 8, 16])
    seeds = tf.constant([[1, 1], [1, 2], [1, 1]], tf.int64)
    y = np.asarray(dropout(x, seeds))
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y[0], y[2])
    assert (y[0] != y[1]).any()
    np.testing.assert_array_equal(dropout(x[:1], seeds[1:2])[0], y[1])
    assert y.mean() == pytest.approx(1, abs=0.1)


def test_dropout_is_the_same_where_the_batch_size_is_unknown():
    x, seeds = tf.ones([3, 4, 4, 2]), tf.constant([[1, 1], [1, 2], [5, 3]], tf.int64)
    signature = [tf.TensorSpec([None, 4, 4, 2]), tf.TensorSpec([None, 2], tf.int64)]
    graph = tf.function(dropout, input_signature=signature)
    np.testing.assert_array_equal(graph(x, seeds), dropout(x, seeds))


def test_step_seeds_number_the_images_of_training():
    first = layers.step_seeds(9, tf.constant(0), tf.zeros([2, 1]))
    second = layers.step_seeds(9, tf.constant(1), tf.zeros([2, 1]))
    assert first.numpy().tolist() == [[9, 0], [9, 1]]
    assert second.numpy().tolist() == [[9, 2], [9, 3]]
    assert layers.shifted(second, 16).numpy().tolist() == [[25, 2], [25, 3]]
