"""The PatchGAN discriminator: one verdict per patch of the image."""

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.unet import Level


class PatchGAN(keras.Model):
    """Judges pairs of input and target; each output sees a patch of 70x70 pixels.

    Args:
        ndf: Filters of the first layer; deeper ones have 2, 4 and at most 8 times as many.
        n_layers: Number of layers with stride 2; 3 gives the 70x70 patch.

    Reference:
        pix2pix.py, create_discriminator(); Isola et al. 2017, section 6.1.2.
    """

    def __init__(self, *, ndf=64, n_layers=3, name="discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        strides = [2] * n_layers + [1, 1]
        filters = [ndf * min(2**i, 8) for i in range(n_layers + 1)] + [1]
        self.levels = [
            Level(
                layers.ValidConv(count, stride, name="conv2d"),
                norm=0 < i <= n_layers,
                name=f"layer_{i + 1}",
            )
            for i, (count, stride) in enumerate(zip(filters, strides, strict=True))
        ]

    def build(self, input_shape):
        """Creates every weight for pairs of `input_shape` [n, h, w, c]."""
        for level in self.levels:
            level.build(input_shape)
            input_shape = (None, None, None, level.filters)
        self.built = True

    def call(self, pairs, training=False):
        """Judges pairs.

        Args:
            pairs: [n, h, w, c] in [-1, 1], input and target channels together.
            training: Whether normalisation uses the statistics of the batch.

        Returns:
            Logits [n, h / 8 - 2, w / 8 - 2, 1] (n_layers 3), float32: 256x256 gives 30x30.
        """
        x = pairs
        for level in self.levels[:-1]:
            x = layers.leaky_relu(level(x, training=training))
        return tf.cast(self.levels[-1](x), tf.float32)
