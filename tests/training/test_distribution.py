"""Several devices in one process, by the command line: the same run as on one."""

import numpy as np
import pytest
from PIL import Image
from support import (
    SMALLEST,
    assert_equal_to_rounding,
    logged_losses,
    shown_by_tensorboard,
    state,
    write_all,
)

from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import run_folder
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import distribution

MIRRORED = ("--strategy", "mirrored", "--logical_devices", 2)
# At the usual gain of 0.02 some units sit so near to their kinks that rounding, even that of
# another order of a batch's images, decides on which side within a few updates.
SMALL = ("--ngf", 1, "--ndf", 1, "--batch_size", 4, "--init_gain", 0.2, "--seed", 3)
WATCHED = ("--save_freq", 2, "--progress_freq", 1, "--max_steps", 4)
PAIRED = (
    *WATCHED, "--crop_size", 16, "--scale_size", 18, "--netD", "pixel", "--norm", "sync_batch",
    "--ema_decay", 0.9, "--summary_freq", 3, "--display_freq", 3,
)  # fmt: skip
CYCLE = (
    *SMALLEST["cyclegan-tf"], *WATCHED, "--dropout", "--n_epochs", 2, "--n_epochs_decay", 2,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """What both programs train on."""
    return write_all(tmp_path_factory.mktemp("data"))


@pytest.fixture
def train(launcher, data, tmp_path):
    """Trains; returns the run folder."""

    def run(program, name, *words):
        folder = tmp_path / name
        code, text = launcher.run(
            program, "--mode", "train", "--input_dir", data, "--output_dir", folder,
            *SMALL, *words, printed=tmp_path / "printed.txt",
        )  # fmt: skip
        assert code == 0, text
        return folder

    return run


def shown(folder):
    """What TensorBoard shows of steps, without the speed: {(step, tag)}."""
    found = shown_by_tensorboard(folder / run_folder.TENSORBOARD)
    without = ("options", "__run_graph__", "speed/images_per_second")
    return {(step, tag) for step, tag, _ in found if tag not in without}


def test_two_replicas_make_the_cyclegan_of_one(train):
    one, two = train("cyclegan-tf", "one", *CYCLE), train("cyclegan-tf", "two", *CYCLE, *MIRRORED)
    for step in (2, 4):
        assert_equal_to_rounding(state(two, step), state(one, step))
    np.testing.assert_allclose(logged_losses(two), logged_losses(one), rtol=1e-5)


def test_two_replicas_go_on_with_the_run_of_one(train):
    one = train("pix2pix-tf", "one", *PAIRED)
    start = ("--checkpoint", run_folder.checkpoint_path(one, 2))
    two = train("pix2pix-tf", "two", *PAIRED, *start, *MIRRORED)
    assert_equal_to_rounding(state(two, 4), state(one, 4))
    np.testing.assert_allclose(logged_losses(two), logged_losses(one)[2:], rtol=1e-5)
    assert shown(two) == {(step, tag) for step, tag in shown(one) if step > 2}
    pictures = {path.name for path in (two / run_folder.IMAGES).iterdir()}
    assert pictures == {path.name for path in (one / run_folder.IMAGES).iterdir()} != set()
    for name in pictures:
        pixels = [
            np.asarray(Image.open(folder / run_folder.IMAGES / name), int) for folder in (one, two)
        ]
        assert np.abs(pixels[0] - pixels[1]).max() <= 1, name


@pytest.mark.parametrize("check", ["statistics", "fit"])
def test_in_a_process_with_two_devices(launcher, pairs, tmp_path, check):
    code, text = launcher.run("replicas", check, pairs, printed=tmp_path / "printed.txt")
    assert code == 0, text


@pytest.mark.parametrize(
    ("parts", "message"),
    [(1, "needs several devices.*CPU:0, which --logical"), (2, "before TensorFlow uses")],
)
def test_missing_devices_are_refused(parts, message):
    with pytest.raises(InputError, match=message):
        with distribution.strategy_scope("mirrored", batch_size=4, logical_devices=parts):
            pass


@pytest.mark.parametrize("config_class", [Pix2PixConfig, CycleGANConfig])
def test_options_of_devices_need_each_other(config_class):
    places = {"mode": "train", "input_dir": "in", "output_dir": "out"}
    with pytest.raises(InputError, match="logical_devices only with strategy mirrored"):
        config_class(**places, logical_devices=2)
    with pytest.raises(InputError, match="mode train with strategy multi_worker"):
        config_class(strategy="multi_worker")


def test_a_batch_that_devices_cannot_share_is_refused(launcher, data, tmp_path):
    code, text = launcher.run(
        "pix2pix-tf", "--mode", "train", "--input_dir", data, "--output_dir", tmp_path / "run",
        *MIRRORED, "--batch_size", 3, printed=tmp_path / "printed.txt",
    )  # fmt: skip
    assert code == 1
    line = text.splitlines()[-1]
    assert "Expected --batch_size to be a multiple of 2" in line and "Received: 3" in line
