"""SIGKILL at any moment: a resumed run reaches the very bits of an uninterrupted one."""

import contextlib
import os
import random
import signal
import time

import pytest
from support import SMALLEST, shown_by_tensorboard, write_all

from pix2pix_tf import run_folder

# Other points than these: PIX2PIX_CRASH_SEED=2 pytest tests/test_crash.py
SEED = int(os.environ.get("PIX2PIX_CRASH_SEED", "1"))
# Two kills find a defect of the files; the campaign also finds rare moments.
KILLS = [
    ("pix2pix-tf", 2), ("cyclegan-tf", 2),
    pytest.param("pix2pix-tf", 8, marks=pytest.mark.slow),
    pytest.param("cyclegan-tf", 4, marks=pytest.mark.slow),
]  # fmt: skip
PROGRAMS = {
    "pix2pix-tf": (
        *SMALLEST["pix2pix-tf"], "--crop_size", 16, "--scale_size", 18, "--val_freq", 16,
        "--nobottleneck_norm",
    ),
    "cyclegan-tf": (*SMALLEST["cyclegan-tf"], "--n_epochs", 2, "--n_epochs_decay", 10),
}  # fmt: skip
STEPS = 48
WATCHED = (
    "--seed", 3, "--max_steps", STEPS, "--save_freq", 2, "--keep_checkpoints", 2,
    "--keep_every", 16, "--progress_freq", 1, "--summary_freq", 16, "--display_freq", 12,
    "--ema_decay", 0.9,
)  # fmt: skip

# All cores: what threads make together must not depend on their pace.
THREADS = {"TF_NUM_INTRAOP_THREADS": "0"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """What both programs train on."""
    return write_all(tmp_path_factory.mktemp("data"))


def words(program, data, folder):
    """The command line that is run again and again."""
    places = ["--input_dir", data, "--output_dir", folder]
    places += ["--val_dir", data] if program == "pix2pix-tf" else []
    return ("--mode", "train", "--resume", *places, *PROGRAMS[program], *WATCHED)


def logged(folder):
    """The rows of log.csv without the last column, which is the speed."""
    path = folder / run_folder.LOG
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.rpartition(",")[0] for line in lines]


def events(folder):
    """What TensorBoard shows, but for the graph, the options and the values of the speed."""
    return [
        (step, tag, None if tag.startswith("speed/") else value)
        for step, tag, value in shown_by_tensorboard(folder / run_folder.TENSORBOARD)
        if tag not in ("__run_graph__", "options")
    ]


def contents(folder):
    """Every file that does not depend on the time: dict from paths to bytes."""
    places = (run_folder.CHECKPOINTS, run_folder.IMAGES)
    files = [path for place in places for path in (folder / place).iterdir()]
    files += folder.glob(run_folder.VALIDATION)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(launcher, data, tmp_path_factory):
    """Folders of uninterrupted runs by program."""
    folders = {program: tmp_path_factory.mktemp("whole") / program for program in PROGRAMS}
    for program, folder in folders.items():
        printed = folder.with_suffix(".txt")
        code, text = launcher.run(
            program, *words(program, data, folder), printed=printed, environment=THREADS
        )
        assert code == 0, text
    return folders


def kill_at_random(launcher, draw, *, program, data, folder):
    """Starts the command and kills it; returns False if it came to its end before that."""
    printed = folder.with_suffix(".txt")
    if draw.random() < 0.5:
        point = draw.choice([("fsync", 30), ("replace", 12), ("unlink", 8)])
        process = launcher.start(
            program, *words(program, data, folder), printed=printed, environment=THREADS,
            kill_at=(point[0], draw.randint(1, point[1])),
        )  # fmt: skip
        return launcher.wait(process) == -signal.SIGKILL
    process = launcher.start(
        program, *words(program, data, folder), printed=printed, environment=THREADS
    )
    target = len(logged(folder)) + draw.randint(0, 5)
    with contextlib.suppress(ProcessLookupError):
        while len(logged(folder)) < target:
            os.kill(process, 0)
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.1))
        os.kill(process, signal.SIGKILL)
    return launcher.wait(process) == -signal.SIGKILL


@pytest.mark.parametrize(("program", "kills"), KILLS)
def test_a_killed_run_ends_with_the_same_bits(launcher, whole, data, tmp_path, program, kills):
    draw, folder, killed = random.Random(SEED), tmp_path / "run", 0
    for _ in range(kills):
        killed += kill_at_random(launcher, draw, program=program, data=data, folder=folder)
    printed = tmp_path / "end.txt"
    code, text = launcher.run(
        program, *words(program, data, folder), printed=printed, environment=THREADS
    )
    assert code == 0, text
    # The last points may lie behind the end of training.
    assert killed >= kills / 2
    expected = contents(whole[program])
    found = contents(folder)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    assert logged(folder) == logged(whole[program])
    assert [int(line.partition(",")[0]) for line in logged(folder)[1:]] == list(range(1, STEPS + 1))
    assert events(folder) == events(whole[program])
    assert list(folder.rglob(".partial-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_seed_gives_the_same_bits(launcher, whole, data, tmp_path, program):
    folder = tmp_path / "run"
    again = [*words(program, data, folder), "--deterministic"]
    code, text = launcher.run(
        program, *again, printed=tmp_path / "printed.txt", environment=THREADS
    )
    assert code == 0, text
    assert contents(folder) == contents(whole[program])
    assert logged(folder) == logged(whole[program])
