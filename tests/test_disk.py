"""A full disk or a quota: one line, and the last good state stays."""

import os
import subprocess

import pytest
from support import SMALLEST, run_command

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints

# A checkpoint has 200 kB.
START = ("--mode", "train", *SMALLEST["pix2pix-tf"], "--ngf", 6, "--seed", 3, "--max_steps", 90)


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


def refused(code, text, why):
    """The one line with which the command gave up."""
    line = text.strip().splitlines()[-1]
    assert code == 1, text
    assert "Traceback" not in text
    assert why in line and line.startswith("pix2pix-tf: ")
    return line


def left(folder):
    """Steps of the checkpoints that are there; all are whole."""
    found = run_folder.checkpoints(folder)
    assert [checkpoints.fault(path) for path in found] == [None] * len(found)
    assert list(folder.rglob(".partial-*")) == []
    return [run_folder.checkpoint_step(path) for path in found]


def test_a_disk_that_fills_up_with_checkpoints(launcher, pairs, small_disk, tmp_path):
    folder = small_disk / "run"
    words = (*START, "--input_dir", pairs, "--output_dir", folder)
    code, text = launcher.run(
        "pix2pix-tf", *words, "--save_freq", 2, "--keep_every", 2, printed=tmp_path / "out.txt"
    )
    line = refused(code, text, "No space left on device")
    assert str(folder) in line
    steps = left(folder)
    assert len(steps) >= 2 and steps == list(range(2, 2 * len(steps) + 1, 2))


# A profile is about 200 kB, and those of one second are one folder: the rest is taken beforehand.
@pytest.mark.parametrize(
    "words, taken", [(("--summary_freq", 1), 0), (("--trace_freq", 1), 550_000)]
)
def test_a_disk_that_fills_up_with_events(launcher, pairs, small_disk, tmp_path, words, taken):
    (small_disk / "taken").write_bytes(bytes(taken))
    folder = small_disk / "run"
    words = (*START, "--input_dir", pairs, "--output_dir", folder, *words, "--save_freq", 0)
    code, text = launcher.run("pix2pix-tf", *words, printed=tmp_path / "out.txt")
    assert str(folder / run_folder.TENSORBOARD) in refused(code, text, "No space left on device")


def test_a_quota_for_checkpoints(launcher, pairs, tmp_path):
    folder = tmp_path / "run"
    words = (*START, "--input_dir", pairs, "--output_dir", folder)
    code, text = launcher.run(
        "pix2pix-tf", *words, "--max_steps", 2, "--save_freq", 1, printed=tmp_path / "out.txt"
    )
    assert code == 0, text
    size = run_folder.checkpoints(folder)[0].stat().st_size
    code, text = launcher.run(
        "pix2pix-tf", *words, "--resume", "--save_freq", 1, printed=tmp_path / "out.txt",
        largest_file=size // 2,
    )  # fmt: skip
    # What was printed is a file, too, but a small one.
    assert str(folder / run_folder.CHECKPOINTS) in refused(code, text, "File too large")
    assert left(folder) == [1, 2]


def test_a_quota_for_events(launcher, pairs, tmp_path):
    folder = tmp_path / "run"
    words = (*START, "--input_dir", pairs, "--output_dir", folder, "--summary_freq", 1)
    code, text = launcher.run(
        "pix2pix-tf", *words, "--save_freq", 1, printed=tmp_path / "out.txt", largest_file=300_000
    )
    refused(code, text, "File too large")
    assert left(folder)


def test_a_log_that_cannot_be_written(launcher, pairs, tmp_path):
    folder = tmp_path / "run"
    words = (*START, "--input_dir", pairs, "--output_dir", folder)
    code, text = launcher.run("pix2pix-tf", *words, "--max_steps", 2, printed=tmp_path / "out.txt")
    assert code == 0, text
    log = folder / run_folder.LOG
    lines = log.read_text().splitlines(keepends=True)
    # A log as long as a quota: rows of which none is dropped.
    log.write_text(lines[0] + "1,1,0,0,0,0\n" + "2,1" + ",0" * 3 + "," + "0" * 300_000 + "\n")
    code, text = launcher.run(
        "pix2pix-tf", *words, "--resume", "--progress_freq", 1, "--save_freq", 1,
        printed=tmp_path / "out.txt", largest_file=log.stat().st_size + 10,
    )  # fmt: skip
    assert str(log) in refused(code, text, "File too large")
    # The update of that step was made, and is not lost.
    assert left(folder) == [2, 3]


@pytest.mark.parametrize("words", [(), ("--export_format", "keras")])
def test_a_quota_for_exports(launcher, pairs, tmp_path, words):
    run = tmp_path / "run"
    start = (*START, "--input_dir", pairs, "--output_dir", run, "--max_steps", 1)
    code, text = launcher.run("pix2pix-tf", *start, printed=tmp_path / "out.txt")
    assert code == 0, text
    export = ("export", "--checkpoint", run, "--output_dir", tmp_path / "export", *words)
    code, text = launcher.run(
        "pix2pix-tf", *export, printed=tmp_path / "out.txt", largest_file=10_000
    )
    refused(code, text, "File too large")
    assert not (tmp_path / "export").exists()


def test_a_full_folder_for_temporary_files(pairs, small_disk, tmp_path):
    (small_disk / "taken").write_bytes(bytes(705_000))
    words = ("train", "--input_dir", pairs, "--output_dir", tmp_path / "run", "--max_steps", 1)
    done = run_command("pix2pix-tf", *words, env={**os.environ, "TMPDIR": str(small_disk)})
    line = refused(done.returncode, done.stderr, "no space for temporary files")
    assert str(small_disk) in line
