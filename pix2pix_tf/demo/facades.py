"""Procedural building facades: label maps and images of them, by day and by night.

A data set for the demonstration and the tests that needs no download and no TensorFlow. A facade
is a list of boxes (`facade_plan`); the label map shows them in flat colours, the image with brick,
glass and shadows (`facade_paint`). Except for clouds, curtains and the like, how a box looks
follows from its label and its surroundings: the image can be learned from the map.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_tf.demo import facade_paint, facade_plan
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation.palettes import FACADES as PALETTE


def sample_facade(seed: int, index: int) -> facade_plan.Facade:
    """Samples building number `index` of the data set `seed`, the same on every machine."""
    return facade_plan.sample(np.random.Generator(np.random.PCG64([seed, index])))


def draw_labels(facade: facade_plan.Facade, size: int = 256) -> np.ndarray:
    """Draws the label map of a building.

    Args:
        facade: From `sample_facade`.
        size: Side in pixels, 32 to 2048.

    Returns:
        uint8 [size, size, 3] in colours of `PALETTE` only.

    Raises:
        InputError: If `size` is out of range.
    """
    _check_size(size)
    labels = np.empty((size, size, 3), np.uint8)
    for part in facade.parts:
        left, top, right, bottom = part.pixels(size)
        labels[top:bottom, left:right] = PALETTE[part.label]
    return labels


def draw_image(facade: facade_plan.Facade, size: int = 256, *, night: bool = False) -> np.ndarray:
    """Draws the image that belongs to the label map of the same size.

    Args:
        facade: From `sample_facade`.
        size: Side in pixels, 32 to 2048.
        night: The same house at night, with light behind the curtains.

    Returns:
        uint8 [size, size, 3].

    Raises:
        InputError: If `size` is out of range.
    """
    _check_size(size)
    return facade_paint.paint(facade, size, night=night)


def _check_size(size: int) -> None:
    if not 32 <= size <= 2048:
        raise InputError(f"Expected size to be from 32 to 2048. Received: {size}")


def write_pairs(
    folder: str | Path, count: int, *, seed: int, start: int = 0, size: int = 256
) -> list[Path]:
    """Writes pairs in the layout of the facades data set: image (A) left, label map (B) right.

    Args:
        folder: Folder to write to; files of the same names are replaced.
        count: Number of buildings.
        seed: Seed of the data set.
        start: Index of the first building. Building `i` becomes `i + 1`.png.
        size: Side of each half in pixels, 32 to 2048.

    Returns:
        The paths, in the order of the numbers.

    Raises:
        InputError: If `size` is out of range.
    """
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

    trainA, trainB and the test have no building in common. testA/N.png and testB/N.png show the
    same one, so that a translation of either can be measured against the target.

    Args:
        folder: Parent of the four folders; files of the same names are replaced.
        count: Number of images in trainA, and in trainB.
        seed: Seed of the data set.
        test_count: Number of images in testA, and in testB.
        size: Side in pixels, 32 to 2048.

    Returns:
        Dict from the name of the folder to its paths.

    Raises:
        InputError: If `size` is out of range.
    """
    test = range(2 * count, 2 * count + test_count)
    indices = {"trainA": range(count), "trainB": range(count, 2 * count)}
    indices |= {"testA": test, "testB": test}
    return {
        name: [
            _save(
                draw_image(sample_facade(seed, index), size, night=name.endswith("B")),
                Path(folder, name, f"{index + 1}.png"),
            )
            for index in numbers
        ]
        for name, numbers in indices.items()
    }


def _save(pixels: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # PNG keeps the label colours exact; level 1 writes three times faster than 6.
    Image.fromarray(pixels).save(path, compress_level=1)
    return path
