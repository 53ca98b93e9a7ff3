"""Translating image files there and back, and how far from the original they come back."""

import functools
from typing import NamedTuple

import tensorflow as tf

from cyclegan_tf import reading
from pix2pix_tf.data import codecs, images, listing, pipelines
from pix2pix_tf.evaluation import metrics, results
from pix2pix_tf.inference.translate import translate
from pix2pix_tf.networks.layers import dropout_seeds
from pix2pix_tf.training.session import decode_errors_named

# The generators that translate there and back, and the domains of what goes in and comes out.
DIRECTIONS = {"AtoB": ("gen_ab", "gen_ba", "A", "B"), "BtoA": ("gen_ba", "gen_ab", "B", "A")}


def channels(config, direction):
    """Channels of what goes in and of what comes out."""
    return config.channels if direction == "AtoB" else config.channels[::-1]


class Translated(NamedTuple):
    """A batch of results.

    Attributes:
        pictures: Dict from kinds ("real_A", ...) to n arrays [h, w, c], uint8 or uint16.
        metrics: Dict from names to float32 [n].
        outputs: n arrays [h, w, c] of the sources' types: the translated images.
        depths: `codecs.Depth` of each of the n sources.
    """

    pictures: dict
    metrics: dict
    outputs: list
    depths: list


def translations(config, generators, examples, *, direction):
    """Translates files there and back as test does.

    Args:
        config: `CycleGANConfig` with a seed.
        generators: Dict from "gen_ab" and "gen_ba" to the generators.
        examples: Image files, or pairs of a file and its true translation.
        direction: "AtoB" or "BtoA".

    Yields:
        `Translated` for each batch, in the order of the files.
    """
    counts = channels(config, direction)
    look = _look(config, generators, direction=direction)
    is_true_known = not isinstance(examples[0], str)
    read = reading.reader(config, *(counts if is_true_known else counts[:1]))
    batches = pipelines.test_pairs(
        examples, batch_size=config.batch_size, method="bicubic", **vars(read), **config.framing
    )
    first = 0
    with decode_errors_named(listing.files(examples), read.attempt):
        for real, *true in batches:
            units = look(real, true, tf.constant(first, tf.int64))
            found = [
                codecs.depth(listing.source(example))
                for example in examples[first : first + len(real)]
            ]
            first += len(real)
            yield _in_depths(units, found, read.value_range, direction=direction)


def _look(config, generators, *, direction):
    """Makes the function of a batch and, in a list, its true translations to all pictures."""
    forth, back, source, target = DIRECTIONS[direction]
    alike = len(set(config.channels)) == 1

    @tf.function(reduce_retracing=True, autograph=False)
    def look(real, true, first):
        seeds = dropout_seeds(config.seed, first, tf.shape(real, tf.int64)[0])
        seeds = seeds if config.test_dropout and config.dropout else None

        def through(name, batch):
            network = functools.partial(generators[name], dropout_seeds=seeds)
            size = {"multiple": generators[name].multiple, "tile": config.tile}
            return translate(network, batch, **size)

        fake = through(forth, real)
        signed = {f"real_{source}": real, f"fake_{target}": fake}
        signed[f"rec_{source}"] = through(back, fake)
        if alike:
            signed[f"idt_{source}"] = through(back, real)
        if true:
            signed[f"true_{target}"] = true[0]
        return {kind: images.from_signed(batch) for kind, batch in signed.items()}

    return look


def _in_depths(units, found, value_range, *, direction):
    _, _, source, target = DIRECTIONS[direction]
    units = {kind: batch.numpy() for kind, batch in units.items()}
    samples = results.quantize(units, found, value_range)
    signed = {kind: results.to_signed(samples[kind], value_range) for kind in samples}
    real, fake, true = (
        signed.get(k) for k in (f"real_{source}", f"fake_{target}", f"true_{target}")
    )
    measured = {f"cycle L1 {source}": metrics.l1(real, signed[f"rec_{source}"])}
    if true is not None:
        measured[f"L1 {direction}"] = metrics.l1(true, fake)
    if true is not None and true.shape == real.shape:
        measured[f"L1 of the input {direction}"] = metrics.l1(true, real)
    views = results.viewable(samples, value_range)
    return Translated(views, measured, samples[f"fake_{target}"], found)
