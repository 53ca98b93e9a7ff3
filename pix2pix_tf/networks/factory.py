"""Networks by the names that the command line gives them."""

from pix2pix_tf.networks.layers import INIT_STDDEV, check_choice
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
        output_channels: Channels of its images.
        ngf: Filters of its first layer.
        depth: Of "unet": number of levels, each halves the sides of an image.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        dropout: Whether the levels or blocks that can have dropout do.
        separable_conv: Of "unet": separable convolutions.
        bottleneck_norm: Of "unet": normalise the innermost level, see `UNet`.
        init_type: Distribution of the initial weights, see `layers.Initialization`.
        init_gain: Its scale.
        seed: Its seed.
        dtype: Keras' precision policy.
        name: Name of the network; its variables' paths begin with it.

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
        return ResNet(
            output_channels=output_channels,
            ngf=ngf,
            blocks=_BLOCKS[kind],
            norm=norm,
            dropout=dropout,
            init_type=init_type,
            init_gain=init_gain,
            seed=seed,
            dtype=dtype,
            name=name,
        )
    is_ours = kind == "unet"
    depth = _DEPTHS.get(kind, depth)
    # UnetGenerator: the num_downs - 5 levels around the innermost one.
    levels = DROPOUT_LEVELS if is_ours else range(1, depth - 4)
    return UNet(
        output_channels=output_channels,
        ngf=ngf,
        depth=depth,
        norm=norm,
        bottleneck_norm=is_ours and bottleneck_norm,
        bias=is_ours or norm.startswith("instance"),
        dropout_levels=levels if dropout else (),
        separable_conv=is_ours and separable_conv,
        init_type=init_type,
        init_gain=init_gain,
        seed=seed,
        dtype=dtype,
        name=name,
    )


def make_discriminator(
    kind: str,
    *,
    ndf: int = 64,
    n_layers: int = 3,
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
        ndf: Filters of its first layer.
        n_layers: Of "n_layers": how many layers have stride 2.
        norm: As of `make_generator`.
        bias: Whether convolutions before a normalisation have biases.
        init_type: As of `make_generator`.
        init_gain: Likewise.
        seed: Likewise.
        dtype: Likewise.
        name: Likewise.

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
        n_layers=n_layers if kind == "n_layers" else 3,  # define_D(): "basic" is n_layers=3
        pixel=kind == "pixel",
        norm=norm,
        bias=bias,
        init_type=init_type,
        init_gain=init_gain,
        seed=seed,
        dtype=dtype,
        name=name,
    )
