"""Every option of pix2pix-tf, under the reference's names and with the reference's defaults.

Reference:
    affinelayer/pix2pix-tensorflow, pix2pix.py. Options that it does not have are marked "(new)".
"""

import dataclasses

from pix2pix_tf.data import codecs, sizes
from pix2pix_tf.data_options import DataOptions
from pix2pix_tf.device_options import DeviceOptions
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluate_options import EvaluateOptions
from pix2pix_tf.options import changed, option
from pix2pix_tf.serve_options import ServeOptions
from pix2pix_tf.shared_options import MOST_PIXELS, MOST_STEPS, SharedOptions

PROGRAM = "pix2pix-tf"
DATASET_MODES = ("aligned", "folders", "single")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(ServeOptions, DeviceOptions, EvaluateOptions, DataOptions):
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
    scale_size: sizes.Size = option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        also="load_size",
        group="Data",
        minimum=1,
        maximum=MOST_PIXELS,
        adopted="data",
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
        self._check_scale(self.scale_size, flag="--scale_size")
        self._check_pairs()
        if self.separable_conv and self.netG != "unet":
            raise InputError(
                f"Expected --separable_conv only with --netG unet. Received: --netG {self.netG}"
            )
        if self.separable_conv and self.init_type != "normal":
            raise InputError(
                f"Expected --separable_conv with --init_type normal. Received: {self.init_type}"
            )

    @property
    def minimum_width(self):
        """The smallest usable width of a file, in pixels."""
        return 2 if self.dataset_mode == "aligned" and not self.lab_colorization else 1

    @property
    def channels(self):
        """Channels of (inputs, outputs); in Lab mode lightness has one, colour two."""
        if not self.lab_colorization:
            return self.input_channels, self.output_channels
        return (1, 2) if self.which_direction == "AtoB" else (2, 1)

    @property
    def framing(self) -> sizes.Framing:
        """Which size images get."""
        return self._framing(method="area")

    @property
    def reading(self):
        """How the examples of a data set become pairs, a `decode.Reading`."""
        from pix2pix_tf.data.decode import Reading

        a, b = self.channels if self.which_direction == "AtoB" else self.channels[::-1]
        values = codecs.parse_range(self.value_range)
        return Reading(
            dataset_mode=self.dataset_mode,
            direction=self.which_direction,
            lab=self.lab_colorization,
            sides=tuple(codecs.Side(channels=count, value_range=values) for count in (a, b)),
        )

    @property
    def file_channels(self):
        """For each file of an example the numbers of channels that it is decoded to."""
        if self.lab_colorization:
            return ((3,),)
        a, b = self.channels if self.which_direction == "AtoB" else self.channels[::-1]
        modes = {"aligned": ((a, b),), "folders": ((a,), (b,))}
        return modes.get(self.dataset_mode, ((self.input_channels,),))

    def _check_pairs(self):
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
