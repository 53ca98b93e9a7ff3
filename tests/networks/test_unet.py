"""The U-Net generator."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.unet import UNet


def build(network, channels):
    network.build((None, 256, 256, channels))
    return network


def images(count=1, size=256, channels=3, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, size, size, channels)).astype("f4")


def test_parameter_counts_are_the_references():
    generator, discriminator = build(UNet(), 3), build(PatchGAN(), 6)
    assert generator.count_params() == 54_420_483
    assert discriminator.count_params() == 2_769_601


@pytest.mark.parametrize(
    ("options", "channels"),
    [({}, 3), ({"separable_conv": True}, 3), ({"output_channels": 2}, 1), ({"depth": 5}, 4)],
)
def test_output_has_the_size_of_the_input_and_lies_in_range(options, channels):
    y = build(UNet(ngf=2, **options), channels)(images(channels=channels))
    assert y.shape == (1, 256, 256, options.get("output_channels", 3))
    assert y.dtype == tf.float32
    assert np.abs(y).max() <= 1


def test_the_first_level_is_bare_and_the_last_has_no_normalisation():
    paths = {weight.path for weight in build(UNet(ngf=1), 3).weights}
    normalised = {path.split("/")[1] for path in paths if "batch_normalization" in path}
    assert normalised == {f"encoder_{i}" for i in range(2, 9)} | {
        f"decoder_{i}" for i in range(2, 9)
    }


def test_skips_carry_raw_tensors_into_a_relu():
    generator = build(UNet(ngf=2, depth=2), 3)
    weights = {weight.path: weight for weight in generator.weights}
    for path in ("encoder_1/conv2d/bias", "encoder_1/conv2d/kernel"):
        weights[f"generator/{path}"].assign(tf.zeros_like(weights[f"generator/{path}"]))
    weights["generator/encoder_1/conv2d/bias"].assign([-1.0, -1.0])
    kernel = weights["generator/decoder_1/conv2d_transpose/kernel"]
    kernel.assign(tf.concat([tf.zeros_like(kernel[..., :2]), tf.ones_like(kernel[..., 2:])], 3))
    assert np.abs(generator(images(size=8))).max() == 0


def test_dropout_acts_on_the_three_innermost_levels_only():
    seeds = tf.constant([[1, 1]], tf.int64)
    generator = build(UNet(ngf=2), 3)
    x = images()
    with_dropout = generator(x, dropout_seeds=seeds)
    np.testing.assert_array_equal(with_dropout, generator(x, dropout_seeds=seeds))
    assert np.abs(with_dropout - generator(x)).max() > 1e-4
    for name in ("decoder_8", "decoder_7", "decoder_6"):
        level = next(level for level in generator.decoders if level.name == name)
        level.norm.gamma.assign(tf.zeros_like(level.norm.gamma))
    same = generator(x, dropout_seeds=seeds)
    np.testing.assert_array_equal(same, generator(x))


def test_an_image_does_not_depend_on_its_batch():
    generator = build(UNet(ngf=2), 3)
    x, seeds = images(3), tf.constant([[7, 0], [7, 1], [7, 2]], tf.int64)
    together = generator(x, dropout_seeds=seeds)
    for i in range(3):
        alone = generator(x[i : i + 1], dropout_seeds=seeds[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], atol=2e-6)
