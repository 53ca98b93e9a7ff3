"""Every option of pix2pix-tf, under the reference's names and with the reference's defaults.

Reference:
    affinelayer/pix2pix-tensorflow, pix2pix.py. Options that it does not have are marked "(new)".
"""

import dataclasses

from pix2pix_tf.device_options import DeviceOptions
from pix2pix_tf.errors import InputError
from pix2pix_tf.options import MOST_PIXELS, MOST_STEPS, SharedOptions
from pix2pix_tf.serve_options import ServeOptions
from pix2pix_tf.settings import changed, option

PROGRAM = "pix2pix-tf"
# pix2pix.py: CROP_SIZE.
_CROP_SIZE = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(ServeOptions, DeviceOptions, SharedOptions):
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    mode: str = changed(
        SharedOptions,
        "mode",
        choices=("train", "test", "export", "serve", "demo"),
        help="What to do: train on a folder; test a run on a folder; export a SavedModel; "
        "serve (new) runs over HTTP; demo (new) generates a small data set, trains, tests and "
        "exports.",
    )

    input_dir: str | None = changed(
        SharedOptions, "input_dir", help="Folder with side-by-side images, A left and B right."
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
    which_direction: str = option(
        "AtoB",
        "Translate A to B or B to A.",
        group="Data",
        choices=("AtoB", "BtoA"),
        adopted="architecture",
    )
    scale_size: int = option(
        286,
        "Images are resized to this size in pixels before the random 256x256 crop.",
        group="Data",
        minimum=256,
        maximum=MOST_PIXELS,
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
        self._check_size(_CROP_SIZE, flag="the crop size")
        if self.separable_conv and self.netG != "unet":
            raise InputError(
                f"Expected --separable_conv only with --netG unet. Received: --netG {self.netG}"
            )
