"""Translating image files and measuring the results: what test and validation share."""

import itertools

import numpy as np
import tensorflow as tf

from pix2pix_tf import model as models
from pix2pix_tf.data import folders, images, pipelines
from pix2pix_tf.evaluation import gallery, metrics
from pix2pix_tf.networks.layers import dropout_seeds
from pix2pix_tf.training.session import decode_errors_named

# Pictures of so many images are kept at every validation.
SAMPLES = 4


def colour(config):
    """The options of `config` (Pix2PixConfig) that say what a file holds, as arguments."""
    return {"lab": config.lab_colorization, "direction": config.which_direction}


def translations(config, generator):
    """Makes the function that translates files as test does.

    Args:
        config: `Pix2PixConfig` with a seed.
        generator: Its generator; weights that change later are seen.

    Returns:
        Function of paths that yields, for each batch in the order of the files, (pictures,
        metrics): dicts to uint8 [n, 256, 256, c] and to float32 [n].
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def look(inputs, targets, first):
        seeds = dropout_seeds(config.seed, first, tf.shape(inputs, tf.int64)[0])
        seeds = seeds if config.test_dropout else None
        outputs = generator(inputs, dropout_seeds=seeds)
        return images.pictures(inputs, targets, outputs, **colour(config))

    def translate(paths):
        first = 0
        batches = pipelines.test_pairs(paths, batch_size=config.batch_size, **colour(config))
        with decode_errors_named(paths, images.decode):
            for inputs, targets in batches:
                looked = look(inputs, targets, tf.constant(first, tf.int64))
                first += len(inputs)
                pictures = {kind: batch.numpy() for kind, batch in looked.items()}
                signed = (_signed(pictures[kind]) for kind in ("targets", "outputs"))
                yield pictures, metrics.pair_metrics(*signed)

    return translate


def _signed(pixels):
    return pixels.astype(np.float32) / 127.5 - 1


def validation(config, generator, paths, *, averages=None):
    """Makes the function that measures `paths` while training, as test would afterwards.

    Args:
        config: `Pix2PixConfig` with a seed.
        generator: The generator that is trained.
        paths: Image files.
        averages: `WeightAverages` of the generator, which are measured in its place, or None.

    Returns:
        Function of the step to (dict from names to means, dict from kinds to uint8 pictures of
        the first images); it adds those to the run's report.
    """
    measured = generator if averages is None else models.build_generator(config)
    translate, names = translations(config, measured), folders.names(paths)

    def measure(step):
        if averages is not None:
            for variable, average in zip(measured.variables, averages.values, strict=True):
                variable.assign(average)
        batches, rows = [], []
        for pictures, row in translate(paths):
            rows.append(row)
            if len(batches) < SAMPLES:
                batches.append(pictures)
        samples = {
            kind: np.concatenate([pictures[kind] for pictures in batches])[:SAMPLES]
            for kind in batches[0]
        }
        shown = [f"val-{name}" for name in itertools.islice(names, SAMPLES)]
        gallery.write_pictures(config.output_dir, shown, samples, step=step)
        return {
            name: float(np.mean(np.concatenate([row[name] for row in rows]))) for name in rows[0]
        }, samples

    return measure
