"""Networks by the names that the command line gives them."""

from typing import Any

from pix2pix_tf.networks.layers import INIT_STDDEV, check_choice
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

_BLOCKS = {"resnet_9blocks": 9, "resnet_6blocks": 6}
_DEPTHS = {"unet_256": 8, "unet_128": 7}
GENERATORS = ("unet", *_DEPTHS, *_BLOCKS)
DISCRIMINATORS = ("basic", "n_layers", "pixel")


def make_generator(
    kind: str,
    *,
    output_channels: int = 3,
    ngf: int = 64,
    depth: int = 8,
    norm: str = "batch",
    dropout: bool = True,
    separable_conv: bool = False,
    bottleneck_norm: bool = True,
    init_type: str = "normal",
    init_gain: float = INIT_STDDEV,
    seed: int | None = None,
    dtype: str | None = None,
    name: str = "generator",
) -> UNet | ResNet:
    """Makes a generator without weights yet.

    Args:
        kind: "unet" for that of pix2pix.py, with its biases, its dropout and its normalised
            bottleneck; "unet_256", "unet_128", "resnet_9blocks" or "resnet_6blocks" for those of
            the PyTorch code.
        output_channels: Channels of the translated image.
        ngf: Filters of the first level.
        depth: Of "unet": number of levels, each halves the sides of an image.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        dropout: Whether the levels or blocks that can have dropout do.
        separable_conv: Of "unet": separable convolutions.
        bottleneck_norm: Of "unet": normalise the innermost level, see `UNet`.
        init_type: Distribution of the initial kernels, see `layers.Initialization`.
        init_gain: Standard deviation of the initial kernels, or factor of `init_type`.
        seed: Equal seeds give equal initial weights; None draws from Keras' global seed.
        dtype: Keras dtype policy, such as "mixed_float16"; None for the global one.
        name: First part of the weights' paths.

    Returns:
        `UNet` or `ResNet`.

    Raises:
        InputError: If `kind` or another argument is none of its choices.

    Reference:
        affinelayer/pix2pix-tensorflow, pix2pix.py; junyanz/pytorch-CycleGAN-and-pix2pix,
        models/networks.py, define_G().
    """
    check_choice("generator", kind, GENERATORS)
    shared: dict[str, Any] = {
        "output_channels": output_channels,
        "ngf": ngf,
        "norm": norm,
        "init_type": init_type,
        "init_gain": init_gain,
        "seed": seed,
        "dtype": dtype,
        "name": name,
    }
    if kind in _BLOCKS:
        return ResNet(blocks=_BLOCKS[kind], dropout=dropout, **shared)
    if kind == "unet":
        shared |= {} if dropout else {"dropout_levels": ()}
        shared |= {"separable_conv": separable_conv, "bottleneck_norm": bottleneck_norm}
        return UNet(depth=depth, **shared)
    depth = _DEPTHS[kind]
    return UNet(
        depth=depth,
        bottleneck_norm=False,
        bias=norm.startswith("instance"),
        # UnetGenerator: the num_downs - 5 levels around the innermost one.
        dropout_levels=range(1, depth - 4) if dropout else (),
        **shared,
    )


def make_discriminator(
    kind: str,
    *,
    n_layers: int = 3,
    ndf: int = 64,
    norm: str = "batch",
    bias: bool = True,
    init_type: str = "normal",
    init_gain: float = INIT_STDDEV,
    seed: int | None = None,
    dtype: str | None = None,
    name: str = "discriminator",
) -> PatchGAN:
    """Makes a discriminator without weights yet.

    Args:
        kind: "basic" for the 70x70 PatchGAN, "n_layers" for another size, "pixel" for 1x1.
        n_layers: Of "n_layers": how many layers have stride 2.
        ndf: Filters of the first layer.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        bias: Whether convolutions in front of a normalisation have a bias: always in pix2pix.py,
            with norm "instance" in the PyTorch code.
        init_type: Distribution of the initial kernels, see `layers.Initialization`.
        init_gain: Standard deviation of the initial kernels, or factor of `init_type`.
        seed: Equal seeds give equal initial weights; None draws from Keras' global seed.
        dtype: Keras dtype policy, such as "mixed_float16"; None for the global one.
        name: First part of the weights' paths.

    Returns:
        `PatchGAN`.

    Raises:
        InputError: If `kind` or another argument is none of its choices.

    Reference:
        junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py, define_D().
    """
    check_choice("discriminator", kind, DISCRIMINATORS)
    return PatchGAN(
        ndf=ndf,
        # define_D(): "basic" is n_layers=3.
        n_layers=n_layers if kind == "n_layers" else 3,
        pixel=kind == "pixel",
        norm=norm,
        bias=bias,
        init_type=init_type,
        init_gain=init_gain,
        seed=seed,
        dtype=dtype,
        name=name,
    )
