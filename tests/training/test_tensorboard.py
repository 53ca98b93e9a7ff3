"""What TensorBoard shows: of interrupted runs, losses first, histograms."""

import numpy as np
import pytest
import tensorflow as tf
from support import shown_by_tensorboard
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from pix2pix_tf.training.tensorboard import TensorBoard, buckets


class Model:
    """As much of a model as the callback looks at."""

    def __init__(self, step):
        self.step = step


def write(folder, steps):
    board = TensorBoard(folder, options={"lr": 0.5})
    board.set_model(Model(steps[0] - 1))
    board.on_train_begin()
    for step in steps:
        board.write(step, scalars={"losses/L1": step + len(steps)})
    board.on_train_end()
    # Their names begin with the second.
    for number, path in enumerate(sorted(folder.glob("events*"))):
        path.rename(path.with_name(f"events.out.tfevents.000000000{number}.host"))


def scalars(folder):
    found = shown_by_tensorboard(folder)
    return [(step, value) for step, tag, value in found if tag == "losses/L1"]


def test_events_after_the_checkpoint_are_shown_only_once(tmp_path):
    write(tmp_path, range(1, 8))
    write(tmp_path, range(5, 9))
    assert scalars(tmp_path) == [(s, s + 7) for s in range(1, 5)] + [
        (s, s + 4) for s in range(5, 9)
    ]


@pytest.mark.parametrize("torn", [1, 5, 13, 30, 61])
def test_a_torn_end_does_not_hide_what_follows(tmp_path, torn):
    write(tmp_path, range(1, 8))
    *_, path = sorted(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-torn])
    write(tmp_path, range(5, 9))
    assert [step for step, _ in scalars(tmp_path)] == list(range(1, 9))


def test_the_options_are_a_table(tmp_path):
    write(tmp_path, range(1, 3))
    (text,) = [value for _, tag, value in shown_by_tensorboard(tmp_path) if tag == "options"]
    assert b"| lr | 0.5 |" in text


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
