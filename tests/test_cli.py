"""Both programs as a person runs them: train, resume, test and export."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from runs import command, succeed, train, translate, untrained
from support import SMALLEST, command_line, logged_losses, state

from cyclegan_tf.model import LOSSES
from pix2pix_tf import run_folder

PROGRAMS = pytest.mark.parametrize("program", ["pix2pix-tf", "cyclegan-tf"])


@pytest.fixture
def sources(pairs, unpaired):
    """The training images of each program."""
    return {"pix2pix-tf": pairs, "cyclegan-tf": unpaired}


def tags_by_step(folder):
    """What the newest file of TensorBoard events contains: {tag: steps}."""
    *_, file = sorted((folder / run_folder.TENSORBOARD).glob("events*"))
    tags = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            tags.setdefault(value.tag, []).append(event.step)
        if event.graph_def:
            tags["graph"] = [event.step]
    return tags


def pixels(folder, name):
    return np.asarray(Image.open(folder / run_folder.IMAGES / f"{name}.png"), np.float32)


@pytest.fixture(scope="module")
def watched(pairs, tmp_path_factory):
    """A pix2pix run in graph mode with everything logged; its folder and what was printed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    process = train(
        "pix2pix-tf", pairs, folder, "--progress_freq", 2, "--summary_freq", 3, "--display_freq", 3,
        "--trace_freq", 4, "--save_freq", 2, "--keep_checkpoints", 2, "--norun_eagerly", steps=6,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return folder, process.stdout


def test_training_prints_options_counts_and_progress(watched):
    _, printed = watched
    for line in ("ngf = 1", "seed = 3", "examples count = 5"):
        assert line in printed.splitlines()
    assert re.search(r"^parameter_count = \d+$", printed, re.MULTILINE)
    progress = [line for line in printed.splitlines() if line.startswith("progress  ")]
    assert [line.split()[2:5:2] for line in progress] == [["1", "2"], ["1", "4"], ["2", "1"]]
    for name in ("discriminator_loss", "generator_loss_GAN", "generator_loss_L1"):
        assert printed.count(f"\n{name} ") == 3


def test_a_run_folder_contains_what_the_readme_lists(watched):
    folder, _ = watched
    assert {path.name for path in folder.iterdir()} == {
        "options.json", "checkpoints", "log.csv", "tensorboard", "images", "index.html",
        "curves.png", "data.json",
    }  # fmt: skip
    assert json.loads((folder / run_folder.OPTIONS).read_text())["ngf"] == 1
    assert [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(folder)] == [4, 6]
    assert logged_losses(folder)[:, 0].tolist() == [2, 4, 6]
    names = [path.stem for path in (folder / run_folder.IMAGES).iterdir()]
    assert {name[:8] for name in names} == {"00000003", "00000006"}
    assert {name.rpartition("-")[2] for name in names} == {"inputs", "outputs", "targets"}


def test_tensorboard_gets_scalars_images_histograms_graph_and_profile(watched):
    folder, _ = watched
    tags = tags_by_step(folder)
    for name in ("losses/discriminator_loss", "losses/generator_loss_GAN",
                 "losses/generator_loss_L1", "speed/images_per_second", "samples/inputs",
                 "samples/targets", "samples/outputs", "samples/predict_real",
                 "samples/predict_fake", "weights/generator/encoder_2/conv2d/kernel",
                 "weight_gradients/discriminator/layer_1/conv2d/bias"):  # fmt: skip
        assert tags[name] == [3, 6], name
    # TensorBoard shows the groups in this order.
    assert sorted(tags)[0] == "graph" and sorted(tags)[1].startswith("losses/")
    assert list((folder / run_folder.TENSORBOARD).glob("plugins/profile/*/*"))


@PROGRAMS
def test_a_resumed_run_equals_an_uninterrupted_one(program, sources, tiny_run, tmp_path):
    # What is only looked at changes nothing: this run logs no losses and writes no images.
    run = tmp_path / "run"
    assert train(program, sources[program], run, steps=1).returncode == 0
    words = ("--input_dir", sources[program], "--output_dir", run, "--checkpoint", run)
    printed = succeed(program, "train", *words, "--max_steps", 2)
    assert "resuming at step 1" in printed and "trained to step 2" in printed
    expected, received = state(tiny_run(program), 2), state(run, 2)
    assert received.keys() == expected.keys()
    assert program == "pix2pix-tf" or "pool_a/images" in received
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name], value, err_msg=name)
    assert logged_losses(tiny_run(program))[:, 0].tolist() == [1, 2]


def test_max_epochs_is_a_total(pairs, tmp_path):
    words = ("--max_epochs", 2, "--batch_size", 3)
    process = train("pix2pix-tf", pairs, tmp_path / "run", *words, steps=None)
    assert "trained to step 4:" in process.stdout, process.stderr


def test_cyclegan_trains_for_all_epochs_and_logs_every_loss(unpaired, tmp_path):
    words = ("--n_epochs", 1, "--n_epochs_decay", 1, "--progress_freq", 1)
    words += ("--display_freq", 3, "--dropout")
    process = train("cyclegan-tf", unpaired, tmp_path / "run", *words, steps=None)
    assert "examples count = 3 2" in process.stdout and "trained to step 6:" in process.stdout
    losses = logged_losses(tmp_path / "run")
    assert losses[:, 0].tolist() == [1, 2, 3, 4, 5, 6] and np.isfinite(losses).all()
    for name in LOSSES:
        assert process.stdout.count(f"\n{name} ") == 6
    images = (tmp_path / "run" / run_folder.IMAGES).glob("00000006-*")
    assert {path.stem.rpartition("-")[2] for path in images} == {
        "real_A", "fake_B", "rec_A", "idt_A", "real_B", "fake_A", "rec_B", "idt_B",
    }  # fmt: skip
    page = (tmp_path / "run" / run_folder.INDEX).read_text()
    assert "rec_B" in page and "curves.png" in page


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_a_checkpoint(launcher, pairs, tmp_path, number, code):
    words = ("train", "--input_dir", pairs, "--output_dir", tmp_path / "run", "--run_eagerly")
    printed, errors = tmp_path / "out", tmp_path / "err"
    process = launcher.start(
        "pix2pix-tf", *words, *SMALLEST["pix2pix-tf"], "--progress_freq", 1, "--max_epochs", 999,
        printed=printed, errors=errors,
    )  # fmt: skip
    launcher.printed(process, printed, r"\nprogress  epoch")
    os.kill(process, number)
    assert launcher.wait(process) == code
    assert errors.read_text() == ""
    (checkpoint,) = run_folder.checkpoints(tmp_path / "run")
    step = run_folder.checkpoint_step(checkpoint)
    saved = f"saved step {step}; resume with --checkpoint {tmp_path / 'run'}"
    assert saved in printed.read_text()


def test_pix2pix_writes_one_result_per_input_at_any_batch_size(pairs, tmp_path):
    run, outputs = untrained(tmp_path / "run", crop_size=32, scale_size=36), []
    for number, words in enumerate([(), ("--batch_size", 3), ("--notest_dropout",)]):
        out = tmp_path / str(number)
        metrics = translate("pix2pix-tf", pairs, run, out, *words)
        kinds = ("inputs", "outputs", "targets")
        assert {path.name for path in (out / run_folder.IMAGES).iterdir()} == {
            f"{i}-{kind}.png" for i in range(1, 6) for kind in kinds
        }
        assert metrics["count"] == len(metrics["per_image"]) == 5
        outputs.append(pixels(out, "2-outputs"))
        expected = np.abs(outputs[-1] - pixels(out, "2-targets")).mean() / 127.5
        assert metrics["per_image"]["2"]["L1"] == pytest.approx(expected, rel=1e-5)
        page = (out / run_folder.INDEX).read_text()
        assert page.rstrip().endswith("</html>") and "2-outputs.png" in page
    assert np.abs(outputs[0] - outputs[1]).max() <= 1
    assert (outputs[0] != outputs[2]).any()


def test_cyclegan_translates_there_and_back(unpaired, tiny_run, tmp_path):
    words = ("--direction", "both", "--batch_size", 2)
    run = tiny_run("cyclegan-tf")
    metrics = translate("cyclegan-tf", unpaired, run, tmp_path / "both", *words)
    assert set(metrics["per_image"]) == {"A-1", "A-2", "A-3", "B-1", "B-2"}
    images = {path.name for path in (tmp_path / "both" / run_folder.IMAGES).iterdir()}
    assert {"A-1-real_A.png", "A-1-fake_B.png", "A-1-rec_A.png", "A-1-idt_A.png"} <= images
    real, back = (pixels(tmp_path / "both", f"A-2-{kind}") for kind in ("real_A", "rec_A"))
    expected = np.abs(real - back).mean() / 127.5
    assert metrics["per_image"]["A-2"]["cycle L1 A"] == pytest.approx(expected, abs=4 / 255)
    # A folder of images is enough for one direction.
    translate("cyclegan-tf", unpaired / "testB", run, tmp_path / "B", "--direction", "BtoA")
    assert (tmp_path / "B" / run_folder.IMAGES / "B-2-fake_A.png").is_file()


@PROGRAMS
def test_an_export_is_reloaded_and_compared(program, tiny_run, tmp_path):
    words = ("export", "--output_dir", tmp_path, "--checkpoint", tiny_run(program))
    assert "largest difference when reloaded" in succeed(program, *words)
    assert list(tmp_path.rglob("saved_model.pb"))


def test_lab_colorization_from_training_to_stretched_results(pairs, tmp_path):
    words = ("--lab_colorization", "--separable_conv", "--crop_size", 32, "--scale_size", 36)
    assert train("pix2pix-tf", pairs, tmp_path / "run", *words).returncode == 0
    # The test takes the architecture from the run.
    translate("pix2pix-tf", pairs, tmp_path / "run", tmp_path / "test", "--aspect_ratio", 1.5)
    for kind, mode in (("inputs", "L"), ("outputs", "RGB")):
        image = Image.open(tmp_path / "test" / run_folder.IMAGES / f"1-{kind}.png")
        assert (image.mode, image.size) == (mode, (48, 32))


def test_flags_that_a_run_or_its_files_leave_without_effect_are_named_once(tmp_path):
    folder = untrained(tmp_path / "run", crop_size=32)
    for number in range(2):
        array = np.random.default_rng(number).random((32, 64, 3), np.float32)
        (tmp_path / "data").mkdir(exist_ok=True)
        np.save(tmp_path / "data" / f"{number}.npy", array)
    places = ("--input_dir", tmp_path / "data", "--checkpoint", folder, "--output_dir")
    words = ("test", *places, tmp_path / "out", "--noema", "--aspect_ratio", 2)
    warnings = command("pix2pix-tf", *words).stderr.splitlines()
    assert warnings == [
        "warning: --ema has no effect without averaged weights",
        "warning: --aspect_ratio has no effect on 0-outputs.npy, only on PNG",
    ]
    averaged = untrained(tmp_path / "averaged", crop_size=32, ema_decay=0.9)
    words = ("export", "--checkpoint", averaged, "--output_dir", tmp_path / "e", "--noema")
    assert command("pix2pix-tf", *words, "--export_format", "keras").stderr == ""


@pytest.mark.process
def test_a_terminal_shows_a_progress_bar_with_the_losses(pairs, tmp_path):
    words = ("train", "--input_dir", pairs, "--output_dir", tmp_path / "run", "--run_eagerly")
    words += (*SMALLEST["pix2pix-tf"], "--max_steps", 3, "--progress_freq", 1)
    command = command_line("pix2pix-tf", *words)
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
