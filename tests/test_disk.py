"""A full disk or a quota: one line, and the last good state stays."""

import os
import shutil
import subprocess

import pytest
from support import SMALLEST, refused, run_command, run_forked

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints

pytestmark = pytest.mark.process

# A checkpoint has 200 kB.
SMALL = (*SMALLEST["pix2pix-tf"], "--ngf", 6, "--seed", 3, "--run_eagerly")


def train(pairs, folder, *words, **options):
    start = ("train", "--input_dir", pairs, "--output_dir", folder, *SMALL, "--max_steps", 90)
    return run_forked("pix2pix-tf", *start, *words, **options)


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    """A run of two steps with both checkpoints."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = train(pairs, folder, "--max_steps", 2, "--save_freq", 1)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of that run."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 700 kB, or None where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here; the tests with a quota stand in")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def left(folder):
    """Steps of the checkpoints that are there; all are whole."""
    found = run_folder.checkpoints(folder)
    assert [checkpoints.fault(path) for path in found] == [None] * len(found)
    assert list(folder.rglob(".partial-*")) == []
    return [run_folder.checkpoint_step(path) for path in found]


def test_a_disk_that_fills_up_with_checkpoints(pairs, small_disk):
    folder = small_disk / "run"
    line = refused(train(pairs, folder, "--save_freq", 2, "--keep_every", 2))
    assert "No space left on device" in line and str(folder) in line
    steps = left(folder)
    assert len(steps) >= 2 and steps == list(range(2, 2 * len(steps) + 1, 2))


# A profile is about 200 kB, and those of one second are one folder: the rest is taken beforehand.
@pytest.mark.parametrize(
    "words, taken", [(("--summary_freq", 1), 0), (("--trace_freq", 1), 550_000)]
)
def test_a_disk_that_fills_up_with_events(pairs, small_disk, words, taken):
    (small_disk / "taken").write_bytes(bytes(taken))
    folder = small_disk / "run"
    line = refused(train(pairs, folder, *words, "--save_freq", 0))
    assert "No space left on device" in line and str(folder / run_folder.TENSORBOARD) in line


def test_a_quota_for_checkpoints(pairs, run):
    size = run_folder.checkpoints(run)[0].stat().st_size
    line = refused(train(pairs, run, "--resume", "--save_freq", 1, largest_file=size // 2))
    assert "File too large" in line and str(run / run_folder.CHECKPOINTS) in line
    assert left(run) == [1, 2]


def test_a_quota_for_events(pairs, tmp_path):
    words = ("--summary_freq", 1, "--save_freq", 1)
    done = train(pairs, tmp_path / "run", *words, largest_file=300_000)
    assert "File too large" in refused(done)
    assert left(tmp_path / "run")


def test_a_log_that_cannot_be_written(pairs, run):
    log = run / run_folder.LOG
    lines = log.read_text().splitlines(keepends=True)
    # A log as long as a quota: rows of which none is dropped.
    log.write_text(lines[0] + "1,1,0,0,0,0\n" + "2,1" + ",0" * 3 + "," + "0" * 300_000 + "\n")
    words = ("--resume", "--progress_freq", 1, "--save_freq", 1)
    line = refused(train(pairs, run, *words, largest_file=log.stat().st_size + 10))
    assert "File too large" in line and str(log) in line
    # The update of that step was made, and is not lost.
    assert left(run)[-1] == 3


@pytest.mark.parametrize("words", [(), ("--export_format", "keras")])
def test_a_quota_for_exports(trained, tmp_path, words):
    export = ("export", "--checkpoint", trained, "--output_dir", tmp_path / "export", *words)
    done = run_forked("pix2pix-tf", *export, largest_file=10_000)
    assert "File too large" in refused(done)
    assert not (tmp_path / "export").exists()


def test_a_full_folder_for_temporary_files(pairs, small_disk, tmp_path):
    (small_disk / "taken").write_bytes(bytes(705_000))
    words = ("train", "--input_dir", pairs, "--output_dir", tmp_path / "run", "--max_steps", 1)
    done = run_command("pix2pix-tf", *words, env={**os.environ, "TMPDIR": str(small_disk)})
    line = refused(done)
    assert "no space for temporary files" in line and str(small_disk) in line
