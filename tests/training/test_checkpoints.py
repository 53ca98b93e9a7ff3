"""Checkpoints: whole, named, and refused when damaged."""

import keras
import numpy as np
import pytest

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints


def make_state(value=1.0):
    variables = {"a": keras.Variable(np.full((2, 3), value, "f4")), "n": keras.Variable(3)}
    return variables


def test_round_trip(tmp_path):
    path = checkpoints.save(tmp_path, 12, make_state(2.5), keep=3)
    assert path == run_folder.checkpoint_path(tmp_path, 12)
    state = make_state(0)
    state["n"].assign(0)
    checkpoints.restore(path, state)
    assert np.asarray(state["a"]).tolist() == [[2.5] * 3] * 2
    assert int(state["n"]) == 3


def test_variables_of_one_path_are_refused():
    with pytest.raises(ValueError, match="different paths"):
        checkpoints.named([keras.Variable(1.0, name="a"), keras.Variable(2.0, name="a")])


def test_missing_and_misshapen_variables_are_named(tmp_path):
    path = checkpoints.save(tmp_path, 1, make_state(), keep=1)
    with pytest.raises(InputError, match="has no variable other"):
        checkpoints.restore(path, {"other": keras.Variable(1.0)})
    with pytest.raises(InputError, match=r"Expected a of shape \(3, 2\)"):
        checkpoints.restore(path, {"a": keras.Variable(np.zeros((3, 2), "f4"))})


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_damaged_files_are_named(tmp_path, keep):
    path = checkpoints.save(tmp_path, 1, make_state(), keep=1)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=f"{path.name} is damaged"):
        checkpoints.restore(path, make_state())
