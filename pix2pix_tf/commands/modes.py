"""What the modes of pix2pix-tf do once TensorFlow is loaded."""

import functools
from pathlib import Path

import numpy as np
import tensorflow as tf

from pix2pix_tf import model as models
from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, runs, saving
from pix2pix_tf.commands.train import Training
from pix2pix_tf.config import PROGRAM, Pix2PixConfig
from pix2pix_tf.data import cache, decode, images, listing, pipelines
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation import results as result_files
from pix2pix_tf.export.saved_model import ServedModel
from pix2pix_tf.inference import files
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.model import LOSSES
from pix2pix_tf.training import checkpoints, losses, runtime

# What the report shows of a training batch; TensorBoard also gets the discriminator's verdicts.
SHOWN = ("inputs", "outputs", "targets")


def training_batches(config, paths, *, first_step=0, context=None, fetch=None):
    """The batches that a run trains on.

    Args:
        config: `Pix2PixConfig` with a seed.
        paths: Image files.
        first_step: Number of updates already made.
        context: tf.distribute.InputContext for the share of one worker, or None for all.
        fetch: What `_cache` returned.

    Returns:
        tf.data.Dataset of (inputs, targets), float32 [n, h, w, c] in [-1, 1], endless.
    """
    return pipelines.pair_batches(
        paths,
        reading=config.reading,
        framing=config.framing,
        batch_size=config.batch_size,
        seed=config.seed,
        first_step=first_step,
        flip=config.flip,
        context=context,
        fetch=fetch,
    )


def _cache(config, paths):
    if config.cache == "none":
        return None
    folder = Path(config.output_dir) / run_folder.CACHE
    with decode.bad_files_named(listing.files(paths), config.reading):
        return cache.make(config.cache, config.reading, paths, folder=folder)


def training(config, *, paths, validated=()):
    """The training of one run.

    Args:
        config: `Pix2PixConfig` with a seed.
        paths: Image files.
        validated: Image files to measure while training.

    Returns:
        `train.Training`.
    """

    def validation(model):
        averages = model.weight_averages
        return _validation(config, model.generator, validated, averages=averages)

    return Training(
        examples=len(paths),
        epochs=config.max_epochs,
        longer="--max_epochs",
        build=lambda steps_per_epoch: models.build(config),
        batches=functools.partial(training_batches, config, paths, fetch=_cache(config, paths)),
        named=lambda: decode.bad_files_named(listing.files(paths), config.reading),
        progress={"L1": LOSSES[2], "D": LOSSES[0], "G": LOSSES[1]},
        images=functools.partial(_pictures, config),
        show=functools.partial(_show, config, paths=paths),
        write_report=lambda: write_training_report(config),
        translate=lambda model, batch: {"outputs": (batch[0], model(batch[0]))},
        undecided=losses.undecided("discriminator_loss", mode=config.gan_mode),
        options=runs.run_options(config, program=PROGRAM),
        validation=validation if validated else None,
        means=metrics.QUICK,
    )


def _validation(config, generator, paths, *, averages=None):
    """Makes the function that measures `paths` while training, as test would afterwards.

    Args:
        config: `Pix2PixConfig` with a seed.
        generator: The generator that is trained.
        paths: Image files.
        averages: `WeightAverages` of the generator, which are measured in its place, or None.

    Returns:
        Function of the step to (dict from names to means, dict from kinds to uint8 images of the
        first examples); it adds those to the run's report.
    """
    measured = generator if averages is None else models.build_generator(config)
    translate, names = translation(config, measured), listing.names(paths)

    def measure(step):
        if averages is not None:
            for variable, average in zip(measured.variables, averages.values, strict=True):
                variable.assign(average)
        means, samples = files.summary(translate(paths))
        shown = [f"val-{name}" for name in names[: files.SAMPLES]]
        result_files.write_images(config.output_dir, shown, samples, step=step)
        return means, {kind: _stacked(arrays) for kind, arrays in samples.items()}

    return measure


def _stacked(arrays):
    """Those arrays that have the shape and type of the first, in one array."""
    first = arrays[0]
    return np.stack([a for a in arrays if (a.shape, a.dtype) == (first.shape, first.dtype)])


def _show(config, step, pictures, *, paths):
    chosen = pipelines.batch_paths(paths, step - 1, batch_size=config.batch_size, seed=config.seed)
    shown = {kind: pictures[kind] for kind in SHOWN}
    result_files.write_images(config.output_dir, listing.names(chosen), shown, step=step)
    write_training_report(config)


def write_training_report(config):
    """Writes the run's index.html from the pictures and the log in its folder."""
    return result_files.write_training_report(
        config.output_dir,
        title=f"pix2pix: training of {Path(config.output_dir).name}",
        options=runs.run_options(config, program=PROGRAM),
    )


def _pictures(config, batch, tensors):
    inputs, targets = batch
    verdicts = {
        name: images.from_unit(tf.sigmoid(tensors[name]))
        for name in ("predict_real", "predict_fake")
    }
    shown = images.pictures(
        inputs,
        targets,
        tensors["outputs"],
        lab=config.lab_colorization,
        direction=config.which_direction,
    )
    return {**shown, **verdicts}


def load_generator(config, checkpoint):
    """Builds the generator of a run and restores its weights, averaged ones if there are any.

    Args:
        config: `Pix2PixConfig` with the run's architecture; without `ema` the weights are those
            of the last step.
        checkpoint: Checkpoint file.

    Returns:
        `keras.Model` from [n, h, w, c] to [n, h, w, c'], in [-1, 1].
    """
    generator = models.build_generator(config)
    checkpoints.restore_weights(checkpoint, generator.variables, averaged=config.ema)
    return generator


def translation(config, generator, *, target_type=None):
    """The function that translates files as test does; see `files.pairs`."""
    return files.pairs(
        predictor(config, generator),
        reading=config.reading,
        framing=config.framing,
        batch_size=config.batch_size,
        seed=config.seed if config.test_dropout else None,
        target_type=target_type,
    )


def results(config, paths, *, checkpoint):
    """Translates every file and writes the pictures.

    Args:
        config: Resolved `Pix2PixConfig`.
        paths: Image files.
        checkpoint: Checkpoint file.

    Yields:
        The report's rows, with metrics, one by one.
    """
    runtime.prepare(seed=config.seed, deterministic=config.deterministic)
    names, first = listing.names(paths), 0
    target_type = datasets.types(config.checkpoint).get(config.which_direction[-1])
    generator = load_generator(config, checkpoint)
    translate = translation(config, generator, target_type=target_type)
    for found in translate(paths):
        done = names[first : first + len(found.depths)]
        first += len(done)
        rows = result_files.write_images(
            config.output_dir, done, found.pictures, aspect_ratio=config.aspect_ratio
        )
        result_files.write_exact(
            config.output_dir,
            done,
            outputs=found.outputs,
            depths=found.depths,
            sources=found.sources,
            selection=config.sides[0].selection,
            is_half=config.dataset_mode == "aligned" and not config.lab_colorization,
        )
        for index, row in enumerate(rows):
            row["metrics"] = {name: float(values[index]) for name, values in found.metrics.items()}
        yield from rows


def constant_image_l1(config, *, known, paths):
    """L1 of the best translation that looks at no input.

    Of all constant images the median of the known targets, pixel by pixel, has the least L1 on
    them.

    Args:
        config: `Pix2PixConfig`.
        known: Files whose targets are known.
        paths: Files to measure on.

    Returns:
        Mean absolute difference in [-1, 1].
    """

    def targets(chosen):
        batches = pipelines.test_pairs(
            chosen, reading=config.reading, framing=config.framing, batch_size=16
        )
        return np.concatenate([pair[1].numpy() for pair in batches])

    return float(np.abs(targets(paths) - np.median(targets(known), axis=0)).mean())


def predictor(config, generator, *, exported=False):
    """The generator of a run as a `Predictor`.

    Args:
        config: `Pix2PixConfig` with the run's architecture.
        generator: The run's generator.
        exported: Whether it becomes part of an export, which is a graph.
    """
    a, b = config.sides
    return Predictor(
        generator,
        sides=(a, b) if config.which_direction == "AtoB" else (b, a),
        lab=config.lab_colorization,
        direction=config.which_direction,
        tile=0 if exported else config.tile,
        blend_tile=config.blend_tile if exported else 0,
        scratch_dir=config.scratch_dir,
    )


def served(config, generator):
    """(generator, `ServedModel` of it)."""
    translate = predictor(config, generator, exported=config.mode != "serve")
    return generator, ServedModel(
        generator,
        translate.unit,
        filetype=config.output_filetype,
        channels=translate.channels,
        value_ranges=tuple(side.value_range for side in translate.sides),
        target_type=datasets.types(config.checkpoint).get(config.which_direction[-1], "uint8"),
    )


def load(run, *, tile=0):
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
    return predictor(config, load_generator(config, checkpoint))


def save_run(model, config, folder):
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
