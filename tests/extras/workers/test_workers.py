"""Several processes that train one run: the run of one device, whoever is killed."""

import contextlib
import json
import os
import signal
import socket
import time

import numpy as np
import pytest
from support import assert_equal_to_rounding, logged_losses, state, write_pairs

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.workers import cluster

pytestmark = [pytest.mark.slow, pytest.mark.workers]

# A gain at which no unit sits so near to its kink that rounding decides on which side.
NETWORKS = (
    "--ngf", 1, "--ndf", 1, "--norm", "instance", "--init_gain", 0.2, "--crop_size", 16,
    "--scale_size", 18, "--netD", "pixel",
)  # fmt: skip
LAST = 10
WATCHED = (
    "--seed", 3, "--max_steps", LAST, "--save_freq", 2, "--progress_freq", 1,
    "--summary_freq", 0, "--ema_decay", 0.9, "--batch_size", 4,
)  # fmt: skip


def command(data, folder, *words):
    return (
        "pix2pix-tf", "--mode", "train", "--input_dir", data, "--output_dir", folder,
        *NETWORKS, *WATCHED, *words,
    )  # fmt: skip


@pytest.fixture
def start(launcher, pairs, tmp_path):
    """Starts both workers of a run on free ports; returns their processes' ids."""

    def run(folder, *words, others_data=pairs):
        with socket.create_server(("", 0)) as one, socket.create_server(("", 0)) as other:
            ports = [server.getsockname()[1] for server in (one, other)]
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        return [
            launcher.start(
                *command(data, place, *words), "--strategy", "multi_worker", "--resume",
                printed=tmp_path / f"printed-{index}.txt",
                environment={
                    "TF_CONFIG": json.dumps(
                        {"cluster": cluster, "task": {"type": "worker", "index": index}}
                    )
                },
            )
            for index, (place, data) in enumerate(
                ((folder, pairs), (tmp_path / "not-mine", others_data))
            )
        ]  # fmt: skip

    return run


@pytest.fixture
def ended(launcher, tmp_path):
    """Waits for both workers: [(exit code, what it printed), ...]."""

    def wait(processes):
        codes = [launcher.wait(process) for process in processes]
        return [(code, (tmp_path / f"printed-{i}.txt").read_text()) for i, code in enumerate(codes)]

    return wait


def kill_after(process, folder, step):
    """Kills a process when log.csv shows a step."""
    path = folder / run_folder.LOG
    with contextlib.suppress(ProcessLookupError):
        while not path.exists() or len(path.read_text().splitlines()) <= step:
            os.kill(process, 0)
            time.sleep(0.002)
        os.kill(process, signal.SIGKILL)


def test_workers_that_are_killed_make_the_run_of_one_device(
    launcher, start, ended, pairs, tmp_path
):
    one, killed = tmp_path / "one", tmp_path / "killed"
    for victim, step in ((1, 3), (0, 6)):
        processes = start(killed)
        kill_after(processes[victim], killed, step)
        results = ended(processes)
        assert results[victim][0] == -signal.SIGKILL
        code, text = results[1 - victim]
        assert code == 1 and "Traceback" not in text, text
        assert "start all workers again with --resume" in text.splitlines()[-1]
    results = ended(start(killed))
    assert [code for code, _ in results] == [0, 0], results
    assert "resuming at step" in results[0][1]
    # The other worker is told everything: it neither reads nor writes a run folder.
    assert not (tmp_path / "not-mine").exists()
    assert "progress" not in results[1][1]
    code, text = launcher.run(*command(pairs, one), printed=tmp_path / "printed.txt")
    assert code == 0, text
    np.testing.assert_allclose(logged_losses(killed), logged_losses(one), rtol=1e-5)
    assert_equal_to_rounding(state(killed, LAST), state(one, LAST))


def test_workers_that_disagree_end_with_one_line_each(start, ended, tmp_path):
    others = write_pairs(tmp_path / "others", 4)
    for code, text in ended(start(tmp_path / "run", others_data=others)):
        assert code == 1 and "Traceback" not in text, text
        assert text.splitlines()[-1].endswith("(5 on worker 0, 4 on worker 1)"), text
    run_folder.write_json(tmp_path / "other" / run_folder.OPTIONS, {"program": "cyclegan-tf"})
    (code, chief), (code_of_other, other) = ended(start(tmp_path / "other"))
    assert (code, code_of_other) == (1, 1) and "Traceback" not in chief + other
    assert "Expected a run of pix2pix-tf" in chief.splitlines()[-1]
    assert other.splitlines()[-1] == f"{chief.splitlines()[-1]} (on the chief)"


def tf_config(spec, kind, index):
    return json.dumps({"cluster": spec, "task": {"type": kind, "index": index}})


WORKERS = ["one:1", "two:2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected TF_CONFIG to be JSON such as .* Received: nothing"),
        ("{", "Received: { .JSONDecodeError"),
        ("[]", "Received: .. .TypeError"),
        ('{"cluster": {"worker": ["a:1"]}}', "KeyError: 'task'"),
        (tf_config({"worker": WORKERS}, "worker", "x"), "TypeError"),
        (tf_config({"worker": []}, "worker", 0), "IndexError"),
        (tf_config({"worker": WORKERS}, "worker", 2), "IndexError"),
        (tf_config({"ps": WORKERS}, "ps", 0), "other than chief and worker"),
        (tf_config({"worker": WORKERS}, "evaluator", 0), "KeyError: 'evaluator'"),
    ],
)
def test_a_wrong_tf_config_is_one_line(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=message) as caught, cluster.multi_worker_strategy():
        pass
    assert "\n" not in str(caught.value)
