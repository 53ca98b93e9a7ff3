"""Starts commands as real processes without the seconds that loading TensorFlow takes.

A process that has imported everything, but has run nothing, forks one child per command. The
children differ from a command typed in a shell only in that, and in a single thread per operation
where a test does not ask for more: several tests run at a time.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import re
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import pix2pix_tf
from pix2pix_tf.evaluation import curves

MAIN = {
    "pix2pix-tf": "pix2pix_tf.cli",
    "cyclegan-tf": "cyclegan_tf.cli",
    "replicas": "replicas",
}
# What commands import when they first need it.
LATER = ("matplotlib.backends.backend_agg", "matplotlib.figure", "tensorboard.compat.proto")

# Seconds after which a command that is waited for has failed.
LONGEST = 300


class Launcher:
    """Starts commands."""

    def __init__(self):
        home = str(Path(pix2pix_tf.__file__).parent.parent)
        paths = filter(None, [home, os.environ.get("PYTHONPATH")])
        variables = {"PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"}
        variables |= {"TF_NUM_INTRAOP_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **variables},
        )  # fmt: skip
        assert self._process.stdout.readline() == "ready\n"

    def start(
        self, program, *words, printed, errors=None, cwd=".", kill_at=None, largest_file=None,
        open_files=None, environment=None,
    ):  # fmt: skip
        """Starts a command.

        Args:
            program: Name of the command, or path of a Python script.
            words: Its words.
            printed: File that gets what it prints, standard output and error.
            errors: File that gets standard error instead.
            cwd: Folder that it runs in.
            kill_at: (name of a function in `os`, n): SIGKILL instead of its n-th call.
            largest_file: Size in bytes that no file can exceed.
            open_files: Number of files that can be open at a time.
            environment: Dict of variables to set.

        Returns:
            The process' id.
        """
        order = {
            "program": str(program), "words": [str(word) for word in words],
            "printed": str(printed), "errors": str(errors or printed), "cwd": str(cwd),
            "kill_at": kill_at, "environment": environment or {},
            "limits": {"RLIMIT_FSIZE": largest_file, "RLIMIT_NOFILE": open_files},
        }  # fmt: skip
        return self._ask(order)

    def printed(self, process, path, pattern):
        """Waits until a command has printed lines that match; returns the match."""
        while not (found := re.search(pattern, path.read_text() if path.exists() else "")):
            os.kill(process, 0)  # as long as it is there
            time.sleep(0.01)
        return found

    def wait(self, process):
        """Waits for a command; its exit code, or minus the signal that ended it."""
        return self._ask(process)

    def _ask(self, order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def run(self, program, *words, printed, **options):
        """Runs a command to its end; returns (exit code, what it printed)."""
        process = self.start(program, *words, printed=printed, **options)
        return self.wait(process), printed.read_text()

    def complete(self, program, *words, **options):
        """As `run`; returns a `subprocess.CompletedProcess` with both streams as texts."""
        with tempfile.TemporaryDirectory() as folder:
            files = {"printed": Path(folder, "out"), "errors": Path(folder, "err")}
            code = self.wait(self.start(program, *words, **files, **options))
            out, err = (path.read_text() for path in files.values())
        return subprocess.CompletedProcess([program, *words], code, out, err)

    def close(self):
        """Ends the waiting process."""
        self._process.stdin.close()
        self._process.wait(timeout=60)


@functools.cache
def shared():
    """The launcher of a test session."""
    launcher = Launcher()
    atexit.register(launcher.close)
    return launcher


def _serve():
    for module in MAIN.values():
        importlib.import_module(module)
    for package in (pix2pix_tf, importlib.import_module("cyclegan_tf")):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # TensorFlow Datasets is slow to import and used by two tests.
            if not found.name.endswith(("__main__", ".tfds")):
                with contextlib.suppress(ImportError):  # needs an extra that is not installed
                    importlib.import_module(found.name)
    for module in LATER:
        importlib.import_module(module)
    _draw()
    gc.freeze()  # children need not look through all this for garbage
    codes = {}

    def reap(*_):
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])

    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            end = time.monotonic() + LONGEST
            while order not in codes:
                time.sleep(0.002)
                if time.monotonic() > end:
                    os.kill(order, signal.SIGKILL)
            print(codes.pop(order), flush=True)
            continue
        child = os.fork()
        if not child:
            _become(**order)
        print(child, flush=True)


def _draw():
    """Lets matplotlib look for its fonts once."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.csv")
        log.write_text("step,loss\n1,1\n")
        curves.draw_curves(log, log.with_suffix(".png"))


def _become(*, program, words, printed, errors, cwd, kill_at, limits, environment):
    code = 70
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A shell's background commands ignore SIGINT, and their children with them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    try:
        sink = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(sink, 1)
        if errors != printed:
            sink = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 2)
        if kill_at:
            _arm(*kill_at)
        for name, limit in limits.items():
            if limit:
                resource.setrlimit(getattr(resource, name), (limit, limit))
        os.chdir(cwd)
        if program in MAIN:
            code = importlib.import_module(MAIN[program]).main(words)
        else:
            code = _run_script(program, words)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run_script(path, words):
    sys.argv, sys.path[0] = [path, *words], str(Path(path).parent)
    runpy.run_path(path, run_name="__main__")
    return 0


def _arm(name, count):
    """Makes the `count`-th call of `os.NAME` the process' last moment."""
    real, calls = getattr(os, name), []

    def counted(*words, **options):
        calls.append(name)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **options)

    setattr(os, name, counted)


if __name__ == "__main__":
    _serve()
