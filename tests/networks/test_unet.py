"""The U-Net generator."""

import numpy as np
import tensorflow as tf

from pix2pix_tf.networks.unet import UNet


def images(count):
    return np.random.default_rng(0).uniform(-1, 1, (count, 256, 256, 3)).astype("f4")


def test_dropout_acts_on_the_three_innermost_levels_only():
    seeds = tf.constant([[1, 1]], tf.int64)
    generator, x = UNet(ngf=2), images(1)
    with_dropout = generator(x, dropout_seeds=seeds)
    np.testing.assert_array_equal(with_dropout, generator(x, dropout_seeds=seeds))
    assert np.abs(with_dropout - generator(x)).max() > 1e-4
    for name in ("decoder_8", "decoder_7", "decoder_6"):
        level = next(level for level in generator.decoders if level.name == name)
        level.norm.gamma.assign(tf.zeros_like(level.norm.gamma))
    same = generator(x, dropout_seeds=seeds)
    np.testing.assert_array_equal(same, generator(x))


def test_an_image_does_not_depend_on_its_batch():
    generator = UNet(ngf=2)
    x, seeds = images(3), tf.constant([[7, 0], [7, 1], [7, 2]], tf.int64)
    together = generator(x, dropout_seeds=seeds)
    for i in range(3):
        alone = generator(x[i : i + 1], dropout_seeds=seeds[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], atol=2e-6)
