"""Results on disk: images, the rows of a report, metrics.json, and the report of a run folder."""

import math
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from pix2pix_tf import run_folder
from pix2pix_tf.data import image_file
from pix2pix_tf.data.samples import (
    WHOLE,
    PlaneSelection,
    Range,
    from_unit,
    to_unit,
    visible_channels,
    with_channels,
)
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation.report import write_report

Item = TypeVar("Item")


# The kinds of images in the order of showing: of pix2pix, then of CycleGAN.
KINDS = (
    *("inputs", "outputs", "targets"),
    *("real_A", "fake_B", "rec_A", "idt_A", "real_B", "fake_A", "rec_B", "idt_B"),
    *("true_A", "true_B"),
)
_TRAINING_NAME = re.compile(rf"(\d{{8}})-(.*)-({'|'.join(KINDS)})\.png")


class Row(TypedDict, total=False):
    """One line of a report.

    `name` of the example, `images` (paths relative to the report's folder, by kind, in the order
    of showing), and where there are any the training `step` and `metrics` by name.
    """

    name: str
    images: dict[str, str]
    step: int
    metrics: dict[str, float]


def progress(items: Iterable[Item], label: str, *, total: int | None = None) -> "tqdm[Item]":
    """`items` under a progress bar, which writes rarely where there is no terminal."""
    pause = 0.1 if sys.stdout.isatty() else 10.0
    return tqdm(
        items, label, total, file=sys.stdout, mininterval=pause, maxinterval=pause, unit="image"
    )


# ---- Samples in the types of their source files


def quantize(
    units: Mapping[str, np.ndarray],
    types: Mapping[str, Sequence[str]],
    ranges: Mapping[str, Range],
) -> dict[str, list[np.ndarray]]:
    """Quantizes results to the types of their files.

    Args:
        units: Dict from kinds ("inputs", ...) to float32 [n, h, w, c] in [0, 1].
        types: Of each kind, NumPy's names of the types of the n files.
        ranges: Of each kind, the (low, high) samples that stand for 0 and 1, or None.

    Returns:
        Dict from kinds to lists of n arrays [h, w, c] of those types.
    """
    return {
        kind: [
            from_unit(unit, dtype, ranges.get(kind))
            for unit, dtype in zip(batch, types[kind], strict=True)
        ]
        for kind, batch in units.items()
    }


def to_signed(samples: Iterable[np.ndarray], value_range: Range = None) -> np.ndarray:
    """Converts n quantized arrays [h, w, c] of one shape to float32 [n, h, w, c] in [-1, 1]."""
    return np.stack([to_unit(array, value_range) * 2 - 1 for array in samples])


def viewable(
    samples: Mapping[str, Sequence[np.ndarray]], ranges: Mapping[str, Range]
) -> dict[str, list[np.ndarray]]:
    """Converts quantized arrays to images: uint8 or uint16 with 1, 3 or 4 channels.

    Of other channel counts the first three are shown, of two the first.
    """

    def view(array: np.ndarray, value_range: Range) -> np.ndarray:
        array = visible_channels(array)
        dtype = array.dtype if array.dtype in (np.uint8, np.uint16) else np.uint8
        if value_range is None and array.dtype == dtype:
            return array
        return from_unit(to_unit(array, value_range), dtype)

    return {
        kind: [view(array, ranges.get(kind)) for array in arrays]
        for kind, arrays in samples.items()
    }


# ---- Image files


def read_image(path: str | Path, selection: PlaneSelection = WHOLE) -> np.ndarray:
    """Decodes an image file to [h, w, c] of its own type, upright.

    Raises:
        InputError: If it cannot be decoded; the message names the file.
    """
    try:
        with image_file.open_image(path, selection) as image:
            return image.samples().array
    except ValueError as error:
        raise InputError(f"Expected readable images. Received: {path} ({error})") from None


def to_rgb(unit: np.ndarray) -> np.ndarray:
    """Converts float32 [h, w, c] in [0, 1] to uint8 [h, w, 3], without alpha.

    Raises:
        InputError: If there are more than four channels.
    """
    try:
        return from_unit(with_channels(unit, 3), np.uint8)
    except ValueError as error:
        raise InputError(f"Expected images that can be shown as RGB. Received: {error}") from None


def write_images(
    folder: Path,
    names: Sequence[str],
    images: Mapping[str, Sequence[np.ndarray]],
    *,
    step: int | None = None,
    aspect_ratio: float = 1.0,
) -> list[Row]:
    """Writes one PNG per name and kind: images/[STEP-]NAME-KIND.png.

    Args:
        folder: Run folder or folder of results.
        names: Names of the n examples.
        images: Dict from kind ("inputs", ...) to n arrays [h, w, 1, 3 or 4], uint8 or uint16.
        step: Training step for the file names, or None.
        aspect_ratio: The width of each image becomes round(height * aspect_ratio).

    Returns:
        The report's rows, one per name.
    """
    (folder / run_folder.IMAGES).mkdir(parents=True, exist_ok=True)
    prefix = "" if step is None else f"{step:08d}-"
    rows = []
    for index, name in enumerate(names):
        row = Row(name=name, images={})
        for kind, batch in images.items():
            row["images"][kind] = f"{run_folder.IMAGES}/{prefix}{name}-{kind}.png"
            with run_folder.atomic(folder / row["images"][kind], durable=False) as temporary:
                temporary.write_bytes(_encode(batch[index], aspect_ratio))
        rows.append(row if step is None else Row(**row, step=step))
    return rows


def _encode(pixels: np.ndarray, aspect_ratio: float) -> bytes:
    """PNG bytes; the sides are those of `pixels`, the width times the aspect ratio."""
    # Imported here: a report is written without TensorFlow.
    from pix2pix_tf.data import images

    height, width = pixels.shape[0], max(round(pixels.shape[0] * aspect_ratio), 1)
    if aspect_ratio != 1.0 and width != pixels.shape[1]:
        # Pillow resizes 16 bits only as single planes of floats.
        resized = [
            Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC)
            for plane in np.moveaxis(pixels.astype(np.float32), -1, 0)
        ]
        largest = np.iinfo(pixels.dtype).max
        pixels = np.clip(np.round(np.stack(resized, -1)), 0, largest).astype(pixels.dtype)
    return images.encode(pixels).numpy()


# ---- The report of training


def remove_later_images(folder: Path, step: int) -> None:
    """Removes the images that training wrote after `step`, from which it resumes."""
    for path in (folder / run_folder.IMAGES).glob("*.png"):
        match = _TRAINING_NAME.fullmatch(path.name)
        if match and int(match[1]) > step:
            path.unlink()


def training_rows(folder: Path) -> list[Row]:
    """The rows of all images that training has written so far, oldest first."""
    rows: dict[tuple[int, str], Row] = {}
    for path in sorted((folder / run_folder.IMAGES).glob("*.png")):
        if found := _TRAINING_NAME.fullmatch(path.name):
            step, name, kind = int(found[1]), found[2], found[3]
            row = rows.setdefault((step, name), Row(name=name, step=step, images={}))
            row["images"][kind] = f"{run_folder.IMAGES}/{path.name}"
    for row in rows.values():
        row["images"] = {kind: row["images"][kind] for kind in KINDS if kind in row["images"]}
    return list(rows.values())


def write_training_report(folder: Path, *, title: str, options: Mapping[str, Any]) -> Path:
    """Writes a run's index.html from the images and the log in its folder.

    Args:
        folder: Run folder.
        title: Heading of the page.
        options: The run's options.

    Returns:
        Path of the page.
    """
    log = folder / run_folder.LOG
    rows = training_rows(folder)
    return write_report(folder, title=title, rows=rows, options={**options, **versions()}, log=log)


# ---- The results of test and evaluate


def write_results(
    folder: Path,
    rows: Sequence[Row],
    *,
    title: str,
    options: Mapping[str, Any],
    checkpoint: Path | None = None,
    sets: Mapping[str, float] | None = None,
    context: Mapping[str, float] | None = None,
    **details: Any,
) -> Path:
    """Writes the results of test or evaluate: metrics.json, the options and index.html.

    JSON has no infinity and no NaN: such values are null, and means are those of the others.

    Args:
        folder: Output folder.
        rows: The report's rows, with metrics.
        title: Heading of the page.
        options: The options of the command, with its "mode".
        checkpoint: Checkpoint file whose run's training curves the page shows, or None.
        sets: Numbers of whole sets, such as FID, which stand beside the means.
        context: Other numbers to compare the means with, likewise.
        **details: Further contents of metrics.json, such as the settings of the metrics.

    Returns:
        Path of index.html.
    """
    mean, left_out = means(rows)
    per_image = {
        row["name"]: {k: v if math.isfinite(v) else None for k, v in row["metrics"].items()}
        for row in rows
    }
    measured = {"mean": mean, "left_out": left_out, "per_image": per_image, "count": len(rows)}
    measured |= {"checkpoint": None if checkpoint is None else str(checkpoint)}
    measured |= {
        name: dict(v) for name, v in (("sets", sets), ("context", context)) if v is not None
    }
    run_folder.write_json(folder / f"{options['mode']}_{run_folder.OPTIONS}", dict(options))
    run_folder.write_json(folder / run_folder.METRICS, measured | details)
    summary = {**mean, **(sets or {}), **(context or {})}
    log = None if checkpoint is None else checkpoint.parent.parent / run_folder.LOG
    return write_report(
        folder,
        title=title,
        rows=rows,
        options={**options, **versions()},
        summary={name: value for name, value in summary.items() if value is not None},
        log=log if log and log.is_file() else None,
    )


def means(rows: Iterable[Row]) -> tuple[dict[str, float | None], dict[str, int]]:
    """The mean of each metric over the rows that have a finite value of it.

    Args:
        rows: The report's rows, with metrics.

    Returns:
        (dict from names to means, None without any; dict from names to the number of images left
        out because their value is infinite or NaN).
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row["metrics"].items():
            values.setdefault(name, []).append(value)
    finite = {name: [v for v in found if math.isfinite(v)] for name, found in values.items()}
    mean = {name: float(np.mean(found)) if found else None for name, found in finite.items()}
    left_out = {name: len(values[name]) - len(found) for name, found in finite.items()}
    return mean, {name: count for name, count in left_out.items() if count}


def versions() -> dict[str, dict[str, str]]:
    """The versions of what this process has loaded, for the report."""
    names: tuple[str, ...] = ("tensorflow", "keras", "numpy")
    loaded = (name for name in names if name in sys.modules)
    loaded_versions: dict[str, str] = {name: sys.modules[name].__version__ for name in loaded}
    return {"versions": {"python": platform.python_version(), **loaded_versions}}
