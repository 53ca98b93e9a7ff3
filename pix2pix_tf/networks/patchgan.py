"""The PatchGAN discriminator: one logit per patch of the image."""

from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import make_level


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class PatchGAN(layers.Network):
    """Classifies patches of images, or of pairs of input and target, as real or generated.

    Takes images [n, h, w, c] in [-1, 1]; of pairs, the input's and the target's channels. Returns
    logits, float32 [n, h / 8 - 2, w / 8 - 2, 1] at the defaults: 256x256 gives 30x30, each of
    which depends on a patch of 70x70 pixels. With `pixel`, [n, h, w, 1].

    Args:
        ndf: Filters of the first layer; deeper ones have 2, 4 and at most 8 times as many.
        n_layers: Number of layers with stride 2; 3 gives the 70x70 patch.
        pixel: Three 1x1 convolutions instead: one logit per pixel.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        bias: Whether the convolutions in front of a normalisation have a bias: always in
            pix2pix.py, with norm "instance" in the PyTorch code.
        init_type: Distribution of the initial kernels, see `layers.Initialization`.
        init_gain: Standard deviation of the initial kernels, or factor of `init_type`.
        seed: Equal seeds give equal initial weights; None draws from Keras' global seed.
        name: First part of the weights' paths.
        kwargs: Arguments of `keras.Model`, such as `dtype`.

    Raises:
        InputError: If an argument is none of its choices.

    Reference:
        pix2pix.py, create_discriminator(); Isola et al. 2017, section 6.1.2; PyTorch CycleGAN,
        PixelDiscriminator.
    """

    SETTINGS = ("ndf", "n_layers", "pixel", "norm", "bias", "init_type", "init_gain", "seed")

    def __init__(
        self,
        *,
        ndf: int = 64,
        n_layers: int = 3,
        pixel: bool = False,
        norm: str = "batch",
        bias: bool = True,
        init_type: str = "normal",
        init_gain: float = layers.INIT_STDDEV,
        seed: int | None = None,
        name: str = "discriminator",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.ndf, self.n_layers, self.pixel = ndf, n_layers, pixel
        self.norm, self.bias = norm, bias
        self.init_type, self.init_gain, self.seed = init_type, init_gain, seed
        initial = layers.Initialization(init_type=init_type, init_gain=init_gain, seed=seed)
        count = 1 if pixel else n_layers
        size, border, strides = (1, 0, [1] * 3) if pixel else (4, 1, [2] * n_layers + [1, 1])
        # Each layer with stride 1 and a 4x4 kernel takes one pixel away.
        self.minimum = 1 if pixel else 3 * 2**n_layers
        filters = [ndf * min(2**number, 8) for number in range(count + 1)] + [1]
        self.levels = [
            make_level(
                f"layer_{number + 1}",
                layers.PaddedConv(
                    width,
                    size,
                    strides=strides[number],
                    border=border,
                    # PyTorch's pixel discriminator treats its last layer as the ones in between.
                    use_bias=bias if 0 < number <= count + pixel else True,
                    kernel_initializer=initial.kernel(),
                    name="conv2d",
                    dtype=self.dtype_policy,
                ),
                norm if 0 < number <= count else "none",
                initial,
            )
            for number, width in enumerate(filters)
        ]

    def build(self, input_shape: layers.Shape) -> None:
        super().build(input_shape)
        for level in self.levels:
            level.build(input_shape)
            input_shape = (None, None, None, level.filters)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = images
        for level in self.levels[:-1]:
            x = layers.leaky_relu(level(x, training=training))
        return tf.cast(self.levels[-1](x), tf.float32)
