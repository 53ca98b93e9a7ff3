"""Procedural building facades: label maps and images of them, by day and by night.

A data set for the demo and the tests that needs no download and no TensorFlow. A facade is a list
of boxes (`facade_plan`); the label map shows them in flat colours, the image with brick, glass
and shadows (`facade_paint`). How a box looks follows from its label and what surrounds it, but for
clouds, curtains and the like: the image can be learned from the map.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_tf.demo import facade_paint, facade_plan
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation.palettes import FACADES as PALETTE


def sample_facade(seed: int, index: int) -> facade_plan.Facade:
    """Draws the description of building number `index` of the data set `seed`.

    Args:
        seed: Int from 0. Another seed is another data set.
        index: Int from 0.

    Returns:
        A `facade_plan.Facade`, the same on every machine.

    Raises:
        InputError: If an argument is not such a number.
    """
    _require("seed", seed, 0)
    _require("index", index, 0)
    return facade_plan.lay_out(np.random.Generator(np.random.PCG64([seed, index])))


def draw_labels(facade: facade_plan.Facade, size: int = 256) -> np.ndarray:
    """Paints the label map.

    Args:
        facade: A `Facade` of `sample_facade`.
        size: Side in pixels, 32 to 2048.

    Returns:
        uint8 [size, size, 3] in colours of `PALETTE` only.

    Raises:
        InputError: If `size` is out of range.
    """
    _require("size", size, 32, most=2048)
    labels = np.empty((size, size, 3), np.uint8)
    for part in facade.parts:
        left, top, right, bottom = part.pixels(size)
        labels[top:bottom, left:right] = PALETTE[part.label]
    return labels


def draw_image(facade: facade_plan.Facade, size: int = 256, *, night: bool = False) -> np.ndarray:
    """Paints the image that belongs to the label map of the same size.

    Args:
        facade: A `Facade` of `sample_facade`.
        size: Side in pixels, 32 to 2048.
        night: The same house at night, with light behind the curtains.

    Returns:
        uint8 [size, size, 3].

    Raises:
        InputError: If `size` is out of range.
    """
    _require("size", size, 32, most=2048)
    return facade_paint.paint(facade, size, night=night)


def write_pairs(
    folder: str | Path, count: int, *, seed: int, start: int = 0, size: int = 256
) -> list[Path]:
    """Writes pairs in the layout of the facades data set: image (A) left, label map (B) right.

    Building `i` becomes `i + 1`.png, so sets with other `start` keep apart by name and content.

    Args:
        folder: Where to; made if missing. Files of the same names are replaced.
        count: How many, from 1.
        seed: Int from 0.
        start: Index of the first building.
        size: Side of each half in pixels, 32 to 2048.

    Returns:
        The paths, in the order of the numbers.

    Raises:
        InputError: If an argument is out of range.
        OSError: If the files cannot be written.
    """
    _require("count", count, 1)
    _require("start", start, 0)
    paths = []
    for index in range(start, start + count):
        facade = sample_facade(seed, index)
        pair = np.concatenate([draw_image(facade, size), draw_labels(facade, size)], axis=1)
        paths.append(_save(pair, Path(folder, f"{index + 1}.png")))
    return paths


def write_unpaired(
    folder: str | Path, count: int, *, seed: int, test_count: int, size: int = 256
) -> dict[str, list[Path]]:
    """Writes trainA and testA by day, trainB and testB by night.

    No building is in two of trainA, trainB and the test. testA/N.png and testB/N.png are one
    building, so that a translation of either can be measured against the target.

    Args:
        folder: Holds the four folders; made if missing. Files of the same names are replaced.
        count: How many in trainA, and as many in trainB, from 1.
        seed: Int from 0.
        test_count: How many in testA, and as many in testB, from 1.
        size: Side in pixels, 32 to 2048.

    Returns:
        Dict from the name of the folder to its paths.

    Raises:
        InputError: If an argument is out of range.
        OSError: If the files cannot be written.
    """
    _require("count", count, 1)
    _require("test_count", test_count, 1)
    test = range(2 * count, 2 * count + test_count)
    plan = {
        "trainA": range(count),
        "trainB": range(count, 2 * count),
        "testA": test,
        "testB": test,
    }
    paths: dict[str, list[Path]] = {}
    for name, indices in plan.items():
        paths[name] = []
        for index in indices:
            image = draw_image(sample_facade(seed, index), size, night=name.endswith("B"))
            paths[name].append(_save(image, Path(folder, name, f"{index + 1}.png")))
    return paths


def _require(name: str, value: int, least: int, *, most: int | None = None) -> None:
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"Expected {name} to be an integer {span}. Received: {value!r}")


def _save(pixels: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # PNG keeps the label colours exact; level 1 writes three times faster than 6.
    Image.fromarray(pixels).save(path, compress_level=1)
    return path
