"""Every option of cyclegan-tf, under the PyTorch code's names and with its defaults.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, options/ and models/cycle_gan_model.py.
"""

import dataclasses
from pathlib import Path

from pix2pix_tf.config import training_option
from pix2pix_tf.errors import OptionError
from pix2pix_tf.unpaired import UnpairedConfig, unpaired_option

PROGRAM = "cyclegan-tf"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANConfig(UnpairedConfig):
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    # Run
    output_dir: Path | None = unpaired_option(
        "output_dir", help="Folder for the results; demo writes to cyclegan-demo."
    )

    # Training
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
    direction: str = unpaired_option(
        "direction",
        help="The generator that test, evaluate and export use; evaluate without it uses both "
        "where it finds both sets. In train, BtoA exchanges --lambda_A and --lambda_B.",
        choices=("AtoB", "BtoA", "both"),
    )
    output_channels: int = unpaired_option(
        "output_channels",
        help="Channels of images of B. Where they are not those of A, there is no identity loss: "
        "--lambda_identity 0.",
    )

    def _check_program(self) -> None:
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
