"""Runs a command inside the project's container, on the files of this machine.

Usage: python tools/dockrun.py [flags] COMMAND [ARGUMENTS]
   python tools/dockrun.py pix2pix-tf --mode train --input_dir facades/train --output_dir run

The disk of this machine is /host in the container, and the command starts in the current folder;
absolute paths among the arguments are rewritten. The command runs as you, not as root, so that
what it writes is yours. On a machine with an NVIDIA driver it gets the GPUs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence

import _cli
from absl import flags

FLAGS = flags.FlagValues()
FLAGS.set_gnu_getopt(False)  # what follows the first word belongs to the command
flags.DEFINE_string(
    "image", None, "image to run; pix2pix-tf:gpu or pix2pix-tf:cpu if not given", flag_values=FLAGS
)
flags.DEFINE_boolean("gpu", None, "use the GPUs; found out if not given", flag_values=FLAGS)
flags.DEFINE_multi_string(
    "publish", [], "address of a port, such as 127.0.0.1:8000:8000", flag_values=FLAGS
)
flags.DEFINE_boolean("dry_run", False, "only print the line", flag_values=FLAGS)

HOST = "/host"
# An absolute path stands alone, after = (--flag=/path, NAME=/path) or after a comma.
_ABSOLUTE = re.compile(r"(^|[=,])(?=/)")


def docker_line(
    words: Sequence[str], *, gpu: bool, image: str | None, publish: Sequence[str]
) -> list[str]:
    """The words of the `docker run` command.

    Args:
        words: The command and its arguments.
        gpu: Whether the container gets the GPUs.
        image: Name of the image, or None for the one that fits `gpu`.
        publish: Ports to publish.

    Returns:
        List of strings.
    """
    line = ["docker", "run", "--rm", "--init", "--volume", f"/:{HOST}"]
    line += ["--workdir", HOST + os.getcwd(), "--user", f"{os.getuid()}:{os.getgid()}"]
    # The user has no home in the container; caches of matplotlib and CUDA go to /tmp.
    for variable in ("HOME=/tmp", "PYTHONUNBUFFERED=1"):
        line += ["--env", variable]
    if gpu:
        line += ["--gpus", "all"]
    if gpu and "CUDA_VISIBLE_DEVICES" in os.environ:
        line += ["--env", f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']}"]
    for address in publish:
        line += ["--publish", address]
    line.append(image or ("pix2pix-tf:gpu" if gpu else "pix2pix-tf:cpu"))
    # The command itself is a program of the container.
    return [*line, words[0], *(_ABSOLUTE.sub(rf"\1{HOST}", word) for word in words[1:])]


def _needs_sudo(socket: str = "/var/run/docker.sock") -> bool:
    return os.path.exists(socket) and not os.access(socket, os.R_OK | os.W_OK)


def main(words: list[str]) -> None:
    """Prints the line and runs it."""
    if not words:
        raise ValueError("expected a command, such as pix2pix-tf --help, received none")
    gpu = shutil.which("nvidia-smi") is not None if FLAGS.gpu is None else FLAGS.gpu
    line = docker_line(words, gpu=gpu, image=FLAGS.image, publish=FLAGS.publish)
    if _needs_sudo():
        line = ["sudo", *line]
    print(shlex.join(line), flush=True)
    if FLAGS.dry_run:
        return
    if shutil.which(line[0]) is None:
        raise ValueError(f"expected {line[0]} on the path, received a machine without it")
    os.execvp(line[0], line)


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, takes_words=True)
