"""Moving averages of weights."""

import keras
import numpy as np
import pytest

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints
from pix2pix_tf.training.averages import WeightAverages


def test_the_average_follows_the_weights():
    weight = keras.Variable(np.zeros(3, "f4"), name="w")
    averages = WeightAverages([weight], 0.75)
    expected = np.zeros(3)
    for step in range(1, 6):
        weight.assign(np.full(3, step, "f4"))
        averages.update()
        expected = 0.75 * expected + 0.25 * step
    np.testing.assert_allclose(averages.values[0], expected, rtol=1e-6)
    averages.restart()
    np.testing.assert_array_equal(averages.values[0], weight)


@pytest.mark.parametrize(("averaged", "value"), [(True, 2.0), (False, 1.0)])
def test_a_network_gets_the_averages_or_the_weights(tmp_path, averaged, value):
    weight = keras.Variable(np.ones(3, "f4"), name="w")
    averages = WeightAverages([weight], 0.5)
    averages.values[0].assign([2.0] * 3)
    path = checkpoints.save(tmp_path, 1, {"w": weight, **averages.state}, keep=1)
    other = keras.Variable(np.zeros(3, "f4"), name="w")
    checkpoints.restore_weights(path, [other], averaged=averaged)
    np.testing.assert_array_equal(other, np.full(3, value))


def test_without_averages_the_weights_are_taken(tmp_path):
    weight = keras.Variable(np.ones(3, "f4"), name="w")
    path = checkpoints.save(tmp_path, 1, {"w": weight}, keep=1)
    other = keras.Variable(np.zeros(3, "f4"), name="w")
    checkpoints.restore_weights(path, [other], averaged=True)
    np.testing.assert_array_equal(other, np.ones(3))
    with pytest.raises(InputError, match="has no variable v"):
        checkpoints.restore_weights(path, [keras.Variable(1.0, name="v")], averaged=True)
