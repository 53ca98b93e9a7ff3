"""Folders at addresses behave as folders on this machine, shown with TensorFlow's ram://."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from etils import epath
from etils.epath import backend, gpath
from support import SMALLEST, write_pairs

from pix2pix_tf import cli, run_folder
from pix2pix_tf.data import inspection, listing
from pix2pix_tf.errors import InputError

WORDS = (
    *SMALLEST["pix2pix-tf"], "--seed", 3, "--save_freq", 1, "--keep_checkpoints", 2,
    "--progress_freq", 1, "--summary_freq", 2, "--display_freq", 2, "--val_freq", 2,
    "--run_eagerly",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def scheme():
    """Lets epath use TensorFlow's file system in memory as it uses TensorFlow's gs://."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpath, "_URI_PREFIXES", (*gpath._URI_PREFIXES, "ram://"))
        patch.setattr(gpath, "_URI_SCHEMES", gpath._URI_SCHEMES | {"ram"})
        patch.setitem(gpath._URI_MAP_ROOT, "ram://", "/ram/")
        patch.setitem(gpath._PREFIX_TO_BACKEND, "ram", backend.tf_backend)
        epath.register_path_cls("ram://")(gpath.PosixGPath)
        yield


@pytest.fixture
def ram(request):
    """A folder in memory that no other test uses."""
    folder = run_folder.as_path(f"ram://{request.node.name}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def files(folder):
    """Dict from the path within a folder to the bytes of every file in it."""
    found, waiting = {}, [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_dir():
                waiting.append(path)
            else:
                found[str(path)[len(str(folder)) + 1 :]] = path.read_bytes()
    return found


def run(*words):
    assert cli.main([str(word) for word in words]) == 0


def train_and_test(data, home, *, stops):
    """A run that is resumed and tested; returns the files of the run and of the test."""
    start = ("--mode", "train", "--input_dir", data, "--val_dir", data, *WORDS)
    for steps in stops:
        run(*start, "--output_dir", home / "run", "--resume", "--max_steps", steps)
    run("--mode", "test", "--input_dir", data, "--output_dir", home / "out",
        "--checkpoint", home / "run")  # fmt: skip
    return files(home / "run"), files(home / "out")


@pytest.mark.slow
def test_a_run_at_an_address_is_that_of_a_folder(tmp_path, ram):
    data = write_pairs(tmp_path / "data", 3)
    for path in data.iterdir():
        (ram / "data" / path.name).parent.mkdir(parents=True, exist_ok=True)
        (ram / "data" / path.name).write_bytes(path.read_bytes())
    here = train_and_test(data, tmp_path, stops=[3])
    there = train_and_test(ram / "data", ram, stops=[2, 3])
    for local, remote in zip(here, there, strict=True):
        names = {name for name in local if "events.out" not in name}
        assert {name for name in remote if "events.out" not in name} == names
        # These show speed, time or the folders' names.
        told = ("log.csv", "index.html", "curves.png", "options.json", "metrics.json")
        for name in names:
            assert remote[name] == local[name] or name.endswith(told), name
    # Each start writes its events, and before them from where on they replace earlier ones.
    assert sum("events.out" in name for name in there[0]) == 4
    assert len(there[0]["log.csv"].splitlines()) == 4


def test_what_cannot_be_used_there_is_one_line(capsys, ram):
    def refused(*words):
        assert cli.main([str(word) for word in words]) == 1
        return capsys.readouterr().err.strip().splitlines()[-1]

    train = ("--mode", "train", "--output_dir", ram / "run", "--input_dir")
    assert f"to be a folder. Received: {ram}/nothing" in refused(*train, ram / "nothing")
    (ram / "data").mkdir(parents=True, exist_ok=True)
    (ram / "data" / "1.png").write_bytes(b"no picture")
    assert "1.png (not an image of a known format)" in refused(*train, ram / "data")
    assert "gs://bucket/folder" in refused(*train, "nowhere://data")
    assert "on this machine with --mode demo" in refused("--output_dir", ram / "demo")
    assert "output folder of a training run" in refused(
        "--mode", "export", "--output_dir", ram / "out", "--checkpoint", ram / "run"
    )
    (ram / "run.csv").write_bytes(b"")
    assert "(" in refused(
        "--mode", "train", "--input_dir", ram / "data", "--output_dir", ram / "run.csv"
    )


def test_addresses_are_epaths_and_load_nothing(ram):
    path = run_folder.as_path("gs://bucket/run/") / "checkpoints" / "step-1.safetensors"
    assert isinstance(path, epath.Path)
    assert str(path) == "gs://bucket/run/checkpoints/step-1.safetensors"
    assert run_folder.same_place(path.parent.parent, run_folder.as_path("gs://bucket/run"))
    for here in ("a:/b", Path("a"), "run"):
        assert isinstance(run_folder.as_path(here), Path)
    words = "from pix2pix_tf import run_folder; run_folder.as_path('gs://b/run') / 'x'"
    check = f"{words}; import sys; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_files_are_written_read_and_replaced(tmp_path, ram):
    path = ram / "sub" / "a.txt"
    for text in ("old", "new"):
        run_folder.write_text(path, text)
    assert path.read_text(encoding="utf-8") == "new"
    with pytest.raises(RuntimeError), run_folder.atomic(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert files(ram) == {"sub/a.txt": b"new"}
    with path.open("ab") as file:
        file.write(b"er")
    assert path.read_bytes() == b"newer"
    with run_folder.fetched(path) as copy:
        assert copy.read_bytes() == b"newer"
    assert not copy.exists()
    assert [found.name for found in path.parent.glob("*.txt")] == ["a.txt"]
    path.unlink()
    path.unlink(missing_ok=True)
    assert not path.exists() and list((ram / "none").glob("*")) == []


def test_images_are_listed_and_checked(tmp_path, ram):
    for path in write_pairs(tmp_path, 11).iterdir():
        (ram / path.name).write_bytes(path.read_bytes())
    (ram / "notes.txt").write_bytes(b"")
    paths = listing.list_images(str(ram))
    assert [os.path.basename(path) for path in paths] == [f"{n}.png" for n in range(1, 12)]
    inspection.check_images(paths)
    whole = (ram / "3.png").read_bytes()
    (ram / "3.png").unlink()  # A file in memory, unlike others, would be appended to.
    (ram / "3.png").write_bytes(whole[:-30])
    with pytest.raises(InputError, match=r"3\.png \(image file is truncated"):
        inspection.check_images(paths)
