"""Mirroring and cropping: one draw for all, stateless, eager or inside tf.data."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.data.augment import eval_transform, jitter
from pix2pix_tf.data.sizes import ResizeSpec

FRAMING = ResizeSpec(scale_size=20, crop_size=16)


def image(size=16):
    return np.random.default_rng(0).uniform(-1, 1, (size, size, 3)).astype(np.float32)


def seeds(count):
    return [tf.constant([5, i], tf.int64) for i in range(count)]


def test_equal_images_stay_equal():
    for seed in seeds(20):
        a, b = jitter([image(), image()], seed, FRAMING, flip=True)
        np.testing.assert_array_equal(a, b)


def test_every_offset_and_both_orientations_appear():
    # Position encoded in the pixels; with no resize the crop's corner tells the offset.
    rows, columns = np.mgrid[0:20, 0:20].astype(np.float32)
    source = np.stack([rows, columns], 2)
    found = set()
    for seed in seeds(400):
        (crop,) = jitter([source], seed, FRAMING, flip=True)
        row, first, second = crop[0, 0, 0], crop[0, 0, 1], crop[0, 1, 1]
        found.add((int(row), int(first), bool(second < first)))
    assert {row for row, _, _ in found} == set(range(5))
    assert {first for _, first, mirrored in found if not mirrored} == set(range(5))
    assert {first for _, first, mirrored in found if mirrored} == set(range(15, 20))


def test_without_flip_nothing_is_mirrored():
    gradient = np.tile(np.arange(16, dtype=np.float32)[None, :, None], (16, 1, 1))
    for seed in seeds(20):
        (crop,) = jitter([gradient], seed, FRAMING, flip=False)
        assert crop[0, 0, 0] < crop[0, -1, 0]


@pytest.mark.parametrize("size", [(40, 16), (7, 33), (1, 1)])
def test_any_size_is_resized_to_the_square(size):
    source = np.full((*size, 1), 0.5, np.float32)
    (crop,) = jitter([source], seeds(1)[0], FRAMING, flip=True)
    assert crop.shape == (16, 16, 1)
    np.testing.assert_allclose(crop, 0.5, atol=1e-6)


def test_sides_may_differ():
    framing = ResizeSpec(scale_size="24x40", crop_size="16x32")
    (crop,) = jitter([image()], seeds(1)[0], framing, flip=True)
    assert crop.shape == (16, 32, 3)


def jittered(preprocess, size, *, scale_size=20, flip=True):
    framing = ResizeSpec(preprocess=preprocess, scale_size=scale_size, crop_size=16, multiple=8)
    source = np.random.default_rng(1).random((*size, 3), np.float32)
    jitters = [jitter([source, source], seed, framing, flip=flip) for seed in seeds(9)]
    for a, b in jitters:
        np.testing.assert_array_equal(a, b)
    return source, [a.numpy() for a, _ in jitters]


@pytest.mark.parametrize("size", [(40, 60), (16, 16), (5, 100), (1, 1), (17, 3)])
def test_crop_takes_pixels_as_they_are(size):
    source, crops = jittered("crop", size)
    pixels = {tuple(pixel) for pixel in source.reshape(-1, 3)}
    for crop in crops:
        assert crop.shape == (16, 16, 3)
        assert {tuple(pixel) for pixel in crop.reshape(-1, 3)} <= pixels
    if size == (40, 60):
        assert len({crop.tobytes() for crop in crops}) > 5


@pytest.mark.parametrize(
    ("preprocess", "size", "found"),
    [
        # At width 30 it is 20x30, half way between two multiples of 8; the next one is 24x30.
        ("scale_width", (40, 60), (16, 32)), ("scale_width", (13, 16), (24, 32)),
        ("scale_width_and_crop", (40, 60), (16, 16)), ("scale_width_and_crop", (1, 50), (16, 16)),
        ("none", (40, 60), (40, 64)), ("none", (3, 4), (8, 8)), ("none", (8, 8), (8, 8)),
    ],
)  # fmt: skip
def test_the_size_that_every_mode_gives(preprocess, size, found):
    source, results = jittered(preprocess, size, scale_size=30, flip=preprocess != "none")
    for result in results:
        assert result.shape == (*found, 3)
        if size == found:
            np.testing.assert_array_equal(result, source)


@pytest.mark.parametrize(
    "preprocess", ["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]
)
def test_every_mode_is_the_same_inside_a_pipeline(preprocess):
    source = np.random.default_rng(2).random((40, 60, 3), np.float32)
    framing = dataclasses.replace(FRAMING, preprocess=preprocess, multiple=8)

    def transform(seed):
        return jitter([source], seed, framing, flip=True)[0]

    dataset = tf.data.Dataset.from_tensor_slices(tf.stack(seeds(5))).map(transform)
    for seed, inside in zip(seeds(5), dataset, strict=True):
        np.testing.assert_array_equal(transform(seed), inside)


@pytest.mark.parametrize(
    ("preprocess", "found"),
    [
        ("resize_and_crop", (16, 16)), ("crop", (41, 60)), ("none", (41, 60)),
        ("scale_width", (13, 20)), ("scale_width_and_crop", (13, 20)),
    ],
)  # fmt: skip
def test_testing_does_not_cut_anything(preprocess, found):
    source = np.random.default_rng(3).random((41, 60, 3), np.float32)
    (result,) = eval_transform([source], dataclasses.replace(FRAMING, preprocess=preprocess))
    assert result.shape == (*found, 3)
