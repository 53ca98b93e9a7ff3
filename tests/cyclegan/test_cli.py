"""cyclegan-tf as a person runs it: train, continue, test, export, reload."""

import csv
import json

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
from PIL import Image
from support import SMALLEST, refused, run_forked

from pix2pix_tf import run_folder

SMALL = (*SMALLEST["cyclegan-tf"], "--seed", 3, "--progress_freq", 1)


def write_images(folder, count, *, seed):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).resize((40, 40)).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with trainA, trainB, testA and testB."""
    folder = tmp_path_factory.mktemp("unpaired")
    for seed, (name, count) in enumerate(
        {"trainA": 3, "trainB": 2, "testA": 3, "testB": 2}.items()
    ):
        write_images(folder / name, count, seed=seed)
    return folder


def train(data, folder, *words):
    start = ("--mode", "train", "--input_dir", data, "--output_dir", folder, *SMALL)
    return run_forked("cyclegan-tf", *start, *words)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = train(
        data, folder, "--n_epochs", 1, "--n_epochs_decay", 1, "--display_freq", 3,
        "--summary_freq", 6,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_ends_after_all_epochs_and_shows_every_loss(run):
    folder, printed = run
    assert "examples count = 3 2" in printed
    assert "trained to step 6:" in printed
    with open(folder / run_folder.LOG, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    for name in ("discriminator_loss_A", "generator_loss_GAN_AB", "generator_loss_cycle_B",
                 "generator_loss_identity_A"):  # fmt: skip
        assert all(np.isfinite(float(row[name])) for row in rows)
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
    first, second = (
        safetensors.numpy.load_file(run_folder.checkpoints(folder)[-1])
        for folder in (whole, tmp_path / "run")
    )
    assert first.keys() == second.keys()
    assert "pool_a/images" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize(
    ("direction", "names"),
    [("AtoB", {"A-1", "A-2", "A-3"}), ("both", {"A-1", "A-2", "A-3", "B-1", "B-2"})],
)
def test_test_translates_there_and_back(data, run, tmp_path, direction, names):
    folder, _ = run
    done = run_forked(
        "cyclegan-tf", "--mode", "test", "--input_dir", data, "--output_dir", tmp_path,
        "--checkpoint", folder, "--direction", direction, "--batch_size", 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / run_folder.METRICS).read_text())
    assert set(metrics["per_image"]) == names
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


def test_export_of_both_generators(run, tmp_path):
    folder, _ = run
    done = run_forked(
        "cyclegan-tf", "--mode", "export", "--output_dir", tmp_path, "--checkpoint", folder,
        "--direction", "both",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    batch = tf.constant(np.random.default_rng(0).random((1, 30, 50, 3), np.float32))
    results = [
        tf.saved_model.load(str(tmp_path / name)).signatures["serving_default"](images=batch)
        for name in ("AtoB", "BtoA")
    ]
    assert results[0]["outputs"].shape == batch.shape
    assert np.abs(results[0]["outputs"] - results[1]["outputs"]).max() > 1e-3


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
