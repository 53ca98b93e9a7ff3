"""From files of two domains to batches, as the options say."""

import contextlib

from pix2pix_tf import run_folder
from pix2pix_tf.data import cache, codecs, pairs, pipelines
from pix2pix_tf.training.session import decode_errors_named


def reader(config, *counts):
    """The `pairs.Reader` of images with so many channels, or of such with their translations."""
    return pairs.Reader(
        dataset_mode="single" if len(counts) == 1 else "folders",
        channels=(counts[0], counts[-1]),
        value_range=codecs.parse_range(config.value_range),
    )


def readers(config):
    """The `pairs.Reader` of images of A, and that of images of B."""
    return [reader(config, count) for count in config.channels]


def caches(config, paths):
    """For (files of A, files of B) what `pipelines.training_unpaired` takes as `fetches`."""
    if config.cache == "none":
        return (None, None)
    folder = run_folder.place(config.output_dir) / run_folder.CACHE
    with bad_files_named(config, paths):
        return [
            cache.make(config.cache, one, files, folder=folder / domain)
            for one, files, domain in zip(readers(config), paths, "AB", strict=True)
        ]


def training_batches(config, paths, *, first_step=0, context=None, fetches=(None, None)):
    """The batches that a run trains on.

    Args:
        config: `CycleGANConfig` with a seed.
        paths: (files of A, files of B).
        first_step: Number of updates already made.
        context: tf.distribute.InputContext for the share of one worker, or None for all.
        fetches: What `caches` returned.

    Returns:
        tf.data.Dataset of (images of A, images of B), float32 [n, h, w, c] in [-1, 1], endless.
    """
    return pipelines.training_unpaired(
        *paths,
        readers=readers(config),
        fetches=fetches,
        batch_size=config.batch_size,
        seed=config.seed,
        first_step=first_step,
        context=context,
        flip=config.flip,
        multiple=config.multiple,
        **config.framing,
    )


@contextlib.contextmanager
def bad_files_named(config, paths):
    """Raises an `InputError` that names the file of A or B that cannot be decoded."""
    with contextlib.ExitStack() as stack:
        for files, one in zip(paths, readers(config), strict=True):
            stack.enter_context(decode_errors_named(files, one.attempt))
        yield
