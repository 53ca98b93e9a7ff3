"""The page to draw on, which the server and the web export share, and how it shows a model."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.demo import facades
from pix2pix_tf.evaluation.palettes import Colour, named_colours, needs_no_file

# index.html, its style and its modules.
STATIC = Path(__file__).with_name("static")
# The palette of drawn facades, of which the page has examples.
FACADES = "facades"
_EXAMPLES = 12
# The data sets of pix2pix and CycleGAN are called FROM2TO.
_NAME2NAME = re.compile(r"([A-Za-z]+)2([A-Za-z]+)")
_WHOLE_PAIRS = ("edges2", "sketch")


def describe(
    name: str, options: Mapping[str, Any], *, direction: str | None = None
) -> dict[str, Any]:
    """Describes a model for the page, from its name and the options of its run.

    Args:
        name: The name that the page shows.
        options: `run_folder.read_description` of the run, or those of an export; may be empty.
        direction: "AtoB" or "BtoA"; None takes `which_direction`.

    Returns:
        Dict for JSON: `name`; `from` and `to`, names of the domains; `editor`, what people draw
        with at first ("boxes", "lines" or "picture"); `palette`, dict from names to RGB or None;
        `examples`, lists of (label, left, top, right, bottom) in 256ths or None.
    """
    direction = direction or options.get("which_direction") or "AtoB"
    palettes = _palettes(options)
    names = _domain_names(name, options, palettes)
    source, target = (names["AB".index(domain)] for domain in (direction[0], direction[-1]))
    palette = palettes.get(direction[0])
    colours = _colours(palette)
    editor = "picture"
    if colours:
        editor = "boxes"
    elif any(word in _words(name, options) for word in _WHOLE_PAIRS):
        is_unpaired = options.get("program") == "cyclegan-tf"
        editor = "picture" if is_unpaired or options.get("lab_colorization") else "lines"
    return {
        "name": name,
        "from": source,
        "to": target,
        "editor": editor,
        "palette": colours,
        "examples": _examples() if palette == FACADES else None,
    }


def describe_run(
    checkpoint: Path, *, suffix: str = "", direction: str | None = None
) -> dict[str, Any]:
    """As `describe`, of the run that a --checkpoint names; `suffix` ends the name."""
    folder, _ = run_folder.locate(checkpoint)
    path = folder.resolve()
    # A demonstration's run is called `run`.
    name = path.parent.name if path.name == "run" else path.name
    options = run_folder.read_description(folder)
    return describe(f"{name}-{suffix}" if suffix else name, options, direction=direction)


def _palettes(options: Mapping[str, Any]) -> Mapping[str, str]:
    """The palettes of the domains that are label maps."""
    if palettes := options.get("palettes"):
        return palettes
    # It is not known which domain.
    palette = options.get("label_palette")
    return dict.fromkeys("AB", palette) if palette else {}


def _colours(palette: Any) -> Mapping[str, Colour] | None:
    # Runs of 0.2 name a file instead, which is not looked for.
    return named_colours(palette) if needs_no_file(palette) else None


def _words(name: str, options: Mapping[str, Any]) -> str:
    return f"{name} {options.get('input_dir')} {options.get('checkpoint')}".lower()


def _domain_names(
    name: str, options: Mapping[str, Any], palettes: Mapping[str, str]
) -> tuple[str, str]:
    """Names of A and of B."""
    if options.get("lab_colorization"):
        return "lightness", "color"
    if match := _NAME2NAME.search(_words(name, options)):
        return match[1], match[2]
    other = "facade" if FACADES in palettes.values() else None
    a, b = ("labels" if domain in palettes else other or domain for domain in "AB")
    return a, b


def _examples() -> list[list[tuple[Any, ...]]]:
    buildings = (facades.sample_facade(0, number) for number in range(_EXAMPLES))
    return [[(part.label, *part.pixels(256)) for part in facade.parts] for facade in buildings]
