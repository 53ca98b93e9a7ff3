"""Every command and Python block of README.md and docs/ is run, on little data.

Commands keep their words; to trainings flags are appended that make them small. Lines that install
something are compared with what pyproject.toml offers.
"""

import contextlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image
from support import GOLDENS, ROOT, pyproject

from pix2pix_tf.demo import facades

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "docker" / "README.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Commands with it need PyTorch; tests/extras/metrics runs the like.
WEIGHTS = "inception.pth"
# What makes a training small, unless the command says otherwise.
SMALL = {
    "pix2pix-tf": {"--netD": "pixel", "--crop_size": "32", "--scale_size": "36"},
    "cyclegan-tf": {
        "--netG": "unet",
        "--netD": "pixel",
        "--crop_size": "16",
        "--load_size": "18",
    },
}
# Folders of what `python` runs.
SCRIPTS = ("tools", "benchmarks", "scripts", "examples")
TOOLS = {"benchmarks/experiments.py": ("--max_steps=2", "--ngf=1")}
SHORT = ("--ngf", "1", "--ndf", "1", "--max_steps", "2", "--run_eagerly")
# Trained once; a document that trains one of them itself starts without it.
PHOTOS = "pix2pix-tf --mode train --input_dir photos/train --output_dir"
RUNS = {
    "photos_train": f"{PHOTOS} photos_train",
    "h2z": "cyclegan-tf --mode train --input_dir horse2zebra --output_dir h2z",
    "pix2pix-demo": f"{PHOTOS} pix2pix-demo/run",
}
# What values of --export_format need.
PACKAGES = {"litert": "ai_edge_litert", "onnx": "tf2onnx", "web": "tf2onnx"}
SHELL = ("curl", "printf")


def blocks(document):
    """(language, text) of each block to run, in order."""
    return [match.groups() for match in BLOCK.finditer(document.read_text(encoding="utf-8"))]


def commands(text):
    """The lines of a shell block, joined at backslashes, without those that need PyTorch."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [line for line in lines if WEIGHTS not in line]


def mode_of(words):
    """The mode of a command, in its long or its short form."""
    if words and not words[0].startswith("-"):
        return words[0]
    return words[words.index("--mode") + 1] if "--mode" in words else "demo"


class Place:
    """A folder with all the files that the documents name, in which commands run."""

    def __init__(self, folder, launcher, *, watched=False):
        self.folder, self._launcher, self._watched = folder, launcher, watched
        self._printed, self._server, self._port = folder / "printed.txt", None, None
        self.outputs = []  # the folders that commands were to write

    def run_block(self, language, text):
        if language == "python":
            script = self.folder / "block.py"
            script.write_text(re.sub(r"(n[gd]f)=16", r"\1=1", text), encoding="utf-8")
            self._launch(script)
            return
        try:
            for line in commands(text):
                self.run(line)
        finally:
            self._stop_server()

    def run(self, line):
        if "&&" in line:
            for part in line.split("&&"):
                self.run(part.strip())
            return
        program, *words = shlex.split(line)
        program = program.removeprefix(".venv/bin/")
        if program in SMALL:
            self._run_program(program, words)
        elif program == "python":
            assert words[0].split("/")[0] in SCRIPTS and (ROOT / words[0]).is_file(), line
            self._launch(ROOT / words[0], *words[1:], *TOOLS.get(words[0], ()))
        elif program == "pip":
            check_installs(words)
        elif program == "tensorboard":
            assert importlib.util.find_spec("tensorboard")
            assert list(self.folder.joinpath(words[1]).rglob("events*")), line
        elif program in SHELL:
            line = line.replace("127.0.0.1:8000", f"127.0.0.1:{self._port}")
            subprocess.run(["bash", "-c", line], cwd=self.folder, check=True)
        elif program == "python3":
            assert words == ["-m", "venv", ".venv"], line
        else:
            assert program == "pytest", f"an unknown command: {line}"
            assert line in (ROOT / ".ci" / "run").read_text()

    def _run_program(self, program, words):
        mode = mode_of(words)
        if mode == "demo" and "--check_data" not in words:
            return  # tests/test_demo.py runs it
        if mode == "train":
            defaults = SMALL[program].items() if "--netG" not in words else ()
            defaults = [pair for pair in defaults if pair[0] not in words]
            words = [*words, *SHORT, *(word for pair in defaults for word in pair)]
            if not self._watched:
                words += ["--summary_freq", "0"]
            if "mirrored" in words and "--logical_devices" not in words:
                words += ["--logical_devices", "2"]  # where there are no GPUs
        for extra, package in PACKAGES.items():
            if extra in words and not importlib.util.find_spec(package):
                pytest.skip(f"needs the extra [{extra}]")
        if mode == "serve":
            self._serve(program, words)
        else:
            self._launch(program, *words)

    def _launch(self, program, *words):
        options = {"printed": self._printed, "cwd": self.folder}
        code, printed = self._launcher.run(program, *words, **options)
        assert code == 0, f"{program} {shlex.join(words)}\n{printed}"
        if "--output_dir" in words:
            self.outputs.append(self.folder / words[words.index("--output_dir") + 1])

    def _serve(self, program, words):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        options = {"printed": self._printed, "cwd": self.folder}
        self._server = self._launcher.start(program, *words, "--port", self._port, **options)
        while not self._answers():
            time.sleep(0.1)

    def _answers(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5)
        except (urllib.error.URLError, OSError):
            try:
                os.kill(self._server, 0)
            except ProcessLookupError:
                raise AssertionError(self._printed.read_text()) from None
            return False
        return True

    def _stop_server(self):
        if self._server is not None:
            # Without a process there is nothing to stop; its end is still to be waited for.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._server, signal.SIGINT)
            server, self._server = self._server, None
            assert self._launcher.wait(server) in (0, 130)


def check_installs(words):
    """pip install . or ".[extra,extra]" with extras that there are."""
    assert words[0] == "install"
    offered = set(pyproject()["project"]["optional-dependencies"])
    for word in words[1:]:
        extras = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
        assert extras, word
        assert set((extras[1] or "").split(",")) - {""} <= offered, word


@pytest.fixture(scope="module")
def prepared(launcher, tmp_path_factory):
    """Everything that the documents take for granted."""
    folder = tmp_path_factory.mktemp("readme")
    facades.write_pairs(folder / "photos" / "train", 3, seed=0, size=64)
    facades.write_pairs(folder / "photos" / "val", 2, seed=0, start=3, size=64)
    shutil.copytree(folder / "photos", folder / "data" / "facades")
    facades.write_pairs(folder / "others" / "train", 2, seed=1, size=64)
    for name in ("horse2zebra", "day2night"):
        facades.write_unpaired(folder / name, 2, seed=2, test_count=2, size=40)
    for kind, seed in (("outputs", 3), ("targets", 4), ("raw", 5)):
        (folder / kind).mkdir()
        for index in range(3):
            labels = facades.draw_labels(facades.sample_facade(seed, index), 64)
            Image.fromarray(labels).save(folder / kind / f"{index}.png")
    pixels = np.random.default_rng(0).integers(0, 256, (80, 70, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    Image.fromarray(pixels).save(folder / "slide.tif")
    shutil.copytree(GOLDENS / "small", folder / "OLD")
    for line in RUNS.values():
        Place(folder, launcher).run(line)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("document", filter(blocks, DOCUMENTS), ids=lambda path: path.name)
def test_every_command_of_a_document_runs(prepared, launcher, tmp_path, document):
    """Each command has to end with code 0, see `Place`, and to leave what it was to write."""
    found = blocks(document)
    text = "\n".join(block for _, block in found)
    place = Place(tmp_path / "place", launcher, watched="tensorboard" in text)
    shutil.copytree(prepared, place.folder)
    trainings = [line for line in commands(text) if "-tf" in line and " train " in line]
    for name in RUNS:
        if any(f"--output_dir {name} " in f"{line} " for line in trainings):
            shutil.rmtree(place.folder / name)
    for language, block in found:
        place.run_block(language, block)
    assert [folder for folder in place.outputs if not any(folder.iterdir())] == []
