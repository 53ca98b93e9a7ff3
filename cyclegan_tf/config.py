"""Every option of cyclegan-tf, under the PyTorch code's names and with its defaults.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, options/ and models/cycle_gan_model.py.
"""

import dataclasses
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pix2pix_tf.config import (
    CHECK_DATA,
    COMPARE,
    MOST_PIXELS,
    MOST_STEPS,
    SIZE,
    TESTING,
    Config,
    changed,
    data_option,
    run_option,
    training_option,
)
from pix2pix_tf.data import sizes
from pix2pix_tf.data.samples import Side
from pix2pix_tf.errors import InputError

if TYPE_CHECKING:
    from pix2pix_tf.data.decode import Reading

PROGRAM = "cyclegan-tf"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANConfig(Config):
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    # Run
    input_dir: str | None = changed(
        "input_dir",
        help="Folder with the folders trainA and trainB (train), testA and testB (test), or "
        "tfds:cycle_gan/NAME for a data set of TensorFlow Datasets; test also takes a folder of "
        "images.",
    )
    input_dir_A: str | None = run_option(
        None,
        "Folder of images of A, in place of the one in --input_dir.",
        modes=("train", *TESTING, CHECK_DATA),
        adopted="run",
    )
    input_dir_B: str | None = run_option(
        None,
        "Folder of images of B, in place of the one in --input_dir.",
        modes=("train", *TESTING, CHECK_DATA),
        adopted="run",
    )
    output_dir: str | None = changed(
        "output_dir", help="Folder for the results; demo writes to cyclegan-demo."
    )

    # Training
    gan_mode: str = changed("gan_mode", default="lsgan")
    n_epochs: int = training_option(
        100, "Epochs at the full learning rate.", minimum=0, maximum=MOST_STEPS
    )
    n_epochs_decay: int = training_option(
        100,
        "Further epochs, over which --lr_policy linear falls to zero; training ends after them, "
        "or at --max_steps.",
        minimum=0,
        maximum=MOST_STEPS,
    )
    lr_policy: str = training_option(
        "linear",
        "How the learning rate falls: linear; step, to a tenth every --lr_decay_iters epochs; "
        "cosine, to zero over --n_epochs, after which it rises again.",
        choices=("linear", "step", "cosine"),
    )
    lr_decay_iters: int = training_option(
        50, "Epochs between two drops of --lr_policy step.", minimum=1, maximum=MOST_STEPS
    )
    lambda_A: float = training_option(10.0, "Weight of the cycle A to B to A.", minimum=0)
    lambda_B: float = training_option(10.0, "Weight of the cycle B to A to B.", minimum=0)
    lambda_identity: float = training_option(
        0.5,
        "Weight, relative to the cycles, of the identity loss: images that already are in the "
        "output's domain stay as they are; 0 saves two passes per step.",
        minimum=0,
    )
    pool_size: int = training_option(
        50,
        "Translated images per domain that are kept to train the discriminators with; 0 for none.",
        minimum=0,
        maximum=10_000,
    )

    # Data
    direction: str = data_option(
        "AtoB",
        "The generator that test, evaluate and export use; evaluate without it uses both where it "
        "finds both sets. In train, BtoA exchanges --lambda_A and --lambda_B.",
        modes=("train", *TESTING, "export", "serve", COMPARE, CHECK_DATA),
        choices=("AtoB", "BtoA", "both"),
        adopted="run",
    )
    load_size: sizes.Size = data_option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        also="scale_size",
        kind=SIZE,
        minimum=1,
        maximum=MOST_PIXELS,
    )
    input_channels: int = changed(
        "input_channels",
        help="Channels of images of A. 1, 3 and 4 are converted from what files have; other "
        "numbers must match the files.",
    )
    output_channels: int = changed(
        "output_channels",
        help="Channels of images of B. Where they are not those of A, there is no identity loss: "
        "--lambda_identity 0.",
    )

    resize_method = "bicubic"

    # Test and export: without validation, training has no use for them.
    test_dropout: bool = changed("test_dropout", modes=("demo", *TESTING))
    tile: int = changed("tile", modes=("demo", *TESTING, "serve"))
    scratch_dir: str | None = changed("scratch_dir", modes=("demo", *TESTING, "serve"))

    # Model
    netG: str = changed("netG", default="resnet_9blocks")
    norm: str = changed("norm", default="instance")
    dropout: bool = changed("dropout", default=False, help="Dropout in the generators.")

    def _check_program(self) -> None:
        self._check_scale(self.load_size, flag="--load_size")
        if self.mode not in ("train", "demo") or self.check_data:
            return
        if self.mode == "train" and self.direction == "both":
            raise InputError("Expected --direction AtoB or BtoA with --mode train. Received: both")
        if self.lambda_identity and self.input_channels != self.output_channels:
            # As PyTorch CycleGAN, cycle_gan_model.py.
            raise InputError(
                "the identity loss needs equal channels: set --lambda_identity 0; got "
                f"{self.input_channels} channels in A and {self.output_channels} in B"
            )
        if self.pool_size and not sizes.same_for_all(self.preprocess):
            raise InputError(
                f"Expected --pool_size 0 with --preprocess {self.preprocess}, where images differ "
                f"in size. Received: {self.pool_size}"
            )

    def _require_input(self) -> None:
        named = {"A": self.input_dir_A, "B": self.input_dir_B}
        if self.input_dir or (self.check_data and any(named.values())):
            return
        needed = {"AtoB": "A", "BtoA": "B"}.get(self.direction, "AB")
        if self.mode == "train" and not self.check_data:
            needed = "AB"
        if self.purpose == COMPARE or not any(named.values()):
            self._require("input_dir")
        self._require_sides({domain: named[domain] for domain in needed})

    def _conditions(self) -> Iterator[tuple[str, str]]:
        yield from super()._conditions()
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
    def sides(self) -> tuple[Side, Side]:
        """What the networks see of images of A and of B."""
        return self._sides(self.channels)

    @property
    def readings(self) -> "tuple[Reading, Reading]":
        """How images of A and images of B are read."""
        from pix2pix_tf.data.decode import Reading

        a, b = (Reading(dataset_mode="single", sides=(side, side)) for side in self.sides)
        return a, b

    def domains(self, phase: str) -> tuple[str | None, str | None]:
        """The folders of A and B.

        Args:
            phase: "train" or "test".

        Returns:
            Two paths, None for a domain that no option names.
        """
        folder = self.input_dir
        inside = [folder and os.path.join(folder, f"{phase}{domain}") for domain in "AB"]
        return self.input_dir_A or inside[0], self.input_dir_B or inside[1]
