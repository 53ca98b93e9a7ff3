"""tools/split.py against the reference's result on the same names."""

import os
import subprocess
import sys

import pytest
from support import GOLDENS, ROOT, refused


@pytest.fixture
def folder(tmp_path):
    for number in range(1, 21):
        (tmp_path / f"{number}.png").write_text(str(number))
    return tmp_path


def parts(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def reference():
    lines = (GOLDENS / "reference_tools" / "split_20_train0.7_test0.1.txt").read_text().split()
    return {line.removeprefix("./") for line in lines}


FRACTIONS = {"train_frac": 0.7, "test_frac": 0.1}


def test_splits_as_the_reference(run_tool, folder):
    done = run_tool("split", flags={"dir": folder, **FRACTIONS})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "14 train, 4 val, 2 test"
    assert parts(folder) == reference()
    assert (folder / "test" / "12.png").read_text() == "12"


def test_defaults_are_the_references(run_tool, folder):
    run_tool("split", flags={"dir": folder})
    counts = {part.name: len(list(part.iterdir())) for part in folder.iterdir()}
    assert counts == {"train": 16, "val": 4}


def test_sort_assigns_in_the_order_of_names(run_tool, folder):
    run_tool("split", "--sort", flags={"dir": folder, **FRACTIONS})
    names = sorted(f"{number}.png" for number in range(1, 21))
    expected = {f"train/{name}" for name in names[:14]} | {f"test/{name}" for name in names[14:16]}
    assert parts(folder) == expected | {f"val/{name}" for name in names[16:]}


def test_dry_run_moves_nothing_and_copy_leaves_the_sources(run_tool, folder):
    before = parts(folder)
    done = run_tool("split", "--dry_run", flags={"dir": folder, **FRACTIONS})
    assert parts(folder) == before
    printed = {line.split(" -> ")[1] for line in done.stdout.splitlines() if " -> " in line}
    assert printed == {str(folder / name) for name in reference()}
    assert run_tool("split", "--copy", flags={"dir": folder, **FRACTIONS}).returncode == 0
    assert parts(folder) == before | reference()


def test_never_overwrites(run_tool, folder):
    (folder / "val").mkdir()
    (folder / "val" / "11.png").write_text("precious")
    before = parts(folder)
    line = refused(run_tool("split", flags={"dir": folder, **FRACTIONS}))
    assert "val/11.png" in line.replace("\\", "/")
    assert parts(folder) == before
    assert (folder / "val" / "11.png").read_text() == "precious"


@pytest.mark.process
def test_every_image_suffix_and_any_name_is_moved(tmp_path):
    names = [
        "a b.JPG",
        "it's.jpeg",
        'q"uote.tif',
        "ü-写真.webp",
        "two\nlines.bmp",
        "x.npy",
        "-f.png",
    ]
    for name in [*names, "notes.txt", ".hidden.png"]:
        (tmp_path / name).touch()
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}  # a terminal that cannot show them all
    command = [sys.executable, ROOT / "tools" / "split.py", f"--dir={tmp_path}", "--train_frac=1"]
    done = subprocess.run(command, env=plain, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {path.name for path in (tmp_path / "train").iterdir()} == set(names)
    assert {path.name for path in tmp_path.iterdir()} == {"train", "notes.txt", ".hidden.png"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({}, "missing --dir"),
        ({"dir": "no such folder"}, "'no such folder': no such folder"),
        ({"dir": "empty"}, "found none"),
        ({"dir": ".", "train_frac": 0.8, "test_frac": 0.3}, "0.8 + 0.3"),
    ],
)
def test_bad_flags_are_one_line(run_tool, folder, flags, words):
    (folder / "empty").mkdir()
    before = parts(folder)
    assert words in refused(run_tool("split", flags=flags, cwd=folder))
    assert parts(folder) == before
    assert "['stray']" in refused(run_tool("split", "stray", flags={"dir": folder}))
