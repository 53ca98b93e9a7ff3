"""Runs to serve, and servers in processes of their own."""

import contextlib
import http.client
import json
import os
import signal

import pytest

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.export import export
from pix2pix_tf.config import PROGRAM, Pix2PixConfig
from pix2pix_tf.model import build_generator
from pix2pix_tf.task import Pix2PixTask
from pix2pix_tf.training import checkpoints


def write_run(folder, **options):
    """A run folder with the initial weights of a very small generator."""
    config = Pix2PixConfig(
        mode="train", input_dir="facades", output_dir=str(folder), ngf=2, ndf=2, seed=3, **options
    )
    run_folder.write_json(folder / run_folder.OPTIONS, runs.run_options(config, program=PROGRAM))
    run_folder.update_data(folder, palettes={"B": "facades"})
    state = checkpoints.named(build_generator(config).variables)
    checkpoints.save(folder, 1, state, keep=1)
    return folder


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A folder of a run `facades` and its export `exported`."""
    folder = tmp_path_factory.mktemp("served")
    run = write_run(folder / "facades", which_direction="BtoA")
    config = Pix2PixConfig(
        mode="export", output_dir=str(folder / "exported"), checkpoint=str(run), ngf=2
    )
    export(Pix2PixTask(), config, set())
    return folder


class Server:
    """A server process and how to talk to it."""

    def __init__(self, launcher, process, printed, log):
        self._launcher, self.process, self._log = launcher, process, log
        found = launcher.printed(process, printed, r"serving at \S+:(\d+)\b.*\n")
        self.port = int(found[1])

    @property
    def log(self):
        return self._log.read_text()

    def connect(self, timeout=60):
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout))

    def ask(self, method, path, body=None, **headers):
        """Returns (status, headers, body)."""
        with self.connect() as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def predict(self, request, *, model="facades"):
        """Returns (status, parsed answer) of a `:predict` request."""
        body = request if isinstance(request, bytes) else json.dumps(request)
        status, _, answer = self.ask("POST", f"/v1/models/{model}:predict", body)
        return status, json.loads(answer)

    def terminate(self):
        """Sends SIGTERM."""
        os.kill(self.process, signal.SIGTERM)

    def wait(self):
        """Waits for its end; returns the exit code."""
        return self._launcher.wait(self.process)


@contextlib.contextmanager
def running(launcher, folder, log, *flags, files=None):
    """A server of `folder`, ended at the end; `files` bounds its open files."""
    words = ["--mode", "serve", "--checkpoint", folder, "--port", "0", *flags]
    printed = log.with_name("printed")
    process = launcher.start("pix2pix-tf", *words, printed=printed, errors=log, open_files=files)
    try:
        yield Server(launcher, process, printed, log)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was stopped
            os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="session")
def server(launcher, served, tmp_path_factory):
    """One server for all tests; at the end it must have failed nowhere and stop properly."""
    log = tmp_path_factory.mktemp("log") / "stderr"
    with running(launcher, served, log) as server:
        yield server
        server.terminate()
        assert server.wait() == 0
        assert server.log == ""


@pytest.fixture
def start(launcher, served, tmp_path):
    """Starts another server, of one model, with flags."""

    def start(*flags, run=served / "facades", **options):
        return running(launcher, run, tmp_path / "stderr", *flags, **options)

    return start


@pytest.fixture
def make_run(tmp_path):
    """Writes the folder of a run with options."""
    return lambda name, **options: write_run(tmp_path / name, **options)
