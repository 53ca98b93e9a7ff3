"""Writes docker/requirements-cpu.txt and -gpu.txt: what the metadata resolves to, with hashes.

Usage: python3.11 scripts/pin_requirements.py

Run it on Linux, x86-64, with the image's version of Python and a new pip.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DOCKER = Path(__file__).parents[1] / "docker"
PYTHON = (3, 11)
HEAD = """# Written by scripts/pin_requirements.py.
# pix2pix-tf[{extras}] on Python {python}, Linux x86-64.
"""


def resolve(extras: str) -> dict[str, str]:
    """The requirements of the package with extras: name -> line with version and hash."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    command += ["--ignore-installed", "--only-binary=:all:"]
    # The image builds the package itself, without an environment of its own for it.
    command += [f"{DOCKER.parent}[{extras}]", "setuptools>=77"]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    lines = {}
    for package in report["install"]:
        if "archive_info" in package["download_info"]:  # else it is pix2pix-tf itself
            name, version = (package["metadata"][key] for key in ("name", "version"))
            digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
            lines[name] = f"{name}=={version} --hash=sha256:{digest}\n"
    return dict(sorted(lines.items(), key=lambda item: item[0].lower()))


def main() -> None:
    """Writes both files."""
    if sys.version_info[:2] != PYTHON:
        sys.exit(f"Expected Python {PYTHON[0]}.{PYTHON[1]}. Received: {sys.version.split()[0]}")
    python = ".".join(map(str, PYTHON))
    cpu, gpu = resolve("serve"), resolve("serve,gpu")
    text = HEAD.format(extras="serve", python=python) + "".join(cpu.values())
    (DOCKER / "requirements-cpu.txt").write_text(text, encoding="utf-8")
    only_gpu = "".join(line for name, line in gpu.items() if name not in cpu)
    text = HEAD.format(extras="serve,gpu", python=python) + "--requirement requirements-cpu.txt\n"
    (DOCKER / "requirements-gpu.txt").write_text(text + only_gpu, encoding="utf-8")


if __name__ == "__main__":
    main()
