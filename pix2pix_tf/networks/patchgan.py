"""The PatchGAN discriminator: one verdict per patch of the image."""

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import normalization


class PatchGAN(keras.Model):
    """Judges images, or pairs of input and target; each output sees a patch of 70x70 pixels.

    Args:
        ndf: Filters of the first layer; deeper ones have 2, 4 and at most 8 times as many.
        n_layers: Number of layers with stride 2; 3 gives the 70x70 patch.
        pixel: Three 1x1 convolutions instead: every pixel is judged on its own.
        norm: "batch", "instance", "instance_affine" or "none".
        bias: Whether the convolutions in front of a normalisation have a bias.
        init_gain: Standard deviation of the initial kernels.

    Reference:
        pix2pix.py, create_discriminator(); Isola et al. 2017, section 6.1.2; PyTorch CycleGAN,
        PixelDiscriminator.
    """

    def __init__(
        self,
        *,
        ndf=64,
        n_layers=3,
        pixel=False,
        norm="batch",
        bias=True,
        init_gain=layers.INIT_STDDEV,
        name="discriminator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        n_layers = 1 if pixel else n_layers
        self.pixel = pixel
        size, padding, strides = (1, 0, [1] * 3) if pixel else (4, 1, [2] * n_layers + [1, 1])
        filters = [ndf * min(2**i, 8) for i in range(n_layers + 1)] + [1]
        # PyTorch's pixel discriminator treats its last layer as the ones in between.
        biased = [bias if 0 < i <= n_layers + pixel else True for i in range(n_layers + 2)]
        self.levels = [
            layers.Level(
                layers.PaddedConv(
                    count,
                    size,
                    strides=strides[i],
                    padding=padding,
                    bias=biased[i],
                    stddev=init_gain,
                ),
                normalization(norm, stddev=init_gain) if 0 < i <= n_layers else None,
                name=f"layer_{i + 1}",
            )
            for i, count in enumerate(filters)
        ]

    def build(self, input_shape):
        """Creates every weight for images or pairs of `input_shape` [n, h, w, c]."""
        for level in self.levels:
            level.build(input_shape)
            input_shape = (None, None, None, level.filters)
        self.built = True

    def call(self, images, training=False):
        """Judges images or pairs.

        Args:
            images: [n, h, w, c] in [-1, 1]; of pairs, the input's and the target's channels.
            training: Whether normalisation uses the statistics of the batch.

        Returns:
            Logits [n, h / 8 - 2, w / 8 - 2, 1] (n_layers 3), float32: 256x256 gives 30x30; with
            `pixel` [n, h, w, 1].
        """
        x = images
        for level in self.levels[:-1]:
            x = layers.leaky_relu(level(x, training=training))
        return tf.cast(self.levels[-1](x), tf.float32)
