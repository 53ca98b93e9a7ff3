"""Losses: their values, and that they stay finite."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.training import losses

LOGITS = np.linspace(-8, 8, 33).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def test_values_are_the_references_formulas():
    real, fake = sigmoid(LOGITS), sigmoid(LOGITS[::-1])
    expected = np.mean(-(np.log(real + 1e-12) + np.log(1 - fake + 1e-12)))
    assert float(losses.discriminator_loss(LOGITS, LOGITS[::-1])) == pytest.approx(expected, 1e-6)
    expected = np.mean(-np.log(fake + 1e-12))
    assert float(losses.generator_gan_loss(LOGITS[::-1])) == pytest.approx(expected, 1e-6)


def test_verdicts_on_images_of_two_sizes_weigh_the_same():
    real, fake = np.full((1, 4, 5, 1), 3, np.float32), np.full((1, 1, 9, 1), -1, np.float32)
    expected = -np.log(sigmoid(real).mean()) - np.log(1 - sigmoid(fake).mean())
    assert float(losses.discriminator_loss(real, fake)) == pytest.approx(expected, 1e-6)


@pytest.mark.parametrize("size", [100.0, 1e4, 1e30])
def test_saturated_logits_give_finite_losses_and_gradients(size):
    logits = tf.constant([size, -size])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        values = [losses.discriminator_loss(logits, logits), losses.generator_gan_loss(logits)]
    for value in values:
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, logits)).all()


def test_half_precision_is_averaged_in_float32():
    many = tf.fill([1, 300, 300, 1], tf.constant(0.1, tf.float16))
    assert losses.global_mean(many).dtype == tf.float32
    assert float(losses.global_mean(many)) == pytest.approx(float(many[0, 0, 0, 0]), 1e-5)
