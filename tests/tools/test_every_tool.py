"""What holds for all scripts with flags: help, and that importing one changes nothing."""

import re
import subprocess
import sys

import pytest
from support import ROOT

SOURCES = {
    path.stem: path.read_text(encoding="utf-8")
    for folder in ("tools", "benchmarks", "scripts")
    for path in (ROOT / folder).glob("*.py")
}
TOOLS = sorted(name for name, source in SOURCES.items() if "_cli.run(" in source)


@pytest.mark.parametrize("name", TOOLS)
def test_help_lists_every_flag(run_tool, name):
    done = run_tool(name, "--help")
    assert done.returncode == 0, done.stderr
    flags = re.findall(r'DEFINE_\w+\(\s*"(\w+)"', SOURCES[name])
    assert flags
    for flag in flags:
        assert re.search(rf"--(\[no\])?{flag}:", done.stdout), flag


def test_importing_a_script_changes_nothing():
    code = """
import sys
from absl import flags
before = set(flags.FLAGS)
import download_dataset, process, split
assert set(flags.FLAGS) == before
assert not {"tensorflow", "keras", "skimage", "scipy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tools", check=True)
