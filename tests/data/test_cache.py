"""Decoded images that are kept: the same batches as without, never a kept jitter."""

import os

import numpy as np
import pytest
from support import write_pairs

from pix2pix_tf.data import cache, listing, pipelines
from pix2pix_tf.data.decode import ExampleFormat
from pix2pix_tf.data.samples import DomainSpec
from pix2pix_tf.data.sizes import ResizeSpec


def batches(paths, reading, fetch=None):
    """The first six batches."""
    framing = ResizeSpec(crop_size=32, scale_size=40)
    load = pipelines.pair_loader(paths, reading=reading, framing=framing, seed=5, fetch=fetch)
    made = pipelines.batches(load, batch_size=2).take(6)
    return [[part.numpy() for part in batch] for batch in made]


@pytest.mark.parametrize(
    "reading",
    [
        ExampleFormat(sides=(DomainSpec(channels=4), DomainSpec(value_range=(9, 99)))),
        *(
            pytest.param(reading, marks=pytest.mark.slow)
            for reading in (
                ExampleFormat(),
                ExampleFormat(sides=(DomainSpec(channels=1), DomainSpec())),
                ExampleFormat(lab=True),
                ExampleFormat(direction="BtoA"),
            )
        ),
    ],
)
def test_batches_are_the_same_as_without(pairs, tmp_path, reading):
    paths = listing.list_images(pairs)
    expected = batches(paths, reading)
    for kind in ("memory", "disk"):
        fetch = cache.make(kind, reading, paths, folder=tmp_path)
        found = batches(paths, reading, fetch)
        for one, other in zip(expected, found, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)
    # Five files: the second epoch shows them again, jittered anew.
    assert len({batch[0].tobytes() for batch in expected}) == len(expected)


def test_deep_files_keep_their_depth(tmp_path):
    array = np.random.default_rng(0).random((8, 16, 3), np.float32)
    np.save(tmp_path / "a.npy", array)
    paths = listing.list_images(tmp_path)
    decoded = cache.make("disk", ExampleFormat(), paths, folder=tmp_path / "cache")(0)[0]
    np.testing.assert_array_equal(decoded, array)


def test_a_cache_on_disk_is_taken_up_until_a_file_changes(tmp_path):
    paths = listing.list_images(write_pairs(tmp_path / "data", 3))
    folder = tmp_path / "cache"

    def made():
        fetch = cache.make("disk", ExampleFormat(), paths, folder=folder)
        return (folder / "decoded.raw").stat().st_ino, fetch(1)[0].numpy()

    before, pixels = made()
    again, same = made()
    assert again == before
    np.testing.assert_array_equal(pixels, same)
    write_pairs(tmp_path / "data", 3, seed=1)
    os.utime(paths[1], (1, 1))
    after, changed = made()
    assert after != before and (changed != pixels).any()
    (folder / "decoded.json").write_text("{}")
    assert made()[0] != after
