"""Resuming, starting from weights, validation and averaging, by the command line."""

import csv
import fcntl
import os
import shutil

import numpy as np
import pytest
import runs
from PIL import Image
from support import refused, state

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints

SIZES = ("--crop_size", 16, "--scale_size", 18)


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    """A run of six steps with validation and averaged weights, which no test changes."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    process = runs.train(
        "pix2pix-tf", pairs, folder, *SIZES, "--progress_freq", 1, "--save_freq", 2,
        "--keep_checkpoints", 1, "--keep_every", 4, "--val_dir", pairs, "--val_freq", 3,
        "--ema_decay", 0.5, steps=6,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture
def copy(run, tmp_path):
    """A copy of that run."""
    return shutil.copytree(run, tmp_path / "run")


@pytest.fixture
def train(pairs):
    """Runs a training command with few flags; returns the finished process."""

    def run(folder, *words):
        words = ("--input_dir", pairs, "--output_dir", folder, "--run_eagerly", *words)
        return runs.command("pix2pix-tf", "train", *words)

    return run


def printed(process):
    """What a command that succeeded printed."""
    assert process.returncode == 0, process.stderr
    return process.stdout


def flip_a_bit(path):
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)


def test_the_newest_and_the_milestones_are_kept(run):
    assert [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(run)] == [4, 6]


def test_resume_starts_and_resumes_with_the_same_words(pairs, tmp_path):
    words = ("pix2pix-tf", pairs, tmp_path / "run", "--resume", "--save_freq", 2)
    printed(runs.train(*words, steps=2))
    assert "resuming at step 2" in printed(runs.train(*words, steps=3))
    assert "this run is finished" in printed(runs.train(*words, steps=3))


def test_a_run_without_checkpoint_keeps_its_seed(train, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    options = {"seed": 77, "ngf": 1, "ndf": 1, "netD": "pixel", "crop_size": 8, "scale_size": 9}
    run_folder.write_json(folder / run_folder.OPTIONS, options)
    (folder / run_folder.LOG).write_text("step,epoch,discriminator_loss\n1,1,0.5\n2,1,0.")
    words = ("--max_steps", 1, "--progress_freq", 1)
    assert "resume it with --resume" in refused(train(folder, *words))
    assert "seed = 77" in printed(train(folder, "--resume", *words))
    with open(folder / run_folder.LOG, newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1"]


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(run, train, copy):
    before, newest = run_folder.checkpoints(copy)
    flip_a_bit(newest)
    process = train(copy, "--resume", "--max_steps", 6)
    assert "resuming at step 4" in printed(process)
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("warning: ")]
    assert f"{newest} is damaged" in line and f"using {before.name} instead" in line
    assert newest.read_bytes() == run_folder.checkpoints(run)[-1].read_bytes()
    assert newest.with_name(newest.name + ".damaged").is_file()


def test_without_an_intact_checkpoint_nothing_starts(train, copy):
    for path in run_folder.checkpoints(copy):
        flip_a_bit(path)
    newest = run_folder.checkpoints(copy)[-1]
    assert f"no intact checkpoint is left: {newest}" in train(copy, "--resume").stderr


@pytest.mark.slow
def test_the_learning_rate_can_be_changed(train, copy):
    printed(train(copy, "--resume", "--lr", 0, "--max_steps", 8, "--keep_checkpoints", 2))
    before, after = (state(copy, step) for step in (6, 8))
    name = "generator/encoder_1/conv2d/kernel"
    np.testing.assert_array_equal(before[name], after[name])


def test_an_earlier_checkpoint_needs_another_folder(run, train, copy, tmp_path):
    older = run_folder.checkpoint_path(copy, 4)
    line = refused(train(copy, "--checkpoint", older, "--max_steps", 5))
    assert "choose another --output_dir" in line
    printed(train(tmp_path / "other", "--checkpoint", older, "--max_steps", 6))
    ended = run_folder.checkpoint_path(tmp_path / "other", 6).read_bytes()
    assert ended == run_folder.checkpoint_path(run, 6).read_bytes()


def test_init_from_takes_the_weights_only(run, train, tmp_path):
    words = ("--init_from", run, "--max_steps", 1, "--lr", 0, "--seed", 9)
    text = printed(train(tmp_path / "new", *words))
    assert "ngf = 1" in text and "starting from the weights of" in text
    old, new = state(run, 6), state(tmp_path / "new", 1)
    for name in new:
        if name.startswith(("generator/", "discriminator/")):
            np.testing.assert_array_equal(new[name], old[name], err_msg=name)
    assert new["gen_adam/iteration"] == 1


def test_two_processes_do_not_share_a_folder(train, copy):
    handle = os.open(copy, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    line = refused(train(copy, "--resume", "--max_steps", 7))
    os.close(handle)
    assert "another process" in line


def test_validation_writes_rows_images_and_the_best_checkpoint(run):
    with open(run / run_folder.VALIDATION, newline="") as file:
        rows = {int(row["step"]): float(row["L1"]) for row in csv.DictReader(file)}
    assert list(rows) == [3, 6]
    notes = checkpoints.notes(run_folder.best_path(run))
    best = min(rows, key=rows.get)
    assert (notes["step"], notes["L1"]) == (best, rows[best])
    assert len(list((run / run_folder.IMAGES).glob("00000003-val-*-outputs.png"))) == 4


@pytest.mark.parametrize("words", [(), ("--noema",)])
def test_test_measures_what_validation_measured(run, pairs, tmp_path, words):
    checkpoint, out = run_folder.checkpoint_path(run, 6), tmp_path / "out"
    metrics = runs.translate("pix2pix-tf", pairs, checkpoint, out, *words)["mean"]
    with open(run / run_folder.VALIDATION, newline="") as file:
        expected = list(csv.DictReader(file))[-1]
    # Validation uses the averaged weights, as test does without --noema.
    for name in ("L1", "PSNR", "SSIM"):
        is_same = metrics[name] == pytest.approx(float(expected[name]), abs=1e-6)
        assert is_same == (not words), name
    average = np.asarray(Image.open(run / run_folder.IMAGES / "00000006-val-1-outputs.png"))
    tested = np.asarray(Image.open(out / run_folder.IMAGES / "1-outputs.png"))
    assert np.array_equal(average, tested) == (not words)


@pytest.mark.slow
def test_the_best_checkpoint_can_be_resumed(run, train, tmp_path):
    best = run_folder.best_path(run)
    text = printed(train(tmp_path / "on", "--checkpoint", best, "--max_steps", 7))
    assert f"resuming at step {checkpoints.step_of(best)}" in text and "trained to step 7" in text


@pytest.mark.slow
def test_averaging_can_start_later(pairs, train, tmp_path):
    folder = tmp_path / "run"
    printed(runs.train("pix2pix-tf", pairs, folder, "--save_freq", 1))
    text = printed(train(folder, "--resume", "--ema_decay", 0.5, "--max_steps", 3))
    assert "averaging of weights starts here" in text
    before, after = (state(folder, step) for step in (2, 3))
    name = "generator/encoder_1/conv2d/kernel"
    expected = (before[name] + after[name]) / 2
    np.testing.assert_allclose(after[checkpoints.averaged_name(name)], expected, atol=1e-7)


def test_a_diverging_training_stops_and_keeps_the_checkpoint_before(train, copy):
    before = {path.name: path.read_bytes() for path in run_folder.checkpoints(copy)}
    words = ("--lr", 1e30, "--max_steps", 40, "--save_freq", 100, "--keep_every", 0)
    process = train(copy, "--resume", *words)
    assert process.returncode == 1
    line = process.stderr.splitlines()[-1]
    assert "Training diverged: " in line and " at step " in line
    assert {path.name: path.read_bytes() for path in run_folder.checkpoints(copy)} == before


@pytest.mark.slow
def test_a_run_that_does_not_learn_is_reported_once(pairs, tmp_path):
    words = (*SIZES, "--lr", 0, "--norun_eagerly")
    process = runs.train("pix2pix-tf", pairs, tmp_path / "run", *words, steps=500)
    assert process.returncode == 0, process.stderr
    warned = [line for line in process.stderr.splitlines() if line.startswith("warning: ")]
    assert sum("has stayed at 1.386" in line for line in warned) == 1
    assert sum("outputs no longer change" in line for line in warned) == 1
