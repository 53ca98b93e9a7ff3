"""The fused Adam against Keras' own."""

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.training.adam import FusedAdam

SETTINGS = {"learning_rate": 0.0002, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}


def compiled(optimizer, variables):
    return tf.function(lambda gradients: optimizer.apply(gradients, variables))


def test_a_hundred_steps_equal_keras_adam():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype("f4") for shape in ((3, 4), (5,))]
    gradients = [[rng.normal(size=v.shape).astype("f4") for v in start] for _ in range(100)]
    results = []
    for optimizer in (FusedAdam(**SETTINGS), keras.optimizers.Adam(**SETTINGS)):
        variables = [keras.Variable(value, name=f"v{i}") for i, value in enumerate(start)]
        optimizer.build(variables)
        apply = compiled(optimizer, variables)
        for step in gradients:
            apply([tf.constant(gradient) for gradient in step])
        assert int(optimizer.iterations) == 100
        results.append([np.asarray(variable) for variable in variables])
    for ours, keras_own, first in zip(*results, start, strict=True):
        moved = np.abs(keras_own - first).max()
        np.testing.assert_allclose(ours, keras_own, atol=5e-5 * moved, rtol=5e-7)


def test_it_can_be_made_again_from_its_config():
    copy = FusedAdam.from_config(FusedAdam(learning_rate=0.1, beta_1=0.7).get_config())
    assert (copy.beta_1, copy.epsilon, float(copy.learning_rate)) == (0.7, 1e-8, np.float32(0.1))
