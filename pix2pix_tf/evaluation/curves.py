"""Training curves: the losses of a log.csv, drawn against the step."""

import itertools
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_tf import run_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_NOT_LOSSES = {"step", "epoch", "images_per_second", "learning_rate"}
_DOMAIN = re.compile(r"_(ab|ba|a|b)(?=_|$)", re.IGNORECASE)
_COLORS = ("#2f6fb3", "#d9622b", "#3a8f5c", "#8d5bb5")
_MOST_POINTS = 1000  # a longer log is drawn as the range and the mean of this many pieces
_SMOOTHED_OVER = 20  # the smooth line averages over a 20th of the curve


def draw_curves(log_csv: Path, path: Path) -> Path:
    """Draws every loss of a log, raw and smoothed; the file appears whole or not at all.

    Each loss gets axes of its own, as scales differ; losses that differ only in their domain
    (`cycle_A`, `cycle_B`) share them. A row without a step and a cell without a number, as an
    interrupted run may leave them, are passed over.

    Args:
        log_csv: CSV file with a heading; column `step`, then losses. Columns `epoch`,
            `images_per_second` and `learning_rate` are not drawn.
        path: File to write; its suffix chooses the format.

    Returns:
        `path`.

    Raises:
        OSError: If the log cannot be read or the image cannot be written.
    """
    # Imported here: only those who draw wait for matplotlib.
    from matplotlib.figure import Figure

    steps, losses = _read_log(log_csv)
    groups = _by_domain(losses)
    wide = 2 if len(groups) == 4 else min(max(len(groups), 1), 3)
    high = max(math.ceil(len(groups) / wide), 1)
    height = 3.1 * high  # inches
    figure = Figure(figsize=(13.2, height), dpi=160)
    # Found by eye: matplotlib's own layout draws everything twice.
    margins = {"left": 0.04, "right": 0.99, "bottom": 0.45 / height, "top": 1 - 0.3 / height}
    figure.subplots_adjust(**margins, wspace=0.14, hspace=0.4)
    if not len(steps) or not groups:
        figure.text(0.5, 0.5, "No losses are logged yet.", ha="center", color="0.4")
    for place, (title, members) in enumerate(groups.items() if len(steps) else (), start=1):
        _draw_axes(figure.add_subplot(high, wide, place), title, steps=steps, losses=members)
    with run_folder.atomic(path) as temporary, temporary.open("wb") as file:
        figure.savefig(file, format=path.suffix[1:])
    return path


def _read_log(log_csv: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the steps, float [n], and {loss: values, float [n], NaN where there is none}."""
    text = log_csv.read_bytes().decode("utf-8", "replace")
    columns, *lines = (line.split(",") for line in text.split("\n"))
    rows = [dict(zip(columns, line, strict=False)) for line in lines]
    rows = [row for row in rows if math.isfinite(_float(row.get("step")))]
    names = [name for name in columns if name and name not in _NOT_LOSSES]
    losses = {name: np.array([_float(row.get(name)) for row in rows]) for name in names}
    return np.array([_float(row["step"]) for row in rows]), losses


def _float(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:  # of a torn cell
        return math.nan


def _by_domain(losses: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Returns {title: {loss: values}}, with the losses of both domains under one title."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, values in losses.items():
        groups.setdefault(_DOMAIN.sub("", name), {})[name] = values
    return groups


def _draw_axes(
    axes: "Axes", title: str, *, steps: np.ndarray, losses: dict[str, np.ndarray]
) -> None:
    from matplotlib.ticker import EngFormatter

    for color, (name, values) in zip(itertools.cycle(_COLORS), losses.items(), strict=False):
        # A legend leaves out what begins with "_".
        label = name.lstrip("_") if len(losses) > 1 else ""
        _draw_loss(axes, label, steps=steps, values=values, color=color)
    axes.set_title(title, fontsize=10, loc="left", parse_math=False)
    axes.set_xlabel("step", fontsize=8)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelsize=8, length=0)
    axes.grid(color="0.9", linewidth=0.8)
    axes.spines[:].set_visible(False)
    for text in axes.legend(fontsize=8, frameon=False).get_texts():
        text.set_parse_math(False)


def _draw_loss(
    axes: "Axes", label: str, *, steps: np.ndarray, values: np.ndarray, color: str
) -> None:
    starts = np.linspace(0, len(steps), min(len(steps), _MOST_POINTS), endpoint=False, dtype=int)
    x = steps[starts]
    number = np.isfinite(values)
    values = np.where(number, values, math.nan)
    # fmin and fmax pass over NaN. In a short log a piece is one row, and this the raw curve.
    lowest, highest = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    raw = np.column_stack([lowest, highest]).ravel()
    axes.plot(np.repeat(x, 2), raw, color=color, alpha=0.3, linewidth=0.8)
    totals = np.add.reduceat(np.where(number, values, 0.0), starts)
    smooth = _smooth(totals, np.add.reduceat(number.astype(float), starts))
    last = next(filter(math.isfinite, smooth[::-1]), math.nan)
    kind = "smoothed" if len(starts) >= 2 * _SMOOTHED_OVER else "last"
    label = f"{label or kind}  {last:#.4g}"
    axes.plot(x, smooth, color=color, linewidth=1.8, label=label, marker="." * (len(x) == 1))


def _smooth(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means over a sliding window of pieces, given the sum and the count of each piece."""
    window = np.ones(max(len(totals) // _SMOOTHED_OVER, 1))
    totals, counts = np.convolve(totals, window, "same"), np.convolve(counts, window, "same")
    return np.divide(totals, counts, out=np.full(len(totals), math.nan), where=counts > 0.5)
