"""Networks by the names that the command line gives them."""

from typing import Any

from pix2pix_tf.networks.layers import check_choice
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import DROPOUT_LEVELS, UNet

_BLOCKS = {"resnet_9blocks": 9, "resnet_6blocks": 6}
_DEPTHS = {"unet_256": 8, "unet_128": 7}
GENERATORS = ("unet", *_DEPTHS, *_BLOCKS)
DISCRIMINATORS = ("basic", "n_layers", "pixel")


def make_generator(
    kind: str,
    *,
    depth: int = 8,
    norm: str = "batch",
    dropout: bool = True,
    separable_conv: bool = False,
    bottleneck_norm: bool = True,
    **options: Any,
) -> UNet | ResNet:
    """Makes a generator without weights yet.

    Args:
        kind: "unet" for that of pix2pix.py, with its biases, its dropout and its normalised
            bottleneck; "unet_256", "unet_128", "resnet_9blocks" or "resnet_6blocks" for those of
            the PyTorch code.
        depth: Of "unet": number of levels, each halves the sides of an image.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        dropout: Whether the levels or blocks that can have dropout do.
        separable_conv: Of "unet": separable convolutions.
        bottleneck_norm: Of "unet": normalise the innermost level, see `UNet`.
        options: Arguments that `UNet` and `ResNet` share, such as `ngf`, `seed` or `dtype`.

    Returns:
        `UNet` or `ResNet`.

    Raises:
        InputError: If `kind` or another argument is none of its choices.

    Reference:
        affinelayer/pix2pix-tensorflow, pix2pix.py; junyanz/pytorch-CycleGAN-and-pix2pix,
        models/networks.py, define_G().
    """
    check_choice("generator", kind, GENERATORS)
    if kind in _BLOCKS:
        return ResNet(blocks=_BLOCKS[kind], norm=norm, dropout=dropout, **options)
    if kind == "unet":
        return UNet(
            depth=depth,
            norm=norm,
            bottleneck_norm=bottleneck_norm,
            dropout_levels=DROPOUT_LEVELS if dropout else (),
            separable_conv=separable_conv,
            **options,
        )
    depth = _DEPTHS[kind]
    return UNet(
        depth=depth,
        norm=norm,
        bottleneck_norm=False,
        bias=norm.startswith("instance"),
        # UnetGenerator: the num_downs - 5 levels around the innermost one.
        dropout_levels=range(1, depth - 4) if dropout else (),
        **options,
    )


def make_discriminator(kind: str, *, n_layers: int = 3, **options: Any) -> PatchGAN:
    """Makes a discriminator without weights yet.

    Args:
        kind: "basic" for the 70x70 PatchGAN, "n_layers" for another size, "pixel" for 1x1.
        n_layers: Of "n_layers": how many layers have stride 2.
        options: Other arguments of `PatchGAN`.

    Returns:
        `PatchGAN`.

    Raises:
        InputError: If `kind` or another argument is none of its choices.

    Reference:
        junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py, define_D().
    """
    check_choice("discriminator", kind, DISCRIMINATORS)
    # define_D(): "basic" is n_layers=3.
    n_layers = n_layers if kind == "n_layers" else 3
    return PatchGAN(n_layers=n_layers, pixel=kind == "pixel", **options)
