"""The residual generator of CycleGAN."""

from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import make_level
from pix2pix_tf.networks.stages import Generator, Stage, run_stages, to_image


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class ResNet(Generator):
    """Two levels down, residual blocks at a quarter of the size, two levels up.

    Args:
        output_channels: Channels of the translated image.
        ngf: Filters at full size; there are 2 and 4 times as many further down.
        blocks: Number of residual blocks: 9 for 256x256 images and larger, 6 for 128x128.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        dropout: Whether the blocks have dropout.
        init_type: Distribution of the initial kernels, see `layers.Initialization`.
        init_gain: Standard deviation of the initial kernels, or factor of `init_type`.
        seed: Equal seeds give equal initial weights; None draws from Keras' global seed.
        name: First part of the weights' paths.
        kwargs: Arguments of `keras.Model`, such as `dtype`.

    Raises:
        InputError: If an argument is none of its choices.

    Reference:
        Zhu et al. 2017 (arXiv:1703.10593), section 7.2; PyTorch CycleGAN, ResnetGenerator.
    """

    SETTINGS = ("output_channels", "ngf", "norm", "dropout", "init_type", "init_gain", "seed")
    multiple = 4
    # Maps at a quarter of the size are reflected by one pixel.
    minimum = 8

    def __init__(
        self,
        *,
        output_channels: int = 3,
        ngf: int = 64,
        blocks: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        init_type: str = "normal",
        init_gain: float = layers.INIT_STDDEV,
        seed: int | None = None,
        name: str = "generator",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.output_channels, self.ngf, self.norm = output_channels, ngf, norm
        self.dropout, self.init_type, self.init_gain = dropout, init_type, init_gain
        self.seed = seed
        draw = layers.Initialization(init_type=init_type, init_gain=init_gain, seed=seed)

        def padded(name: str, filters: int, size: int, **options: Any) -> layers.Level:
            options |= {"kernel_size": size, "border": size // 2}
            return self._level(name, layers.PaddedConv, filters, draw, **options)

        def up(name: str, filters: int) -> layers.Level:
            return self._level(name, layers.UpConv3x3, filters, draw)

        self.encoders = [
            padded("encoder_1", ngf, 7, reflect=True),
            padded("encoder_2", 2 * ngf, 3, strides=2),
            padded("encoder_3", 4 * ngf, 3, strides=2),
        ]
        self.blocks = [
            Block(
                padded("conv_1", 4 * ngf, 3, reflect=True),
                padded("conv_2", 4 * ngf, 3, reflect=True),
                name=f"block_{number + 1}",
                dtype=self.dtype_policy,
            )
            for number in range(blocks)
        ]
        self.decoders = [
            up("decoder_3", 2 * ngf),
            up("decoder_2", ngf),
            padded("decoder_1", output_channels, 7, reflect=True, is_last=True),
        ]

    def _level(
        self,
        name: str,
        make: type,
        filters: int,
        draw: layers.Initialization,
        *,
        is_last: bool = False,
        **options: Any,
    ) -> layers.Level:
        """A convolution of the class `make` and, but for the last one, a normalisation."""
        convolution = make(
            filters,
            # PyTorch CycleGAN: use_bias = norm_layer == nn.InstanceNorm2d.
            use_bias=is_last or self.norm.startswith("instance"),
            kernel_initializer=draw.kernel(),
            name="conv2d" if make is layers.PaddedConv else "conv2d_transpose",
            dtype=self.dtype_policy,
            **options,
        )
        return make_level(name, convolution, "none" if is_last else self.norm, draw)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The levels in the order of their execution. Map 0 is the image, map k of stage k."""
        relu = tf.nn.relu
        stages = [Stage((at,), level, after=relu) for at, level in enumerate(self.encoders)]
        for number, block in enumerate(self.blocks, 1):
            stages += block.stages(len(stages), dropout=number if self.dropout else None)
        *decoders, last = self.decoders
        for level in decoders:
            stages.append(Stage((len(stages),), level, after=relu))
        return (*stages, Stage((len(stages),), last))

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
        parts: list[Any] = [*self.encoders, *self.blocks, *self.decoders]
        for part in parts:
            part.build(input_shape)
            input_shape = (None, None, None, part.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "blocks": len(self.blocks)}


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class Block(layers.Composite):
    """Two convolutions whose result is added to their input.

    Args:
        first: Level that is followed by a ReLU.
        second: Level that is not.
        kwargs: Arguments of `keras.layers.Layer`.
    """

    PARTS = ("first", "second")

    def __init__(self, first: layers.Level, second: layers.Level, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.second = first, second

    @property
    def filters(self) -> int:
        """Number of channels of the result, those of the input."""
        return self.second.filters

    def build(self, input_shape: layers.Shape) -> None:
        self.first.build(input_shape)
        self.second.build(input_shape)

    def stages(self, source: int = 0, *, dropout: int | None = 0) -> tuple[Stage, Stage]:
        """Both levels as stages that read map `source`; `dropout` offsets the seeds."""
        first = Stage((source,), self.first, after=tf.nn.relu, dropout=dropout)
        return first, Stage((source + 1,), self.second, add=source)

    def call(
        self, x: tf.Tensor, training: bool = False, dropout_seeds: tf.Tensor | None = None
    ) -> tf.Tensor:
        return run_stages(self.stages(), x, training=training, dropout_seeds=dropout_seeds)
