"""Sizes as people write them, and what follows from them."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import InputError
from pix2pix_tf.model import build_generator

TRAIN = {"mode": "train", "input_dir": "in", "output_dir": "out"}


@pytest.mark.parametrize(
    ("text", "parsed", "sides"),
    [("256", 256, (256, 256)), ("512x256", "512x256", (512, 256)), ("64x64", 64, (64, 64))],
)
def test_a_size_is_one_number_or_height_by_width(text, parsed, sides):
    assert sizes.parse(text) == parsed
    assert sizes.sides(parsed) == sizes.sides(text) == sides


@pytest.mark.parametrize("text", ["", "x", "256x", "-256", "1.5", "256*256", "1x2x3", "256 256"])
def test_invalid_sizes_are_named(text):
    with pytest.raises(InputError, match="Expected a size such as 256"):
        sizes.parse(text)


@pytest.mark.parametrize(
    ("size", "depth"),
    [(256, 8), (512, 9), (128, 7), (32, 5), ("256x512", 8), ("300x350", 1), (96, 5), (25, 0)],
)
def test_the_depth_follows_from_the_size(size, depth):
    assert sizes.halvings(size) == depth


@pytest.mark.parametrize(("size", "depth"), [(32, 5), ("64x96", 5), ("36x40", 2)])
def test_the_generator_has_that_depth(size, depth):
    generator = build_generator(Pix2PixConfig(**TRAIN, ngf=1, crop_size=size))
    assert len(generator.encoders) == depth and generator.multiple == 2**depth
    x = np.zeros((1, *sizes.sides(size), 3), np.float32)
    assert generator(x, dropout_seeds=tf.constant([[0, 0]], tf.int64)).shape == x.shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"crop_size": 255},
            "multiple of 2 .*, better still of a higher power of two. Received: 255",
        ),
        ({"crop_size": 512}, "scale_size to be at least 512. Received: 286.*is 572"),
        ({"crop_size": 16}, "crop_size to be at least 24 .* Received: 16"),
        ({"crop_size": "64x66", "netG": "resnet_9blocks"}, "multiple of 4 .* Received: 64x66"),
        ({"scale_size": "300x200"}, "scale_size to be at least 256. Received: 300x200"),
        ({"scale_size": "a"}, "Expected scale_size to be a size"),
        (
            {"preprocess": "scale_width_and_crop", "crop_size": "64x512"},
            "at least 64x512. Received: 286; with the defaults' proportion it is 72x572",
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Pix2PixConfig(**TRAIN, **options)


def test_only_what_is_scaled_has_to_be_large_enough():
    for options in (
        {"preprocess": "crop", "scale_size": 10, "crop_size": 512},
        {"preprocess": "scale_width_and_crop", "scale_size": 300, "crop_size": "512x256"},
    ):
        assert Pix2PixConfig(**TRAIN, **options).crop_size == options["crop_size"]
