"""Several processes that train one run: the same result, whoever is killed."""

import contextlib
import json
import os
import signal
import socket
import time

import numpy as np
import pytest
import safetensors.numpy
from launcher import Launcher

from pix2pix_tf import runs

# A gain at which no unit sits so near to its kink that rounding decides on which side.
NETWORKS = ("--ngf", 1, "--ndf", 1, "--norm", "instance", "--init_gain", 0.2)
WATCHED = (
    "--seed", 3, "--max_steps", 24, "--save_freq", 2, "--keep_checkpoints", 2, "--keep_every", 4,
    "--progress_freq", 1, "--summary_freq", 0, "--ema_decay", 0.9, "--batch_size", 4,
)  # fmt: skip


@pytest.fixture(scope="module")
def second():
    """Starts the second worker."""
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def start(launcher, second, pairs, tmp_path):
    """Starts both workers of a run on free ports; returns their processes' ids."""

    def run(folder, *words, strategy="multi_worker", elsewhere=None, files=pairs):
        with socket.create_server(("", 0)) as one, socket.create_server(("", 0)) as other:
            ports = [server.getsockname()[1] for server in (one, other)]
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        places = ((pairs, folder), (files, elsewhere or tmp_path / "not-mine"))
        return [
            starter.start(
                "pix2pix-tf", "--mode", "train", "--input_dir", data, "--output_dir", place,
                "--strategy", strategy, *NETWORKS, *WATCHED, *words,
                printed=tmp_path / f"printed-{index}.txt",
                environment={
                    "TF_CONFIG": json.dumps(
                        {"cluster": cluster, "task": {"type": "worker", "index": index}}
                    )
                },
            )
            for index, (starter, (data, place)) in enumerate(
                zip((launcher, second), places, strict=True)
            )
        ]  # fmt: skip

    return run


@pytest.fixture
def ended(launcher, second, tmp_path):
    """Waits for both workers: [(exit code, what it printed), ...]."""

    def wait():
        codes = [starter.wait() for starter in (launcher, second)]
        return [(code, (tmp_path / f"printed-{i}.txt").read_text()) for i, code in enumerate(codes)]

    return wait


def weights(folder, step):
    return safetensors.numpy.load_file(runs.checkpoint_path(folder, step))


def kill_after(process, folder, step):
    """Kills a process when log.csv shows a step."""
    path = folder / runs.LOG
    with contextlib.suppress(ProcessLookupError):
        while not path.exists() or len(path.read_text().splitlines()) <= step:
            os.kill(process, 0)
            time.sleep(0.002)
        os.kill(process, signal.SIGKILL)


def test_workers_that_are_killed_reach_the_same_bits(start, ended, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    start(whole)
    assert [code for code, _ in ended()] == [0, 0]
    for victim, step in ((1, 6), (0, 14)):
        processes = start(killed, "--resume")
        kill_after(processes[victim], killed, step)
        results = ended()
        assert results[victim][0] == -signal.SIGKILL
        code, text = results[1 - victim]
        assert code == 1 and "Traceback" not in text, text
        assert "start all of them again with --resume" in text.splitlines()[-1]
    start(killed, "--resume")
    results = ended()
    assert [code for code, _ in results] == [0, 0], results
    assert "continuing at step" in results[0][1]
    # The other worker is told everything: it neither reads nor writes a run folder.
    assert not (tmp_path / "not-mine").exists()
    assert "progress" not in results[1][1]
    found, expected = weights(killed, 24), weights(whole, 24)
    assert [name for name in expected if not np.array_equal(found[name], expected[name])] == []
    assert len((killed / runs.LOG).read_text().splitlines()) == 25
