"""The smallest whole story of each program in one process; test_cli.py tells it at length."""

import numpy as np
import pytest
from runs import command, succeed, train, translate
from support import refused, state

from pix2pix_tf import run_folder


@pytest.fixture(params=["pix2pix-tf", "cyclegan-tf"])
def program(request):
    return request.param


@pytest.fixture
def source(program, pairs, unpaired):
    return pairs if program == "pix2pix-tf" else unpaired


def test_a_resumed_run_equals_an_uninterrupted_one(program, source, tiny_run, tmp_path):
    run = tmp_path / "run"
    assert train(program, source, run, "--max_steps", 1).returncode == 0
    words = ("--input_dir", source, "--output_dir", run, "--resume", "--max_steps", 2)
    printed = succeed(program, "train", *words)
    assert "resuming at step 1" in printed and "trained to step 2" in printed
    expected, received = state(tiny_run(program), 2), state(run, 2)
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name], value, err_msg=name)


def test_test_writes_a_result_per_image(program, source, tiny_run, tmp_path):
    metrics = translate(program, source, tiny_run(program), tmp_path / "out")
    images = list((tmp_path / "out" / run_folder.IMAGES).glob("*.png"))
    assert metrics["count"] == len(metrics["per_image"]) == (5 if program == "pix2pix-tf" else 3)
    assert len(images) >= 3 * metrics["count"]
    assert (tmp_path / "out" / run_folder.INDEX).is_file()


def test_an_export_is_reloaded_and_compared(program, tiny_run, tmp_path):
    words = ("export", "--output_dir", tmp_path / "out", "--checkpoint", tiny_run(program))
    assert "largest difference when reloaded" in succeed(program, *words)
    assert list((tmp_path / "out").rglob("saved_model.pb"))


def test_bad_input_is_one_line_and_leaves_nothing(program, source, tiny_run, tmp_path):
    run = tmp_path / "run"
    assert "nothing" in refused(train(program, tmp_path / "nothing", run))
    assert "at least 1. Received: 0" in refused(train(program, source, run, "--ngf", 0))
    assert "mode" in refused(command(program, "tset"))
    assert not run.exists()
    assert "another folder" in refused(train(program, source, tiny_run(program)))
