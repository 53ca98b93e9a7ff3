"""The parts of CycleGAN that commands call: training, translation there and back."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from cyclegan_tf import model as models
from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, runs, saving
from pix2pix_tf.commands.program import Training
from pix2pix_tf.data import cache, images, listing, pipelines
from pix2pix_tf.inference import files
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.layers import check_choice
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
    folder = run_folder.place(config.output_dir) / run_folder.CACHE
    a, b = (
        cache.make(config.cache, reading, of_domain, folder=folder / domain)
        for reading, of_domain, domain in zip(config.readings, paths, "AB", strict=True)
    )

    def names(step: int) -> list[str]:
        batch = pipelines.unpaired_paths(
            *paths, step - 1, batch_size=config.batch_size, seed=config.seed
        )
        pairs = zip(*map(listing.names, batch), strict=True)
        return [f"{name_a}-{name_b}" for name_a, name_b in pairs]

    return Training(
        examples=max(map(len, paths)),
        epochs=config.n_epochs + config.n_epochs_decay,
        longer="--n_epochs or --n_epochs_decay",
        build=lambda steps_per_epoch: models.build(config, steps_per_epoch=steps_per_epoch),
        load=pipelines.unpaired_loader(
            *paths,
            readings=config.readings,
            framing=config.framing,
            seed=config.seed,
            flip=config.flip,
            fetches=(a, b),
        ),
        readings=list(zip(paths, config.readings, strict=True)),
        progress={
            "cyc": "generator_loss_cycle_A",
            "D": "discriminator_loss_A",
            "G": "generator_loss_GAN_BA",
        },
        images=_images,
        names=names,
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
    )


def _images(
    batch: tuple[tf.Tensor, tf.Tensor], tensors: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    of_a = {"real_A": batch[0], "fake_B": tensors["fake_b"], "rec_A": tensors["rec_a"]}
    of_b = {"real_B": batch[1], "fake_A": tensors["fake_a"], "rec_B": tensors["rec_b"]}
    of_a["idt_A"], of_b["idt_B"] = tensors["identity_a"], tensors["identity_b"]
    return {
        kind: images.from_unit(images.viewable(images.from_signed(tensor)))
        for kind, tensor in {**of_a, **of_b}.items()
    }


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
    generators, types = models.build_generators(config), datasets.types(config.checkpoint)
    variables = [variable for network in generators.values() for variable in network.variables]
    checkpoints.restore_weights(checkpoint, variables, averaged=config.ema)
    return {
        way: Predictor(
            generators[name],
            sides=config.sides if way == "AtoB" else config.sides[::-1],
            tile=0 if exported else config.tile,
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
