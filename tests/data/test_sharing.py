"""What each replica gets of a batch."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.data import listing, pipelines
from pix2pix_tf.data.decode import ExampleFormat
from pix2pix_tf.data.sizes import ResizeSpec

FRAMING = ResizeSpec(scale_size=36, crop_size=32)


def check_shares(load, *, workers, replicas, batch_size, **options):
    """Compares one device's batches with what every replica of every worker gets."""

    def batches(context=None):
        return pipelines.batches(load, batch_size=batch_size, context=context, **options)

    contexts = [tf.distribute.InputContext(workers, worker, replicas) for worker in range(workers)]
    iterators = [iter(batches(context)) for context in contexts]
    for whole in batches().take(3):
        parts = [next(iterator) for iterator in iterators for _ in range(replicas // workers)]
        assert {part[0].shape[0] for part in parts} == {batch_size // replicas}
        for side, shares in zip(whole, zip(*parts, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(shares), side)


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 2), (2, 4), (3, 3)])
def test_shares_make_the_batch_of_one_device(pairs, workers, replicas):
    paths = listing.list_images(pairs)
    load = pipelines.pair_loader(paths, reading=ExampleFormat(), framing=FRAMING, seed=4)
    check_shares(load, workers=workers, replicas=replicas, batch_size=2 * replicas, first_step=3)


def test_shares_of_unpaired_batches(pairs):
    paths = listing.list_images(pairs)
    readings = (ExampleFormat(dataset_mode="single"),) * 2
    load = pipelines.unpaired_loader(paths, paths[:3], readings=readings, framing=FRAMING, seed=1)
    check_shares(load, workers=2, replicas=2, batch_size=4)


def test_a_batch_that_replicas_cannot_share_is_refused(pairs):
    paths = listing.list_images(pairs)
    load = pipelines.pair_loader(paths, reading=ExampleFormat(), framing=ResizeSpec(), seed=0)
    with pytest.raises(ValueError, match="batch"):
        pipelines.batches(load, batch_size=3, context=tf.distribute.InputContext(1, 0, 2))
