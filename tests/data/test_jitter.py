"""Mirroring and cropping: one draw for all, stateless, eager or inside tf.data."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.data.jitter import jitter

OPTIONS = {"scale_size": 20, "crop_size": 16, "flip": True}


def image(size=16):
    return np.random.default_rng(0).uniform(-1, 1, (size, size, 3)).astype(np.float32)


def seeds(count):
    return [tf.constant([5, i], tf.int64) for i in range(count)]


def test_equal_images_stay_equal():
    for seed in seeds(20):
        a, b = jitter([image(), image()], seed, **OPTIONS)
        np.testing.assert_array_equal(a, b)


def test_the_same_seed_gives_the_same_result_eagerly_and_inside_a_pipeline():
    dataset = tf.data.Dataset.from_tensor_slices(tf.stack(seeds(10)))
    mapped = dataset.map(lambda seed: jitter([image()], seed, **OPTIONS)[0])
    for seed, inside in zip(seeds(10), mapped, strict=True):
        np.testing.assert_array_equal(jitter([image()], seed, **OPTIONS)[0], inside)


def test_every_offset_and_both_orientations_appear():
    # Position encoded in the pixels; with no resize the crop's corner tells the offset.
    rows, columns = np.mgrid[0:20, 0:20].astype(np.float32)
    source = np.stack([rows, columns], 2)
    found = set()
    for seed in seeds(400):
        (crop,) = jitter([source], seed, **OPTIONS)
        row, first, second = crop[0, 0, 0], crop[0, 0, 1], crop[0, 1, 1]
        found.add((int(row), int(first), bool(second < first)))
    assert {row for row, _, _ in found} == set(range(5))
    assert {first for _, first, mirrored in found if not mirrored} == set(range(5))
    assert {first for _, first, mirrored in found if mirrored} == set(range(15, 20))


def test_without_flip_nothing_is_mirrored():
    gradient = np.tile(np.arange(16, dtype=np.float32)[None, :, None], (16, 1, 1))
    for seed in seeds(20):
        (crop,) = jitter([gradient], seed, scale_size=20, crop_size=16, flip=False)
        assert crop[0, 0, 0] < crop[0, -1, 0]


@pytest.mark.parametrize("size", [(40, 16), (7, 33), (1, 1)])
def test_any_size_is_resized_to_the_square(size):
    source = np.full((*size, 1), 0.5, np.float32)
    (crop,) = jitter([source], seeds(1)[0], **OPTIONS)
    assert crop.shape == (16, 16, 1)
    np.testing.assert_allclose(crop, 0.5, atol=1e-6)
