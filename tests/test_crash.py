"""SIGKILL at any moment: the run goes on to the very bits that it would have reached."""

import os
import random
import signal
import time

import pytest
import tensorflow as tf

from pix2pix_tf import runs

# Other points than these: PIX2PIX_CRASH_SEED=2 pytest tests/test_crash.py
SEED = int(os.environ.get("PIX2PIX_CRASH_SEED", "1"))
KILLS = 20
PROGRAMS = ("pix2pix-tf",)
# A seven-level U-Net of one filter: 14,623 parameters.
SMALL = ("--ngf", 1, "--ndf", 1, "--seed", 3)
WATCHED = (
    "--max_steps", 48, "--save_freq", 2, "--keep_checkpoints", 2, "--keep_every", 16,
    "--progress_freq", 1, "--summary_freq", 16, "--display_freq", 12, "--val_freq", 16,
    "--ema_decay", 0.9,
)  # fmt: skip


def words(pairs, folder):
    places = ("--input_dir", pairs, "--val_dir", pairs, "--output_dir", folder)
    return ("--mode", "train", "--resume", *places, *SMALL, *WATCHED)


def logged(folder):
    """The rows of log.csv without the last column, which is the speed."""
    path = folder / runs.LOG
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.rpartition(",")[0] for line in lines]


def events(folder):
    """What TensorBoard shows: sorted (step, tag, value), but for the speed and the graph."""
    found = []
    for path in (folder / runs.TENSORBOARD).glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found += [
                (event.step, value.tag, value.tensor.SerializeToString())
                for value in event.summary.value
                if value.tag != "images_per_second"
            ]
    return sorted(found)


def contents(folder):
    """Every file that does not depend on the time: dict from paths to bytes."""
    places = (runs.CHECKPOINTS, runs.IMAGES)
    files = [path for place in places for path in (folder / place).iterdir()]
    files.append(folder / runs.VALIDATION)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(launcher, pairs, tmp_path_factory):
    """Folders of uninterrupted runs by program."""
    folders = {program: tmp_path_factory.mktemp("whole") / program for program in PROGRAMS}
    for program, folder in folders.items():
        printed = folder.with_suffix(".txt")
        code, text = launcher.run(program, *words(pairs, folder), printed=printed)
        assert code == 0, text
    return folders


def kill_at_random(launcher, draw, *, program, pairs, folder):
    """Starts the command and kills it; returns False if it came to its end before that."""
    printed = folder.with_suffix(".txt")
    if draw.random() < 0.5:
        point = draw.choice([("fsync", 30), ("replace", 12), ("unlink", 8)])
        launcher.start(
            program, *words(pairs, folder), printed=printed,
            kill_at=(point[0], draw.randint(1, point[1])),
        )  # fmt: skip
        return launcher.wait() == -signal.SIGKILL
    process = launcher.start(program, *words(pairs, folder), printed=printed)
    target = len(logged(folder)) + draw.randint(0, 5)
    end = time.monotonic() + 30
    while len(logged(folder)) < target and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(draw.uniform(0, 0.1))
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return launcher.wait() == -signal.SIGKILL


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_run_killed_twenty_times_ends_with_the_same_bits(
    launcher, whole, pairs, tmp_path, program
):
    draw, folder, killed = random.Random(SEED), tmp_path / "run", 0
    for _ in range(KILLS):
        killed += kill_at_random(launcher, draw, program=program, pairs=pairs, folder=folder)
    printed = tmp_path / "end.txt"
    code, text = launcher.run(program, *words(pairs, folder), printed=printed)
    assert code == 0, text
    # The last points may lie behind the end of training.
    assert killed >= KILLS // 2
    expected = contents(whole[program])
    found = contents(folder)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    assert logged(folder) == logged(whole[program])
    assert [int(line.partition(",")[0]) for line in logged(folder)[1:]] == list(range(1, 49))
    assert events(folder) == events(whole[program])
    assert list(folder.rglob(".partial-*")) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_seed_gives_the_same_bits(launcher, whole, pairs, tmp_path, program):
    folder = tmp_path / "run"
    again = [*words(pairs, folder), "--deterministic"]
    code, text = launcher.run(program, *again, printed=tmp_path / "printed.txt")
    assert code == 0, text
    assert contents(folder) == contents(whole[program])
    assert logged(folder) == logged(whole[program])
