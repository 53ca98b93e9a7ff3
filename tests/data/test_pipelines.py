"""The pipelines: the reference's tensors, whole epochs, any step again."""

import itertools

import numpy as np
import pytest
from support import GOLDENS, write_pairs

from pix2pix_tf.data import listing, pipelines


@pytest.fixture(scope="module")
def paths(pairs):
    return listing.list_images(pairs)


def test_the_references_loader():
    golden = np.load(GOLDENS / "reference_pipeline" / "golden.npz")
    paths = listing.list_images(GOLDENS / "reference_pipeline")
    batches = pipelines.test_pairs(paths)
    for path, (inputs, targets) in zip(paths, batches, strict=True):
        name = path.rpartition("/")[2]
        # The golden tensors are float16; other JPEG libraries may differ by 2/255.
        np.testing.assert_allclose(inputs[0], golden[f"{name}/inputs"], atol=4 / 255)
        np.testing.assert_allclose(targets[0], golden[f"{name}/targets"], atol=4 / 255)


def test_every_epoch_is_another_permutation():
    count, seed = 37, 4
    epochs = [
        [int(pipelines.example_index(epoch * count + i, count, seed)) for i in range(count)]
        for epoch in range(3)
    ]
    for epoch in epochs:
        assert sorted(epoch) == list(range(count))
    assert len({tuple(epoch) for epoch in epochs}) == 3
    other = [int(pipelines.example_index(i, count, seed + 1)) for i in range(count)]
    assert other != epochs[0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_small_sets(count):
    found = [int(pipelines.example_index(i, count, 0)) for i in range(2 * count)]
    assert sorted(found) == sorted([*range(count)] * 2)


def test_a_pipeline_starts_at_any_step(paths):
    options = {"batch_size": 2, "seed": 3}
    whole = list(itertools.islice(pipelines.training_pairs(paths, **options), 6))
    rest = pipelines.training_pairs(paths, first_step=4, **options)
    for expected, found in zip(whole[4:], rest, strict=False):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_batch_paths_name_the_files_of_a_batch(paths):
    options = {"batch_size": 2, "seed": 3}
    batches = pipelines.training_pairs(paths, scale_size=256, flip=False, **options)
    for step, (inputs, _) in enumerate(itertools.islice(batches, 4)):
        chosen = pipelines.batch_paths(paths, step, **options)
        (expected, _) = next(iter(pipelines.test_pairs(chosen, batch_size=2)))
        np.testing.assert_array_equal(inputs, expected)


def test_input_and_target_are_transformed_alike(paths):
    for inputs, targets in itertools.islice(pipelines.training_pairs(paths, seed=1), 5):
        np.testing.assert_allclose(inputs, -targets, atol=1e-6)
        assert inputs.shape == (1, 256, 256, 3)


def test_directions_are_swapped(paths):
    forward = next(iter(pipelines.training_pairs(paths, direction="AtoB")))
    backward = next(iter(pipelines.training_pairs(paths, direction="BtoA")))
    np.testing.assert_array_equal(forward[0], backward[1])


@pytest.mark.parametrize(("direction", "channels"), [("AtoB", (1, 2)), ("BtoA", (2, 1))])
def test_lab_splits_single_images(paths, direction, channels):
    batch = next(iter(pipelines.training_pairs(paths, lab=True, direction=direction)))
    assert tuple(part.shape[-1] for part in batch) == channels


def test_kinds_of_files_can_be_mixed(tmp_path):
    write_pairs(tmp_path, 2, suffix=".PNG")
    (tmp_path / "1.PNG").rename(tmp_path / "11.png")
    write_pairs(tmp_path, 1, suffix=".jpg")
    (tmp_path / "1.jpg").rename(tmp_path / "3.JPEG")
    batches = list(pipelines.test_pairs(listing.list_images(tmp_path), batch_size=2))
    assert [len(inputs) for inputs, _ in batches] == [2, 1]
