"""TensorBoard's files of a run that was interrupted."""

import numpy as np
import pytest
import tensorflow as tf
from pix2pix_tf.training.summaries import Events, buckets, cut
from tensorboard.plugins.histogram.summary_v2 import histogram_pb


def write(folder, steps):
    events = Events(folder, first_step=steps[0] - 1)
    for step in steps:
        with events.at(step):
            tf.summary.scalar("loss", 1.0 / step)
    events.close()


def steps(folder):
    found = []
    for path in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found += [event.step for value in event.summary.value if value.tag == "loss"]
    return found


def test_events_after_the_checkpoint_are_written_only_once(tmp_path):
    write(tmp_path, range(1, 8))
    write(tmp_path, range(5, 9))
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6, 7, 8]
    write(tmp_path, range(1, 3))
    assert steps(tmp_path) == [1, 2]


def test_files_of_which_nothing_is_left_are_removed(tmp_path):
    write(tmp_path, range(3, 8))
    Events(tmp_path, first_step=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [1, 5, 13, 30, 61])
def test_a_torn_end_is_cut_off(tmp_path, torn):
    write(tmp_path, range(1, 8))
    (path,) = tmp_path.iterdir()
    contents = path.read_bytes()
    path.write_bytes(contents[:-torn])
    cut(path, last_step=100)
    assert contents.startswith(path.read_bytes())
    assert steps(tmp_path) in ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5])


def test_a_file_of_something_else_is_not_read_far(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"\xff" * 1000)
    cut(path, last_step=3)
    assert not path.exists()


@pytest.mark.parametrize("shape", [(1,), (4, 4, 3, 8), (1000,)])
def test_histograms_are_those_of_tensorboard(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = tf.make_ndarray(histogram_pb("x", values, buckets=30).value[0].tensor)
    found = buckets(tf.constant(values)).numpy()
    assert found[:, 2].sum() == values.size
    if values.size > 1:
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_histograms_of_constants_and_of_what_is_not_finite():
    found = buckets(tf.fill([5], 2.0)).numpy()
    assert found[0].tolist() == [2, 2, 5] and found[1:, 2].sum() == 0
    found = buckets(tf.constant([np.nan, np.inf, -1.0, 1.0])).numpy()
    assert (found[0, 0], found[-1, 1]) == (-1, 1) and found[:, 2].sum() == 4
