"""From files of two domains to batches."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.data import cache, decode, pipelines
from pix2pix_tf.data.decode import Reading
from pix2pix_tf.data.pipelines import Load

Paths = tuple[Sequence[str], Sequence[str]]


def readings(config: Any) -> tuple[Reading, Reading]:
    """How images of A and images of B are read."""
    a, b = (Reading(dataset_mode="single", sides=(side, side)) for side in config.sides)
    return a, b


def loader(config: Any, paths: Paths) -> Load:
    """What reads and augments the images that a run trains on; see `pipelines.unpaired_loader`.

    Args:
        config: `CycleGANConfig` with a seed.
        paths: (files of A, files of B).
    """
    folder = Path(config.output_dir) / run_folder.CACHE
    a, b = (
        cache.make(config.cache, reading, files, folder=folder / domain)
        for reading, files, domain in zip(readings(config), paths, "AB", strict=True)
    )
    return pipelines.unpaired_loader(
        *paths,
        readings=readings(config),
        framing=config.framing,
        seed=config.seed,
        flip=config.flip,
        fetches=(a, b),
    )


@contextlib.contextmanager
def bad_files_named(config: Any, paths: Paths) -> Iterator[None]:
    """Raises an `InputError` with the name of the file of A or B that cannot be decoded."""
    with contextlib.ExitStack() as stack:
        for files, reading in zip(paths, readings(config), strict=True):
            stack.enter_context(decode.bad_files_named(files, reading))
        yield
