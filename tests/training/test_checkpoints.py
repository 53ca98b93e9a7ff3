"""Checkpoints: whole, named, and refused when damaged."""

import errno
import os

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


def test_a_part_can_be_restored(tmp_path):
    path = checkpoints.save(tmp_path, 1, make_state(2.5), keep=3)
    state = {"a": make_state(0)["a"]}
    checkpoints.restore(path, state)
    assert np.asarray(state["a"]).max() == 2.5


def test_the_newest_are_kept(tmp_path):
    for step in (1, 2, 3, 4):
        checkpoints.save(tmp_path, step, make_state(), keep=2)
    assert [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(tmp_path)] == [3, 4]


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


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    import resource

    checkpoints.save(tmp_path, 1, make_state(), keep=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = {"a": keras.Variable(np.zeros((100, 100), "f4"))}
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            checkpoints.save(tmp_path, 2, big, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert os.listdir(tmp_path / run_folder.CHECKPOINTS) == ["step-00000001.safetensors"]
    checkpoints.restore(run_folder.checkpoint_path(tmp_path, 1), make_state())
