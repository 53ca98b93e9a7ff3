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
from runs import command, train, untrained
from support import command_line, refused, run_command, write_pairs

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A pix2pix run that no test changes."""
    options = {"netD": "pixel", "crop_size": 8, "scale_size": 9}
    return untrained(tmp_path_factory.mktemp("runs") / "run", **options)


@pytest.fixture
def train_pix2pix(tmp_path):
    """Asserts that a training is refused; returns the line."""
    return lambda source, *words: refused(train("pix2pix-tf", source, tmp_path / "run", *words))


@pytest.fixture
def use_run(pairs, tmp_path):
    """Asserts that a mode refuses a run; returns the line."""

    def use(run, *words, mode="test", folder=tmp_path / "out"):
        places = ("--input_dir", pairs, "--output_dir", folder, "--checkpoint", run)
        return refused(command("pix2pix-tf", mode, *places, *words))

    return use


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_missing_and_empty_folders(train_pix2pix, tmp_path):
    assert "nothing" in train_pix2pix(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "Received: none" in train_pix2pix(tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("x")
    assert "Received: none" in train_pix2pix(tmp_path / "empty")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("fault", ["truncated", "text", "narrow", "zero bytes"])
def test_unusable_files_are_named(train_pix2pix, tmp_path, fault):
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
    assert str(bad) in train_pix2pix(folder)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("program", "words", "part"),
    [
        ("pix2pix-tf", ("--scale_size", 7), "--scale_size to be at least 8. Received: 7"),
        ("pix2pix-tf", ("--init_from", "nothing"), "Expected --init_from to name"),
        ("pix2pix-tf", ("tset",), "Received: tset; did you mean test?"),
        ("cyclegan-tf", ("--crop_size", 9), "multiple of 2"),
    ],
)
def test_bad_flags(pairs, unpaired, tmp_path, program, words, part):
    source = pairs if program == "pix2pix-tf" else unpaired
    assert part in refused(train(program, source, tmp_path / "run", *words))
    assert not (tmp_path / "run").exists()


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
def test_a_missing_side_is_named(tmp_path, program, words, part):
    line = refused(command(program, "train", "--output_dir", tmp_path / "run", *words))
    assert part in line
    assert not (tmp_path / "run").exists()


def test_folders_with_other_names_are_listed(train_pix2pix, unpaired, tmp_path):
    folder = tmp_path / "data"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    line = train_pix2pix(folder, "--dataset_mode", "folders")
    assert "to contain the folders A and B" in line
    assert line.endswith(f"Received: {folder}; it contains the folders a, b")
    assert "trainA" in refused(train("cyclegan-tf", unpaired / "trainA", tmp_path / "run"))


def test_a_run_is_never_overwritten(pairs, run, unpaired, tiny_run):
    before = snapshot(run)
    line = refused(train("pix2pix-tf", pairs, run))
    assert f"--checkpoint {run}" in line and "another folder" in line
    assert snapshot(run) == before
    assert "--checkpoint" in refused(train("cyclegan-tf", unpaired, tiny_run("cyclegan-tf")))


@pytest.mark.parametrize("mode", ["test", "export"])
def test_a_folder_without_a_run_is_refused(use_run, pairs, tmp_path, mode):
    for folder in (pairs, tmp_path / "nothing"):
        assert "output folder of a training run" in use_run(folder, mode=mode)
    words = ("--input_dir", pairs, "--output_dir", tmp_path / "out")
    assert mode == "export" or "needs --checkpoint" in refused(command("pix2pix-tf", mode, *words))


@pytest.mark.parametrize("mode", ["train", "test", "export"])
def test_an_architecture_other_than_the_runs_is_refused(use_run, run, mode):
    line = use_run(run, "--ngf", 4, mode=mode)
    assert "Expected --ngf to be omitted or 2" in line and "Received: 4" in line


def test_the_run_of_the_other_program_is_refused(use_run, tiny_run):
    assert "a run of cyclegan-tf" in use_run(tiny_run("cyclegan-tf"))


def test_damaged_run_folders_are_named(use_run, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (checkpoint,) = run_folder.checkpoints(copy)
    contents = checkpoint.read_bytes()
    checkpoint.write_bytes(contents[:-100])
    assert "damaged" in use_run(copy)
    checkpoint.write_bytes(contents)
    (copy / run_folder.OPTIONS).write_text('{"ngf": ')
    assert "is not valid JSON" in use_run(copy)
    (copy / run_folder.OPTIONS).write_text("{}")
    assert "no options of a run" in use_run(copy)
    options = json.loads((run / run_folder.OPTIONS).read_text())
    (copy / run_folder.OPTIONS).write_text(json.dumps({**options, "ngf": "two"}))
    assert "options.json" in use_run(copy)
    (copy / run_folder.OPTIONS).write_text(json.dumps({**options, "ngf": 3}))
    assert "generator/encoder_1/conv2d/kernel to have 3 filters" in use_run(copy)


def test_weights_that_are_not_finite_are_named(use_run, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (path,) = run_folder.checkpoints(copy)
    tensors = safetensors.numpy.load_file(path)
    variables = {name: tf.Variable(value) for name, value in tensors.items()}
    name = "generator/encoder_2/conv2d/kernel"
    variables[name].assign(variables[name] * np.nan)
    checkpoints.write(path, 1, variables)
    assert f"{name} in {path} has values that are not finite" in use_run(copy)


def test_results_do_not_replace_a_run_or_the_inputs(use_run, pairs, run):
    assert "is a run's folder" in use_run(run, folder=run)
    assert "is a run's folder" in use_run(run, mode="export", folder=run)
    page = ("export", "--checkpoint", run, "--export_format", "web", "--output_dir", run)
    assert "is a run's folder" in refused(command("pix2pix-tf", *page))
    assert "another folder than --input_dir" in use_run(run, folder=pairs)


def test_an_output_folder_that_is_a_file(pairs, tmp_path):
    (tmp_path / "file").write_text("x")
    assert str(tmp_path / "file") in refused(train("pix2pix-tf", pairs, tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "x"


def test_a_read_only_output_folder(pairs, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if os.geteuid() == 0:
        # Permissions do not bind root, but nobody creates files in the kernel's own folder.
        folder = Path("/proc")
    assert str(folder) in refused(train("pix2pix-tf", pairs, folder))


def test_names_are_escaped(run, tmp_path):
    check = ("check_data", "--input_dir")
    line = refused(command("pix2pix-tf", *check, "a\nb\x1b[31m\u202e"))
    assert line.endswith(r"Received: a\nb\x1b[31m\u202e")
    bytes_only = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    line = refused(command("pix2pix-tf", *check, bytes_only))
    assert "--input_dir to be UTF-8" in line and r"\udcff" in line
    folder = write_pairs(tmp_path / "data", 1)
    (folder / "1.png").rename(folder / "x\n\x1b[31mtrained to step 9.png")
    words = ("test", "--input_dir", folder, "--checkpoint", run, "--output_dir", tmp_path / "out")
    process = command("pix2pix-tf", *words)
    assert process.returncode == 0, process.stderr
    assert "\x1b" not in process.stdout
    assert r"evaluated image x\n\x1b[31mtrained to step 9" in process.stdout.splitlines()


@pytest.mark.process
@pytest.mark.parametrize("number", [1, 2])
def test_closed_streams_are_replaced(pairs, number):
    words = command_line("pix2pix-tf", "check_data", "--input_dir", pairs)
    process = subprocess.run(words, capture_output=True, preexec_fn=lambda: os.close(number))
    assert (process.returncode, process.stderr) == (0, b"")


@pytest.mark.process
def test_a_full_disk_behind_the_output_is_one_line(pairs):
    words = command_line("pix2pix-tf", "check_data", "--input_dir", pairs)
    with open("/dev/full", "w") as full:
        process = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (process.returncode, process.stderr) == (1, "pix2pix-tf: No space left on device\n")


@pytest.mark.process
def test_names_are_escaped_for_a_terminal_that_cannot_show_them(tmp_path):
    folder = write_pairs(tmp_path / "ä", 1)
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    process = run_command("pix2pix-tf", "check_data", "--input_dir", folder, env=ascii_only)
    assert process.returncode == 0 and r"\xe4: 1 examples" in process.stdout


@pytest.mark.process
def test_another_backend_is_one_line(pairs, tmp_path):
    words = ("train", "--input_dir", pairs, "--output_dir", tmp_path / "run")
    process = run_command("pix2pix-tf", *words, env={**os.environ, "KERAS_BACKEND": "nothing"})
    assert "KERAS_BACKEND=nothing" in refused(process)


def test_a_backend_that_loads_but_is_not_tensorflow_is_one_line(monkeypatch, tmp_path):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    line = refused(command("pix2pix-tf", "export", "--output_dir", tmp_path / "out"))
    assert line.endswith("Expected Keras to run on TensorFlow. Received: KERAS_BACKEND=jax")
