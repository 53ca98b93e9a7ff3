"""Every option of pix2pix-tf, under the reference's names and with the reference's defaults.

Reference:
    affinelayer/pix2pix-tensorflow, pix2pix.py. Options that it does not have are marked "(new)".
"""

import dataclasses

from pix2pix_tf import runs
from pix2pix_tf.data import codecs, sizes
from pix2pix_tf.device_options import MULTI_WORKER, DeviceOptions
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluate_options import EvaluateOptions
from pix2pix_tf.options import MOST_PIXELS, MOST_STEPS, MULTIPLES, SharedOptions
from pix2pix_tf.serve_options import ServeOptions
from pix2pix_tf.settings import changed, option

PROGRAM = "pix2pix-tf"
DATASET_MODES = ("aligned", "folders", "single")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(ServeOptions, DeviceOptions, EvaluateOptions, SharedOptions):
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    mode: str = changed(
        SharedOptions,
        "mode",
        choices=("train", "test", "evaluate", "export", "serve", "demo"),
        help="What to do: train on a folder; test a run on a folder; evaluate (new): FID and more; "
        "export for another runtime; serve (new) over HTTP; demo (new): draw a small data set, "
        "train, test and export.",
    )

    input_dir: str | None = changed(
        SharedOptions,
        "input_dir",
        help="Folder with side-by-side images, A left and B right, or tfds:NAME/CONFIG for a data "
        "set of TensorFlow Datasets.",
    )
    output_dir: str | None = changed(
        SharedOptions,
        "output_dir",
        help="Folder that receives what the mode makes; demo writes to pix2pix-demo.",
    )
    max_epochs: int | None = option(
        None,
        "Epoch at which training ends; --max_steps wins if both are given.",
        group="Training",
        minimum=0,
        maximum=MOST_STEPS,
    )
    l1_weight: float = option(
        100.0, "Weight of the L1 term in the generator's loss.", group="Training", minimum=0
    )
    gan_weight: float = option(
        1.0, "Weight of the GAN term in the generator's loss.", group="Training", minimum=0
    )
    dataset_mode: str = option(
        "aligned",
        "(PyTorch code) Where the pairs are: side by side in one file (aligned), in the folders A "
        "and B of --input_dir under equal names (folders, new), or nowhere: test without targets "
        "(single).",
        group="Data",
        choices=DATASET_MODES,
        adopted="data",
    )
    which_direction: str = option(
        "AtoB",
        "Translate A to B or B to A.",
        group="Data",
        choices=("AtoB", "BtoA"),
        adopted="architecture",
    )
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
    scale_size: sizes.Size = option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        group="Data",
        minimum=1,
        maximum=MOST_PIXELS,
        adopted="data",
    )
    crop_size: sizes.Size = option(
        256,
        "(new) Size in pixels of the random crops, one number or HxW. The depth of --netG unet "
        "follows from it: 8 halvings for 256, to 1x1 for powers of two, else as many as both sides "
        "allow.",
        group="Data",
        minimum=1,
        maximum=MOST_PIXELS,
        adopted="architecture",
    )
    input_channels: int = option(
        3,
        "(new) Channels of the input: 1, 3 and 4 are made of what files hold, other numbers have "
        "to be there.",
        group="Data",
        minimum=1,
        maximum=1024,
        adopted="architecture",
    )
    output_channels: int = option(
        3,
        "(new) Channels of the output.",
        group="Data",
        minimum=1,
        maximum=1024,
        adopted="architecture",
    )
    value_range: str = option(
        "0,1",
        "(new) LOW,HIGH: the values in float TIFF and .npy files that stand for black and white. "
        "Integers use the range of their type.",
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
    lab_colorization: bool = option(
        False,
        "Learn colour: split single images into lightness (A) and colour (B).",
        group="Data",
        adopted="architecture",
    )
    separable_conv: bool = option(
        False, "Separable convolutions in the generator.", group="Model", adopted="architecture"
    )
    bottleneck_norm: bool = option(
        True,
        "(new) Normalise the innermost level as the reference does, which leaves it without "
        "gradient at batch size 1; --nobottleneck_norm follows the paper's erratum. Only of --netG "
        "unet with --norm batch.",
        group="Model",
        adopted="architecture",
    )
    tile: int = option(
        0,
        "(new) Translate images larger than this, in pixels, in overlapping tiles of this size, "
        "rounded up to what the generator takes; 0 for whole images.",
        group="Test and export",
        minimum=0,
        adopted="never",
    )
    val_dir: str | None = option(
        None,
        "(new) Folder like --input_dir that is measured while training: val.csv, TensorBoard, "
        "pictures of the first images, and checkpoints/best.safetensors, which has the least L1.",
        group="Watching",
    )
    val_freq: int = option(
        1000, "(new) Steps between two such measurements.", group="Watching", minimum=1
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_size(self.crop_size, flag="--crop_size")
        self._check_scale()
        self._check_pairs()
        if self.separable_conv and self.netG != "unet":
            raise InputError(
                f"Expected --separable_conv only with --netG unet. Received: --netG {self.netG}"
            )
        if self.cache == "disk" and (
            self.strategy == MULTI_WORKER or runs.is_remote(self.output_dir)
        ):
            raise InputError(
                "Expected --cache none or memory with several workers or an address as "
                "--output_dir. Received: disk"
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

    @property
    def minimum_width(self):
        """The smallest usable width of a file, in pixels."""
        return 2 if self.dataset_mode == "aligned" and not self.lab_colorization else 1

    @property
    def multiple(self):
        """The sides of an image that the generator takes are multiples of this, in pixels."""
        if self.netG == "unet":
            return 2 ** sizes.halvings(self.crop_size)
        return MULTIPLES[self.netG]

    @property
    def channels(self):
        """Channels of (inputs, outputs); in Lab mode lightness has one, colour two."""
        if not self.lab_colorization:
            return self.input_channels, self.output_channels
        return (1, 2) if self.which_direction == "AtoB" else (2, 1)

    @property
    def file_channels(self):
        """For each file of an example the numbers of channels that it is decoded to."""
        if self.lab_colorization:
            return ((3,),)
        a, b = self.channels if self.which_direction == "AtoB" else self.channels[::-1]
        modes = {"aligned": ((a, b),), "folders": ((a,), (b,))}
        return modes.get(self.dataset_mode, ((self.input_channels,),))

    def _check_pairs(self):
        codecs.parse_range(self.value_range)
        if self.dataset_mode == "single" and self.mode == "train":
            raise InputError(
                "Expected --dataset_mode aligned or folders with --mode train: learning needs "
                "targets. Received: single"
            )
        given = (self.dataset_mode, self.input_channels, self.output_channels)
        if self.lab_colorization and given != ("aligned", 3, 3):
            raise InputError(
                "Expected --lab_colorization alone: it makes pairs of single colour images. "
                "Received: --dataset_mode {}, --input_channels {}, --output_channels {}".format(
                    *given
                )
            )
        uniform = sizes.same_for_all(self.preprocess)
        if self.mode == "train" and self.batch_size > 1 and not uniform:
            raise InputError(
                f"Expected --batch_size 1 with --preprocess {self.preprocess}, where images differ "
                f"in size. Received: {self.batch_size}"
            )

    def _check_scale(self):
        crop, scale = sizes.sides(self.crop_size), sizes.sides(self.scale_size)
        # Which sides are scaled before a crop: both, the width alone, or none.
        first = {"resize_and_crop": 0, "scale_width_and_crop": 1}.get(self.preprocess, 2)
        small = any(side < least for side, least in zip(scale[first:], crop[first:], strict=True))
        if self.mode in ("train", "demo") and small:
            raise InputError(
                f"Expected --scale_size to be at least {self.crop_size}. Received: "
                f"{self.scale_size}; the proportion of the defaults is {_scaled(crop)}"
            )


def _scaled(crop):
    """The --scale_size that is to this crop what 286 is to 256."""
    return sizes.parse("x".join(str(round(side * 286 / 256)) for side in crop))
