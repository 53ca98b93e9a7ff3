"""The commands as a person runs them: train, stop, continue, test, export, reload."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support import command_line, logged_losses, run_forked, state

from pix2pix_tf import run_folder

pytestmark = pytest.mark.process

SMALL = ("--ngf", 2, "--ndf", 2, "--seed", 3, "--crop_size", 32, "--scale_size", 36)
EAGER = ("--netD", "pixel", "--summary_freq", 0, "--run_eagerly")


def train(pairs, folder, *words, **options):
    start = ("--mode", "train", "--input_dir", pairs, "--output_dir", folder, *SMALL)
    return run_forked("pix2pix-tf", *start, *words, **options)


def test(pairs, run, out, *words):
    start = ("--mode", "test", "--input_dir", pairs, "--checkpoint", run, "--output_dir", out)
    done = run_forked("pix2pix-tf", *start, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


test.__test__ = False


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
    assert logged_losses(folder)[:, 0].tolist() == [2, 4, 6]
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
    found = logged_losses(tmp_path / "run")
    assert found[:, 0].tolist() == [2, 3, 4, 6]
    np.testing.assert_array_equal(found[[0, 2, 3]], logged_losses(whole))
    first, second = state(whole, 6), state(tmp_path / "run", 6)
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
    process = launcher.start("pix2pix-tf", *words, "--progress_freq", 1, *EAGER, **options)
    launcher.printed(process, printed, r"\nprogress  epoch")
    os.kill(process, number)
    assert launcher.wait(process) == code
    assert errors.read_text() == ""
    (checkpoint,) = run_folder.checkpoints(tmp_path / "run")
    step = run_folder.checkpoint_step(checkpoint)
    saved = f"saved step {step}; resume with --checkpoint {tmp_path / 'run'}"
    assert saved in printed.read_text()


def test_test_writes_one_result_per_input_and_repeats_it(pairs, run, tmp_path):
    folder, _ = run
    results = []
    for number, words in enumerate([(), ("--batch_size", 3), ("--notest_dropout",)]):
        out = tmp_path / str(number)
        assert test(pairs, folder, out, *words).count("evaluated image") == 5
        names = {path.name for path in (out / "images").iterdir()}
        kinds = ("inputs", "outputs", "targets")
        assert names == {f"{i}-{kind}.png" for i in range(1, 6) for kind in kinds}
        metrics = json.loads((out / run_folder.METRICS).read_text())
        assert metrics["count"] == len(metrics["per_image"]) == 5
        output, target = (
            np.asarray(Image.open(out / "images" / f"2-{kind}.png"), np.float32)
            for kind in ("outputs", "targets")
        )
        expected = np.abs(output - target).mean() / 127.5
        assert metrics["per_image"]["2"]["L1"] == pytest.approx(expected, rel=1e-5)
        page = (out / run_folder.INDEX).read_text()
        assert page.rstrip().endswith("</html>")
        assert page.count("2-outputs.png") >= 1
        results.append(output)
    assert np.abs(results[0] - results[1]).max() <= 1
    assert (results[0] != results[2]).any()


def test_export_is_reloaded_and_compared(run, tmp_path):
    folder, _ = run
    done = run_forked(
        "pix2pix-tf", "--mode", "export", "--output_dir", tmp_path, "--checkpoint", folder
    )
    assert done.returncode == 0, done.stderr
    assert "largest difference when reloaded" in done.stdout
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    assert set(signatures) == {"serving_default", "serve_image_bytes", "serve_base64"}


def test_lab_colorization_end_to_end_in_stretched_pictures(pairs, tmp_path):
    words = ("--lab_colorization", "--separable_conv", "--max_steps", 1, *EAGER)
    done = train(pairs, tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    printed = test(pairs, tmp_path / "run", tmp_path / "test", "--aspect_ratio", 1.5)
    # The run's architecture.
    assert "separable_conv = True" in printed and "lab_colorization = True" in printed
    for kind, mode in (("inputs", "L"), ("outputs", "RGB")):
        image = Image.open(tmp_path / "test" / "images" / f"1-{kind}.png")
        assert (image.mode, image.size) == (mode, (48, 32))


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
