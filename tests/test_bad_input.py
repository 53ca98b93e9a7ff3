"""Bad input: one clear line, exit code 1, nothing overwritten."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
from PIL import Image
from support import SMALLEST, command_line, refused, run_command, run_forked, write_pairs

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints

pytestmark = pytest.mark.process

SMALL = (*SMALLEST["pix2pix-tf"], "--ngf", 2, "--seed", 3, "--run_eagerly")


def train(source, folder, *words, **options):
    start = ("--mode", "train", "--input_dir", source, "--output_dir", folder, *SMALL)
    return run_forked("pix2pix-tf", *start, *words, **options)


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train(pairs, folder, "--max_steps", 1).returncode == 0
    return folder


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_missing_and_empty_folders(tmp_path):
    assert "nothing" in refused(train(tmp_path / "nothing", tmp_path / "run"))
    (tmp_path / "empty").mkdir()
    assert "Received: none" in refused(train(tmp_path / "empty", tmp_path / "run"))
    (tmp_path / "empty" / "notes.txt").write_text("x")
    assert "Received: none" in refused(train(tmp_path / "empty", tmp_path / "run"))


@pytest.mark.parametrize("fault", ["truncated", "text", "narrow", "zero bytes"])
def test_unusable_files_are_named(tmp_path, fault):
    folder = write_pairs(tmp_path / "data", 2, suffix=".jpg")
    bad = folder / "x.jpg"
    if fault == "truncated":
        contents = (folder / "1.jpg").read_bytes()
        bad.write_bytes(contents[: len(contents) // 2])
    elif fault == "text":
        bad.write_text("this is no image")
    elif fault == "narrow":
        Image.fromarray(np.zeros((5, 1, 3), np.uint8)).save(bad)
    else:
        bad.touch()
    assert str(bad) in refused(train(folder, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--scale_size", 7), "--scale_size to be at least 8. Received: 7"),
        (("--init_from", "nothing"), "Expected --init_from to name"),
        (("tset",), "Received: tset; did you mean test?"),
    ],
)
def test_bad_flags(pairs, tmp_path, words, part):
    assert part in refused(train(pairs, tmp_path / "run", *words))
    assert not (tmp_path / "run").exists()


def test_a_run_is_never_overwritten(pairs, run):
    before = snapshot(run)
    line = refused(train(pairs, run, "--max_steps", 2))
    assert f"--checkpoint {run}" in line and "another folder" in line
    assert snapshot(run) == before


@pytest.mark.parametrize("mode", ["test", "export"])
def test_what_is_no_run_is_refused(pairs, tmp_path, mode):
    words = ("--mode", mode, "--output_dir", tmp_path / "out")
    if mode == "test":
        words += ("--input_dir", pairs)
        assert "needs --checkpoint" in refused(run_forked("pix2pix-tf", *words))
    for place in (pairs, tmp_path / "nothing"):
        line = refused(run_forked("pix2pix-tf", *words, "--checkpoint", place))
        assert "output folder of a training run" in line


@pytest.mark.parametrize("mode", ["train", "test", "export"])
def test_another_architecture_than_the_runs_is_refused(pairs, run, tmp_path, mode):
    words = ("--mode", mode, "--input_dir", pairs, "--output_dir", tmp_path / "out")
    line = refused(run_forked("pix2pix-tf", *words, "--checkpoint", run, "--ngf", 4))
    assert "Expected --ngf to be omitted or 2" in line and "Received: 4" in line


def test_damaged_run_folders_are_named(pairs, run, tmp_path):
    words = ("--mode", "test", "--input_dir", pairs, "--output_dir", tmp_path / "out")
    copy = shutil.copytree(run, tmp_path / "copy")
    (checkpoint,) = run_folder.checkpoints(copy)
    contents = checkpoint.read_bytes()
    checkpoint.write_bytes(contents[:-100])
    assert "damaged" in refused(run_forked("pix2pix-tf", *words, "--checkpoint", copy))
    checkpoint.write_bytes(contents)
    (copy / run_folder.OPTIONS).write_text('{"ngf": ')
    assert "is not valid JSON" in refused(run_forked("pix2pix-tf", *words, "--checkpoint", copy))
    options = json.loads((run / run_folder.OPTIONS).read_text())
    (copy / run_folder.OPTIONS).write_text(json.dumps({**options, "ngf": "two"}))
    assert "options.json" in refused(run_forked("pix2pix-tf", *words, "--checkpoint", copy))
    (copy / run_folder.OPTIONS).write_text(json.dumps({**options, "ngf": 3}))
    line = refused(run_forked("pix2pix-tf", *words, "--checkpoint", copy))
    assert "generator/encoder_1/conv2d/kernel to have 3 filters" in line


def test_an_output_folder_that_is_a_file(pairs, tmp_path):
    (tmp_path / "file").write_text("x")
    assert str(tmp_path / "file") in refused(train(pairs, tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "x"


def test_a_read_only_output_folder(pairs, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if os.geteuid() == 0:
        # Permissions do not bind root, but nobody creates files in the kernel's own folder.
        folder = Path("/proc")
    assert str(folder) in refused(train(pairs, folder))


@pytest.mark.parametrize("number", [1, 2])
def test_closed_streams_are_replaced(pairs, tmp_path, number):
    words = command_line("pix2pix-tf", "check_data", "--input_dir", pairs)
    done = subprocess.run(words, capture_output=True, preexec_fn=lambda: os.close(number))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_behind_the_output_is_one_line(pairs):
    words = command_line("pix2pix-tf", "check_data", "--input_dir", pairs)
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "pix2pix-tf: No space left on device\n")


def test_names_are_escaped_where_they_cannot_be_shown(tmp_path):
    folder = write_pairs(tmp_path / "ä", 1)
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run_command("pix2pix-tf", "check_data", "--input_dir", folder, env=ascii_only)
    assert done.returncode == 0 and r"\xe4: 1 examples" in done.stdout
    line = refused(run_forked("pix2pix-tf", "check_data", "--input_dir", "a\nb\x1b[31m\u202e"))
    assert line.endswith(r"Received: a\nb\x1b[31m\u202e")
    bytes_only = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    line = refused(run_forked("pix2pix-tf", "check_data", "--input_dir", bytes_only))
    assert "--input_dir to be UTF-8" in line and r"\udcff" in line


def test_names_of_files_forge_no_lines(run, tmp_path):
    folder = write_pairs(tmp_path / "data", 1)
    (folder / "1.png").rename(folder / "x\n\x1b[31mtrained to step 9.png")
    words = ("test", "--input_dir", folder, "--checkpoint", run, "--output_dir", tmp_path / "out")
    done = run_forked("pix2pix-tf", *words)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert r"evaluated image x\n\x1b[31mtrained to step 9" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("program", "words", "part"),
    [
        ("pix2pix-tf", ("--input_dir_A", "x"), "--dataset_mode folders"),
        ("pix2pix-tf", ("--input_dir_A", "x", "--input_dir_B", "y"), "--dataset_mode folders"),
        (
            "pix2pix-tf",
            ("--input_dir_A", "x", "--dataset_mode", "folders"),
            "--input_dir_B, or --input_dir, with --mode train",
        ),
        ("cyclegan-tf", ("--input_dir_A", "x"), "--input_dir_B, or --input_dir, with"),
        ("cyclegan-tf", (), "--mode train needs --input_dir"),
    ],
)
def test_the_missing_side_is_named(tmp_path, program, words, part):
    line = refused(run_forked(program, "train", "--output_dir", tmp_path / "run", *words))
    assert part in line
    assert not (tmp_path / "run").exists()


def test_folders_of_other_names_are_named(tmp_path):
    folder = tmp_path / "data"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    line = refused(train(folder, tmp_path / "run", "--dataset_mode", "folders"))
    assert "to contain the folders A and B" in line
    assert line.endswith(f"Received: {folder}; it contains the folders a, b")


def test_another_backend_is_one_line(pairs, tmp_path):
    words = ("train", "--input_dir", pairs, "--output_dir", tmp_path / "run")
    done = run_command("pix2pix-tf", *words, env={**os.environ, "KERAS_BACKEND": "nothing"})
    assert "KERAS_BACKEND=nothing" in refused(done)


def test_results_do_not_replace_what_is_there(pairs, run):
    words = ("test", "--input_dir", pairs, "--checkpoint", run, "--output_dir")
    assert "is a run's folder" in refused(run_forked("pix2pix-tf", *words, run))
    page = ("export", "--checkpoint", run, "--export_format", "web", "--output_dir", run)
    assert "is a run's folder" in refused(run_forked("pix2pix-tf", *page))
    model = ("export", "--checkpoint", run, "--output_dir", run)
    assert "is a run's folder" in refused(run_forked("pix2pix-tf", *model))
    assert "another folder than --input_dir" in refused(run_forked("pix2pix-tf", *words, pairs))


def test_what_a_checkpoint_cannot_hold_is_named(pairs, run, tmp_path):
    words = ("test", "--input_dir", pairs, "--output_dir", tmp_path / "out", "--checkpoint")
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / run_folder.OPTIONS).write_text("{}")
    assert "no options of a run" in refused(run_forked("pix2pix-tf", *words, copy))
    shutil.copy(run / run_folder.OPTIONS, copy)
    (path,) = run_folder.checkpoints(copy)
    tensors = safetensors.numpy.load_file(path)
    variables = {name: tf.Variable(value) for name, value in tensors.items()}
    name = "generator/encoder_2/conv2d/kernel"
    variables[name].assign(variables[name] * np.nan)
    checkpoints.write(path, 1, variables)
    line = refused(run_forked("pix2pix-tf", *words, copy))
    assert f"{name} in {path} has values that are not finite" in line
