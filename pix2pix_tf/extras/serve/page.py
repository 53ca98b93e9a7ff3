"""The page to draw on, which the server and the web export share, and how it shows a model."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.demo import facades

# index.html, its style and its modules.
STATIC = Path(__file__).with_name("static")
# Drawn facades to begin with.
_EXAMPLES = 12
# The data sets of pix2pix and CycleGAN are called FROM2TO.
_NAME2NAME = re.compile(r"([A-Za-z]+)2([A-Za-z]+)")
_WHOLE_PAIRS = ("edges2", "sketch")
_LABEL_WORDS = ("facade", "demo", "label")


def describe(
    name: str, options: Mapping[str, Any], *, direction: str | None = None
) -> dict[str, Any]:
    """Describes a model for the page, from its name and the options of its run.

    Args:
        name: The name that the page shows.
        options: The run's options.json, or those of an export; may be empty.
        direction: "AtoB" or "BtoA"; None takes `which_direction`.

    Returns:
        Dict for JSON: `name`; `from` and `to`, names of the domains; `editor`, what people draw
        with at first ("boxes", "lines" or "picture"); `palette`, dict from names to RGB or None;
        `examples`, lists of (label, left, top, right, bottom) in 256ths or None.
    """
    direction = direction or options.get("which_direction") or "AtoB"
    words = " ".join(f"{options.get(key)}" for key in ("input_dir", "checkpoint"))
    words = f"{name} {words}".lower()
    editor = _editor(words, options, direction=direction)
    labels = editor == "boxes"
    source, target = _domains(words, options, direction=direction, labels=labels)
    return {
        "name": name,
        "from": source,
        "to": target,
        "editor": editor,
        "palette": facades.PALETTE if labels else None,
        "examples": _examples() if labels else None,
    }


def describe_run(
    checkpoint: str, *, suffix: str = "", direction: str | None = None
) -> dict[str, Any]:
    """As `describe`, of the run that a --checkpoint names; `suffix` ends the name."""
    folder, _ = run_folder.locate(checkpoint)
    options = run_folder.read_json(folder / run_folder.OPTIONS)
    # Of demonstrations the folder around says more than `run`.
    named = Path(folder).resolve()
    name = named.parent.name if named.name == "run" else named.name
    if named.name == "run" and (named.parent / "data").is_dir():  # facades, whatever it is called
        options = {**options, "checkpoint": "demo"}
    return describe(f"{name}-{suffix}" if suffix else name, options, direction=direction)


def _editor(words: str, options: Mapping[str, Any], *, direction: str) -> str:
    """Guesses the editor from the names of the inputs; users can choose another."""
    if options.get("lab_colorization") or options.get("program") == "cyclegan-tf":
        return "picture"
    if any(word in words for word in _WHOLE_PAIRS):
        return "lines"
    labels = any(word in words for word in _LABEL_WORDS)
    return "boxes" if labels and direction == "BtoA" else "picture"


def _domains(
    words: str, options: Mapping[str, Any], *, direction: str, labels: bool
) -> tuple[str, str]:
    """Names of the inputs and of the outputs."""
    if options.get("lab_colorization"):
        names = ("lightness", "color")
    elif labels:
        names = ("facade", "labels")
    elif found := _NAME2NAME.search(words):
        names = (found[1], found[2])
    else:
        names = ("A", "B")
    return names if direction == "AtoB" else names[::-1]


def _examples() -> list[list[tuple[Any, ...]]]:
    found = (facades.sample_facade(0, number) for number in range(_EXAMPLES))
    return [[(part.label, *part.pixels(256)) for part in facade.parts] for facade in found]
