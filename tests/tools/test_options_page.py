"""docs/options.md is what the options' dataclasses say."""

from support import ROOT


def test_the_committed_page_is_current(run_tool, tmp_path):
    """After a change of options: python scripts/options_page.py."""
    done = run_tool("options_page", flags={"output_file": tmp_path / "new" / "page.md"})
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "new" / "page.md").read_text(encoding="utf-8")
    assert page == (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
