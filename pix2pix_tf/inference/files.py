"""Translating image files and measuring the results: what test and validation share."""

import functools
import itertools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pix2pix_tf import model as models
from pix2pix_tf.data import codecs, decode, images, listing, pipelines
from pix2pix_tf.evaluation import depths, gallery, metrics
from pix2pix_tf.inference.translate import translate
from pix2pix_tf.networks.layers import dropout_seeds

# Pictures of so many images are kept at every validation.
SAMPLES = 4


def colour(config):
    """The options of `config` (Pix2PixConfig) that say what a file holds, as arguments."""
    return {"lab": config.lab_colorization, "direction": config.which_direction}


def batches(config, paths, *, batch_size):
    """The examples as test sees them; see `pipelines.test_pairs`."""
    return pipelines.test_pairs(
        paths, reading=config.reading, framing=config.framing, batch_size=batch_size
    )


def bad_files_named(config, paths):
    """Context in which a file that cannot be decoded raises an `InputError` that names it."""
    return decode.bad_files_named(listing.files(paths), config.reading)


class Translated(NamedTuple):
    """A batch of results.

    Attributes:
        pictures: Dict from kinds ("inputs", ...) to n arrays [h, w, c], uint8 or uint16.
        metrics: Dict from names to float32 [n]; empty without targets.
        outputs: n arrays [h, w, c] of the sources' types.
        depths: `codecs.Depth` of each of the n sources.
    """

    pictures: dict
    metrics: dict
    outputs: list
    depths: list


def translations(config, generator):
    """Makes the function that translates files as test does.

    Args:
        config: `Pix2PixConfig` with a seed.
        generator: Its generator; weights that change later are seen.

    Returns:
        Function of paths that yields `Translated` for each batch, in the order of the files.
    """
    values = codecs.parse_range(config.value_range)

    @tf.function(reduce_retracing=True, autograph=False)
    def look(inputs, targets, first):
        seeds = dropout_seeds(config.seed, first, tf.shape(inputs, tf.int64)[0])
        seeds = seeds if config.test_dropout else None
        network = functools.partial(generator, dropout_seeds=seeds)
        outputs = translate(network, inputs, multiple=generator.multiple, tile=config.tile)
        return images.units(inputs, targets, outputs, **colour(config))

    def translated(paths):
        first = 0
        with bad_files_named(config, paths):
            for inputs, *targets in batches(config, paths, batch_size=config.batch_size):
                target = targets[0] if targets else None
                looked = look(inputs, target, tf.constant(first, tf.int64))
                sources = paths[first : first + len(inputs)]
                first += len(inputs)
                found = [codecs.depth(listing.source(path)) for path in sources]
                yield _in_depths(looked, found, values)

    return translated


def _in_depths(units, found, values):
    units = {kind: batch.numpy() for kind, batch in units.items()}
    samples, measured = depths.quantized(units, found, values), {}
    if "targets" in samples:
        pair = (depths.signed(samples[kind], values) for kind in ("targets", "outputs"))
        measured = metrics.pair_metrics(*pair)
    return Translated(depths.views(samples, values), measured, samples["outputs"], found)


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
    translated, names = translations(config, measured), listing.names(paths)

    def measure(step):
        if averages is not None:
            for variable, average in zip(measured.variables, averages.values, strict=True):
                variable.assign(average)
        first, rows = [], []
        for found in translated(paths):
            rows.append(found.metrics)
            if len(first) < SAMPLES:
                first.append(found.pictures)
        samples = {
            kind: [picture for pictures in first for picture in pictures[kind]][:SAMPLES]
            for kind in first[0]
        }
        shown = [f"val-{name}" for name in itertools.islice(names, SAMPLES)]
        gallery.write_pictures(config.output_dir, shown, samples, step=step)
        means = {
            name: float(np.mean(np.concatenate([row[name] for row in rows]))) for name in rows[0]
        }
        return means, {kind: _stacked(pictures) for kind, pictures in samples.items()}

    return measure


def _stacked(pictures):
    """Those pictures that have the shape and type of the first, in one array."""
    alike = (pictures[0].shape, pictures[0].dtype)
    return np.stack([one for one in pictures if (one.shape, one.dtype) == alike])
