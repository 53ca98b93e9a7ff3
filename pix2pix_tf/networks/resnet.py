"""The residual generator of CycleGAN."""

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import normalization
from pix2pix_tf.networks.steps import Step, run


class ResNet(keras.Model):
    """Two levels down, residual blocks at a quarter of the size, two levels up.

    Args:
        output_channels: Channels of the translated image.
        ngf: Filters at full size; there are 2 and 4 times as many further down.
        blocks: Number of residual blocks: 9 for 256x256 images and larger, 6 for 128x128.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        dropout: Whether the blocks have dropout.
        init_gain: Standard deviation of the initial kernels.

    Reference:
        Zhu et al. 2017 (arXiv:1703.10593), section 7.2; PyTorch CycleGAN, ResnetGenerator.
    """

    def __init__(
        self,
        *,
        output_channels=3,
        ngf=64,
        blocks=9,
        norm="instance",
        dropout=False,
        init_gain=layers.INIT_STDDEV,
        name="generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.dropout = dropout
        # PyTorch CycleGAN: use_bias = norm_layer == nn.InstanceNorm2d.
        hidden = {"bias": norm.startswith("instance"), "stddev": init_gain}

        def level(name, convolution):
            return layers.Level(convolution, normalization(norm, stddev=init_gain), name=name)

        def reflected(filters, size, **options):
            return layers.PaddedConv(filters, size, padding=size // 2, reflect=True, **options)

        self.encoders = [
            level("encoder_1", reflected(ngf, 7, **hidden)),
            level("encoder_2", layers.PaddedConv(2 * ngf, 3, strides=2, **hidden)),
            level("encoder_3", layers.PaddedConv(4 * ngf, 3, strides=2, **hidden)),
        ]
        self.blocks = [
            Block(
                level("conv_1", reflected(4 * ngf, 3, **hidden)),
                level("conv_2", reflected(4 * ngf, 3, **hidden)),
                name=f"block_{number + 1}",
            )
            for number in range(blocks)
        ]
        self.decoders = [
            level("decoder_3", layers.DoublingConv(2 * ngf, **hidden)),
            level("decoder_2", layers.DoublingConv(ngf, **hidden)),
            layers.Level(reflected(output_channels, 7, stddev=init_gain), name="decoder_1"),
        ]

    @property
    def multiple(self):
        """The sides of an image are multiples of this number of pixels."""
        return 4

    @property
    def steps(self) -> tuple[Step, ...]:
        """The levels in the order of their execution."""
        relu = tf.nn.relu
        found = [Step((at,), level, after=relu) for at, level in enumerate(self.encoders)]
        for number, block in enumerate(self.blocks, 1):
            at, drops = len(found), number if self.dropout else None
            found.append(Step((at,), block.first, after=relu, dropout=drops))
            found.append(Step((at + 1,), block.second, add=at))
        *up, last = self.decoders
        for level in up:
            found.append(Step((len(found),), level, after=relu))
        return (*found, Step((len(found),), last))

    def build(self, input_shape):
        """Creates every weight for images of `input_shape` [n, h, w, c]."""
        for part in [*self.encoders, *self.blocks, *self.decoders]:
            part.build(input_shape)
            input_shape = (None, None, None, part.filters)
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


class Block(keras.layers.Layer):
    """Two convolutions whose result is added to their input.

    Args:
        first: Level that is followed by a ReLU.
        second: Level that is not.
    """

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = first, second

    @property
    def filters(self):
        """Number of channels of the result, those of the input."""
        return self.second.filters

    def build(self, input_shape):
        """Creates the weights for `input_shape` [n, h, w, c]."""
        self.first.build(input_shape)
        self.second.build(input_shape)
        self.built = True
