"""The colours of label maps: of the facades data, of Cityscapes, or of a text file."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

Colour = tuple[int, int, int]

# The twelve classes of the CMP Facade Database (Tylecek and Sara, 2013) in the colours of the
# pix2pix facades data: every fifth colour of MATLAB's jet(64), read off as medians over val/.
FACADES: dict[str, Colour] = {
    "background": (0, 0, 223),
    "facade": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 207, 255),
    "cornice": (32, 255, 223),  # over a window
    "sill": (112, 255, 143),
    "balcony": (191, 255, 64),
    "blind": (255, 239, 0),
    "deco": (255, 159, 0),
    "molding": (255, 80, 0),  # a band over the width of the house
    "pillar": (255, 0, 0),
    "shop": (175, 0, 0),
}
# The 19 classes that Cityscapes scores, in the order of its train ids (Cordts et al. 2016; colours
# of cityscapesScripts, helpers/labels.py).
CITYSCAPES: dict[str, Colour] = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
CITYSCAPES_CLASSES = tuple(CITYSCAPES.values())
# Colours of what Cityscapes leaves out of its scores. Pole groups and licence plates are missing
# because they are painted like poles and cars.
CITYSCAPES_VOID: tuple[Colour, ...] = (
    (0, 0, 0),  # unlabeled, ego vehicle, border, static
    (111, 74, 0),  # dynamic
    (81, 0, 81),  # ground
    (250, 170, 160),  # parking
    (230, 150, 140),  # rail track
    (180, 165, 180),  # guard rail
    (150, 100, 100),  # bridge
    (150, 120, 90),  # tunnel
    (0, 0, 90),  # caravan
    (0, 0, 110),  # trailer
)


# What `resolve_palette` makes of a file: its lines, with semicolons between.
_TEXT = re.compile(r"\d+ \d+ \d+( [^;]*)?(;|$)")


class Palette(NamedTuple):
    """The colours of label maps.

    Attributes:
        classes: RGB of each class that is scored.
        void: RGB of what is left out of the scores.
    """

    classes: tuple[Colour, ...]
    void: tuple[Colour, ...] = ()


def find_palette(name: str | os.PathLike[str]) -> Palette:
    """Returns the palette called "facades" or "cityscapes", or that of a text or a text file.

    A line of the file is RED GREEN BLUE NAME, from 0 to 255. Lines whose name is void are left out
    of the scores; empty lines and those that start with # are skipped.

    Args:
        name: Name of a palette, path of a file, or what `resolve_palette` returns.

    Returns:
        The `Palette`.

    Raises:
        OSError: If the file cannot be read.
        InputError: If a line is malformed, two colours are equal, there is no class, or it is not a
            regular file of at most 1 MB.
    """
    if name == "facades":
        return Palette(tuple(FACADES.values()))
    if name == "cityscapes":
        return Palette(CITYSCAPES_CLASSES, CITYSCAPES_VOID)
    labels = _read_labels(name)
    classes = [colour for label, colour in labels if label != "void"]
    colours = [colour for _, colour in labels]
    if not classes or len(set(colours)) < len(colours):
        raise InputError(
            f"Expected different colours, and at least one class, in {name}. "
            f"Received: {len(set(colours))} different ones of {len(colours)}"
        )
    return Palette(tuple(classes), tuple(c for label, c in labels if label == "void"))


def needs_no_file(name: object) -> bool:
    """Whether a value is the name of a palette, or what `resolve_palette` made of one."""
    return isinstance(name, str) and (name in ("facades", "cityscapes") or bool(_TEXT.match(name)))


def resolve_palette(name: str) -> str:
    """The palette as a text that needs no file: its name, or the lines of its file.

    A run stores it, moves between machines with it, and makes nobody read a file that it names.
    """
    if needs_no_file(name):
        return name
    find_palette(name)  # refuses other files
    lines = (f"{r} {g} {b} {label}".rstrip() for label, (r, g, b) in _read_labels(name))
    return "; ".join(lines)


def named_colours(name: str | os.PathLike[str]) -> dict[str, Colour]:
    """The names and RGB of the classes of a palette, for people; raises as `find_palette`."""
    if name == "facades":
        return FACADES
    if name == "cityscapes":
        return CITYSCAPES
    classes = [(label, colour) for label, colour in _read_labels(name) if label != "void"]
    return {label or f"label {number}": colour for number, (label, colour) in enumerate(classes)}


def _read_labels(file: str | os.PathLike[str]) -> list[tuple[str, Colour]]:
    """The (name, colour) of each line of a palette's file or text."""
    if _TEXT.match(str(file)):
        lines = str(file).split(";")
    else:
        contents = run_folder.read_bytes(Path(file), run_folder.MAX_TEXT_BYTES)
        lines = contents.decode("utf-8", "replace").replace(";", ",").splitlines()
    return [
        (" ".join(words[3:]), _parse_colour(words, f"line {number} of {file}"))
        for number, line in enumerate(lines, 1)
        if (words := line.split()) and not words[0].startswith("#")
    ]


def _parse_colour(words: list[str], place: str) -> Colour:
    try:
        red, green, blue = (int(word) for word in words[:3])
    except ValueError:
        red = green = blue = -1
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        # Whatever file it is, its contents are not shown.
        raise InputError(f"Expected RED GREEN BLUE NAME, from 0 to 255, in {place}. Received: else")
    return red, green, blue
