"""The options that say what files hold and which size images get, the same for both programs.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, options/base_options.py, for --preprocess, --crop_size,
    --input_nc and --output_nc. Options that it does not have are marked "(new)".
"""

import dataclasses

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs, sizes
from pix2pix_tf.errors import InputError
from pix2pix_tf.options import option
from pix2pix_tf.shared_options import MOST_PIXELS, MULTIPLES, SharedOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions(SharedOptions):
    """Options of data; each program names the size before the crop as its reference does."""

    preprocess: str = option(
        "resize_and_crop",
        "(PyTorch code) How images get their size in training: resized to --scale_size and cropped "
        "at random; only cropped; scaled to the width of --scale_size, without or with a crop; or "
        "left alone. Where no crop follows, sides are rounded to what the generator takes. Test "
        "resizes to --crop_size with resize_and_crop, to the width of --scale_size with "
        "scale_width*, and keeps the size of every image with crop and none.",
        group="Data",
        choices=sizes.PREPROCESS,
        adopted="data",
    )
    crop_size: sizes.Size = option(
        256,
        "(PyTorch code) Size in pixels of the random crops, one number or HxW. The depth of --netG "
        "unet follows from it: 8 halvings for 256, to 1x1 for powers of two, else as many as both "
        "sides allow.",
        group="Data",
        minimum=1,
        maximum=MOST_PIXELS,
        adopted="architecture",
    )
    input_channels: int = option(
        3,
        "(PyTorch code) Channels of the input: 1, 3 and 4 are made of what files hold, other "
        "numbers have to be there.",
        also="input_nc",
        group="Data",
        minimum=1,
        maximum=1024,
        adopted="architecture",
    )
    output_channels: int = option(
        3,
        "(PyTorch code) Channels of the output.",
        also="output_nc",
        group="Data",
        minimum=1,
        maximum=1024,
        adopted="architecture",
    )
    value_range: str = option(
        codecs.AUTO,
        "(new) LOW,HIGH: the values in files that become black and white, of any type; values "
        "beyond are clipped. auto: the whole range of an integer type, and 0,1 for floats.",
        group="Data",
        adopted="data",
    )
    cache: str = option(
        "none",
        "(new) Keep decoded images in memory or on disk (in --output_dir); the jitter is always "
        "made anew.",
        group="Data",
        choices=("none", "memory", "disk"),
    )
    check_data: bool = option(
        False,
        "(new) Only read the whole data set and report: counts, sizes, channels, what cannot be "
        "used, odd widths, equal images in training and test. Exit code 1 if training would fail.",
        group="Data",
        adopted="never",
    )
    tile: int = option(
        0,
        "(new) Translate images larger than this, in pixels, in overlapping tiles of this size, "
        "rounded up to what the generator takes; 0 for whole images.",
        group="Test and export",
        minimum=0,
        adopted="never",
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_size(self.crop_size, flag="--crop_size")
        codecs.parse_range(self.value_range)
        uniform = sizes.same_for_all(self.preprocess)
        if self.mode == "train" and self.batch_size > 1 and not uniform:
            raise InputError(
                f"Expected --batch_size 1 with --preprocess {self.preprocess}, where images differ "
                f"in size. Received: {self.batch_size}"
            )
        if self.cache == "disk" and run_folder.is_remote(self.output_dir):
            raise InputError(
                "Expected --cache none or memory with an address as --output_dir. Received: disk"
            )
        if self.tile and self.mode == "export" and self.export_format != "saved_model":
            raise InputError(
                "Expected --tile only with --export_format saved_model. Received: "
                f"{self.export_format}"
            )

    def _check_needs(self):
        if self.check_data:
            self._require_input()
        else:
            super()._check_needs()

    def _check_scale(self, scale_size, *, flag):
        crop, scale = sizes.sides(self.crop_size), sizes.sides(scale_size)
        # Which sides are scaled before a crop: both, the width alone, or none.
        first = {"resize_and_crop": 0, "scale_width_and_crop": 1}.get(self.preprocess, 2)
        small = any(side < least for side, least in zip(scale[first:], crop[first:], strict=True))
        if self.mode in ("train", "demo") and small:
            raise InputError(
                f"Expected {flag} to be at least {self.crop_size}. Received: {scale_size}; "
                f"the proportion of the defaults is {_scaled(crop)}"
            )

    def _check_size(self, size, *, flag):
        """Refuses images of a `sizes.Size` that a network cannot take."""
        multiple, least = MULTIPLES[self.netG], min(sizes.sides(size))
        if any(side % multiple for side in sizes.sides(size)):
            better = ", better of a higher power of two" if self.netG == "unet" else ""
            raise InputError(
                f"Expected {flag} to be a multiple of {multiple} with --netG {self.netG}{better}. "
                f"Received: {size}"
            )
        # Two more 4x4 convolutions follow those with stride 2, each takes a pixel away.
        layers = {"basic": 3, "n_layers": self.n_layers_D, "pixel": 0}[self.netD]
        if self.netD != "pixel" and least < 3 * 2**layers:
            raise InputError(
                f"Expected {flag} to be at least {3 * 2**layers} with {layers} layers of stride 2 "
                f"in the discriminator. Received: {size}; --n_layers_D takes fewer"
            )

    @property
    def multiple(self):
        """The sides of an image that the generator takes are multiples of this, in pixels."""
        if self.netG == "unet":
            return 2 ** sizes.halvings(self.crop_size)
        return MULTIPLES[self.netG]

    def _framing(self, *, method: str) -> sizes.Framing:
        return sizes.Framing(
            preprocess=self.preprocess,
            scale_size=self.scale_size,
            crop_size=self.crop_size,
            multiple=self.multiple,
            method=method,
        )


def _scaled(crop):
    """The size before the crop that is to this crop what 286 is to 256."""
    return sizes.parse("x".join(str(round(side * 286 / 256)) for side in crop))
