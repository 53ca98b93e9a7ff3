"""What pyproject.toml says, and what the other files say about the same."""

import re

import pytest
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
