"""What the modes of pix2pix-tf do once TensorFlow is loaded."""

import functools
from pathlib import Path

import numpy as np
import tensorflow as tf

from pix2pix_tf import model as models
from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.train import Training
from pix2pix_tf.config import PROGRAM
from pix2pix_tf.data import cache, images, listing, pipelines
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation import results as result_files
from pix2pix_tf.export.saved_model import ServedModel
from pix2pix_tf.inference import files
from pix2pix_tf.inference.files import colour
from pix2pix_tf.inference.translate import translate_pictures
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
    return pipelines.training_pairs(
        paths,
        batch_size=config.batch_size,
        seed=config.seed,
        first_step=first_step,
        context=context,
        **files.reading(config),
        **config.framing,
        multiple=config.multiple,
        fetch=fetch,
        flip=config.flip,
    )


def _cache(config, paths):
    if config.cache == "none":
        return None
    folder = Path(config.output_dir) / run_folder.CACHE
    with files.bad_files_named(config, paths):
        return cache.make(config.cache, files.reader(config), paths, folder=folder)


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
        return files.validation(config, model.generator, validated, averages=averages)

    return Training(
        examples=len(paths),
        epochs=config.max_epochs,
        longer="--max_epochs",
        build=lambda steps_per_epoch: models.build(config),
        batches=functools.partial(training_batches, config, paths, fetch=_cache(config, paths)),
        named=lambda: files.bad_files_named(config, paths),
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
    return {**images.pictures(inputs, targets, tensors["outputs"], **colour(config)), **verdicts}


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
    for found in files.translations(config, load_generator(config, checkpoint))(paths):
        done = names[first : first + len(found.depths)]
        first += len(done)
        rows = result_files.write_images(
            config.output_dir, done, found.pictures, aspect_ratio=config.aspect_ratio
        )
        result_files.write_exact(
            config.output_dir, done, outputs=found.outputs, depths=found.depths
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
        batches = files.batches(config, chosen, batch_size=16)
        return np.concatenate([pair[1].numpy() for pair in batches])

    return float(np.abs(targets(paths) - np.median(targets(known), axis=0)).mean())


def picture_channels(config):
    """Channels of the pictures that a run translates; in Lab mode they are colour pictures."""
    return 3 if config.lab_colorization else config.channels[0]


def translator(config, generator, *, exported=False):
    """Makes the function from pictures in [0, 1] to pictures in [0, 1], of any size.

    Args:
        config: `Pix2PixConfig` with the run's architecture.
        generator: The run's generator.
        exported: Whether the function becomes part of an export, which is a graph.

    Returns:
        Function of float32 [n, h, w, 3] to the like; dropout is off.
    """

    def translate(pictures):
        return translate_pictures(
            generator,
            pictures,
            multiple=generator.multiple,
            tile=0 if exported else config.tile,
            blend_tile=config.blend_tile if exported else 0,
            scratch_dir=config.scratch_dir,
            **colour(config),
        )

    return translate


def served(config, generator):
    """(generator, `ServedModel` of it)."""
    return generator, ServedModel(
        generator,
        translator(config, generator, exported=config.mode != "serve"),
        filetype=config.output_filetype,
        channels=picture_channels(config),
    )
