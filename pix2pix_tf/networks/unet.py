"""The U-Net generator of pix2pix."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.cpu import Conv, Deconv
from pix2pix_tf.networks.normalization import BATCH_NORMS, make_level
from pix2pix_tf.networks.stages import Generator, Stage, run_stages, to_image

# pix2pix.py, create_generator(): decoder_8, decoder_7 and decoder_6 have dropout.
DROPOUT_LEVELS = (0, 1, 2)


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class UNet(Generator):
    """Encoder-decoder with skip connections between mirrored levels.

    Each encoder level halves the size and each decoder level doubles it: with `depth` 8, 256x256
    images reach 1x1. Skips carry the raw result of a level (before any activation); the ReLU
    follows the concatenation.

    Args:
        output_channels: Channels of the translated image.
        ngf: Filters of the first level; deeper ones have 2, 4 and at most 8 times as many.
        depth: Number of levels; the sides of an image must be multiples of 2**depth.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        bottleneck_norm: Normalise the innermost encoder level. At batch size 1 its map is 1x1, so
            the normalised value is always beta and the level gets no gradient; the paper's
            erratum removes it. Only with "batch" and "sync_batch": the others would erase any
            1x1 map and never normalise it.
        bias: Whether the convolutions but for the last one, which always has it, have a bias.
        dropout_levels: Decoder levels with dropout, 0 being the innermost.
        separable_conv: Separable convolutions, and resize-convolutions in the decoder.
        init_type: Distribution of the initial kernels, see `layers.Initialization`.
        init_gain: Standard deviation of the initial kernels, or factor of `init_type`.
        seed: Equal seeds give equal initial weights; None draws from Keras' global seed.
        name: First part of the weights' paths.
        kwargs: Arguments of `keras.Model`, such as `dtype`.

    Raises:
        InputError: If an argument is none of its choices, or `separable_conv` comes with another
            `init_type` than "normal".

    Reference:
        pix2pix.py, create_generator(); Isola et al. 2017, section 6.1.1 (arXiv:1611.07004).
    """

    SETTINGS = (
        "output_channels", "ngf", "depth", "norm", "bottleneck_norm", "bias", "separable_conv",
        "init_type", "init_gain", "seed",
    )  # fmt: skip

    def __init__(
        self,
        *,
        output_channels: int = 3,
        ngf: int = 64,
        depth: int = 8,
        norm: str = "batch",
        bottleneck_norm: bool = True,
        bias: bool = True,
        dropout_levels: Iterable[int] = DROPOUT_LEVELS,
        separable_conv: bool = False,
        init_type: str = "normal",
        init_gain: float = layers.INIT_STDDEV,
        seed: int | None = None,
        name: str = "generator",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if depth < 1:
            raise InputError(f"Expected depth to be at least 1. Received: {depth}")
        if separable_conv and init_type != "normal":
            raise InputError(
                f"Expected init_type 'normal' with separable_conv. Received: {init_type!r}"
            )
        self.output_channels, self.ngf, self.depth, self.norm = output_channels, ngf, depth, norm
        self.bottleneck_norm, self.bias = bottleneck_norm, bias
        self.dropout_levels, self.separable_conv = sorted(dropout_levels), separable_conv
        self.init_type, self.init_gain, self.seed = init_type, init_gain, seed
        self.multiple = self.minimum = 2**depth
        draw = layers.Initialization(init_type=init_type, init_gain=init_gain, seed=seed)
        filters = [ngf * min(2**number, 8) for number in range(depth)]
        outputs = [output_channels, *filters[:-1]]
        whole = depth if bottleneck_norm and norm in BATCH_NORMS else depth - 1
        self.encoders = [
            self._level(number, filters[number], bias=bias, norm=0 < number < whole, draw=draw)
            for number in range(depth)
        ]
        self.decoders = [
            self._level(
                number,
                outputs[number],
                up=True,
                bias=bias or number == 0,
                norm=number > 0,
                draw=draw,
            )
            for number in reversed(range(depth))
        ]

    def _level(
        self,
        number: int,
        filters: int,
        *,
        bias: bool,
        norm: bool,
        draw: layers.Initialization,
        up: bool = False,
    ) -> layers.Level:
        """One level of the encoder or, with `up`, of the decoder; `number` 0 is the outermost."""
        shared = {"padding": "same", "use_bias": bias, "dtype": self.dtype_policy}
        if self.separable_conv:
            make = layers.UpsampleSeparableConv if up else keras.layers.SeparableConv2D
            convolution = make(
                filters,
                4,
                strides=1 if up else 2,
                depthwise_initializer=draw.kernel(),
                pointwise_initializer=draw.kernel(),
                name="separable_conv2d",
                **shared,
            )
        else:
            convolution = (Deconv if up else Conv)(
                filters,
                4,
                strides=2,
                kernel_initializer=draw.kernel(),
                name="conv2d_transpose" if up else "conv2d",
                **shared,
            )
        name = f"{'decoder' if up else 'encoder'}_{number + 1}"
        return make_level(name, convolution, self.norm if norm else "none", draw)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The levels in the order of their execution. Map 0 is the image, map k of stage k."""
        encoders = [
            Stage((level,), encoder, before=layers.leaky_relu if level else None)
            for level, encoder in enumerate(self.encoders)
        ]
        decoders = []
        for level, decoder in enumerate(self.decoders):
            # The decoder before it, and its encoder's mirror image.
            sources = (self.depth + level, self.depth - level) if level else (self.depth,)
            # The last level makes the image.
            has_dropout = level + 1 < self.depth and level in self.dropout_levels
            offset = level + 1 if has_dropout else None
            decoders.append(Stage(sources, decoder, before=tf.nn.relu, dropout=offset))
        return (*encoders, *decoders)

    def call(
        self,
        images: tf.Tensor,
        training: bool = False,
        dropout_seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        x = run_stages(self.stages, images, training=training, dropout_seeds=dropout_seeds)
        return to_image(x)

    def build(self, input_shape: layers.Shape) -> None:
        super().build(input_shape)
        skips = []
        for encoder in self.encoders:
            encoder.build(input_shape)
            input_shape = (None, None, None, encoder.filters)
            skips.append(encoder.filters)
        width = 0
        for decoder in self.decoders:
            decoder.build((None, None, None, width + skips.pop()))
            width = decoder.filters

    def get_config(self) -> dict[str, Any]:
        # Keras makes a list of its own of the attribute.
        return {**super().get_config(), "dropout_levels": list(self.dropout_levels)}
