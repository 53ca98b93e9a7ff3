"""Imported runs are runs like any other: used, tested, continued, exported."""

import json

import numpy as np
import pytest
import safetensors.numpy
import support
import torch_files
from runs import command
from support import GOLDENS, write_pairs

import pix2pix_tf
from pix2pix_tf import run_folder
from pix2pix_tf.extras.pict import pict_file
from pix2pix_tf.extras.porting import reader


def imported(source, folder, *words, program="pix2pix-tf"):
    done = command(program, "import", "--checkpoint", source, "--output_dir", folder, *words)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def refused(source, folder, *words, program="pix2pix-tf"):
    """The one line of an import that fails."""
    done = command(program, "import", "--checkpoint", source, "--output_dir", folder, *words)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def inputs():
    with np.load(GOLDENS / "small" / "golden.npz") as golden:
        return golden["inputs_u8"], golden["outputs_trained"]


def test_a_tensorflow_1_folder_is_used_and_resumed(tmp_path, inputs):
    run = tmp_path / "run"
    printed = imported(GOLDENS / "small", run)
    assert "which_direction = AtoB" in printed and "afresh" not in printed
    options = json.loads((run / run_folder.OPTIONS).read_text(encoding="utf-8"))
    assert options["program"] == "pix2pix-tf" and options["mode"] == "train"
    assert (options["seed"], options["input_dir"]) == (11, "photos/train")
    assert options["max_steps"] is None and options["checkpoint"] is None
    outputs = pix2pix_tf.load(run).generator(inputs[0].astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(outputs[:, ::4, ::4], inputs[1], atol=1e-5)
    pairs = write_pairs(tmp_path / "pairs", 2)
    done = command(
        "pix2pix-tf", "--mode", "train", "--input_dir", pairs, "--checkpoint", run,
        "--output_dir", tmp_path / "more", "--max_steps", 4, "--summary_freq", 0, "--run_eagerly",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "resuming at step 3" in done.stdout
    after = safetensors.numpy.load_file(run_folder.checkpoint_path(tmp_path / "more", 4))
    before = safetensors.numpy.load_file(run_folder.checkpoint_path(run, 3))
    assert set(after) == set(before) and int(after["gen_adam/iteration"][0]) == 4
    # One step of Adam moves no weight further than a few learning rates: its moments were there.
    name = "generator/decoder_1/conv2d_transpose/kernel"
    assert 0 < np.abs(after[name] - before[name]).max() < 1e-3


def test_a_pict_file_is_used_and_a_discriminator_starts_afresh(tmp_path, inputs):
    weights = reader.read_source(GOLDENS / "small").arrays
    generator = {name: weights[name] for name in weights if name.startswith("generator/")}
    pict_file.write_pict(tmp_path / "drawings.pict", generator)
    run = tmp_path / "run"
    printed = imported(tmp_path / "drawings.pict", run, "--which_direction", "BtoA")
    assert "starts afresh: averages, disc_adam, discriminator, gen_adam" in printed
    translate = pix2pix_tf.load(run)
    assert translate.direction == "BtoA"
    difference = np.abs(translate(inputs[0])[:, ::4, ::4] / 127.5 - 1 - inputs[1])
    assert difference.mean() < 0.02
    state = safetensors.numpy.load_file(run_folder.checkpoint_path(run, 0))
    assert 0.01 < state["discriminator/layer_2/conv2d/kernel"].std() < 0.03


@pytest.mark.slow
def test_cyclegan_is_tested_and_resumed(tmp_path):
    source, run, data = (tmp_path / name for name in ("theirs", "run", "data"))
    source.mkdir()
    for role in ("G_A", "G_B", "D_A", "D_B"):
        state = safetensors.numpy.load_file(GOLDENS / "torch" / f"cyclegan_{role}.safetensors")
        torch_files.write(source / f"latest_net_{role}.pth", state)
    (source / "train_opt.txt").write_text(
        "  load_size: 64  \t[default: 286]\n  crop_size: 64  \t[default: 256]\n"
        "  lr_policy: plateau  \t[default: linear]\n  pool_size: 3 \t[default: 50]\n"
    )
    line = refused(source, run)
    assert "Expected networks of pix2pix-tf. Received: D_A, D_B, G_A, G_B" in line
    printed = imported(source, run, program="cyclegan-tf")
    assert printed.count("left out: how the source was trained: Expected lr_policy") == 1
    options = json.loads((run / run_folder.OPTIONS).read_text(encoding="utf-8"))
    assert 0 <= options["seed"] < 2**31
    assert [options[name] for name in ("crop_size", "pool_size")] == [64, 3]
    for name in ("trainA", "trainB", "testA", "testB"):
        write_pairs(data / name, 1, size=64)
    place = ["--input_dir", data, "--checkpoint", run]
    done = command(
        "cyclegan-tf", "--mode", "train", *place, "--output_dir", tmp_path / "more",
        "--max_steps", 1, "--summary_freq", 0, "--run_eagerly",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run_folder.checkpoint_path(tmp_path / "more", 1).is_file()
    done = command("cyclegan-tf", "--mode", "test", *place, "--output_dir", tmp_path / "test")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "test" / run_folder.INDEX).is_file()


def test_bad_sources_are_one_line(tmp_path):
    for program, words in (("pix2pix-tf", "none of them"), ("cyclegan-tf", "none of them")):
        assert words in refused(tmp_path, tmp_path / "run", program=program)
    line = refused(GOLDENS / "small", tmp_path / "run", program="cyclegan-tf")
    assert "Expected weights for cyclegan-tf" in line and "which pix2pix-tf imports" in line
    words = ("--direction", "both")
    assert "AtoB or BtoA" in refused(tmp_path, tmp_path / "run", *words, program="cyclegan-tf")
    assert not list(tmp_path.iterdir())


def test_the_script_chooses_the_program(run_tool, tmp_path):
    def run(**flags):
        return run_tool("import_checkpoint", flags={"output_dir": tmp_path / "run", **flags})

    for flags, words in (
        ({}, "missing --source"),
        ({"source": tmp_path}, "none of them"),
        ({"source": tmp_path, "direction": "up"}, "direction"),
    ):
        assert words in support.refused(run(**flags))
    path = GOLDENS / "torch" / "cyclegan_G_A.safetensors"
    torch_files.write(tmp_path / "some.pth", safetensors.numpy.load_file(path))
    done = run(source=tmp_path / "some.pth", direction="BtoA")
    assert (done.returncode, done.stderr) == (0, "")
    assert "is taken for a generator of CycleGAN; --program pix2pix-tf" in done.stdout
    options = json.loads((tmp_path / "run" / run_folder.OPTIONS).read_text(encoding="utf-8"))
    assert (options["program"], options["direction"]) == ("cyclegan-tf", "BtoA")


def test_a_run_is_never_overwritten(tmp_path):
    path = run_folder.checkpoint_path(tmp_path, 7)
    path.parent.mkdir()
    path.write_text("precious")
    assert "already contains a run" in refused(GOLDENS / "small", tmp_path)
    assert path.read_text() == "precious"


def test_a_network_with_a_part_missing_is_refused(tmp_path):
    weights = reader.read_source(GOLDENS / "small").arrays
    index = {n: a for n, a in weights.items() if n.startswith("generator/") and "er_5" not in n}
    # Written past our own checks.
    original, pict_file._names = pict_file._names, lambda: index
    try:
        pict_file.write_pict(tmp_path / "part.pict", index)
    finally:
        pict_file._names = original
    assert "the source has no generator/" in refused(tmp_path / "part.pict", tmp_path / "run")
    assert not (tmp_path / "run").exists()
