"""CycleGAN as the commands see it: `CycleGANTask`; runs of it in Python: `load`, `save_run`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import run_folder
from pix2pix_tf.task import Direction
from pix2pix_tf.unpaired import UnpairedTask

if TYPE_CHECKING:  # methods that need TensorFlow import it when they are called
    import tensorflow as tf

    from cyclegan_tf.model import CycleGAN
    from pix2pix_tf.inference.files import Translate
    from pix2pix_tf.inference.predictor import Predictor

# The directions and their generators.
GENERATORS = {"AtoB": "gen_ab", "BtoA": "gen_ba"}


class CycleGANTask(UnpairedTask[CycleGANConfig, "CycleGAN"]):
    """CycleGAN: translation between two unpaired sets, in both directions."""

    name = PROGRAM
    title = "CycleGAN"
    config_class = CycleGANConfig
    directions = {
        "AtoB": Direction(output="fake_B", target="true_B", label=" AtoB", prefix="A-"),
        "BtoA": Direction(output="fake_A", target="true_A", label=" BtoA", prefix="B-"),
    }
    progress_losses = {
        "cyc": "generator_loss_cycle_A",
        "D": "discriminator_loss_A",
        "G": "generator_loss_GAN_BA",
    }

    def test_directions(self, config: CycleGANConfig, explicit: Collection[str]) -> tuple[str, ...]:
        """Those of --direction; evaluate without it uses both where it finds both sets."""
        if config.mode == "evaluate" and "direction" not in explicit:
            if all(folder is not None and folder.is_dir() for folder in config.domains("test")):
                return tuple(self.directions)
        return config.directions

    def describe_model(self, config: CycleGANConfig) -> CycleGAN:
        from cyclegan_tf import model

        return model.make_model(config)

    def build_model(self, config: CycleGANConfig, *, steps_per_epoch: int) -> CycleGAN:
        from cyclegan_tf import model

        return model.build(config, steps_per_epoch=steps_per_epoch)

    def sample_images(
        self,
        config: CycleGANConfig,
        batch: tuple[tf.Tensor, tf.Tensor],
        tensors: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        from pix2pix_tf.data import images

        samples = {
            "real_A": batch[0],
            "fake_B": tensors["fake_b"],
            "rec_A": tensors["rec_a"],
            "idt_A": tensors["identity_a"],
            "real_B": batch[1],
            "fake_A": tensors["fake_a"],
            "rec_B": tensors["rec_b"],
            "idt_B": tensors["identity_b"],
        }
        return {
            kind: images.from_unit(images.viewable(images.from_signed(tensor)))
            for kind, tensor in samples.items()
        }

    def translate_batch(
        self, model: CycleGAN, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        real_a, real_b = batch
        return {
            "fake_B": (real_a, model.gen_ab(real_a)),
            "fake_A": (real_b, model.gen_ba(real_b)),
        }

    def chance_losses(self, config: CycleGANConfig) -> dict[str, float]:
        from cyclegan_tf.model import DISCRIMINATOR_WEIGHT
        from pix2pix_tf.training import losses

        return losses.chance_level(
            "discriminator_loss_A",
            "discriminator_loss_B",
            mode=config.gan_mode,
            weight=DISCRIMINATOR_WEIGHT,
        )

    def load_predictors(
        self, config: CycleGANConfig, checkpoint: Path, *, exported: bool = False
    ) -> dict[str, Predictor]:
        from cyclegan_tf.model import build_generators
        from pix2pix_tf.inference.predictor import Predictor
        from pix2pix_tf.training import checkpoints

        generators = build_generators(config)
        variables = [variable for network in generators.values() for variable in network.variables]
        checkpoints.restore_weights(checkpoint, variables, averaged=config.ema)
        types = self.stored_types(config)
        return {
            direction: Predictor(
                generators[name],
                sides=config.sides if direction == "AtoB" else config.sides[::-1],
                tile=0 if exported else config.tile,
                scratch_dir=config.scratch_dir,
                target_type=types.get(direction[-1]),
            )
            for direction, name in GENERATORS.items()
        }

    def load_translators(
        self, config: CycleGANConfig, checkpoint: Path, *, with_targets: bool = False
    ) -> dict[str, Translate]:
        """The functions that translate files there and back."""
        from pix2pix_tf.inference import files

        predictors = self.load_predictors(config, checkpoint)
        return {
            direction: files.cycles(
                predictor,
                predictors[f"{direction[-1]}to{direction[0]}"],
                direction=direction,
                framing=config.framing,
                with_targets=with_targets,
                batch_size=config.batch_size,
                seed=config.seed if config.test_dropout and config.dropout else None,
            )
            for direction, predictor in predictors.items()
        }

    demo_options = {
        "crop_size": 128,
        "direction": "both",
        "flip": False,
        "load_size": 128,
        "lr": 0.0005,
        "n_epochs": 4,
        "n_epochs_decay": 3,
        "ndf": 16,
        "netG": "resnet_6blocks",
        "ngf": 16,
        "output_dir": "cyclegan-demo",
        "seed": 1,
    }
    demo_training_options = {"direction": "AtoB"}


def load(run: str | os.PathLike[str], *, direction: str = "AtoB", tile: int = 0) -> Predictor:
    """Loads one generator of a trained run.

    Args:
        run: Run folder, or one checkpoint file in it.
        direction: "AtoB" or "BtoA".
        tile: Side in pixels of the tiles in which larger images are translated; 0 for whole
            images.

    Returns:
        `Predictor`: translates image arrays, or files.

    Raises:
        InputError: If there is no run of cyclegan-tf at that place, or its files are damaged.
    """
    from pix2pix_tf import api
    from pix2pix_tf.networks.layers import check_choice

    check_choice("direction", direction, tuple(GENERATORS))
    path = run_folder.as_run_path(run)
    config = CycleGANConfig(
        mode="export", output_dir=Path(), direction=direction, tile=tile, checkpoint=path
    )
    return api.load_predictor(CycleGANTask(), config)


def save_run(model: CycleGAN, config: CycleGANConfig, folder: str | os.PathLike[str]) -> None:
    """Writes a run folder of a model that was trained with `fit`.

    Test, export, serve, `load` and `--resume` accept it as a run of cyclegan-tf. Saving a later
    step to the same folder adds a checkpoint.

    Args:
        model: A built and compiled `CycleGAN`.
        config: `CycleGANConfig` that describes the model; its options of training and of data are
            those that resuming goes by.
        folder: Run folder.

    Raises:
        InputError: If `config` describes another model, the model is not built and compiled, or
            the folder contains a later step.
    """
    from pix2pix_tf import api

    api.save_task_run(CycleGANTask(), model, config, folder)
