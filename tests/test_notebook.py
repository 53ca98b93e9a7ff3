"""The commands as a notebook calls them: beside a running event loop, or in a thread."""

import os
import signal
import threading
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
    assert in_thread(*words, "--max_steps", 1, "--summary_freq", 0, "--run_eagerly") == [0]
    return folder / "run"


def test_training_in_a_thread_leaves_signals_alone(run):
    assert signal.getsignal(signal.SIGINT) is HANDLER
    assert (run / "checkpoints" / "step-00000001.safetensors").is_file()


def test_bad_input_in_a_thread_is_one_line(capsys):
    assert in_thread("train", "--input_dir", "nothing", "--output_dir", "run\nrun: done") == [1]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pix2pix-tf: ")


def test_a_server_runs_beside_an_event_loop(launcher, run, tmp_path):
    script, printed = tmp_path / "notebook.py", tmp_path / "printed.txt"
    script.write_text(
        "import asyncio, sys\n"
        "from pix2pix_tf import cli\n"
        "async def notebook():\n"
        "    return cli.main(['serve', '--port', '0', '--checkpoint', sys.argv[1]])\n"
        "sys.exit(asyncio.run(notebook()))\n"
    )
    process = launcher.start(script, run, printed=printed)
    found = launcher.printed(process, printed, r"serving at (\S+) .*\n")
    assert urllib.request.urlopen(f"{found[1]}/health", timeout=60).status == 200
    os.kill(process, signal.SIGINT)
    assert launcher.wait(process) == 0
