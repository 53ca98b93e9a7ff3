"""Data as people have it, through the commands."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pix2pix_tf import cli, command, runs
from pix2pix_tf.config import PROGRAM, Pix2PixConfig
from pix2pix_tf.model import build
from pix2pix_tf.training import checkpoints

SMALL = ("--ngf", 2, "--ndf", 2, "--seed", 3, "--summary_freq", 0)


def run(*words):
    """One command in this process, which has TensorFlow loaded already."""
    return cli.main([str(word) for word in words])


def train(source, folder, *words):
    start = ("--mode", "train", "--input_dir", source, "--output_dir", folder)
    assert run(*start, *SMALL, "--max_steps", 2, *words) == 0


def test(source, folder, out, *words):
    start = ("--mode", "test", "--input_dir", source, "--output_dir", out)
    assert run(*start, "--checkpoint", folder, *words) == 0
    return json.loads((out / runs.METRICS).read_text())


test.__test__ = False


def untrained(folder, **options):
    """A run folder as training leaves it, with weights from before the first step."""
    options = {"ngf": 2, "ndf": 2, "seed": 3, **options}
    config = Pix2PixConfig(mode="train", input_dir="in", output_dir=str(folder), **options)
    checkpoints.save(folder, 1, build(config).state, keep=1)
    runs.write_json(folder / runs.OPTIONS, command.options(config, program=PROGRAM))
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
        ({"preprocess": "crop"}, (), (350, 300)),
        ({}, ("--preprocess", "none"), (350, 300)),
        ({}, ("--preprocess", "none", "--tile", 128), (350, 300)),
        ({"preprocess": "scale_width", "scale_size": 100}, (), (100, 85)),
        ({"preprocess": "scale_width"}, ("--scale_size", "50"), (50, 42)),
    ],
)
def test_the_size_of_results(wide, tmp_path, options, words, expected):
    untrained(tmp_path / "run", crop_size=32, **options)
    test(wide, tmp_path / "run", tmp_path / "out", *words)
    assert size(tmp_path / "out" / "images" / "1-outputs.png") == expected


def test_an_export_of_another_size_translates_any_size(tmp_path):
    untrained(tmp_path / "run", crop_size="64x32")
    words = ("--output_dir", tmp_path / "out", "--checkpoint", tmp_path / "run")
    assert run("--mode", "export", *words, "--tile", 64) == 0
    signature = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    x = np.random.default_rng(0).random((1, 100, 130, 3), np.float32)
    assert signature(images=x)["outputs"].shape == x.shape
