"""What pyproject.toml says, and what the other files say about the same."""

import importlib.metadata
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support import ROOT, pyproject

from pix2pix_tf import optional

PROJECT = pyproject()["project"]
EXTRAS = PROJECT["optional-dependencies"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version():
    (citation,) = re.findall(r"^version: (.+)$", read("CITATION.cff"), re.MULTILINE)
    sections = re.findall(
        r"^## (\S+) - (?:unreleased|\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.M
    )
    assert citation == sections[0] == PROJECT["version"]
    assert len(sections) == len(re.findall(r"^## ", read("CHANGELOG.md"), re.M))


def test_releases_take_ten_lines():
    for section in read("CHANGELOG.md").split("\n## ")[2:]:
        assert len(re.findall(r"^- ", section, re.M)) <= 10, section.splitlines()[0]


@pytest.mark.parametrize("name", optional.EXTRAS)
def test_every_optional_feature_is_an_extra(name):
    assert name in EXTRAS


def test_every_extra_that_is_named_exists():
    named = {}
    for folder in ("pix2pix_tf", "cyclegan_tf", "tools", "docs", "docker"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".js", ".html", ".ipynb"):
                text = path.read_text(encoding="utf-8")
                for names in re.findall(r"pix2pix-tf\[([a-z,]+)\]", text):
                    named |= dict.fromkeys(names.split(","), path)
    assert named
    assert {name: path for name, path in named.items() if name not in EXTRAS} == {}


def test_releases_of_etils_that_python_3_10_cannot_use_are_excluded():
    """Without the bound pip 23.0 tries for nine minutes what else may be wrong."""
    assert "etils[epath]>=1.9,<1.14; python_version < '3.11'" in PROJECT["dependencies"]


IMAGE = {"python_version": "3.11", "sys_platform": "linux", "platform_machine": "x86_64"}


def read_pins(device):
    """Versions of the container's packages by name; every line has a hash."""
    lines = read(f"docker/requirements-{device}.txt").splitlines()
    lines = [line for line in lines if not line.startswith(("#", "--requirement"))]
    pins = [re.fullmatch(r"(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    return {canonicalize_name(pin[1]): Version(pin[2]) for pin in pins}


def active(requirements, extras=()):
    """The requirements that hold in the image."""
    for requirement in map(Requirement, requirements or ()):
        marker = requirement.marker
        if not marker or any(marker.evaluate({**IMAGE, "extra": e}) for e in ("", *extras)):
            yield requirement


def unmet(requirements, pins):
    """Requirements that no pin meets."""
    return [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
        or canonicalize_name(requirement.name) not in pins
    ]


def test_the_container_has_what_the_metadata_requires():
    pins = read_pins("cpu")
    # The image builds the package without an environment for it.
    build = pyproject()["build-system"]["requires"]
    needed = [*active([*PROJECT["dependencies"], *EXTRAS["serve"], *build])]
    assert unmet(needed, pins) == []
    # What the pinned packages require themselves is known of those that are installed here.
    extras = {canonicalize_name(requirement.name): requirement.extras for requirement in needed}
    installed = {
        canonicalize_name(package.name): package for package in importlib.metadata.distributions()
    }
    for name in pins.keys() & installed.keys():
        if Version(installed[name].version) == pins[name]:
            below = active(installed[name].requires, extras.get(name, ()))
            assert unmet(below, pins) == [], name


def test_the_gpu_image_adds_cuda_to_the_same_packages():
    assert "--requirement requirements-cpu.txt" in read("docker/requirements-gpu.txt")
    pins = read_pins("gpu")
    assert not pins.keys() & read_pins("cpu").keys()
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= pins.keys()


def test_tensorflow_serving_can_read_what_the_image_exports():
    (image,) = re.findall(r"image: tensorflow/serving:(\S+)", read("docker/serving.yaml"))
    assert Version(image).release[:2] >= read_pins("cpu")["tensorflow"].release[:2]
