"""The commands as a person runs them: train, stop, continue, test, export, reload."""

import csv
import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support import command_line, run_forked, write_pairs

from pix2pix_tf import run_folder

SMALL = ("--ngf", 2, "--ndf", 2, "--seed", 3, "--crop_size", 32, "--scale_size", 36)
QUIET = ("--netD", "pixel", "--summary_freq", 0)
EAGER = (*QUIET, "--run_eagerly")


def train(pairs, folder, *words, **options):
    start = ("--mode", "train", "--input_dir", pairs, "--output_dir", folder, *SMALL)
    return run_forked("pix2pix-tf", *start, *words, **options)


def rows(folder):
    with open(folder / run_folder.LOG, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def losses(folder):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows(folder)]


def tensors(folder):
    import safetensors.numpy

    return safetensors.numpy.load_file(run_folder.checkpoints(folder)[-1])


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    """A finished run with every watcher on; returns its folder and what was printed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = train(
        pairs, folder, "--max_steps", 6, "--progress_freq", 2, "--summary_freq", 3,
        "--display_freq", 3, "--trace_freq", 4, "--save_freq", 2, "--keep_checkpoints", 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_prints_options_counts_and_the_references_progress(run):
    _, printed = run
    for line in ("ngf = 2", "seed = 3", "examples count = 5", "parameter_count = 19994"):
        assert line in printed.splitlines()
    progress = [line for line in printed.splitlines() if line.startswith("progress  ")]
    assert [line.split()[2:5:2] for line in progress] == [["1", "2"], ["1", "4"], ["2", "1"]]
    for name in ("discriminator_loss", "generator_loss_GAN", "generator_loss_L1"):
        assert printed.count(f"\n{name} ") == 3


def test_the_run_folder_holds_what_the_readme_says(run):
    folder, _ = run
    assert {path.name for path in folder.iterdir()} == {
        "options.json", "checkpoints", "log.csv", "tensorboard", "images", "index.html",
        "curves.png", "data.json",
    }  # fmt: skip
    assert json.loads((folder / run_folder.OPTIONS).read_text())["ngf"] == 2
    assert [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(folder)] == [4, 6]
    assert [int(row["step"]) for row in rows(folder)] == [2, 4, 6]
    names = {path.name for path in (folder / "images").iterdir()}
    assert {name[:8] for name in names} == {"00000003", "00000006"}
    assert {name.rpartition("-")[2] for name in names} == {
        "inputs.png", "outputs.png", "targets.png",
    }  # fmt: skip


def test_tensorboard_gets_scalars_images_histograms_graph_and_profile(run):
    folder, _ = run
    *_, file = sorted((folder / run_folder.TENSORBOARD).glob("events*"))
    tags = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            tags.setdefault(value.tag, []).append(event.step)
        if event.graph_def:
            tags["graph"] = [event.step]
    for name in ("losses/discriminator_loss", "losses/generator_loss_GAN",
                 "losses/generator_loss_L1", "speed/images_per_second", "samples/inputs",
                 "samples/targets", "samples/outputs", "samples/predict_real",
                 "samples/predict_fake", "weights/generator/encoder_2/conv2d/kernel",
                 "weight_gradients/discriminator/layer_5/conv2d/bias"):  # fmt: skip
        assert tags[name] == [3, 6], name
    # TensorBoard shows the groups in this order.
    assert sorted(tags)[1].startswith("losses/") and sorted(tags)[0] == "graph"
    assert "graph" in tags
    assert list((folder / run_folder.TENSORBOARD).glob("plugins/profile/*/*"))


def test_continuing_gives_what_an_uninterrupted_run_gives(pairs, run, tmp_path):
    whole, _ = run
    watch = ("--progress_freq", 2, "--save_freq", 2)
    assert train(pairs, tmp_path / "run", "--max_steps", 3, *watch).returncode == 0
    again = ("--mode", "train", "--input_dir", pairs, "--output_dir", tmp_path / "run")
    done = run_forked("pix2pix-tf", *again, "--checkpoint", tmp_path / "run", "--max_steps", 6)
    assert done.returncode == 0, done.stderr
    assert "resuming at step 3" in done.stdout
    expected = {row["step"]: row for row in losses(whole)}
    found = {row["step"]: row for row in losses(tmp_path / "run")}
    assert {step: found[step] for step in expected} == expected
    assert len(rows(tmp_path / "run")) == len(found)
    first, second = tensors(whole), tensors(tmp_path / "run")
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_max_epochs_is_a_total(pairs, tmp_path):
    done = train(pairs, tmp_path / "run", "--max_epochs", 2, "--batch_size", 3, *EAGER)
    assert done.returncode == 0
    assert "trained to step 4:" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_continue(launcher, pairs, tmp_path, number, code):
    words = ("--mode", "train", "--input_dir", pairs, "--output_dir", tmp_path / "run", *SMALL)
    printed, errors = tmp_path / "out", tmp_path / "err"
    options = {"printed": printed, "errors": errors}
    process = launcher.start("pix2pix-tf", *words, "--progress_freq", 1, *QUIET, **options)
    launcher.printed(process, printed, r"\nprogress  epoch")
    os.kill(process, number)
    assert launcher.wait(process) == code
    assert errors.read_text() == ""
    (checkpoint,) = run_folder.checkpoints(tmp_path / "run")
    step = run_folder.checkpoint_step(checkpoint)
    saved = f"saved step {step}; resume with --checkpoint {tmp_path / 'run'}"
    assert saved in printed.read_text()


@pytest.mark.parametrize("batch_size", [1, 2])
def test_test_writes_one_result_per_input(pairs, run, tmp_path, batch_size):
    folder, _ = run
    done = run_forked(
        "pix2pix-tf", "--mode", "test", "--input_dir", pairs, "--output_dir", tmp_path,
        "--checkpoint", folder, "--batch_size", batch_size,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("evaluated image") == 5
    names = {path.name for path in (tmp_path / "images").iterdir()}
    kinds = ("inputs", "outputs", "targets")
    assert names == {f"{i}-{kind}.png" for i in range(1, 6) for kind in kinds}
    metrics = json.loads((tmp_path / run_folder.METRICS).read_text())
    assert metrics["count"] == len(metrics["per_image"]) == 5
    output = np.asarray(Image.open(tmp_path / "images" / "2-outputs.png"), np.float32)
    target = np.asarray(Image.open(tmp_path / "images" / "2-targets.png"), np.float32)
    expected = np.abs(output - target).mean() / 127.5
    assert metrics["per_image"]["2"]["L1"] == pytest.approx(expected, rel=1e-5)
    page = (tmp_path / run_folder.INDEX).read_text()
    assert page.rstrip().endswith("</html>")
    assert page.count("2-outputs.png") >= 1


def test_test_is_repeatable_and_dropout_can_be_switched_off(pairs, run, tmp_path):
    folder, _ = run
    results = []
    for number, words in enumerate([(), ("--batch_size", 3), ("--notest_dropout",)]):
        done = run_forked(
            "pix2pix-tf", "--mode", "test", "--input_dir", pairs, "--checkpoint", folder,
            "--output_dir", tmp_path / str(number), *words,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        path = tmp_path / str(number) / "images" / "4-outputs.png"
        results.append(np.asarray(Image.open(path), np.int16))
    assert np.abs(results[0] - results[1]).max() <= 1
    assert (results[0] != results[2]).any()


def test_aspect_ratio_stretches_the_pictures(pairs, run, tmp_path):
    folder, _ = run
    done = run_forked(
        "pix2pix-tf", "--mode", "test", "--input_dir", pairs, "--output_dir", tmp_path,
        "--checkpoint", folder, "--aspect_ratio", 1.5,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "images" / "1-outputs.png").size == (48, 32)


def test_test_takes_the_architecture_from_the_run(tmp_path, pairs):
    words = ("--separable_conv", "--which_direction", "BtoA", "--max_steps", 1, *EAGER)
    assert train(pairs, tmp_path / "run", *words).returncode == 0
    done = run_forked(
        "pix2pix-tf", "--mode", "test", "--input_dir", pairs, "--output_dir", tmp_path / "test",
        "--checkpoint", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "separable_conv = True" in done.stdout
    assert "which_direction = BtoA" in done.stdout


def test_export_is_reloaded_and_compared(run, tmp_path):
    folder, _ = run
    done = run_forked(
        "pix2pix-tf", "--mode", "export", "--output_dir", tmp_path, "--checkpoint", folder
    )
    assert done.returncode == 0, done.stderr
    assert "largest difference when reloaded" in done.stdout
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    assert set(signatures) == {"serving_default", "serve_image_bytes", "serve_base64"}


def test_lab_colorization_end_to_end(pairs, tmp_path):
    done = train(pairs, tmp_path / "run", "--lab_colorization", "--max_steps", 1, *EAGER)
    assert done.returncode == 0, done.stderr
    done = run_forked(
        "pix2pix-tf", "--mode", "test", "--input_dir", pairs, "--output_dir", tmp_path / "test",
        "--checkpoint", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "test" / "images" / "1-inputs.png").mode == "L"
    assert Image.open(tmp_path / "test" / "images" / "1-outputs.png").mode == "RGB"


def test_on_a_terminal_a_live_bar_shows_the_losses(pairs, tmp_path):
    import fcntl
    import pty
    import re
    import struct
    import termios

    words = ("--mode", "train", "--input_dir", pairs, "--output_dir", tmp_path / "run", *SMALL)
    command = command_line("pix2pix-tf", *words, "--max_steps", 3, "--progress_freq", 1, *EAGER)
    main, side = pty.openpty()
    # A terminal of 24 rows and 80 columns.
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(command, stdout=side, stderr=side, close_fds=True)
    os.close(side)
    printed, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        try:
            printed += os.read(main, 4096)
        except OSError:
            break
    assert process.wait(timeout=60) == 0
    bar = re.findall(rb"3/3 [^\r]*", printed)[-1].decode()
    assert re.search(r"█.* L1 0\.\d+ D 1\.\d+ G 0\.\d+ ep 1 (image/sec|sec/step) [\d.]+", bar)
    assert len(bar) <= 80
    assert b"progress  epoch" not in printed


def test_odd_grey_alpha_and_deep_files_among_usual_ones(tmp_path):
    folder = write_pairs(tmp_path / "data", 1)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (33, 67, 4), np.uint8)
    Image.fromarray(pixels[..., :3]).save(folder / "2.jpg")
    Image.fromarray(pixels[..., 0]).save(folder / "3.png")
    Image.fromarray(pixels).save(folder / "4.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "5.png")
    done = train(folder, tmp_path / "run", "--max_epochs", 1, *EAGER)
    assert done.returncode == 0, done.stderr
