"""Files of a run folder: whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest

from pix2pix_tf import run_folder
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError


def make_run(folder, *steps):
    for step in steps:
        path = run_folder.checkpoint_path(folder, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    run_folder.write_json(folder / run_folder.OPTIONS, {"ngf": 1})
    return folder


def test_a_failing_write_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "file.txt"
    run_folder.write_text(path, "old")
    with pytest.raises(RuntimeError), run_folder.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_json_is_written_as_the_reference_does(tmp_path):
    run_folder.write_json(tmp_path / "options.json", {"b": 1, "a": None})
    assert (tmp_path / "options.json").read_text() == '{\n    "a": null,\n    "b": 1\n}\n'


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, "\x00"])
def test_damaged_json_is_named(tmp_path, text):
    path = tmp_path / "options.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"options\.json"):
        run_folder.read_json(path)


def test_checkpoints_are_listed_by_step(tmp_path):
    make_run(tmp_path, 200, 1_000_000_000, 30)
    found = [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(tmp_path)]
    assert found == [30, 200, 1_000_000_000]
    assert run_folder.checkpoint_step("step-x.safetensors") is None


def test_locate_takes_a_folder_or_one_checkpoint(tmp_path):
    run = make_run(tmp_path / "run", 30, 200)
    newest, oldest = (run_folder.checkpoint_path(run, step) for step in (200, 30))
    assert run_folder.locate(run) == (run, [newest, oldest])
    assert run_folder.locate(oldest) == (run, [oldest])


def test_locate_refuses_what_is_no_run(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(InputError, match="output folder of a training run"):
            run_folder.locate(path)


def test_a_failure_leaves_no_empty_folder(tmp_path):
    for folder in (tmp_path / "new", tmp_path):
        with pytest.raises(InputError), run_folder.locked(folder):
            raise InputError("This format cannot hold it.")
    with pytest.raises(InputError), run_folder.locked(tmp_path / "used"):
        run_folder.write_text(tmp_path / "used" / "log.csv", "")
        raise InputError("It was trained already.")
    assert os.listdir(tmp_path) == ["used"]


def test_the_run_in_the_package_beside_folders_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def named(text):
        config = Pix2PixConfig(mode="export", output_dir="saved", checkpoint=text)
        return run_folder.locate(config.checkpoint)[0]

    shipped = Pix2PixConfig(mode="export", output_dir="saved").checkpoint
    assert named("facades") == named(shipped) == run_folder.SHIPPED
    Path("facades").mkdir()  # images
    assert named("facades") == run_folder.SHIPPED
    with pytest.raises(InputError, match="output folder of a training run"):
        named("./facades")
    shutil.copytree(run_folder.SHIPPED, "facades", dirs_exist_ok=True)  # a run of the user's own
    assert named("facades") == Path("facades")
    assert run_folder.locate(shipped)[0] == run_folder.SHIPPED
