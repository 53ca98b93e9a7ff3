"""Unpaired data as people have it, through the commands."""

import json
import shutil

import numpy as np
import pytest
import runs
import tensorflow as tf
from PIL import Image
from support import logged_losses, refused

from pix2pix_tf import run_folder

SLOW = pytest.mark.slow


def command(*words):
    return runs.command("cyclegan-tf", *words)


def train(source, folder, *words):
    return runs.train("cyclegan-tf", source, folder, *words)


def translate(source, run, folder, *words):
    return runs.translate("cyclegan-tf", source, run, folder, *words)


def untrained(folder, **options):
    return runs.untrained(folder, "cyclegan-tf", **options)


def size(path):
    return Image.open(path).size


def write(folder, sizes, *, seed):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number, wanted in enumerate(sizes):
        pixels = rng.integers(0, 256, (6, 7, 3), np.uint8)
        Image.fromarray(pixels).resize(wanted).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Two sets of 70x45 and other sizes."""
    folder = tmp_path_factory.mktemp("wide")
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        write(folder / name, [(70, 45), (61, 50), (40, 33)][: 2 + (name == "trainA")], seed=seed)
    return folder


@pytest.mark.parametrize(
    ("words", "tested"),
    [
        (("--preprocess", "none", "--pool_size", 0), (70, 45)),
        pytest.param(
            ("--preprocess", "scale_width_and_crop", "--load_size", 36), (36, 23), marks=SLOW
        ),
        pytest.param(
            ("--crop_size", "24x40", "--scale_size", "28x44", "--netD", "n_layers",
             "--n_layers_D", 1), (40, 24), marks=SLOW,
        ),
    ],
)  # fmt: skip
def test_training_and_testing_with_each_preprocess(wide, tmp_path, words, tested):
    assert train(wide, tmp_path / "run", *words).returncode == 0
    metrics = translate(wide, tmp_path / "run", tmp_path / "out")
    assert metrics["count"] == 2
    for name in ("A-0-real_A", "A-0-fake_B", "A-0-rec_A", "A-0-idt_A"):
        assert size(tmp_path / "out" / "images" / f"{name}.png") == tested


def test_a_tile_bounds_memory_and_changes_nothing(wide, tmp_path):
    folder, found = untrained(tmp_path / "run"), {}
    for tile in (0, 32):
        out = tmp_path / f"tile {tile}"
        translate(wide, folder, out, "--preprocess", "none", "--tile", tile)
        found[tile] = np.asarray(Image.open(out / "images" / "A-0-fake_B.png"), int)
        assert found[tile].shape == (45, 70, 3)
    assert np.abs(found[0] - found[32]).max() <= 1


@SLOW
def test_any_numbers_of_channels(tmp_path):
    rng, counts = np.random.default_rng(0), (4, 1)
    for side, count in zip("AB", counts, strict=True):
        for phase in ("train", "test"):
            (tmp_path / "data" / f"{phase}{side}").mkdir(parents=True)
            for number in range(2):
                array = rng.random((12, 9, count), np.float32)
                np.save(tmp_path / "data" / f"{phase}{side}" / f"{number}.npy", array)
    words = ("--input_channels", counts[0], "--output_channels", counts[1], "--lambda_identity", 0)
    assert train(tmp_path / "data", tmp_path / "run", *words, "--display_freq", 2).returncode == 0
    both = ("--direction", "both")
    metrics = translate(tmp_path / "data", tmp_path / "run", tmp_path / "out", *both)
    assert set(metrics["per_image"]) == {"A-0", "A-1", "B-0", "B-1"}
    for name, count in (("A-1-fake_B", counts[1]), ("B-1-fake_A", counts[0])):
        found = np.load(tmp_path / "out" / "images" / f"{name}.npy")
        assert found.shape == (8, 8, count) and 0 <= found.min() <= found.max() <= 1
    words = ("--input_dir", tmp_path / "data", "--checkpoint", tmp_path / "run")
    words += ("--output_dir", tmp_path / "scores", "--metrics", "l1")
    assert command("--mode", "evaluate", *words).returncode == 0
    metrics = json.loads((tmp_path / "scores" / run_folder.METRICS).read_text())
    assert {"L1 AtoB", "L1 BtoA"} <= set(metrics["mean"])
    assert not (tmp_path / "out" / "images" / "A-0-idt_A.png").exists()


def test_grey_and_colour_files_are_converted(wide, tmp_path):
    folder = untrained(tmp_path / "run", input_channels=1, lambda_identity=0.0)
    metrics = translate(wide, folder, tmp_path / "out", "--preprocess", "none")
    assert metrics["count"] == 2
    grey, colour = (
        np.asarray(Image.open(tmp_path / "out" / "images" / f"A-0-{kind}.png"))
        for kind in ("real_A", "fake_B")
    )
    assert grey.shape == (45, 70) and colour.shape == (45, 70, 3)
    expected = np.asarray(Image.open(wide / "testA" / "0.png").convert("L"), int)
    assert np.abs(grey - expected).max() <= 1


def test_results_have_the_bit_depth_of_their_source(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (32, 36, 3)).astype(np.uint16)
    (tmp_path / "testA").mkdir()
    (tmp_path / "testA" / "a.png").write_bytes(tf.io.encode_png(deep).numpy())
    np.save(tmp_path / "testA" / "b.npy", (deep / 65535).astype(np.float64))
    folder, images = untrained(tmp_path / "run"), tmp_path / "out" / "images"
    translate(tmp_path, folder, tmp_path / "out", "--preprocess", "none")
    found = tf.io.decode_png((images / "A-a-fake_B.png").read_bytes(), dtype=tf.uint16).numpy()
    assert found.shape == (32, 36, 3) and (found % 257 != 0).any()
    doubles = np.load(images / "A-b-fake_B.npy")
    assert doubles.dtype == np.float64 and np.abs(found / 65535 - doubles).max() < 5e-4
    inputs = tf.io.decode_png((images / "A-a-real_A.png").read_bytes(), dtype=tf.uint16)
    np.testing.assert_array_equal(inputs, deep)


@SLOW
def test_export_of_other_channels_and_sizes(tmp_path):
    folder = untrained(
        tmp_path / "run", output_channels=1, lambda_identity=0.0, crop_size="8x12", load_size="8x12"
    )
    words = ("--mode", "export", "--output_dir", tmp_path / "out", "--checkpoint", folder)
    assert command(*words, "--direction", "both").returncode == 0
    for way, (inputs, outputs) in {"AtoB": (3, 1), "BtoA": (1, 3)}.items():
        signatures = tf.saved_model.load(str(tmp_path / "out" / way)).signatures
        x = np.random.default_rng(0).random((1, 41, 70, inputs), np.float32)
        found = signatures["serving_default"](images=x)["outputs"]
        assert found.shape == (1, 41, 70, outputs)


def test_targets_of_another_size_are_resized_and_compared(wide, tmp_path):
    folder = untrained(tmp_path / "run")
    write(tmp_path / "data" / "testA", [(40, 36), (44, 32)], seed=1)
    write(tmp_path / "data" / "testB", [(80, 72), (44, 33)], seed=2)
    words = ("--input_dir", tmp_path / "data", "--output_dir", tmp_path / "out")
    process = command(
        "--mode", "evaluate", *words, "--checkpoint", folder, "--direction", "AtoB",
        "--preprocess", "none", "--metrics", "l1",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    for kind in ("real_A", "fake_B", "true_B"):
        assert size(tmp_path / "out" / "images" / f"A-0-{kind}.png") == (40, 36)
    found = json.loads((tmp_path / "out" / run_folder.METRICS).read_text())["per_image"]
    assert set(found["A-0"]) == {"cycle L1 A", "L1 AtoB", "L1 of the input AtoB"}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--input_channels", 1), "set --lambda_identity 0"),
        (("--output_channels", 5, "--lambda_identity", 0), "trainB/0.png (3 channels, expected 5)"),
        (("--preprocess", "none"), "Expected --pool_size 0 with --preprocess none"),
        (("--scale_size", "8x7"), "Expected --load_size to be at least 8. Received: 8x7"),
    ],
)
def test_options_that_do_not_fit_are_refused(wide, tmp_path, words, part):
    assert part in refused(train(wide, tmp_path / "run", *words))


@SLOW
def test_a_cache_changes_no_loss(wide, tmp_path):
    for cache in ("none", "disk"):
        words = ("--cache", cache, "--progress_freq", 1, "--preprocess", "crop")
        assert train(wide, tmp_path / cache, *words).returncode == 0
    losses = logged_losses(tmp_path / "none")
    np.testing.assert_array_equal(logged_losses(tmp_path / "disk"), losses)
    assert len(losses) == 2
    kept = tmp_path / "disk" / run_folder.CACHE
    for side, pixels in {"A": 70 * 45 + 61 * 50 + 40 * 33, "B": 70 * 45 + 61 * 50}.items():
        assert (kept / side / "decoded.raw").stat().st_size == 3 * pixels


def test_check_data_lists_both_domains(wide):
    lines = command("check_data", "--input_dir", wide).stdout.splitlines()
    text = "\n".join(lines)
    assert "trainA: 3 examples in 3 files" in text and "testB: 2 examples in 2 files" in text
    assert "70x45 (1), 61x50 (1), 40x33 (1)" in text
    assert lines[-1] == "all files can be used"
    words = ("--input_dir_A", wide / "trainA", "--input_dir_B", wide / "trainA")
    process = command("check_data", *words, "--input_channels", 1, "--output_channels", 4)
    assert "equal images in A and B: 3: 0.png = 0.png" in process.stdout
    process = command("check_data", "--mode", "test", "--input_dir", wide / "testB")
    assert "A: 2 examples in 2 files" in process.stdout


def test_check_data_counts_the_channels_of_each_domain(wide):
    process = command("check_data", "--input_dir", wide, "--output_channels", 5)
    assert process.returncode == 1
    assert process.stdout.count("unusable     2: 0.png (3 channels, expected 5)") == 2
    assert process.stdout.splitlines()[-1] == "training or testing would fail"


def test_check_data_without_a_domain(wide, tmp_path):
    shutil.copytree(wide / "trainB", tmp_path / "trainB")
    assert "trainA" in refused(command("check_data", "--input_dir", tmp_path))
    line = refused(command("check_data", "--input_dir", tmp_path / "nothing"))
    assert "Expected --input_dir to be a folder" in line
    assert "--input_dir" in refused(command("check_data"))
