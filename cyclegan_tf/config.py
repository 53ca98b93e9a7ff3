"""Every option of cyclegan-tf, under the PyTorch code's names and with its defaults.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, options/ and models/cycle_gan_model.py.
"""

import dataclasses
import os

from pix2pix_tf.data import codecs, sizes
from pix2pix_tf.data_options import DataOptions
from pix2pix_tf.device_options import DeviceOptions
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluate_options import EvaluateOptions
from pix2pix_tf.options import changed, option
from pix2pix_tf.shared_options import MOST_PIXELS, MOST_STEPS, SharedOptions

PROGRAM = "cyclegan-tf"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANConfig(DeviceOptions, EvaluateOptions, DataOptions):
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    input_dir: str | None = changed(
        SharedOptions,
        "input_dir",
        help="Folder with the folders trainA and trainB (train), testA and testB (test), or "
        "tfds:cycle_gan/NAME for a data set of TensorFlow Datasets; test also takes a folder of "
        "images.",
    )
    input_dir_A: str | None = option(
        None, "(new) Folder of A, where it is not in --input_dir.", group="Run"
    )
    input_dir_B: str | None = option(
        None, "(new) Folder of B, where it is not in --input_dir.", group="Run"
    )
    output_dir: str | None = changed(
        SharedOptions,
        "output_dir",
        help="Folder that receives what the mode makes; demo writes to cyclegan-demo.",
    )
    gan_mode: str = changed(SharedOptions, "gan_mode", default="lsgan")
    netG: str = changed(SharedOptions, "netG", default="resnet_9blocks")
    norm: str = changed(SharedOptions, "norm", default="instance")
    dropout: bool = changed(
        SharedOptions, "dropout", default=False, help="Dropout in the generators."
    )
    n_epochs: int = option(
        100,
        "Epochs at the full learning rate.",
        group="Training",
        minimum=0,
        maximum=MOST_STEPS,
    )
    n_epochs_decay: int = option(
        100,
        "Epochs after those, over which --lr_policy linear falls to zero; training then ends, or "
        "at --max_steps.",
        group="Training",
        minimum=0,
        maximum=MOST_STEPS,
    )
    lr_policy: str = option(
        "linear",
        "How the learning rate falls: linear; step, to a tenth every --lr_decay_iters epochs; "
        "cosine, to zero over --n_epochs, after which it rises again.",
        group="Training",
        choices=("linear", "step", "cosine"),
    )
    lr_decay_iters: int = option(
        50,
        "Epochs between two drops of --lr_policy step.",
        group="Training",
        minimum=1,
        maximum=MOST_STEPS,
    )
    lambda_A: float = option(10.0, "Weight of the cycle A to B to A.", group="Training", minimum=0)
    lambda_B: float = option(10.0, "Weight of the cycle B to A to B.", group="Training", minimum=0)
    lambda_identity: float = option(
        0.5,
        "Weight, relative to the cycles, of leaving images alone that are in the domain already; "
        "0 saves two passes per step.",
        group="Training",
        minimum=0,
    )
    pool_size: int = option(
        50,
        "Translated images per domain that are kept to train the discriminators with; 0 for none.",
        group="Training",
        minimum=0,
        maximum=10_000,
    )
    direction: str = option(
        "AtoB",
        "Which generator test and export use; evaluate without it both where it finds both sets. "
        "In train, BtoA exchanges --lambda_A and --lambda_B.",
        group="Data",
        choices=("AtoB", "BtoA", "both"),
    )
    load_size: sizes.Size = option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        also="scale_size",
        group="Data",
        minimum=1,
        maximum=MOST_PIXELS,
        adopted="data",
    )
    input_channels: int = changed(
        DataOptions,
        "input_channels",
        help="(PyTorch code) Channels of images of A: 1, 3 and 4 are made of what files hold, "
        "other numbers have to be there.",
    )
    output_channels: int = changed(
        DataOptions,
        "output_channels",
        help="(PyTorch code) Channels of images of B. Where they are not those of A, there is no "
        "identity loss: --lambda_identity 0.",
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_scale(self.load_size, flag="--load_size")
        self._check_training()

    def _check_training(self):
        if self.mode not in ("train", "demo") or self.check_data:
            return
        if self.mode == "train" and self.direction == "both":
            raise InputError("Expected --direction AtoB or BtoA with --mode train. Received: both")
        if self.lambda_identity and self.input_channels != self.output_channels:
            # As PyTorch CycleGAN, cycle_gan_model.py.
            raise InputError(
                "Expected --lambda_identity 0 where A and B differ in their channels. Received: "
                f"{self.lambda_identity}, {self.input_channels} and {self.output_channels} channels"
            )
        if self.pool_size and not sizes.same_for_all(self.preprocess):
            raise InputError(
                f"Expected --pool_size 0 with --preprocess {self.preprocess}, where images differ "
                f"in size. Received: {self.pool_size}"
            )

    def _require_input(self):
        if not (self.input_dir_A and self.input_dir_B):
            super()._require_input()

    @property
    def scale_size(self):
        """`load_size`, under the name that both programs share."""
        return self.load_size

    @property
    def framing(self) -> sizes.Framing:
        """Which size images get."""
        return self._framing(method="bicubic")

    @property
    def sides(self) -> tuple[codecs.Side, codecs.Side]:
        """What the networks see of the images of A and of B."""
        values = codecs.parse_range(self.value_range)
        a, b = (codecs.Side(channels=count, value_range=values) for count in self.channels)
        return a, b

    @property
    def channels(self):
        """Channels of images of (A, B)."""
        return self.input_channels, self.output_channels

    @property
    def cycle_weights(self):
        """The weights of the cycles A to B to A and B to A to B."""
        weights = (self.lambda_A, self.lambda_B)
        # PyTorch's --direction BtoA exchanges the domains, and with them what the weights are of.
        return weights[::-1] if self.direction == "BtoA" else weights

    def file_channels(self, domain):
        """For `folders.check_images` what files of domain "A" or "B" are decoded to."""
        return ((self.channels["AB".index(domain)],),)

    def domains(self, phase):
        """The folders of A and B.

        Args:
            phase: "train" or "test".

        Returns:
            Two paths.
        """
        named = (self.input_dir_A, self.input_dir_B)
        if all(named):
            return named
        return tuple(os.path.join(self.input_dir, f"{phase}{domain}") for domain in "AB")
