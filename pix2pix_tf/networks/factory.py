"""Networks by the names that the command line gives them."""

from pix2pix_tf.networks.layers import INIT_STDDEV
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

_BLOCKS = {"resnet_9blocks": 9, "resnet_6blocks": 6}
_DEPTHS = {"unet_256": 8, "unet_128": 7}


def make_generator(
    kind,
    *,
    output_channels=3,
    ngf=64,
    depth=8,
    norm="batch",
    dropout=True,
    init_gain=INIT_STDDEV,
    separable_conv=False,
    bottleneck_norm=True,
    name="generator",
):
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
        init_gain: Standard deviation of the initial kernels.
        separable_conv: Of "unet": separable convolutions.
        bottleneck_norm: Of "unet" with norm "batch" or "sync_batch": normalise the innermost
            level. Other normalisations would erase a 1x1 map and always leave it alone.
        name: First part of the weights' paths.

    Returns:
        `UNet` or `ResNet`.

    Reference:
        affinelayer/pix2pix-tensorflow, pix2pix.py; junyanz/pytorch-CycleGAN-and-pix2pix,
        models/networks.py, define_G().
    """
    shared = {
        "output_channels": output_channels,
        "ngf": ngf,
        "norm": norm,
        "init_gain": init_gain,
        "name": name,
    }
    if kind in _BLOCKS:
        return ResNet(blocks=_BLOCKS[kind], dropout=dropout, **shared)
    if kind == "unet":
        shared |= {} if dropout else {"dropout_levels": ()}
        bottleneck_norm = bottleneck_norm and norm in ("batch", "sync_batch")
        return UNet(
            depth=depth, separable_conv=separable_conv, bottleneck_norm=bottleneck_norm, **shared
        )
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
    kind,
    *,
    n_layers=3,
    ndf=64,
    norm="batch",
    bias=True,
    init_gain=INIT_STDDEV,
    name="discriminator",
):
    """Makes a discriminator without weights yet.

    Args:
        kind: "basic" for the 70x70 PatchGAN, "n_layers" for another size, "pixel" for 1x1.
        n_layers: Of "n_layers": how many layers have stride 2.
        ndf: Filters of the first layer.
        norm: "batch", "sync_batch", "instance", "instance_affine" or "none".
        bias: Whether convolutions in front of a normalisation have a bias: always in pix2pix.py,
            with norm "instance" in the PyTorch code.
        init_gain: Standard deviation of the initial kernels.
        name: First part of the weights' paths.

    Returns:
        `PatchGAN`.

    Reference:
        junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py, define_D().
    """
    return PatchGAN(
        ndf=ndf,
        # define_D(): "basic" is n_layers=3.
        n_layers=n_layers if kind == "n_layers" else 3,
        pixel=kind == "pixel",
        norm=norm,
        bias=bias,
        init_gain=init_gain,
        name=name,
    )
