"""Writes the page of all errors, warnings and printed lines, docs/messages.md, from the sources.

Usage: python tools/messages_page.py [--output_file FILE]
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import _cli
from absl import flags

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_file", "docs/messages.md", "where to", flag_values=FLAGS)

ROOT = Path(__file__).parents[1]
PACKAGES = ("pix2pix_tf", "cyclegan_tf")
# Words in a row, which HTML, regular expressions and names of files have not.
_SENTENCE = re.compile(r"^[^<\\^@=]*(?<![-\w/])[A-Za-z]+[,:;]? [a-z]+[,:;]? ([a-z]+|\{)[^<\\^=]*$")
_WORD = re.compile(r"[a-z]{2}")
HEAD = """# Every message

Written by `python tools/messages_page.py`: every error, warning and printed line of both packages,
by file, and the texts that they are put together from. `{...}` stands for a value.
"""


def page() -> str:
    """The whole page in Markdown."""
    lines = [HEAD.rstrip()]
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found = list(messages(path.read_text(encoding="utf-8")))
            if found:
                lines += ["", f"## {path.relative_to(ROOT).as_posix()}", ""]
                lines += [f"- {kind}: `` {text} ``" for kind, text in found]
    return "\n".join(lines) + "\n"


def messages(source: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each message in a module's source, in the order of the lines.

    Texts of calls that raise, warn or print; then what is handed on to them as a value: every
    other string of three words or more but docstrings and the help of options.
    """
    nodes = list(_walk(ast.parse(source)))
    seen: set[ast.AST] = set()
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            seen.add(node.value)  # a docstring
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("option", "changed")):
            seen |= set(_walk(node))
    for node in nodes:
        if node in seen or not isinstance(node, (ast.Call, ast.Constant, ast.JoinedStr, ast.BinOp)):
            continue
        kind = _kind(node) if isinstance(node, ast.Call) else "text"
        parts = node.args if isinstance(node, ast.Call) else [node]
        text = " ".join(" ".join(map(_text, parts)).split())
        words = re.sub(r"\{.*?\}", "{}", text)
        if kind and (_SENTENCE if kind == "text" else _WORD).search(words):
            seen |= {below for part in parts for below in _walk(part)}
            yield kind, text


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, as they stand in the source."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def _kind(call: ast.Call) -> str | None:
    """What a call does with a text: raises or returns an error, warns, or prints."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name.endswith("Error"):
        return name
    if "warn" in name:
        return "warning"
    return "printed" if name == "print" or ast.unparse(call.func) == "tqdm.write" else None


def _text(node: ast.expr) -> str:
    """A string expression as it reads: constants as they are, the rest in braces."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return f"[{_text(node.body)}|{_text(node.orelse)}]"
    if isinstance(node, ast.FormattedValue):
        return _text(node.value)
    return f"{{{_name(node)}}}"


def _name(node: ast.expr) -> str:
    """The name of what a value is made of, the same for every version of Python."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        value = _name(node.value)
        return value if value == "..." else f"{value}.{node.attr}"
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        return _name(node.func.value)
    if isinstance(node, ast.Call) and node.args:
        return _name(node.args[0])
    return "..."


def main() -> None:
    """Writes the page."""
    _cli.write_page(Path(FLAGS.output_file), page())


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__)
