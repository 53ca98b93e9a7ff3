"""The commands as a notebook calls them: beside a running event loop, or in a thread."""

import asyncio
import os
import signal
import threading
import time
import urllib.request

import pytest
from support import write_pairs

from pix2pix_tf import cli

SMALL = ("--ngf", 1, "--ndf", 1, "--netD", "pixel", "--crop_size", 8, "--scale_size", 8)
# What the process was started with.
HANDLER = signal.getsignal(signal.SIGINT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    write_pairs(folder / "data", 2, size=8)
    return folder


def in_thread(*words):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.main([str(word) for word in words])))
    thread.start()
    thread.join(timeout=120)
    return codes


@pytest.fixture(scope="module")
def run(folder):
    words = ("train", "--input_dir", folder / "data", "--output_dir", folder / "run", *SMALL)
    assert in_thread(*words, "--max_steps", 1, "--summary_freq", 0) == [0]
    return folder / "run"


def test_training_in_a_thread_leaves_signals_alone(run):
    assert signal.getsignal(signal.SIGINT) is HANDLER
    assert (run / "checkpoints" / "step-00000001.safetensors").is_file()


def test_bad_input_in_a_thread_is_one_line(capsys):
    assert in_thread("train", "--input_dir", "nothing", "--output_dir", "run\nrun: done") == [1]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pix2pix-tf: ")


def test_a_server_runs_beside_an_event_loop(run, capsys):
    port = free_port()

    def stop():
        for _ in range(300):
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                seen.append(answer.status)
                break
            except OSError:
                time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    async def notebook():
        return cli.main(["serve", "--port", str(port), "--checkpoint", str(run)])

    seen, helper = [], threading.Thread(target=stop)
    helper.start()
    assert asyncio.run(notebook()) == 0
    helper.join()
    assert seen == [200] and "serving at" in capsys.readouterr().out


def free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
