"""The parts of pix2pix that commands call: batches, training, translation."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf import model as models
from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, runs, saving
from pix2pix_tf.commands.program import Training
from pix2pix_tf.config import PROGRAM, Pix2PixConfig
from pix2pix_tf.data import cache, images, listing, pipelines
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.pipelines import Load
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation import results as result_files
from pix2pix_tf.inference import files
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.model import LOSSES
from pix2pix_tf.networks.layers import Network
from pix2pix_tf.training import checkpoints, losses
from pix2pix_tf.training.gan import GAN

# Of a step the means of metrics, and images of the first examples.
Measure = Callable[[int], tuple[dict[str, float], dict[str, np.ndarray]]]


def loader(config: Any, paths: Sequence[Example]) -> Load:
    """What reads and augments the pairs that a run trains on; see `pipelines.pair_loader`.

    Args:
        config: `Pix2PixConfig` with a seed.
        paths: Image files.
    """
    folder = run_folder.place(config.output_dir) / run_folder.CACHE
    return pipelines.pair_loader(
        paths,
        reading=config.reading,
        framing=config.framing,
        seed=config.seed,
        flip=config.flip,
        fetch=cache.make(config.cache, config.reading, paths, folder=folder),
    )


def training(config: Any, examples: Mapping[str, Sequence[Example]]) -> Training:
    """The training of one run.

    Args:
        config: `Pix2PixConfig` with a seed.
        examples: "train", and in "val" the files to measure while training.
    """
    paths, validated = examples["train"], examples["val"]

    def names(step: int) -> list[str]:
        batch = pipelines.batch_paths(
            paths, step - 1, batch_size=config.batch_size, seed=config.seed
        )
        return listing.names(batch)

    return Training(
        examples=len(paths),
        epochs=config.max_epochs,
        longer="--max_epochs",
        build=lambda steps_per_epoch: models.build(config),
        load=loader(config, paths),
        readings=[(listing.files(paths), config.reading)],
        progress={"L1": LOSSES[2], "D": LOSSES[0], "G": LOSSES[1]},
        images=functools.partial(_images, config),
        names=names,
        translate=lambda model, batch: {"outputs": (batch[0], model(batch[0]))},
        undecided=losses.undecided("discriminator_loss", mode=config.gan_mode),
        validation=functools.partial(_validation, config, validated) if validated else None,
    )


def _validation(config: Any, paths: Sequence[Example], model: GAN) -> Measure:
    """Makes the function that measures `paths` while training, as test would afterwards.

    Args:
        config: `Pix2PixConfig` with a seed.
        paths: Image files.
        model: The model that is trained; averages of its weights are measured in their place.

    Returns:
        Function of the step to (dict from names to means, dict from kinds to uint8 images of the
        first examples); it adds those to the run's report.
    """
    averages = model.weight_averages
    measured = model.generator if averages is None else models.build_generator(config)
    translate, names = translation(config, predictor(config, measured)), listing.names(paths)

    def measure(step: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        if averages is not None:
            for variable, average in zip(measured.variables, averages.values, strict=True):
                variable.assign(average)
        found, samples = files.summary(translate(paths))
        means = {name: found[name] for name in metrics.QUICK}
        shown = [f"val-{name}" for name in names[: files.SAMPLES]]
        result_files.write_images(config.output_dir, shown, samples, step=step)
        return means, {kind: _stacked(arrays) for kind, arrays in samples.items()}

    return measure


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Those arrays that have the shape and type of the first, in one array."""
    first = arrays[0]
    return np.stack([a for a in arrays if (a.shape, a.dtype) == (first.shape, first.dtype)])


def _images(
    config: Any, batch: tuple[tf.Tensor, tf.Tensor], tensors: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    inputs, targets = batch
    predictions = {
        name: images.from_unit(tf.sigmoid(tensors[name]))
        for name in ("predict_real", "predict_fake")
    }
    units = images.units(
        inputs,
        targets,
        tensors["outputs"],
        lab=config.lab_colorization,
        direction=config.which_direction,
    )
    shown = {kind: images.from_unit(images.viewable(unit)) for kind, unit in units.items()}
    return {**shown, **predictions}


def translation(config: Any, predictor: Predictor) -> files.Translate:
    """The function that translates files as test does; see `files.pairs`."""
    return files.pairs(
        predictor,
        reading=config.reading,
        framing=config.framing,
        batch_size=config.batch_size,
        seed=config.seed if config.test_dropout else None,
    )


def translations(
    config: Any, checkpoint: Path, *, with_targets: bool = False
) -> dict[str, files.Translate]:
    """For the direction of a run the function that translates files as test does.

    Args:
        config: Resolved `Pix2PixConfig`.
        checkpoint: Checkpoint file.
        with_targets: False: targets are part of the examples.
    """
    found = predictors(config, checkpoint)
    return {way: translation(config, one) for way, one in found.items()}


def constant_image_l1(config: Any, *, known: Sequence[Example], paths: Sequence[Example]) -> float:
    """L1 of the best constant image, a baseline that ignores the input.

    Of all constant images the median of the known targets, pixel by pixel, has the least L1 on
    them.

    Args:
        config: `Pix2PixConfig`.
        known: Files whose targets are known.
        paths: Files to measure on.

    Returns:
        Mean absolute difference in [-1, 1].
    """

    def targets(chosen: Sequence[Example]) -> np.ndarray:
        batches = pipelines.test_pairs(
            chosen, reading=config.reading, framing=config.framing, batch_size=16
        )
        return np.concatenate([pair[1].numpy() for pair in batches])

    return float(np.abs(targets(paths) - np.median(targets(known), axis=0)).mean())


def predictor(
    config: Any, generator: Network, *, target_type: str | None = None, exported: bool = False
) -> Predictor:
    """The generator of a run as a `Predictor`.

    Args:
        config: `Pix2PixConfig` with the run's architecture.
        generator: The run's generator.
        target_type: See `Predictor`.
        exported: Whether it becomes part of an export, which is a graph.
    """
    return Predictor(
        generator,
        sides=config.sides if config.which_direction == "AtoB" else config.sides[::-1],
        lab=config.lab_colorization,
        direction=config.which_direction,
        tile=0 if exported else config.tile,
        scratch_dir=config.scratch_dir,
        target_type=target_type,
    )


def predictors(config: Any, checkpoint: Path, *, exported: bool = False) -> dict[str, Predictor]:
    """For the direction of a run its generator as a `Predictor`.

    Args:
        config: `Pix2PixConfig` with the run's architecture; without `ema` the weights are those
            of the last step.
        checkpoint: Checkpoint file.
        exported: Whether it becomes part of an export, which is a graph.
    """
    generator, way = models.build_generator(config), config.which_direction
    checkpoints.restore_weights(checkpoint, generator.variables, averaged=config.ema)
    target_type = datasets.types(config.checkpoint).get(way[-1])
    return {way: predictor(config, generator, target_type=target_type, exported=exported)}


def load(run: str | os.PathLike[str], *, tile: int = 0) -> Predictor:
    """Loads the generator of a trained run.

    Args:
        run: Run folder, or one checkpoint file in it.
        tile: Side in pixels of the tiles in which larger images are translated; 0 for whole
            images.

    Returns:
        `Predictor`: a function from image arrays, or files, to the like.

    Raises:
        InputError: If there is no run of pix2pix-tf at that place, or its files are damaged.
    """
    config = Pix2PixConfig(mode="export", output_dir=".", checkpoint=str(run), tile=tile)
    config, checkpoint = runs.use_run(config, set(), program=PROGRAM)
    return predictors(config, checkpoint)[config.which_direction]


def save_run(model: GAN, config: Pix2PixConfig, folder: str | os.PathLike[str]) -> None:
    """Writes a run folder of a model that was trained with `fit`.

    Test, export, serve, `load` and `--resume` accept it as a run of pix2pix-tf. Saving a later step
    to the same folder adds a checkpoint.

    Args:
        model: A built and compiled `Pix2Pix`.
        config: `Pix2PixConfig` that describes the model; its options of training and of data are
            those that resuming goes by.
        folder: Run folder.

    Raises:
        InputError: If `config` describes another model, the model is not built and compiled, or
            the folder contains a later step.
    """
    saving.save_run(model, config, folder, program=PROGRAM, expected=models.describe(config))
