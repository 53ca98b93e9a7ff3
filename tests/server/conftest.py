"""Runs to serve, and servers in processes of their own."""

import contextlib
import http.client
import json
import signal
import subprocess

import pytest
from support import command_line

from pix2pix_tf import run_folder
from pix2pix_tf.cli import PIX2PIX
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.export import export
from pix2pix_tf.config import PROGRAM, Pix2PixConfig
from pix2pix_tf.model import build_generator
from pix2pix_tf.training import checkpoints


def write_run(folder, **options):
    """A run folder with the initial weights of a very small generator."""
    config = Pix2PixConfig(
        mode="train", input_dir="facades", output_dir=str(folder), ngf=2, ndf=2, seed=3, **options
    )
    run_folder.write_json(folder / run_folder.OPTIONS, runs.run_options(config, program=PROGRAM))
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
    export(PIX2PIX, config, set())
    return folder


class Server:
    """A server process and how to talk to it."""

    def __init__(self, process, log):
        self.process, self._log = process, log
        for line in process.stdout:
            if line.startswith("serving at"):
                self.port = int(line.split(":")[2].split()[0])
                return
        raise AssertionError(f"the server did not start: {self.log}")

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

    def stop(self):
        """Sends SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextlib.contextmanager
def running(folder, log, *flags, files=None):
    """A server of `folder`, ended at the end; `files` bounds its open files."""
    words = ["--mode", "serve", "--checkpoint", folder, "--port", "0", *flags]
    start = command_line("pix2pix-tf", *words)
    if files:
        start = ["bash", "-c", f'ulimit -n {files}; exec "$@"', "bash", *start]
    with open(log, "w") as errors:
        process = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield Server(process, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def server(served, tmp_path_factory):
    """One server for all tests; at the end it must have failed nowhere and stop properly."""
    log = tmp_path_factory.mktemp("log") / "stderr"
    with running(served, log) as server:
        yield server
        assert server.stop() == 0
        assert server.log == ""


@pytest.fixture
def start(served, tmp_path):
    """Starts another server, of one model, with flags."""

    def start(*flags, run=served / "facades", **options):
        return running(run, tmp_path / "stderr", *flags, **options)

    return start


@pytest.fixture
def make_run(tmp_path):
    """Writes the folder of a run with options."""
    return lambda name, **options: write_run(tmp_path / name, **options)
