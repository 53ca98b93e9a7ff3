"""Pictures of any size."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.inference.translate import translate
from pix2pix_tf.networks.resnet import ResNet


def picture(height, width, channels=3):
    return np.random.default_rng(0).random((1, height, width, channels), np.float32)


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (8, 8), (17, 5), (16, 33)])
def test_the_network_gets_a_multiple_and_the_result_has_the_size_of_the_input(size):
    seen = []

    def network(batch):
        seen.append(batch)
        return batch

    x = picture(*size)
    np.testing.assert_array_equal(translate(network, x, multiple=8), x)
    (batch,) = seen
    assert batch.shape[1] % 8 == 0 and batch.shape[2] % 8 == 0
    assert batch.shape[1] - size[0] < 8 and batch.shape[2] - size[1] < 8


def test_images_smaller_than_a_network_takes_are_padded_to_that():
    network = ResNet(ngf=1, blocks=1)
    assert translate(network, picture(3, 5), multiple=network.multiple).shape == (1, 3, 5, 3)


def test_the_border_is_a_reflection():
    seen = []
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 6, 1)
    translate(lambda batch: seen.append(batch) or batch, np.repeat(x, 6, 1), multiple=10)
    assert seen[0][0, 0, :, 0].numpy().tolist() == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]


class Generator:
    """A function as a generator of images whose sides are multiples of 8 pixels."""

    multiple, input_channels = 8, 3

    def __init__(self, function):
        self._function = function

    def __call__(self, batch):
        return self._function(batch)


def test_images_go_through_minus_one_to_one():
    ranges = []

    def network(batch):
        ranges.append((float(tf.reduce_min(batch)), float(tf.reduce_max(batch))))
        return -batch

    x = picture(8, 8)
    np.testing.assert_allclose(Predictor(Generator(network)).unit(x), 1 - x, atol=1e-6)
    low, high = ranges[0]
    assert -1 <= low < -0.8 and 0.8 < high <= 1


@pytest.mark.parametrize(("direction", "given", "made"), [("AtoB", 1, 2), ("BtoA", 2, 1)])
def test_lab_joins_what_was_given_with_what_was_made(direction, given, made):
    def network(batch):
        assert batch.shape[-1] == given
        return tf.zeros([*batch.shape[:3], made])

    result = Predictor(Generator(network), lab=True, direction=direction).unit(picture(8, 8))
    assert result.shape == (1, 8, 8, 3)
    if direction == "AtoB":
        # No colour: a grey picture.
        assert np.ptp(result, axis=-1).max() < 2e-3
