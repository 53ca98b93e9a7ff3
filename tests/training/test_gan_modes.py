import keras
import numpy as np
import pytest
import tensorflow as tf
from support import GOLDENS

from pix2pix_tf.training import losses
from pix2pix_tf.training.adam import FusedAdam

GOLDEN = GOLDENS / "torch" / "golden.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {key: file[key] for key in file if key.startswith("ganloss/")}


@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "wgangp"])
def test_equal_to_pytorch(mode, golden):
    logits = golden["ganloss/logits"]
    for real, name in ((True, "real"), (False, "fake")):
        value = losses.global_mean(losses.gan_terms(logits, real=real, mode=mode))
        np.testing.assert_allclose(value, golden[f"ganloss/{mode}/{name}"], rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "wgangp"])
def test_discriminator_and_generator_losses_are_made_of_the_terms(mode, golden):
    logits = tf.constant(golden["ganloss/logits"])
    real, fake = logits + 0.3, logits * 2

    def mean(values, want):
        return float(losses.global_mean(losses.gan_terms(values, real=want, mode=mode)))

    value = losses.discriminator_loss(real, fake, mode=mode)
    np.testing.assert_allclose(value, mean(real, True) + mean(fake, False), rtol=1e-6)
    np.testing.assert_allclose(losses.generator_gan_loss(fake, mode=mode), mean(fake, True))


def test_torch_epsilon_is_that_of_the_papers_first_algorithm():
    gradients = np.array([[1e-9], [3e-9], [-2e-8]])
    variable = keras.Variable([0.0])
    optimizer = FusedAdam(0.1, torch_epsilon=True)
    optimizer.build([variable])
    m, v, expected = 0.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, 1):
        m, v = 0.5 * m + 0.5 * gradient, 0.999 * v + 0.001 * gradient**2
        expected -= 0.1 * (m / (1 - 0.5**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        np.testing.assert_allclose(variable, expected, rtol=1e-3)
