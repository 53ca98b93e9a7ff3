"""Going on, starting from weights, validation and averaging, by the command line."""

import csv
import fcntl
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from support import SMALLEST, state

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints

SMALL = (*SMALLEST["pix2pix-tf"], "--crop_size", 16, "--scale_size", 18)
QUIET = ("--progress_freq", 1, "--summary_freq", 0, "--run_eagerly")


@pytest.fixture
def train(launcher, pairs, tmp_path):
    """Runs a training command; returns (exit code, what it printed)."""

    def run(folder, *words, **options):
        start = ("--mode", "train", "--input_dir", pairs, "--output_dir", folder, *QUIET)
        return launcher.run(
            "pix2pix-tf", *start, *words, printed=tmp_path / "printed.txt", **options
        )

    return run


@pytest.fixture(scope="module")
def run(launcher, pairs, tmp_path_factory):
    """A run of six steps with validation and averaged weights."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    code, text = launcher.run(
        "pix2pix-tf", "--mode", "train", "--input_dir", pairs, "--output_dir", folder, *SMALL,
        *QUIET, "--seed", 3, "--max_steps", 6, "--save_freq", 2, "--keep_checkpoints", 1,
        "--keep_every", 4, "--val_dir", pairs, "--val_freq", 3, "--ema_decay", 0.5,
        printed=folder.with_suffix(".txt"),
    )  # fmt: skip
    assert code == 0, text
    return folder


def last_line(text):
    return text.strip().splitlines()[-1]


def flip_a_bit(path):
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)


def test_the_newest_and_the_milestones_are_kept(run):
    assert [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(run)] == [4, 6]


def test_resume_starts_and_goes_on_with_the_same_words(train, tmp_path):
    folder = tmp_path / "run"
    words = ("--resume", *SMALL, "--save_freq", 2)
    code, text = train(folder, *words, "--max_steps", 2)
    assert code == 0, text
    seed = json.loads((folder / run_folder.OPTIONS).read_text())["seed"]
    code, text = train(folder, *words, "--max_steps", 3)
    assert code == 0 and "resuming at step 2" in text
    assert json.loads((folder / run_folder.OPTIONS).read_text())["seed"] == seed
    code, text = train(folder, *words, "--max_steps", 3)
    assert code == 0 and "trained to step 3" in text


def test_resume_of_a_run_without_checkpoint_keeps_its_seed(train, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    options = {"seed": 77, "ngf": 1, "ndf": 1, "crop_size": 32, "scale_size": 36}
    run_folder.write_json(folder / run_folder.OPTIONS, options)
    (folder / run_folder.LOG).write_text("step,epoch,discriminator_loss\n1,1,0.5\n2,1,0.")
    code, text = train(folder, "--max_steps", 1)
    assert code == 1 and "resume it with --resume" in last_line(text)
    code, text = train(folder, "--resume", "--max_steps", 1)
    assert code == 0 and "seed = 77" in text
    with open(folder / run_folder.LOG, newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1"]


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(run, train, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    before, newest = run_folder.checkpoints(folder)
    flip_a_bit(newest)
    code, text = train(folder, "--resume", "--max_steps", 6)
    assert code == 0, text
    (line,) = [line for line in text.splitlines() if line.startswith("warning: ")]
    assert f"{newest} is damaged" in line and f"using {before.name} instead" in line
    assert "resuming at step 4" in text
    assert newest.read_bytes() == run_folder.checkpoints(run)[-1].read_bytes()
    assert newest.with_name(newest.name + ".damaged").is_file()


def test_if_every_checkpoint_is_damaged_nothing_starts(run, train, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    for path in run_folder.checkpoints(folder):
        flip_a_bit(path)
    code, text = train(folder, "--resume")
    assert code == 1
    assert f"no intact checkpoint is left: {run_folder.checkpoints(folder)[-1]}" in text


def test_another_learning_rate_can_be_gone_on_with(run, train, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    words = ("--resume", "--lr", 0, "--max_steps", 8, "--keep_checkpoints", 2)
    code, text = train(folder, *words)
    assert code == 0, text
    before, after = (state(folder, step) for step in (6, 8))
    name = "generator/encoder_1/conv2d/kernel"
    np.testing.assert_array_equal(before[name], after[name])


def test_going_back_behind_a_later_checkpoint_needs_another_folder(run, train, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    older = run_folder.checkpoint_path(folder, 4)
    code, text = train(folder, "--checkpoint", older, "--max_steps", 5)
    assert code == 1 and "choose another --output_dir" in last_line(text)
    code, text = train(tmp_path / "other", "--checkpoint", older, "--max_steps", 6)
    assert code == 0, text
    ended = run_folder.checkpoint_path(tmp_path / "other", 6).read_bytes()
    assert ended == run_folder.checkpoint_path(run, 6).read_bytes()


def test_init_from_takes_the_weights_only(run, train, tmp_path):
    folder = tmp_path / "new"
    words = ("--init_from", run, "--max_steps", 1, "--lr", 0, "--seed", 9)
    code, text = train(folder, *words)
    assert code == 0, text
    assert "ngf = 1" in text and "starting from the weights of" in text
    old, new = state(run, 6), state(folder, 1)
    for name in new:
        if name.startswith(("generator/", "discriminator/")):
            np.testing.assert_array_equal(new[name], old[name], err_msg=name)
    assert new["gen_adam/iteration"] == 1


def test_two_processes_do_not_share_a_folder(run, train, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    code, text = train(folder, "--resume", "--max_steps", 7)
    os.close(handle)
    assert code == 1 and "another process" in last_line(text)
    assert len(text.splitlines()) == 1


def test_validation_writes_rows_pictures_and_the_best_checkpoint(run):
    with open(run / run_folder.VALIDATION, newline="") as file:
        rows = {int(row["step"]): float(row["L1"]) for row in csv.DictReader(file)}
    assert list(rows) == [3, 6]
    notes = checkpoints.notes(run_folder.best_path(run))
    best = min(rows, key=rows.get)
    assert (notes["step"], notes["L1"]) == (best, rows[best])
    pictures = [path.name for path in (run / run_folder.IMAGES).glob("00000003-val-*-outputs.png")]
    assert len(pictures) == 4


@pytest.mark.parametrize("words", [(), ("--noema",)])
def test_test_measures_what_validation_measured(run, launcher, pairs, tmp_path, words):
    code, text = launcher.run(
        "pix2pix-tf", "--mode", "test", "--input_dir", pairs, "--output_dir", tmp_path / "out",
        "--checkpoint", run_folder.checkpoint_path(run, 6), *words,
        printed=tmp_path / "printed.txt",
    )  # fmt: skip
    assert code == 0, text
    found = json.loads((tmp_path / "out" / run_folder.METRICS).read_text())["mean"]
    with open(run / run_folder.VALIDATION, newline="") as file:
        expected = list(csv.DictReader(file))[-1]
    names = ("L1", "PSNR", "SSIM")
    same = [found[name] == pytest.approx(float(expected[name]), abs=1e-6) for name in names]
    # Validation looks at the averaged weights, which is what test uses unless refused.
    assert all(same) if not words else not all(same)
    average = np.asarray(Image.open(run / run_folder.IMAGES / "00000006-val-1-outputs.png"))
    tested = np.asarray(Image.open(tmp_path / "out" / run_folder.IMAGES / "1-outputs.png"))
    assert np.array_equal(average, tested) == (not words)


def test_the_best_checkpoint_can_be_continued(run, train, tmp_path):
    code, text = train(tmp_path / "on", "--checkpoint", run_folder.best_path(run), "--max_steps", 7)
    assert code == 0, text
    best = checkpoints.step_of(run_folder.best_path(run))
    assert f"resuming at step {best}" in text and "trained to step 7" in text


def test_averaging_can_start_later(run, train, tmp_path):
    words = ("--max_steps", 2, "--save_freq", 1)
    code, text = train(tmp_path / "run", *SMALL, "--seed", 1, *words)
    assert code == 0, text
    words = ("--resume", "--ema_decay", 0.5, "--max_steps", 3)
    code, text = train(tmp_path / "run", *words)
    assert code == 0 and "averaging of weights starts here" in text
    before, after = (state(tmp_path / "run", step) for step in (2, 3))
    name = "generator/encoder_1/conv2d/kernel"
    expected = (before[name] + after[name]) / 2
    np.testing.assert_allclose(after[checkpoints.averaged_name(name)], expected, atol=1e-7)


def test_training_that_diverges_stops_and_keeps_the_checkpoint_before(run, train, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run_folder.checkpoints(folder)}
    words = ("--save_freq", 100, "--keep_every", 0)
    code, text = train(folder, "--resume", "--lr", 1e30, "--max_steps", 40, *words)
    assert code == 1
    line = last_line(text)
    assert "Training diverged: " in line and " at step " in line
    assert (
        before.items() <= {p.name: p.read_bytes() for p in run_folder.checkpoints(folder)}.items()
    )
    assert len(run_folder.checkpoints(folder)) == len(before)


def test_a_run_that_learns_nothing_is_told_so(train, tmp_path):
    code, text = train(
        tmp_path / "run", *SMALL, "--seed", 1, "--lr", 0, "--max_steps", 500, "--norun_eagerly"
    )
    assert code == 0, text
    warned = [line for line in text.splitlines() if line.startswith("warning: ")]
    assert sum("has stayed at 1.386" in line for line in warned) == 1
    assert sum("outputs no longer change" in line for line in warned) == 1
