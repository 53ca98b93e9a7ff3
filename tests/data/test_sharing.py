"""What each replica gets of a batch."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.data import listing, pipelines
from pix2pix_tf.data.decode import Reading
from pix2pix_tf.data.sizes import Framing


def shares(make, *, workers, replicas, batch_size, steps):
    """The batches of `make` put together from what every replica of every worker gets."""
    each = replicas // workers
    iterators = [
        iter(make(tf.distribute.InputContext(workers, worker, replicas), batch_size))
        for worker in range(workers)
    ]
    for _ in range(steps):
        parts = [next(iterator) for iterator in iterators for _ in range(each)]
        assert {part[0].shape[0] for part in parts} == {batch_size // replicas}
        yield tuple(np.concatenate(side) for side in zip(*parts, strict=True))


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 2), (2, 4), (3, 3)])
def test_shares_make_the_batch_of_one_device(pairs, workers, replicas):
    paths = listing.list_images(pairs)
    load = pipelines.pair_loader(paths, reading=Reading(), framing=Framing(), seed=4)

    def make(context, batch_size):
        return pipelines.batches(load, batch_size=batch_size, first_step=3, context=context)

    batch_size = 2 * replicas
    whole = make(None, batch_size)
    found = shares(make, workers=workers, replicas=replicas, batch_size=batch_size, steps=2)
    for parts, batch in zip(found, whole, strict=False):
        for part, side in zip(parts, batch, strict=True):
            np.testing.assert_array_equal(part, side)


def test_shares_of_unpaired_batches(pairs):
    paths = listing.list_images(pairs)
    readings = (Reading(dataset_mode="single"),) * 2
    framing = Framing(scale_size=36, crop_size=32)
    load = pipelines.unpaired_loader(paths, paths[:3], readings=readings, framing=framing, seed=1)

    def make(context, batch_size):
        return pipelines.batches(load, batch_size=batch_size, context=context)

    found = shares(make, workers=2, replicas=2, batch_size=4, steps=3)
    for parts, batch in zip(found, make(None, 4), strict=False):
        for part, side in zip(parts, batch, strict=True):
            np.testing.assert_array_equal(part, side)


def test_every_image_comes_once_per_epoch(tmp_path):
    count = 12
    for number in range(count):
        image = np.full((4, 8, 3), number * 20, np.uint8)
        tf.io.write_file(str(tmp_path / f"{number}.png"), tf.io.encode_png(image))
    paths = listing.list_images(tmp_path)
    framing = Framing(scale_size=256)
    load = pipelines.pair_loader(paths, reading=Reading(), framing=framing, seed=2, flip=False)

    def make(context, batch_size):
        return pipelines.batches(load, batch_size=batch_size, context=context)

    seen = []
    for parts in shares(make, workers=2, replicas=4, batch_size=4, steps=9):
        seen += [round((image.mean() + 1) * 127.5 / 20) for image in parts[0]]
    epochs = [seen[start : start + count] for start in range(0, 3 * count, count)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(count))] * 3
    assert epochs[0] != epochs[1]


def test_a_batch_that_replicas_cannot_share_is_refused(pairs):
    paths = listing.list_images(pairs)
    load = pipelines.pair_loader(paths, reading=Reading(), framing=Framing(), seed=0)
    with pytest.raises(ValueError, match="batch"):
        pipelines.batches(load, batch_size=3, context=tf.distribute.InputContext(1, 0, 2))
