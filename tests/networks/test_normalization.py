import keras
import numpy as np
import pytest
import tensorflow as tf
from support import GOLDENS

from pix2pix_tf.networks import normalization
from pix2pix_tf.networks.normalization import BatchNorm, InstanceNorm

GOLDEN = GOLDENS / "tensorflow_addons_instance_norm.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_instance_norm_equals_tensorflow_addons(golden, training, epsilon, monkeypatch):
    monkeypatch.setattr(normalization, "EPSILON", epsilon)
    layer, x = InstanceNorm(affine=True), tf.constant(golden["x"])
    layer.build(x.shape)
    layer.gamma.assign(golden["gamma"])
    layer.beta.assign(golden["beta"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        weights = tf.reshape(tf.cos(tf.range(tf.size(y), dtype=tf.float32)), y.shape)
        value = tf.reduce_mean(y * weights)
    gradients = tape.gradient(value, [x, layer.gamma, layer.beta])
    expected = {name: golden[f"eps{epsilon:g}/{name}"] for name in ("y", "dx", "dgamma", "dbeta")}
    # Measured: 9e-7 and 3e-9.
    np.testing.assert_allclose(y, expected.pop("y"), rtol=0, atol=3e-6)
    for gradient, other in zip(gradients, expected.values(), strict=True):
        np.testing.assert_allclose(gradient, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_keras_group_normalization_equals_tensorflow_addons(golden, epsilon):
    layer, x = keras.layers.GroupNormalization(groups=-1, epsilon=epsilon), golden["x"]
    layer.build(x.shape)
    layer.gamma.assign(golden["gamma"])
    layer.beta.assign(golden["beta"])
    np.testing.assert_allclose(layer(x), golden[f"eps{epsilon:g}/y"], rtol=0, atol=3e-6)


def test_instance_norm_equals_keras_group_normalization():
    x = tf.constant(np.random.default_rng(0).normal(3, 0.5, (2, 33, 20, 6)), tf.float32)
    theirs = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)
    np.testing.assert_allclose(InstanceNorm()(x, training=True), theirs(x), atol=2e-5)


def test_own_gradient_equals_tensorflows():
    x = tf.constant(np.random.default_rng(1).normal(1, 0.3, (2, 16, 12, 4)), tf.float32)
    upstream = tf.constant(np.random.default_rng(2).normal(size=x.shape), tf.float32)
    gradients = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = InstanceNorm()(x, training=training)
        gradients.append(tape.gradient(y, x, upstream))
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-5)


def test_instance_norm_keeps_its_precision_on_large_maps():
    x = np.random.default_rng(3).normal(5, 0.1, (1, 128, 128, 3)).astype(np.float32)
    wide = x.astype(np.float64)
    mean, variance = wide.mean((1, 2)), wide.var((1, 2))
    expected = (wide - mean) / np.sqrt(variance + 1e-5)
    # A mean in one go is off by 5e-5 here. Measured: 1.1e-5, of which x itself has 9e-6.
    np.testing.assert_allclose(InstanceNorm()(x, training=True), expected, atol=2e-5)


def test_half_precision_has_float32_statistics():
    x = np.random.default_rng(4).normal(300, 3, (1, 64, 64, 2)).astype(np.float16)
    layer = InstanceNorm(dtype="mixed_float16")
    y = layer(x, training=True)
    assert y.dtype == tf.float16
    exact = InstanceNorm()(x.astype(np.float32), training=True)
    np.testing.assert_allclose(y, exact, atol=4e-3)


def test_kinds():
    assert isinstance(normalization.normalization("batch"), BatchNorm)
    assert isinstance(normalization.normalization("instance"), InstanceNorm)
    assert normalization.normalization("none") is None


def test_batch_norm_in_training_mixes_the_batch_and_instance_norm_does_not():
    x = np.random.default_rng(5).normal(size=(2, 8, 8, 3)).astype(np.float32)
    x[1] += 4
    for layer, mixes in ((BatchNorm(), True), (InstanceNorm(), False)):
        layer.build(x.shape)
        together, alone = layer(x, training=True)[:1], layer(x[:1], training=True)
        assert (np.abs(together - alone).max() > 0.1) == mixes
