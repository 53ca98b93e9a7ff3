"""Data as people have it, through the commands."""

import json
import os
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

import pix2pix_tf
from pix2pix_tf import cli, run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.tiff import tiff_image
from pix2pix_tf.inference import large_files
from pix2pix_tf.training import runtime

SMALL = ("--ngf", 2, "--ndf", 2, "--seed", 3, "--summary_freq", 0)


def run(*words):
    """One command in this process, which has TensorFlow loaded already."""
    return cli.main([str(word) for word in words])


def train(source, folder, *words):
    start = ("--mode", "train", "--input_dir", source, "--output_dir", folder)
    assert run(*start, *SMALL, "--max_steps", 2, "--run_eagerly", *words) == 0


def test(source, folder, out, *words):
    start = ("--mode", "test", "--input_dir", source, "--output_dir", out)
    assert run(*start, "--checkpoint", folder, *words) == 0
    return json.loads((out / run_folder.METRICS).read_text())


test.__test__ = False


def untrained(folder, **options):
    """A run folder as training leaves it, with weights from before the first step."""
    options = {"ngf": 2, "ndf": 2, "seed": 3, **options}
    config = pix2pix_tf.Pix2PixConfig(mode="train", input_dir="in", output_dir="out", **options)
    pix2pix_tf.save_run(pix2pix_tf.build(config), config, folder)
    return folder


def size(path):
    return Image.open(path).size


@pytest.fixture
def wide(tmp_path):
    """Three 700x300 pairs whose halves are 350x300."""
    (tmp_path / "data").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 14, 3), np.uint8)
    for number, small in enumerate(pixels):
        Image.fromarray(small).resize((700, 300)).save(tmp_path / "data" / f"{number}.png")
    return tmp_path / "data"


def test_pairs_of_700x300_are_trained_and_tested(wide, tmp_path):
    train(wide, tmp_path / "run", "--crop_size", "32x48", "--scale_size", "36x54")
    metrics = test(wide, tmp_path / "run", tmp_path / "out")
    assert metrics["count"] == 3
    for kind in ("inputs", "outputs", "targets"):
        assert size(tmp_path / "out" / "images" / f"1-{kind}.png") == (48, 32)


@pytest.mark.parametrize(
    ("options", "words", "expected"),
    [
        pytest.param({"preprocess": "crop"}, (), (350, 300), marks=pytest.mark.slow),
        pytest.param(
            {"preprocess": "scale_width", "scale_size": 100}, (), (100, 85), marks=pytest.mark.slow
        ),
        ({"preprocess": "scale_width"}, ("--scale_size", "50"), (50, 42)),
    ],
)
def test_the_size_of_results(wide, tmp_path, options, words, expected):
    untrained(tmp_path / "run", crop_size=32, **options)
    test(wide, tmp_path / "run", tmp_path / "out", *words)
    assert size(tmp_path / "out" / "images" / "1-outputs.png") == expected


def test_a_tile_bounds_memory_and_changes_nothing(wide, tmp_path):
    untrained(tmp_path / "run", crop_size=32)
    shown = {}
    for tile in (0, 128):
        words = ("--preprocess", "none", "--tile", tile, "--scratch_dir", tmp_path / "scratch")
        words = words if tile else words[:-2]
        test(wide, tmp_path / "run", tmp_path / f"out {tile}", *words)
        path = tmp_path / f"out {tile}" / "images" / "1-outputs.png"
        shown[tile] = np.asarray(Image.open(path), int)
        assert shown[tile].shape == (300, 350, 3)
    assert np.abs(shown[0] - shown[128]).max() <= 1
    assert not (tmp_path / "scratch").exists()


def write_tiff(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(32, 48), **options)


def both_ways(monkeypatch, folder, translate):
    """What `translate` of a folder gives for whole files and for files read by windows."""
    found = []
    for pixels in (tiff_image.LARGE_PIXELS, 1000):
        monkeypatch.setattr(tiff_image, "LARGE_PIXELS", pixels)
        monkeypatch.setattr(large_files, "WINDOW", 40)
        monkeypatch.setattr(large_files, "SHOWN", 50)
        found.append(translate(folder / str(pixels)))
    return found


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--which_direction", "BtoA", "--test_dropout"),
        pytest.param(("--dataset_mode", "folders"), marks=pytest.mark.slow),
        pytest.param(("--dataset_mode", "single"), marks=pytest.mark.slow),
    ],
)
def test_test_reads_large_files_by_windows(tmp_path, monkeypatch, words):
    data = tmp_path / "data"
    pixels = np.random.default_rng(0).integers(0, 256, (70, 220, 3), np.uint8)
    for name, part in (("x", pixels), ("y", pixels[::-1])):
        if "folders" in words:
            write_tiff(data / "A" / f"{name}.tif", part[:, :110])
            write_tiff(data / "B" / f"{name}.tif", part[:, 110:])
        else:
            write_tiff(data / f"{name}.tif", part, compression="zlib")
    options = dict(zip(words[::2], words[1::2], strict=False))
    direction = options.pop("--which_direction", "AtoB")
    run = untrained(tmp_path / "run", crop_size=32, which_direction=direction)
    words = [word for word in words if word not in ("--which_direction", "BtoA")]
    words += ["--preprocess", "none", "--tile", 32, "--scratch_dir", tmp_path / "scratch"]

    def translate(folder):
        return test(data, run, folder, *words), folder / "images"

    (expected, whole), (found, windowed) = both_ways(monkeypatch, tmp_path, translate)
    assert sorted(path.name for path in windowed.glob("*.tif")) == [
        "x-outputs.tif",
        "y-outputs.tif",
    ]
    for name in "xy":
        left = np.asarray(Image.open(whole / f"{name}-outputs.png"), int)
        assert np.abs(tifffile.imread(windowed / f"{name}-outputs.tif") - left).max() <= 1
        small = np.asarray(Image.open(windowed / f"{name}-outputs.png"), int)
        square = -(-left.shape[1] // 50)
        assert small.shape == (left.shape[0] // square, left.shape[1] // square, 3)
        mean = left[:square, :square].mean((0, 1))
        np.testing.assert_allclose(small[0, 0], mean, atol=1.5)
        for metric, value in expected["per_image"][name].items():
            assert found["per_image"][name][metric] == pytest.approx(value, rel=1e-3)
    assert not (tmp_path / "scratch").exists()


def test_load_reads_large_files_by_windows(tmp_path, monkeypatch):
    run = untrained(tmp_path / "run", crop_size=32)
    pixels = np.random.default_rng(0).integers(0, 2**16, (90, 120, 3), np.uint16)
    write_tiff(tmp_path / "x.tif", pixels, extratags=[(33550, 12, 3, (2.0, 2.0, 0.0), True)])
    load = pix2pix_tf.load(run, tile=32)

    def translate(folder):
        folder.mkdir()
        load.translate_file(tmp_path / "x.tif", folder / "y.tif")
        return folder / "y.tif"

    expected, found = both_ways(monkeypatch, tmp_path, translate)
    with tifffile.TiffFile(found) as file:
        assert file.pages.first.is_tiled
        assert file.pages.first.tags[33550].value == (2.0, 2.0, 0.0)
    difference = tifffile.imread(found).astype(int) - tifffile.imread(expected)
    assert np.abs(difference).max() <= 1
    with pytest.raises(InputError, match=r"to end with \.tif"):
        load.translate_file(tmp_path / "x.tif", tmp_path / "y.png")


@pytest.mark.parametrize("number", runtime.EXIT_CODES)
def test_an_interruption_leaves_nothing(launcher, tmp_path, number):
    untrained(tmp_path / "run", crop_size=32)
    (tmp_path / "data").mkdir()
    pixels = np.zeros((4100, 4200, 3), np.uint8)
    tifffile.imwrite(tmp_path / "data" / "x.tif", pixels, photometric="rgb", compression="zlib")
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    words = ("--mode", "test", "--input_dir", tmp_path / "data", "--output_dir", out)
    words += ("--checkpoint", tmp_path / "run", "--dataset_mode", "single", "--preprocess", "none")
    words += ("--tile", 64, "--scratch_dir", scratch)
    process = launcher.start("pix2pix-tf", *words, printed=tmp_path / "printed.txt")
    while not scratch.is_dir():
        os.kill(process, 0)  # as long as it is there
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process, number)
    assert launcher.wait(process) == runtime.EXIT_CODES[number]
    assert not scratch.exists()
    assert not [path for path in out.rglob("*") if path.is_file()]


def halves(wide, folder, *, suffix=".png"):
    """The pairs of `wide` as folder/A and folder/B."""
    for side in "AB":
        (folder / side).mkdir(parents=True)
    for path in sorted(wide.iterdir()):
        image = Image.open(path)
        image.crop((0, 0, 350, 300)).save(folder / "A" / path.name)
        image.crop((350, 0, 700, 300)).save((folder / "B" / path.name).with_suffix(suffix))
    return folder


@pytest.mark.parametrize("direction", ["AtoB", pytest.param("BtoA", marks=pytest.mark.slow)])
def test_two_folders_give_what_one_file_gives(wide, tmp_path, direction):
    run_folder = untrained(tmp_path / "run", crop_size=32, which_direction=direction)
    one = test(wide, run_folder, tmp_path / "one")
    words = ("--dataset_mode", "folders")
    two = test(halves(wide, tmp_path / "two"), run_folder, tmp_path / "out", *words)
    assert one["per_image"] == two["per_image"]


def test_training_on_two_folders_with_a_cache_on_disk(wide, tmp_path):
    source = halves(wide, tmp_path / "two")
    words = ("--crop_size", 32, "--scale_size", 36, "--dataset_mode", "folders", "--cache", "disk")
    train(source, tmp_path / "run", *words)
    assert (tmp_path / "run" / run_folder.CACHE / "decoded.raw").stat().st_size == 6 * 350 * 300 * 3


def test_every_name_without_a_partner_is_listed(wide, tmp_path, capsys):
    source = halves(wide, tmp_path / "two")
    (source / "A" / "0.png").rename(source / "A" / "zero.png")
    words = ("--mode", "train", "--input_dir", source, "--output_dir", tmp_path / "run")
    assert run(*words, "--dataset_mode", "folders") == 1
    line = capsys.readouterr().err
    assert "in A only: zero; in B only: 0" in line


def test_images_without_targets(wide, tmp_path):
    source = halves(wide, tmp_path / "two") / "A"
    folder = untrained(tmp_path / "run", crop_size=32)
    words = ("--dataset_mode", "single", "--preprocess", "none")
    metrics = test(source, folder, tmp_path / "out", *words)
    assert metrics["count"] == 3 and metrics["mean"] == {}
    found = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert found == [f"{i}-{kind}.png" for i in range(3) for kind in ("inputs", "outputs")]
    page = (tmp_path / "out" / run_folder.INDEX).read_text()
    assert "2-outputs.png" in page


def test_results_have_the_bit_depth_of_their_source(tmp_path):
    tifffile = pytest.importorskip("tifffile", reason="the extra [tiff] is not installed")
    rng, source = np.random.default_rng(0), tmp_path / "data"
    source.mkdir()
    deep = rng.integers(0, 65536, (32, 64, 3)).astype(np.uint16)
    (source / "a.png").write_bytes(tf.io.encode_png(deep).numpy())
    tifffile.imwrite(source / "b.tif", deep / np.float32(65535), photometric="rgb")
    np.save(source / "c.npy", (deep / 65535).astype(np.float64))
    Image.fromarray((deep >> 8).astype(np.uint8)).save(source / "d.png")
    run_folder = untrained(tmp_path / "run", crop_size=32)
    words = ("--preprocess", "none", "--notest_dropout")
    metrics = test(source, run_folder, tmp_path / "out", *words)
    images = tmp_path / "out" / "images"
    # The same pixels in three depths: equal within the coarser one.
    found = tf.io.decode_png((images / "a-outputs.png").read_bytes(), dtype=tf.uint16).numpy()
    assert found.shape == (32, 32, 3) and (found % 257 != 0).any()
    floats = tifffile.imread(images / "b-outputs.tif")
    doubles = np.load(images / "c-outputs.npy")
    assert (floats.dtype, doubles.dtype) == (np.float32, np.float64)
    assert np.abs(floats - found / 65535).max() < 5e-4
    assert np.abs(floats - doubles).max() < 5e-4
    inputs = tf.io.decode_png((images / "a-inputs.png").read_bytes(), dtype=tf.uint16)
    np.testing.assert_array_equal(inputs, deep[:, :32])
    assert np.asarray(Image.open(images / "d-outputs.png")).dtype == np.uint8
    assert metrics["per_image"]["a"]["L1"] == pytest.approx(metrics["per_image"]["b"]["L1"], 1e-3)


@pytest.mark.parametrize(
    "counts",
    [(2, 5), *(pytest.param(counts, marks=pytest.mark.slow) for counts in ((1, 3), (4, 1)))],
)
def test_any_numbers_of_channels(tmp_path, counts):
    rng = np.random.default_rng(0)
    for side, count in zip("AB", counts, strict=True):
        (tmp_path / "data" / side).mkdir(parents=True)
        for number in range(2):
            array = rng.random((32, 48, count), np.float32)
            np.save(tmp_path / "data" / side / f"{number}.npy", array)
    channels = {"input_channels": counts[0], "output_channels": counts[1]}
    options = {"crop_size": "32x48", "dataset_mode": "folders", **channels}
    run_folder = untrained(tmp_path / "run", **options)
    test(tmp_path / "data", run_folder, tmp_path / "out")
    found = np.load(tmp_path / "out" / "images" / "1-outputs.npy")
    assert found.shape == (32, 48, counts[1]) and 0 <= found.min() <= found.max() <= 1


@pytest.mark.slow
def test_export_of_other_channels_and_sizes(tmp_path):
    options = {"crop_size": "64x32", "input_channels": 1, "output_channels": 4}
    run_folder = untrained(tmp_path / "run", **options)
    words = ("--mode", "export", "--output_dir", tmp_path / "out", "--checkpoint", run_folder)
    assert run(*words) == 0
    signatures = tf.saved_model.load(str(tmp_path / "out")).signatures
    x = np.random.default_rng(0).random((1, 100, 130, 1), np.float32)
    assert signatures["serving_default"](images=x)["outputs"].shape == (1, 100, 130, 4)
    file = tf.constant([tf.io.encode_png(np.uint16(x[0] * 65535)).numpy()])
    output = signatures["serve_image_bytes"](input=file)["output"].numpy()[0]
    assert tf.io.decode_png(output).shape == (100, 130, 4)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--dataset_mode", "single"), "learning needs targets. Received: single"),
        (("--input_channels", 5), "3 channels, expected 5"),
        (("--lab_colorization", "--input_channels", 1), "--lab_colorization makes its pairs"),
        (("--preprocess", "none", "--batch_size", 2), "Expected --batch_size 1 with --preprocess"),
        (("--value_range", "1,0"), "--value_range LOW,HIGH such as 0,1. Received: 1,0"),
        (("--dataset_mode", "folders"), "to contain the folders A and B"),
    ],
)
def test_options_that_do_not_fit_are_refused(wide, tmp_path, capsys, words, part):
    start = ("--mode", "train", "--input_dir", wide, "--output_dir", tmp_path / "run")
    assert run(*start, *words) == 1
    captured = capsys.readouterr()
    assert part in captured.err and len(captured.err.splitlines()) == 1


def checked(*words):
    return run("--check_data", *words)


def test_check_data_summarises_a_data_set(wide, tmp_path, capsys):
    root = tmp_path / "set"
    shutil.copytree(wide, root / "train")
    shutil.copytree(wide, root / "val")
    Image.new("L", (65, 40)).save(root / "train" / "odd.jpg")
    Image.new("RGB", (60, 40)).save(root / "val" / "0.png")
    for folder in (root, root / "train"):
        # Training on the folder around both sets would fail.
        assert checked("--input_dir", folder) == (folder == root)
        text = capsys.readouterr().out
        assert "train: 4 examples in 4 files" in text and "val: 3 examples in 3 files" in text
        assert "700x300 (3), 65x40 (1)" in text
        assert "3 x uint8 (3), 1 x uint8 (1)" in text
        assert "odd widths   1: odd.jpg" in text
        assert "equal images in train and val: 2: 1.png = 1.png, 2.png = 2.png" in text
        assert ("all files can be used" in text) == (folder != root)
        assert len(text.splitlines()) <= 24


def test_check_data_names_unusable_files(wide, capsys):
    contents = (wide / "1.png").read_bytes()
    for number in range(20):
        (wide / f"cut {number}.png").write_bytes(contents[: len(contents) * number // 20])
    Image.new("RGB", (1, 5)).save(wide / "line\nbreak.png")
    assert checked("--input_dir", wide) == 1
    text = capsys.readouterr().out
    assert "unusable     21: " in text and "and 17 more" in text
    assert "training or testing would fail" in text
    assert len(text.splitlines()) <= 24


def test_check_data_of_nothing(tmp_path, capsys):
    assert checked("--input_dir", tmp_path / "nothing") == 1
    assert "Received: " in capsys.readouterr().err
    assert checked() == 1
    assert "--input_dir" in capsys.readouterr().err
