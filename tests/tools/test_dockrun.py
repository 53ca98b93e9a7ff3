"""The line that dockrun.py builds."""

import os
import shlex
import subprocess
import sys

import pytest
from support import ROOT, refused

USER = f"{os.getuid()}:{os.getgid()}"


def line(run_tool, *words, cwd, **environment):
    shown = run_tool("dockrun", "--dry_run", *words, cwd=cwd, environment=environment)
    assert shown.returncode == 0, shown.stderr
    return shlex.split(shown.stdout.removeprefix("sudo "))


def test_the_whole_line(run_tool, tmp_path):
    command = ["--nogpu", "pix2pix-tf", "--mode", "train", "--input_dir", "/data/facades"]
    command += ["--output_dir=/runs/a b", "--noflip", "--checkpoint", "x=/runs/a,/runs/b,run"]
    assert line(run_tool, *command, cwd=tmp_path) == [
        "docker", "run", "--rm", "--init", "--volume", "/:/host",
        "--workdir", f"/host{os.path.realpath(tmp_path)}", "--user", USER,
        "--env", "HOME=/tmp", "--env", "PYTHONUNBUFFERED=1", "pix2pix-tf:cpu",
        "pix2pix-tf", "--mode", "train", "--input_dir", "/host/data/facades",
        "--output_dir=/host/runs/a b", "--noflip",
        "--checkpoint", "x=/host/runs/a,/host/runs/b,run",
    ]  # fmt: skip


def test_gpus_and_ports(run_tool, tmp_path):
    words = ["--gpu", "--publish", "127.0.0.1:8000:8000", "/usr/bin/env", "true"]
    shown = line(run_tool, *words, cwd=tmp_path, CUDA_VISIBLE_DEVICES="1")
    assert shown[shown.index("--gpus") + 1] == "all"
    assert "CUDA_VISIBLE_DEVICES=1" in shown
    assert shown[shown.index("--publish") + 1] == "127.0.0.1:8000:8000"
    assert shown[-3:] == ["pix2pix-tf:gpu", "/usr/bin/env", "true"]  # a program of the container


@pytest.mark.process
def test_the_printed_line_is_run(tmp_path):
    """With a `docker` on the path that repeats its arguments."""
    fake = tmp_path / "docker"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "got" "$@"\n')
    fake.chmod(0o755)
    (tmp_path / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    tool = [sys.executable, str(ROOT / "tools" / "dockrun.py"), "--nogpu", "echo", "a b"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(tool, capture_output=True, text=True, env=environment, timeout=60)
    printed, _, got = done.stdout.partition("\ngot\n")
    assert shlex.split(printed.removeprefix("sudo "))[1:] == got.splitlines()
    assert got.splitlines()[-2:] == ["echo", "a b"]


def test_bad_command_lines(run_tool):
    for words in ((), ("--nonsense", "x")):
        refused(run_tool("dockrun", *words))
