"""The U-Net generator of pix2pix."""

import functools

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import normalization
from pix2pix_tf.networks.steps import Step, run

# pix2pix.py, create_generator(): decoder_8, decoder_7 and decoder_6 have dropout.
DROPOUT_LEVELS = (0, 1, 2)


class UNet(keras.Model):
    """Encoder-decoder with skip connections between mirrored levels.

    Each encoder level halves the size and each decoder level doubles it: with `depth` 8, 256x256
    images reach 1x1. Skips carry the raw result of a level (before any activation); the ReLU
    follows the concatenation.

    Args:
        output_channels: Channels of the translated image.
        ngf: Filters of the first level; deeper ones have 2, 4 and at most 8 times as many.
        depth: Number of levels; the sides of an image must be multiples of 2**depth.
        separable_conv: Separable convolutions, and resize-convolutions in the decoder.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        bottleneck_norm: Normalise the innermost encoder level. At batch size 1 its map is 1x1, so
            the normalised value is always beta and the level gets no gradient; the paper's
            erratum removes it.
        bias: Whether the convolutions but for the last one, which always has it, have a bias.
        dropout_levels: Decoder levels with dropout, 0 being the innermost.
        init_gain: Standard deviation of the initial kernels.

    Reference:
        pix2pix.py, create_generator(); Isola et al. 2017, section 6.1.1 (arXiv:1611.07004).
    """

    def __init__(
        self,
        *,
        output_channels=3,
        ngf=64,
        depth=8,
        separable_conv=False,
        norm="batch",
        bottleneck_norm=True,
        bias=True,
        dropout_levels=DROPOUT_LEVELS,
        init_gain=layers.INIT_STDDEV,
        name="generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.depth, self.dropout_levels = depth, frozenset(dropout_levels)
        filters = [ngf * min(2**level, 8) for level in range(depth)]
        down = layers.SeparableConv if separable_conv else layers.conv
        up = layers.ResizeConv if separable_conv else layers.deconv
        normalize = functools.partial(normalization, norm, stddev=init_gain)
        self.encoders = [
            layers.Level(
                down(count, bias=bias, stddev=init_gain),
                normalize() if 0 < level and (bottleneck_norm or level + 1 < depth) else None,
                name=f"encoder_{level + 1}",
            )
            for level, count in enumerate(filters)
        ]
        outputs = [output_channels, *filters[:-1]]
        self.decoders = [
            layers.Level(
                up(outputs[level], bias=bias or level == 0, stddev=init_gain),
                normalize() if level > 0 else None,
                name=f"decoder_{level + 1}",
            )
            for level in reversed(range(depth))
        ]

    @property
    def multiple(self):
        """The sides of an image are multiples of this number of pixels."""
        return 2**self.depth

    @property
    def steps(self) -> tuple[Step, ...]:
        """The levels in the order of their execution."""
        down = [
            Step((level,), encoder, before=layers.leaky_relu if level else None)
            for level, encoder in enumerate(self.encoders)
        ]
        up = []
        for level, decoder in enumerate(self.decoders):
            sources = (self.depth + level, self.depth - level) if level else (self.depth,)
            # The last level makes the image.
            drops = level + 1 < self.depth and level in self.dropout_levels
            up.append(
                Step(
                    sources,
                    decoder,
                    before=tf.nn.relu,
                    dropout=level + 1 if drops else None,
                )
            )
        return (*down, *up)

    def build(self, input_shape):
        """Creates every weight for images of `input_shape` [n, h, w, c]."""
        skips = []
        for encoder in self.encoders:
            encoder.build(input_shape)
            input_shape = (None, None, None, encoder.filters)
            skips.append(encoder.filters)
        width = 0
        for decoder in self.decoders:
            decoder.build((None, None, None, width + skips.pop()))
            width = decoder.filters
        self.built = True

    def call(self, images, training=False, dropout_seeds=None):
        """Translates images.

        Args:
            images: [n, h, w, c] in [-1, 1]; h and w multiples of `multiple`.
            training: Whether normalisation uses the statistics of the batch.
            dropout_seeds: int64 [n, 2], one per image; None switches dropout off.

        Returns:
            [n, h, w, output_channels] in [-1, 1], float32.
        """
        return run(self.steps, images, training=training, dropout_seeds=dropout_seeds)
