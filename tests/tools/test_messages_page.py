"""The list of all messages, docs/messages.md, as the sources have them."""

import importlib

from support import ROOT

CODE = '''
"""Docstrings of a module are left out."""
def check(name, error):
    if name:
        raise InputError(f"{name} must be a folder; " "got a file") from None
    hint = "this is handed on"
    print(f"wrote {name}", file=sys.stderr)
    option("a flag", "The help of an option.")
    return "<a href='x'>only some HTML</a>"
'''


def test_the_page_is_up_to_date(run_tool, tmp_path):
    """After a change of messages: python tools/messages_page.py."""
    done = run_tool("messages_page", flags={"output_file": tmp_path / "new" / "page.md"})
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "new" / "page.md").read_text(encoding="utf-8")
    assert page == (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")


def test_messages_are_found_wherever_they_are_made(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    assert list(importlib.import_module("messages_page").messages(CODE)) == [
        ("InputError", "{name} must be a folder; got a file"),
        ("text", "this is handed on"),
        ("printed", "wrote {name}"),
    ]
