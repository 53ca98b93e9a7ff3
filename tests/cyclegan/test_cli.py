"""cyclegan-tf as a person runs it: train, continue, test, export, reload."""

import json

import numpy as np
import pytest
from PIL import Image
from support import SMALLEST, logged_losses, refused, run_forked, state, write_pairs

from cyclegan_tf.model import LOSSES
from pix2pix_tf import run_folder

pytestmark = pytest.mark.process

SMALL = (*SMALLEST["cyclegan-tf"], "--dropout", "--seed", 3, "--progress_freq", 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with trainA, trainB, testA and testB."""
    folder = tmp_path_factory.mktemp("unpaired")
    counts = {"trainA": 3, "trainB": 2, "testA": 3, "testB": 2}
    for seed, (name, count) in enumerate(counts.items()):
        write_pairs(folder / name, count, size=40, seed=seed)
    return folder


def train(data, folder, *words):
    start = ("--mode", "train", "--input_dir", data, "--output_dir", folder, *SMALL)
    return run_forked("cyclegan-tf", *start, *words)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = train(
        data, folder, "--n_epochs", 1, "--n_epochs_decay", 1, "--display_freq", 3,
        "--summary_freq", 3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_ends_after_all_epochs_and_shows_every_loss(run):
    folder, printed = run
    assert "examples count = 3 2" in printed
    assert "trained to step 6:" in printed
    logged = logged_losses(folder)
    assert logged[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert np.isfinite(logged).all()
    for name in LOSSES:
        assert printed.count(f"\n{name} ") == 6


def test_the_report_shows_both_directions(run):
    folder, _ = run
    kinds = {path.stem.rpartition("-")[2] for path in (folder / "images").glob("00000006-*")}
    assert kinds == {
        "real_A", "fake_B", "rec_A", "idt_A", "real_B", "fake_A", "rec_B", "idt_B",
    }  # fmt: skip
    page = (folder / run_folder.INDEX).read_text()
    assert "rec_B" in page and "curves.png" in page


def test_continuing_gives_what_an_uninterrupted_run_gives(data, run, tmp_path):
    whole, _ = run
    words = ("--n_epochs", 1, "--n_epochs_decay", 1)
    assert train(data, tmp_path / "run", *words, "--max_steps", 4).returncode == 0
    done = run_forked(
        "cyclegan-tf", "--mode", "train", "--input_dir", data, "--output_dir", tmp_path / "run",
        "--checkpoint", tmp_path / "run", "--max_steps", 6,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Neither did looking at it change the run: this one has no summaries and no pictures.
    first, second = state(whole, 6), state(tmp_path / "run", 6)
    assert first.keys() == second.keys()
    assert "pool_a/images" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_test_translates_there_and_back(data, run, tmp_path):
    folder, _ = run
    done = run_forked(
        "cyclegan-tf", "--mode", "test", "--input_dir", data, "--output_dir", tmp_path,
        "--checkpoint", folder, "--direction", "both", "--batch_size", 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / run_folder.METRICS).read_text())
    assert set(metrics["per_image"]) == {"A-1", "A-2", "A-3", "B-1", "B-2"}
    images = {path.name for path in (tmp_path / "images").iterdir()}
    assert {"A-1-real_A.png", "A-1-fake_B.png", "A-1-rec_A.png", "A-1-idt_A.png"} <= images
    real, back = (
        np.asarray(Image.open(tmp_path / "images" / f"A-2-{kind}.png"), np.float32)
        for kind in ("real_A", "rec_A")
    )
    found = metrics["per_image"]["A-2"]["cycle L1 A"]
    assert found == pytest.approx(np.abs(real - back).mean() / 127.5, abs=4 / 255)


def test_a_folder_of_single_images_is_enough(data, run, tmp_path):
    folder, _ = run
    done = run_forked(
        "cyclegan-tf", "--mode", "test", "--input_dir", data / "testB", "--output_dir", tmp_path,
        "--checkpoint", folder, "--direction", "BtoA",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "images" / "B-2-fake_A.png").is_file()


def test_two_folders_can_be_named(data, tmp_path):
    done = run_forked(
        "cyclegan-tf", "--mode", "train", "--input_dir_A", data / "testA", "--input_dir_B",
        data / "testB", "--output_dir", tmp_path / "run", *SMALL, "--max_steps", 1,
        "--run_eagerly",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_bad_input_is_one_line(data, run, tmp_path):
    line = refused(train(data / "trainA", tmp_path / "run"))
    assert "trainA" in line
    assert "multiple of 2" in refused(train(data, tmp_path / "run", "--crop_size", 9))
    folder, _ = run
    words = ("--input_dir", data, "--output_dir", tmp_path / "out", "--checkpoint", folder)
    line = refused(run_forked("pix2pix-tf", "--mode", "test", *words))
    assert "a run of cyclegan-tf" in line
    assert "--checkpoint" in refused(train(data, folder))
