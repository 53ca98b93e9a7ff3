"""A quota, which fails as a full disk does: one line, and the last good state stays."""

import shutil
import tempfile

import pytest
from support import SMALLEST, refused, run_forked

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


def left(folder):
    """Steps of the checkpoints that are there; all are whole."""
    found = run_folder.checkpoints(folder)
    assert [checkpoints.fault(path) for path in found] == [None] * len(found)
    assert list(folder.rglob(".partial-*")) == []
    return [run_folder.checkpoint_step(path) for path in found]


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


def test_a_quota_for_temporary_files(pairs, tmp_path):
    line = refused(train(pairs, tmp_path / "run", largest_file=10_000))
    assert "no space for temporary files" in line and tempfile.gettempdir() in line
