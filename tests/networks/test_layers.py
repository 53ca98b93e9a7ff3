"""What the goldens do not show: sizes in a graph, initial scales, half precision, dropout."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import BatchNorm


def test_doubling_convolution_knows_its_size_in_a_graph():
    layer = layers.UpConv3x3(2)
    layer.build((None, None, None, 3))
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, 4, None, 3])])
    assert graph.get_concrete_function().output_shapes.as_list() == [None, 8, None, 2]
    assert graph(tf.zeros([1, 4, 6, 3])).shape == (1, 8, 12, 2)


def test_initial_scales():
    norm = BatchNorm()
    norm.build((None, 8, 8, 4096))
    assert np.mean(norm.gamma) == pytest.approx(1, abs=2e-3)
    assert np.std(norm.gamma) == pytest.approx(0.02, rel=0.05)


def test_statistics_are_float32_in_half_precision():
    norm = BatchNorm(dtype="mixed_bfloat16")
    x = tf.cast(np.random.default_rng(0).normal(100, 0.01, (1, 16, 16, 2)), tf.bfloat16)
    assert norm(x).dtype == tf.bfloat16
    assert norm.gamma.dtype == "float32"
    assert np.isfinite(np.asarray(norm(x), np.float32)).all()


def dropout(x, seeds):
    return layers.apply_dropout(x, layers.dropout_mask(x, seeds))


def test_dropout_is_a_function_of_the_seed_of_each_image():
    x = tf.ones([3, 8, 8, 16])
    seeds = tf.constant([[1, 1], [1, 2], [1, 1]], tf.int64)
    y = np.asarray(dropout(x, seeds))
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y[0], y[2])
    assert (y[0] != y[1]).any()
    np.testing.assert_array_equal(dropout(x[:1], seeds[1:2])[0], y[1])
    assert y.mean() == pytest.approx(1, abs=0.1)


def test_dropout_is_the_same_where_sizes_are_unknown():
    x, seeds = tf.ones([3, 4, 4, 1]), tf.constant([[1, 1], [1, 2], [5, 3]], tf.int64)
    signature = [tf.TensorSpec([None, None, None, 1]), tf.TensorSpec([None, 2], tf.int64)]
    graph = tf.function(dropout, input_signature=signature)
    assert graph.get_concrete_function().structured_outputs.shape[3] == 1
    np.testing.assert_array_equal(graph(x, seeds), dropout(x, seeds))


def test_step_seeds_number_the_images_of_training():
    first = layers.step_seeds(9, tf.constant(0), tf.zeros([2, 1]))
    second = layers.step_seeds(9, tf.constant(1), tf.zeros([2, 1]))
    assert first.numpy().tolist() == [[9, 0], [9, 1]]
    assert second.numpy().tolist() == [[9, 2], [9, 3]]
    assert layers.offset_seeds(second, 16).numpy().tolist() == [[25, 2], [25, 3]]
