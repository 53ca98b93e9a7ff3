"""Every option of pix2pix-tf, under the reference's names and with the reference's defaults.

Reference:
    affinelayer/pix2pix-tensorflow, pix2pix.py. Options that it does not have are marked "(new)".
"""

import dataclasses

from pix2pix_tf import settings
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import InputError
from pix2pix_tf.settings import option

PROGRAM = "pix2pix-tf"
MODES = ("train", "test", "export", "demo")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixConfig:
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    mode: str = option(
        "demo",
        "What to do: train on a folder of pairs; test a run on a folder; export a SavedModel; "
        "demo (new) generates a small data set, trains, tests and exports.",
        group="Run",
        choices=MODES,
        adopted="never",
    )
    input_dir: str | None = option(
        None, "Folder with side-by-side images, A left and B right.", group="Run"
    )
    output_dir: str | None = option(
        None,
        "Folder that receives what the mode makes; demo writes to pix2pix-demo.",
        group="Run",
        adopted="never",
    )
    checkpoint: str | None = option(
        None,
        "Run folder, or one checkpoint file in it, to continue from (train) or to use "
        "(test, export).",
        group="Run",
        adopted="never",
    )
    seed: int | None = option(
        None, "Seed of everything random; drawn and stored when not given.", group="Run", minimum=0
    )
    max_steps: int | None = option(
        None,
        "Step at which training ends, counted from the very first one; 0 for no end.",
        group="Training",
        minimum=0,
    )
    max_epochs: int | None = option(
        None,
        "Epoch at which training ends; --max_steps wins if both are given.",
        group="Training",
        minimum=0,
    )
    batch_size: int = option(1, "Images per step.", group="Training", minimum=1)
    lr: float = option(0.0002, "Learning rate of Adam.", group="Training", minimum=0)
    beta1: float = option(
        0.5, "Decay of Adam's first moment.", group="Training", minimum=0, below=1
    )
    l1_weight: float = option(
        100.0, "Weight of the L1 term in the generator's loss.", group="Training", minimum=0
    )
    gan_weight: float = option(
        1.0, "Weight of the GAN term in the generator's loss.", group="Training", minimum=0
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
        adopted="data",
    )
    crop_size: sizes.Size = option(
        256,
        "(new) Size in pixels of the random crops, one number or HxW. The generator's depth "
        "follows from it: 8 halvings for 256, to 1x1 for powers of two, else as many as both sides "
        "allow.",
        group="Data",
        # Three layers of stride 2 and two 4x4 ones without: 24 px give one verdict.
        minimum=24,
        adopted="architecture",
    )
    flip: bool = option(True, "Mirror pairs at random; --no_flip turns it off.", group="Data")
    lab_colorization: bool = option(
        False,
        "Learn colour: split single images into lightness (A) and colour (B).",
        group="Data",
        adopted="architecture",
    )
    ngf: int = option(
        64,
        "Filters of the generator's first layer.",
        group="Model",
        minimum=1,
        adopted="architecture",
    )
    ndf: int = option(
        64,
        "Filters of the discriminator's first layer.",
        group="Model",
        minimum=1,
        adopted="architecture",
    )
    separable_conv: bool = option(
        False, "Separable convolutions in the generator.", group="Model", adopted="architecture"
    )
    bottleneck_norm: bool = option(
        True,
        "(new) Normalise the innermost level as the reference does, which leaves it without "
        "gradient at batch size 1; --nobottleneck_norm follows the paper's erratum.",
        group="Model",
        adopted="architecture",
    )
    progress_freq: int = option(
        50,
        "Steps between progress lines and rows of log.csv; 0 for none.",
        group="Watching",
        minimum=0,
    )
    summary_freq: int = option(
        100, "Steps between TensorBoard summaries; 0 for none.", group="Watching", minimum=0
    )
    display_freq: int = option(
        0,
        "Steps between pictures in the run's index.html; 0 for none.",
        group="Watching",
        minimum=0,
    )
    trace_freq: int = option(
        0, "Steps between profiles for TensorBoard; 0 for none.", group="Watching", minimum=0
    )
    save_freq: int = option(
        5000,
        "Steps between checkpoints; 0 for none at all, not even at the end.",
        group="Watching",
        minimum=0,
    )
    keep_checkpoints: int = option(
        3, "(new) How many checkpoints are kept.", group="Watching", minimum=1
    )
    aspect_ratio: float = option(
        1.0,
        "Width divided by height of the pictures that test writes.",
        group="Test and export",
        above=0,
        adopted="never",
    )
    test_dropout: bool = option(
        True,
        "(new) Keep dropout on in test as the reference does, seeded by --seed; "
        "--notest_dropout turns it off.",
        group="Test and export",
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
    output_filetype: str = option(
        "png",
        "Encoding of the pictures that an export returns.",
        group="Test and export",
        choices=("png", "jpeg"),
        adopted="never",
    )

    def __post_init__(self):
        settings.check(self)
        if self.mode == "demo":
            self._refuse("input_dir", "checkpoint")
        if self.mode in ("train", "test"):
            self._require("input_dir")
        if self.mode in ("test", "export"):
            self._require("checkpoint")
        if self.mode != "demo":
            self._require("output_dir")
        self._check_sizes()

    def _check_sizes(self):
        crop, scale = sizes.sides(self.crop_size), sizes.sides(self.scale_size)
        if not sizes.halvings(self.crop_size):
            raise InputError(
                "Expected both sides of --crop_size to be multiples of 2, better of a higher power "
                f"of two. Received: {self.crop_size}"
            )
        # Which sides are scaled before a crop: both, the width alone, or none.
        first = {"resize_and_crop": 0, "scale_width_and_crop": 1}.get(self.preprocess, 2)
        small = any(side < least for side, least in zip(scale[first:], crop[first:], strict=True))
        if self.mode in ("train", "demo") and small:
            raise InputError(
                f"Expected --scale_size to be at least {self.crop_size}. Received: "
                f"{self.scale_size}; the proportion of the defaults is {_scaled(crop)}"
            )

    def _require(self, name):
        if not getattr(self, name):
            raise InputError(f"Expected --{name} with --mode {self.mode}. Received: nothing")

    def _refuse(self, *names):
        for name in names:
            if getattr(self, name):
                raise InputError(
                    f"Expected no --{name} with --mode demo, which makes its own data. "
                    f"Received: {getattr(self, name)}; name --mode train, test or export"
                )


def _scaled(crop):
    """The --scale_size that is to this crop what 286 is to 256."""
    return sizes.parse("x".join(str(round(side * 286 / 256)) for side in crop))
