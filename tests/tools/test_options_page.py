"""docs/options.md is what the options' dataclasses say."""

import dataclasses

from support import ROOT

from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf.config import Pix2PixConfig


def test_the_committed_page_is_current(run_tool, tmp_path):
    """After a change of options: python scripts/options_page.py."""
    done = run_tool("options_page", flags={"output_file": tmp_path / "new" / "page.md"})
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "new" / "page.md").read_text(encoding="utf-8")
    assert page == (ROOT / "docs" / "options.md").read_text(encoding="utf-8")


def test_every_option_has_one_line_with_its_defaults():
    lines = (ROOT / "docs" / "options.md").read_text(encoding="utf-8").splitlines()
    for column, config in enumerate((Pix2PixConfig, CycleGANConfig), start=2):
        for field in dataclasses.fields(config):
            (line,) = [line for line in lines if line.startswith(f"| `--{field.name}` |")]
            cells = line.replace("\\|", "").split("|")
            assert len(cells) == 6
            default = "none" if field.default is None else f"`{field.default}`"
            assert cells[column].strip() == default
