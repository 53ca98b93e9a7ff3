"""From files of two domains to batches."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.data import cache, decode, pipelines
from pix2pix_tf.data.decode import Reading
from pix2pix_tf.data.pipelines import Fetch

Paths = tuple[Sequence[str], Sequence[str]]


def readings(config: Any) -> tuple[Reading, Reading]:
    """How images of A and images of B are read."""
    a, b = (Reading(dataset_mode="single", sides=(side, side)) for side in config.sides)
    return a, b


def caches(config: Any, paths: Paths) -> tuple[Fetch | None, Fetch | None]:
    """For (files of A, files of B) the `fetches` of `pipelines.unpaired_batches`."""
    if config.cache == "none":
        return None, None
    folder = run_folder.place(config.output_dir) / run_folder.CACHE
    with bad_files_named(config, paths):
        a, b = (
            cache.make(config.cache, reading, files, folder=folder / domain)
            for reading, files, domain in zip(readings(config), paths, "AB", strict=True)
        )
    return a, b


def training_batches(
    config: Any,
    paths: Paths,
    *,
    first_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    fetches: tuple[Fetch | None, Fetch | None] = (None, None),
) -> tf.data.Dataset:
    """The batches that a run trains on.

    Args:
        config: `CycleGANConfig` with a seed.
        paths: (files of A, files of B).
        first_step: Number of updates already made.
        context: tf.distribute.InputContext for the share of one worker, or None for all.
        fetches: Result of `caches`.

    Returns:
        tf.data.Dataset of (images of A, images of B), float32 [n, h, w, c] in [-1, 1], endless.
    """
    return pipelines.unpaired_batches(
        *paths,
        readings=readings(config),
        framing=config.framing,
        batch_size=config.batch_size,
        seed=config.seed,
        first_step=first_step,
        flip=config.flip,
        context=context,
        fetches=fetches,
    )


@contextlib.contextmanager
def bad_files_named(config: Any, paths: Paths) -> Iterator[None]:
    """Raises an `InputError` with the name of the file of A or B that cannot be decoded."""
    with contextlib.ExitStack() as stack:
        for files, reading in zip(paths, readings(config), strict=True):
            stack.enter_context(decode.bad_files_named(files, reading))
        yield
