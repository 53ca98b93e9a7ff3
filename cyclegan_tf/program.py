"""The parts of CycleGAN that commands call: training, translation there and back."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from cyclegan_tf import data
from cyclegan_tf import model as models
from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import options
from pix2pix_tf.commands import datasets, runs, saving
from pix2pix_tf.commands.program import Training
from pix2pix_tf.data import images, listing, pipelines
from pix2pix_tf.evaluation import results as result_files
from pix2pix_tf.inference import files
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.layers import Network, check_choice
from pix2pix_tf.training import checkpoints, losses
from pix2pix_tf.training.gan import GAN

GENERATORS = {"AtoB": "gen_ab", "BtoA": "gen_ba"}


def training(config: Any, examples: Mapping[str, Sequence[str]]) -> Training:
    """The training of one run.

    Args:
        config: `CycleGANConfig` with a seed.
        examples: The files of "A" and of "B".
    """
    paths = (examples["A"], examples["B"])
    return Training(
        examples=max(map(len, paths)),
        epochs=config.n_epochs + config.n_epochs_decay,
        longer="--n_epochs or --n_epochs_decay",
        build=lambda steps_per_epoch: models.build(config, steps_per_epoch=steps_per_epoch),
        load=data.loader(config, paths),
        named=lambda: data.bad_files_named(config, paths),
        progress={
            "cyc": "generator_loss_cycle_A",
            "D": "discriminator_loss_A",
            "G": "generator_loss_GAN_BA",
        },
        images=_images,
        show=functools.partial(_show, config, paths=paths),
        write_report=lambda: _write_report(config),
        translate=lambda model, batch: {
            "fake_B": (batch[0], model.gen_ab(batch[0])),
            "fake_A": (batch[1], model.gen_ba(batch[1])),
        },
        inversion=len(set(config.channels)) == 1,
        undecided=losses.undecided(
            "discriminator_loss_A",
            "discriminator_loss_B",
            mode=config.gan_mode,
            weight=models.DISCRIMINATOR_WEIGHT,
        ),
        options=runs.run_options(config, program=PROGRAM),
    )


def _images(
    batch: tuple[tf.Tensor, tf.Tensor], tensors: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    found = {"real_A": batch[0], "real_B": batch[1]}
    found |= {"fake_B": tensors["fake_b"], "rec_A": tensors["rec_a"]}
    found |= {"fake_A": tensors["fake_a"], "rec_B": tensors["rec_b"]}
    found |= {"idt_A": tensors["identity_a"], "idt_B": tensors["identity_b"]}
    return {
        kind: images.from_unit(images.viewable(images.from_signed(found[kind])))
        for kind in result_files.KINDS
        if kind in found
    }


def _show(config: Any, step: int, shown: Mapping[str, Any], *, paths: data.Paths) -> None:
    chosen = pipelines.unpaired_paths(
        *paths, step - 1, batch_size=config.batch_size, seed=config.seed
    )
    pairs = zip(*map(listing.names, chosen), strict=True)
    names = [f"{name_a}-{name_b}" for name_a, name_b in pairs]
    result_files.write_images(config.output_dir, names, shown, step=step)
    _write_report(config)


def _write_report(config: Any) -> None:
    result_files.write_training_report(
        config.output_dir,
        title=f"CycleGAN: training of {Path(config.output_dir).name}",
        options=runs.run_options(config, program=PROGRAM),
    )


def load_generators(config: Any, checkpoint: Path) -> dict[str, Network]:
    """Builds both generators of a run and restores their weights, averaged ones if there are any.

    Args:
        config: `CycleGANConfig` with the run's architecture.
        checkpoint: Checkpoint file.

    Returns:
        Dict from "gen_ab" and "gen_ba" to `keras.Model`.
    """
    found = models.build_generators(config)
    variables = [variable for network in found.values() for variable in network.variables]
    checkpoints.restore_weights(checkpoint, variables, averaged=config.ema)
    return found


def translations(
    config: Any, checkpoint: Path, *, with_targets: bool
) -> dict[str, files.Translate]:
    """For each direction the function that translates files there and back as test does.

    Args:
        config: Resolved `CycleGANConfig`.
        checkpoint: Checkpoint file.
        with_targets: Whether examples are pairs of a file and its target.
    """
    found = predictors(config, checkpoint)
    return {
        way: files.cycles(
            found[way],
            found[way[-1] + "to" + way[0]],
            direction=way,
            framing=config.framing,
            with_targets=with_targets,
            batch_size=config.batch_size,
            seed=config.seed if config.test_dropout and config.dropout else None,
            target_type=found[way].target_type,
        )
        for way in found
    }


def predictors(config: Any, checkpoint: Path, *, exported: bool = False) -> dict[str, Predictor]:
    """For each direction its generator as a `Predictor`.

    Args:
        config: `CycleGANConfig` with the run's architecture.
        checkpoint: Checkpoint file.
        exported: Whether they become parts of an export, which is a graph.
    """
    generators, types = load_generators(config, checkpoint), datasets.types(checkpoint)
    return {
        way: Predictor(
            generators[name],
            sides=config.sides if way == "AtoB" else config.sides[::-1],
            tile=0 if exported else config.tile,
            blend_tile=config.blend_tile if exported else 0,
            scratch_dir=config.scratch_dir,
            target_type=types.get(way[-1]),
        )
        for way, name in GENERATORS.items()
    }


def load(run: str | os.PathLike[str], *, direction: str = "AtoB", tile: int = 0) -> Predictor:
    """Loads one generator of a trained run.

    Args:
        run: Run folder, or one checkpoint file in it.
        direction: "AtoB" or "BtoA".
        tile: Side in pixels of the tiles in which larger images are translated; 0 for whole
            images.

    Returns:
        `Predictor`: a function from image arrays, or files, to the like.

    Raises:
        InputError: If there is no run of cyclegan-tf at that place, or its files are damaged.
    """
    check_choice("direction", direction, tuple(GENERATORS))
    config = CycleGANConfig(
        mode="export", output_dir=".", direction=direction, tile=tile, checkpoint=str(run)
    )
    with options.named_for_caller():
        config, checkpoint = runs.use_run(config, {"direction"}, program=PROGRAM)
        return predictors(config, checkpoint)[direction]


def save_run(model: GAN, config: CycleGANConfig, folder: str | os.PathLike[str]) -> None:
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
    saving.save_run(model, config, folder, program=PROGRAM, expected=models.describe(config))
