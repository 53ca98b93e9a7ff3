import numpy as np
import pytest
import tensorflow as tf
from support import GOLDENS

from pix2pix_tf.networks import normalization
from pix2pix_tf.networks.normalization import InstanceNorm

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
