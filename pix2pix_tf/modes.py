"""What the modes of pix2pix-tf do once TensorFlow is loaded."""

import functools
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf import command, runs
from pix2pix_tf import model as models
from pix2pix_tf.config import PROGRAM
from pix2pix_tf.data import cache, codecs, folders, images, pairs, pipelines
from pix2pix_tf.deploy.saved_model import ServedModel
from pix2pix_tf.deploy.saved_model import export as save_export
from pix2pix_tf.deploy.translate import translate, translate_pictures
from pix2pix_tf.evaluation import depths, gallery, metrics
from pix2pix_tf.evaluation.report import write_report
from pix2pix_tf.networks.layers import dropout_seeds
from pix2pix_tf.training import checkpoints, loop, session

# What the report shows of a training batch; TensorBoard also gets the discriminator's verdicts.
SHOWN = ("inputs", "outputs", "targets")


def training_batches(config, paths, *, first_step=0):
    """The batches that a run trains on.

    Args:
        config: `Pix2PixConfig` with a seed.
        paths: Image files.
        first_step: Number of updates already made.

    Returns:
        tf.data.Dataset of (inputs, targets), float32 [n, h, w, c] in [-1, 1], endless.
    """
    return pipelines.training_pairs(
        paths,
        batch_size=config.batch_size,
        seed=config.seed,
        first_step=first_step,
        **_reading(config),
        **_size(config),
        multiple=config.multiple,
        fetch=_cache(config, paths),
        flip=config.flip,
    )


def _cache(config, paths):
    if config.cache == "none":
        return None
    reader, folder = pairs.Reader(**_reading(config)), Path(config.output_dir) / runs.CACHE
    with _bad_files_named(config, paths):
        return cache.make(config.cache, reader, paths, folder=folder)


def _bad_files_named(config, paths):
    attempt = pairs.Reader(**_reading(config)).attempt
    return session.decode_errors_named(folders.files(paths), attempt)


def train(config, paths, *, checkpoint=None, first_step=0):
    """Trains the run in `config.output_dir`.

    Args:
        config: Resolved `Pix2PixConfig`.
        paths: Image files.
        checkpoint: File to go on from, or None.
        first_step: Its step.

    Returns:
        (number of updates made in all, the signal that ended training or None).

    Raises:
        InputError: If a file cannot be decoded (named), or the losses are not finite.
    """
    keras.utils.set_random_seed(config.seed)
    model = models.build(config)
    print("parameter_count =", model.count_params())
    batches = training_batches(config, paths, first_step=first_step)
    with _bad_files_named(config, paths):
        rate = _pipeline_rate(batches, config.batch_size)
        print(f"input pipeline alone: {rate:.0f} image/sec")
        if checkpoint is not None:
            print(f"continuing at step {first_step}: {checkpoint}")
        result = session.train(
            model,
            batches,
            plan=_plan(config, count=len(paths), first_step=first_step),
            losses=models.LOSSES,
            folder=config.output_dir,
            checkpoint=checkpoint,
            pictures=functools.partial(_pictures, config),
            show=functools.partial(_show, config, paths=paths),
            config=config,
        )
    write_training_report(config)
    return result


def _show(config, step, pictures, *, paths):
    chosen = pipelines.batch_paths(paths, step - 1, batch_size=config.batch_size, seed=config.seed)
    shown = {kind: pictures[kind] for kind in SHOWN}
    gallery.write_pictures(config.output_dir, folders.names(chosen), shown, step=step)
    write_training_report(config)


def write_training_report(config):
    """Writes the run's index.html from the pictures and the log in its folder."""
    folder = Path(config.output_dir)
    return write_report(
        folder,
        title=f"pix2pix: training of {folder.name}",
        rows=gallery.training_rows(folder),
        options=command.options(config, program=PROGRAM),
        log=folder / runs.LOG,
    )


def _plan(config, *, count, first_step):
    per_epoch = -(-count // config.batch_size)
    epochs = config.max_epochs and config.max_epochs * per_epoch
    return loop.Plan(
        first_step=first_step,
        last_step=config.max_steps or epochs or None,
        steps_per_epoch=per_epoch,
        batch_size=config.batch_size,
    )


def _pipeline_rate(batches, batch_size, *, seconds=0.5):
    """Images per second that the pipeline makes when nothing else runs."""
    iterator = iter(batches)
    next(iterator)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        next(iterator)
        count += batch_size
    return count / (time.monotonic() - start)


def _colour(config):
    return {"lab": config.lab_colorization, "direction": config.which_direction}


def _reading(config):
    values = codecs.parse_range(config.value_range)
    mode = {"dataset_mode": config.dataset_mode, "channels": config.channels, "value_range": values}
    return {**_colour(config), **mode}


def _size(config):
    return {
        "preprocess": config.preprocess,
        "scale_size": config.scale_size,
        "crop_size": config.crop_size,
    }


def _pictures(config, batch, tensors):
    inputs, targets = batch
    verdicts = {
        name: images.from_unit(tf.sigmoid(tensors[name]))
        for name in ("predict_real", "predict_fake")
    }
    return {**images.pictures(inputs, targets, tensors["outputs"], **_colour(config)), **verdicts}


def load_generator(config, checkpoint):
    """Builds the generator of a run and restores its weights.

    Args:
        config: `Pix2PixConfig` with the run's architecture.
        checkpoint: Checkpoint file.

    Returns:
        `keras.Model` from [n, h, w, c] to [n, h, w, c'], in [-1, 1].
    """
    generator = models.build_generator(config)
    checkpoints.restore(checkpoint, checkpoints.named(generator.variables))
    return generator


def test(config, paths, *, checkpoint, context=None):
    """Translates every file, writes pictures, metrics.json and the report.

    Args:
        config: Resolved `Pix2PixConfig`.
        paths: Image files.
        checkpoint: Checkpoint file.
        context: Other numbers to stand beside the results, a dict, or None.

    Returns:
        Path of index.html.
    """
    generator, values = load_generator(config, checkpoint), codecs.parse_range(config.value_range)
    names, rows = folders.names(paths), []
    for samples, found in _translated(config, generator, paths):
        done = names[len(rows) : len(rows) + len(found)]
        for name in done:
            print("evaluated image", name)
        part = gallery.write_pictures(
            config.output_dir,
            done,
            depths.views(samples, values),
            aspect_ratio=config.aspect_ratio,
        )
        depths.write_exact(config.output_dir, done, samples["outputs"], found)
        if "targets" in samples:
            pair = (depths.signed(samples[kind], values) for kind in ("targets", "outputs"))
            measured = metrics.pair_metrics(*pair)
            for index, row in enumerate(part):
                row["metrics"] = {name: float(of[index]) for name, of in measured.items()}
        rows += part
    return _write_test(config, rows, checkpoint=checkpoint, context=context or {})


def _translated(config, generator, paths):
    """Yields what `depths.quantized` gives for each batch in the order of the files, and depths."""

    @tf.function(reduce_retracing=True)
    def look(inputs, targets, first):
        seeds = dropout_seeds(config.seed, first, tf.shape(inputs, tf.int64)[0])
        seeds = seeds if config.test_dropout else None
        network = functools.partial(generator, dropout_seeds=seeds)
        outputs = translate(network, inputs, multiple=generator.multiple, tile=config.tile)
        return images.units(inputs, targets, outputs, **_colour(config))

    first, values = 0, codecs.parse_range(config.value_range)
    batches = pipelines.test_pairs(
        paths, batch_size=config.batch_size, **_reading(config), **_size(config)
    )
    with _bad_files_named(config, paths):
        for inputs, *targets in batches:
            units = look(inputs, targets[0] if targets else None, tf.constant(first, tf.int64))
            sources = paths[first : first + len(inputs)]
            found = [codecs.depth(folders.source(path)) for path in sources]
            first += len(inputs)
            units = {kind: batch.numpy() for kind, batch in units.items()}
            yield depths.quantized(units, found, values), found


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

    def targets(files):
        batches = pipelines.test_pairs(files, batch_size=16, **_reading(config), **_size(config))
        return np.concatenate([pair[1].numpy() for pair in batches])

    return float(np.abs(targets(paths) - np.median(targets(known), axis=0)).mean())


def _write_test(config, rows, *, checkpoint, context):
    folder = Path(config.output_dir)
    per_image = {row["name"]: row.get("metrics", {}) for row in rows}
    mean = {
        name: float(np.mean([values[name] for values in per_image.values()]))
        for name in rows[0].get("metrics", {})
    }
    made = command.options(config, program=PROGRAM)
    runs.write_json(folder / f"test_{runs.OPTIONS}", made)
    runs.write_json(
        folder / runs.METRICS,
        {
            "mean": mean,
            "per_image": per_image,
            "count": len(rows),
            "checkpoint": str(checkpoint),
            "context": context,
        },
    )
    title = f"pix2pix: test of {Path(config.checkpoint).name}"
    return write_report(folder, title=title, rows=rows, options=made, summary=mean | context)


def picture_channels(config):
    """Channels of the pictures that a run translates; in Lab mode they are colour pictures."""
    return 3 if config.lab_colorization else config.channels[0]


def translator(config, generator):
    """Makes the function from pictures in [0, 1] to pictures in [0, 1], of any size.

    Args:
        config: `Pix2PixConfig` with the run's architecture.
        generator: The run's generator.

    Returns:
        Function of float32 [n, h, w, 3] to the like; dropout is off.
    """

    def translate(pictures):
        size = {"multiple": generator.multiple, "tile": config.tile}
        return translate_pictures(generator, pictures, **size, **_colour(config))

    return translate


def export(config, *, checkpoint):
    """Writes the generator as a SavedModel; returns the largest difference when reloaded."""
    generator = load_generator(config, checkpoint)
    served = ServedModel(
        generator,
        translator(config, generator),
        filetype=config.output_filetype,
        channels=picture_channels(config),
    )
    difference = save_export(served, config.output_dir)
    made = command.options(config, program=PROGRAM)
    runs.write_json(Path(config.output_dir) / f"export_{runs.OPTIONS}", made)
    return difference
