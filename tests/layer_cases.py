"""One small example of every public layer and network, and a shape of its input."""

import keras

from pix2pix_tf.networks.cpu import Conv, Deconv
from pix2pix_tf.networks.layers import Level, PaddedConv, UpConv3x3, UpsampleSeparableConv
from pix2pix_tf.networks.normalization import BatchNorm, InstanceNorm
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import Block, ResNet
from pix2pix_tf.networks.unet import UNet

# Nothing is left at its default, so a config that forgets an argument shows.
STRIDED = {"kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}
INIT = {"init_type": "xavier", "init_gain": 0.5, "seed": 3}
GAMMA = keras.initializers.Constant(3.0)


def level(**options):
    norm = InstanceNorm(affine=True, **options)
    return Level(PaddedConv(4, 3, reflect=True, **options), norm, **options)


CASES = {
    Conv: (lambda **options: Conv(5, **STRIDED, **options), (2, 8, 8, 3)),
    Deconv: (lambda **options: Deconv(5, **STRIDED, **options), (2, 4, 4, 3)),
    UpsampleSeparableConv: (
        lambda **options: UpsampleSeparableConv(5, 3, padding="same", use_bias=False, **options),
        (2, 4, 6, 3),
    ),
    PaddedConv: (
        lambda **options: PaddedConv(5, 5, border=2, reflect=True, strides=2, **options),
        (2, 8, 8, 3),
    ),
    UpConv3x3: (lambda **options: UpConv3x3(5, use_bias=False, **options), (2, 4, 6, 3)),
    BatchNorm: (
        lambda **options: BatchNorm(synchronized=True, gamma_initializer=GAMMA, **options),
        (2, 4, 4, 3),
    ),
    InstanceNorm: (
        lambda **options: InstanceNorm(affine=True, gamma_initializer=GAMMA, **options),
        (2, 4, 4, 3),
    ),
    Level: (level, (2, 8, 8, 3)),
    Block: (lambda **options: Block(level(**options), level(**options), **options), (2, 8, 8, 4)),
    UNet: (
        lambda **options: UNet(
            output_channels=2, ngf=3, depth=3, norm="instance_affine", bottleneck_norm=False,
            bias=False, dropout_levels=(1,), name="other", **INIT, **options,
        ),
        (2, 16, 8, 4),
    ),
    ResNet: (
        lambda **options: ResNet(
            output_channels=2, ngf=3, blocks=2, norm="sync_batch", dropout=True, name="other",
            **INIT, **options,
        ),
        (2, 16, 8, 4),
    ),
    PatchGAN: (
        lambda **options: PatchGAN(
            ndf=3, n_layers=2, norm="instance", bias=False, name="other", **INIT, **options
        ),
        (2, 32, 24, 4),
    ),
}  # fmt: skip
