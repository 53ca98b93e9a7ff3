"""Every option of cyclegan-tf, under the PyTorch code's names and with its defaults.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, options/ and models/cycle_gan_model.py.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_tf.config import (
    CHECK_DATA,
    COMMANDS,
    COMPARE,
    MOST_PIXELS,
    MOST_STEPS,
    Config,
    data_option,
    override_option,
    run_option,
    training_option,
)
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import OptionError

if TYPE_CHECKING:
    from pix2pix_tf.data.decode import ExampleFormat

PROGRAM = "cyclegan-tf"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANConfig(Config):
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    # Without validation, training translates nothing as test does.
    COMMANDS = {**COMMANDS, "train": dataclasses.replace(COMMANDS["train"], extra="")}
    resize_method = "bicubic"

    # Run
    input_dir: Path | None = override_option(
        "input_dir",
        help="Folder with the folders trainA and trainB (train), testA and testB (test), or "
        "tfds:cycle_gan/NAME for a data set of TensorFlow Datasets; test also takes a folder of "
        "images.",
    )
    input_dir_A: Path | None = run_option(
        None, "Folder of images of A, in place of the one in --input_dir.", inherit="run"
    )
    input_dir_B: Path | None = run_option(
        None, "Folder of images of B, in place of the one in --input_dir.", inherit="run"
    )
    output_dir: Path | None = override_option(
        "output_dir", help="Folder for the results; demo writes to cyclegan-demo."
    )

    # Training
    gan_mode: str = override_option("gan_mode", default="lsgan")
    n_epochs: int = training_option(100, "Epochs at the full learning rate.", ge=0, le=MOST_STEPS)
    n_epochs_decay: int = training_option(
        100,
        "Further epochs, over which --lr_policy linear falls to zero; training ends after them, "
        "or at --max_steps.",
        ge=0,
        le=MOST_STEPS,
    )
    lr_policy: str = training_option(
        "linear",
        "How the learning rate falls: linear; step, to a tenth every --lr_decay_iters epochs; "
        "cosine, to zero over --n_epochs, after which it rises again.",
        choices=("linear", "step", "cosine"),
    )
    lr_decay_iters: int = training_option(
        50, "Epochs between two drops of --lr_policy step.", ge=1, le=MOST_STEPS
    )
    lambda_A: float = training_option(10.0, "Weight of the cycle A to B to A.", ge=0)
    lambda_B: float = training_option(10.0, "Weight of the cycle B to A to B.", ge=0)
    lambda_identity: float = training_option(
        0.5,
        "Weight, relative to the cycles, of the identity loss: images that already are in the "
        "output's domain stay as they are; 0 saves two passes per step.",
        ge=0,
    )
    pool_size: int = training_option(
        50,
        "Translated images per domain that are kept to train the discriminators with; 0 for none.",
        ge=0,
        le=10_000,
    )

    # Data
    direction: str = data_option(
        "AtoB",
        "The generator that test, evaluate and export use; evaluate without it uses both where it "
        "finds both sets. In train, BtoA exchanges --lambda_A and --lambda_B.",
        choices=("AtoB", "BtoA", "both"),
        inherit="run",
    )
    load_size: sizes.Size = data_option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        alias="scale_size",
        ge=1,
        le=MOST_PIXELS,
    )
    input_channels: int = override_option(
        "input_channels",
        help="Channels of images of A. 1, 3 and 4 are converted from what files have; other "
        "numbers must match the files.",
    )
    output_channels: int = override_option(
        "output_channels",
        help="Channels of images of B. Where they are not those of A, there is no identity loss: "
        "--lambda_identity 0.",
    )

    # Model
    netG: str = override_option("netG", default="resnet_9blocks")
    norm: str = override_option("norm", default="instance")
    dropout: bool = override_option("dropout", default=False, help="Dropout in the generators.")

    def _check_program(self) -> None:
        self._check_scale("load_size")
        if self.command not in ("train", "demo"):
            return
        if self.mode == "train" and self.direction == "both":
            raise OptionError("Expected {direction} AtoB or BtoA with {mode} train. Received: both")
        if self.lambda_identity and self.input_channels != self.output_channels:
            # As PyTorch CycleGAN, cycle_gan_model.py.
            raise OptionError(
                "the identity loss needs equal channels: set {lambda_identity} 0. Received: "
                f"{self.input_channels} channels in A and {self.output_channels} in B"
            )
        if self.pool_size:
            self._require_one_size("pool_size", 0)

    def _require_input(self) -> None:
        folders = {"A": self.input_dir_A, "B": self.input_dir_B}
        if self.command == COMPARE or not any(folders.values()):
            self._require("input_dir")
        elif self.command != CHECK_DATA:
            domains = (
                "AB" if self.mode == "train" or self.direction == "both" else self.direction[0]
            )
            self._require_sides({domain: folders[domain] for domain in domains})

    def _unused(self) -> Iterator[tuple[str, str]]:
        yield from super()._unused()
        if self.lr_policy != "step":
            yield "lr_decay_iters", f"with --lr_policy {self.lr_policy}"

    @property
    def scale_size(self) -> sizes.Size:
        """`load_size`, under the name that both programs share."""
        return self.load_size

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions that a command translates in."""
        return ("AtoB", "BtoA") if self.direction == "both" else (self.direction,)

    @property
    def cycle_weights(self) -> tuple[float, float]:
        """The weights of the cycles A to B to A and B to A to B."""
        weights = (self.lambda_A, self.lambda_B)
        # PyTorch's --direction BtoA exchanges the domains, and with them what the weights are of.
        return weights[::-1] if self.direction == "BtoA" else weights

    @property
    def readings(self) -> "tuple[ExampleFormat, ExampleFormat]":
        """How images of A and images of B are read."""
        from pix2pix_tf.data.decode import ExampleFormat

        a, b = (ExampleFormat(dataset_mode="single", sides=(side, side)) for side in self.sides)
        return a, b

    def domains(self, phase: str) -> tuple[Path | None, Path | None]:
        """The folders of A and B.

        Args:
            phase: "train" or "test".

        Returns:
            Two paths, None for a domain that no option names.
        """
        folder = self.input_dir
        a, b = (folder and folder / f"{phase}{domain}" for domain in "AB")
        return self.input_dir_A or a, self.input_dir_B or b
