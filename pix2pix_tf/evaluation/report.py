"""The report of a run: one index.html that opens from the file system, without a server."""

import html
import importlib.resources
import itertools
import math
import numbers
import string
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.evaluation import curves

CURVES = "curves.png"
_GAIN = 4  # as in report.css
# What ends the names of metrics of the unchanged input, with which those of outputs compare.
OF_INPUT = " of the input"
_HIGHER_IS_BETTER = ("psnr", "ssim", "pearson", "accuracy", "iou")


def write_report(
    folder: Path,
    *,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any] | None = None,
    summary: Mapping[str, Any] | None = None,
    log: Path | None = None,
) -> Path:
    """Writes the `index.html` of a run folder, whole or not at all.

    Without scripts the page is a table of images and numbers; with them it sorts, filters,
    enlarges, and compares two images of a row by a slider or as a map of differences. Where
    rows have steps, the newest stand first; otherwise the given order is kept.

    Args:
        folder: The run folder; created if it is not there.
        title: Heading of the page.
        rows: Dicts with `name`, `images` ({label: path relative to `folder`}, in the order of
            showing) and, where there are any, `step` (int) and `metrics` ({name: number}).
        options: What made the results, options and versions; a dict that may hold dicts.
        summary: Headline numbers, {label: value}.
        log: Path of a log.csv whose losses are drawn as `curves.png` into `folder`.

    Returns:
        The path of the page.

    Raises:
        ValueError: If a row has no name or no images, or the path of an image is absolute.
        OSError: If the folder cannot be written or the log cannot be read.
    """
    _check_rows(rows)
    rows = sorted(rows, key=lambda row: row.get("step") or 0, reverse=True)
    columns = _columns(rows)
    page = _template("report.html").substitute(
        title=_text(title),
        style=_template("report.css").substitute(cards=columns.cards_below),
        script=_asset("report.js"),
        viewer=_asset("report.viewer.js"),
        summary=_summary(summary),
        curves=_curves(folder, log, is_open=not rows),
        options=_options(options),
        metric_options="".join(_metric_options(columns)),
        pair_options="".join(itertools.starmap(_pair_option, columns.pairs)),
        gains="".join(map(_gain_option, (1, 2, 4, 8, 16))),
        table=_table(rows, columns),
        nothing=" hidden" if rows else "",
        nothing_text="" if rows else "No images yet.",
    )
    path = folder / run_folder.INDEX
    with run_folder.atomic(path) as temporary:
        # A file name that is not UTF-8 holds surrogates, which are shown as question marks.
        temporary.write_bytes(page.encode("utf-8", errors="replace"))
    return path


def _gain_option(gain: int) -> str:
    # At x1 most differences are nearly black.
    selected = " selected" if gain == _GAIN else ""
    return f'<option value="{gain}"{selected}>×{gain}</option>'


def _check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    for number, row in enumerate(rows):
        if "name" not in row or "images" not in row:
            raise ValueError(f"Expected name and images in row {number}. Received: {sorted(row)}")
        for path in row["images"].values():
            if PurePath(path).is_absolute():
                raise ValueError(
                    f"Expected images with paths relative to the report's folder. Received: {path}"
                )


@dataclass(frozen=True)
class _Columns:
    """The columns of a page."""

    steps: bool
    images: list[str]  # labels, in the order of their first row
    slots: int  # image cells of a row
    mixed: bool  # rows have different images: labels stand in the cells instead of the heading
    metrics: list[str]
    pairs: list[tuple[str, str]]  # (label, label) that share a row

    @property
    def cards_below(self) -> int:
        """Width of the window in rem under which the rows do not fit side by side."""
        return max(46, 20 + 8 * self.slots + 5 * len(self.metrics))

    @property
    def style(self) -> str:
        """CSS variables: the tracks of the grid before and after the difference column."""
        tracks = "4.5rem " if self.steps else ""
        tracks += f"minmax(9rem, 14rem) repeat({max(self.slots, 1)}, minmax(6rem, var(--thumb)))"
        metrics = f"; --metrics: repeat({len(self.metrics)}, 4.5rem)" if self.metrics else ""
        return f"--columns: {tracks}{metrics}"


def _columns(rows: Sequence[Mapping[str, Any]]) -> _Columns:
    images = _union(row["images"] for row in rows)
    return _Columns(
        steps=any(row.get("step") is not None for row in rows),
        images=images,
        slots=max((len(row["images"]) for row in rows), default=0),
        mixed=any(list(row["images"]) != images for row in rows),
        # Those of the unchanged input stand in the summary alone.
        metrics=[m for m in _union(row.get("metrics") or {} for row in rows) if OF_INPUT not in m],
        pairs=_union(itertools.combinations(row["images"], 2) for row in rows),
    )


def _union(groups: Iterable[Iterable[Any]]) -> list[Any]:
    return list(dict.fromkeys(itertools.chain.from_iterable(groups)))


# Roles are written out because browsers forget those of a table that is laid out as a grid.
def _table(rows: Sequence[Mapping[str, Any]], columns: _Columns) -> str:
    body = "\n".join(_row(row, columns) for row in rows)
    attributes = ' class="mixed"' if columns.mixed else "" if rows else " hidden"
    return (
        f'<table id="rows" role="table"{attributes} style="{columns.style}">\n'
        f'<thead role="rowgroup"><tr role="row">{_headings(columns)}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}\n</tbody>\n</table>'
    )


def _headings(columns: _Columns) -> str:
    images = [("images", columns.slots)] if columns.mixed else [(i, 1) for i in columns.images]
    cells = [_sort_heading("step", key=0, kind="step")] if columns.steps else []
    cells.append(_sort_heading("name", key="name", kind="name"))
    for label, span in images:
        cells.append(_heading("image", _text(label), f' style="grid-column: span {span}"'))
    cells.append(_heading("image", "", ' id="extra" hidden'))
    for key, metric in enumerate(columns.metrics, start=int(columns.steps)):
        hint = "higher is better" if _higher_is_better(metric) else "lower is better"
        cells.append(_sort_heading(metric, key=key, kind="metric", hint=hint))
    return "".join(cells)


def _heading(kind: str, content: str, attributes: str) -> str:
    return f'<th role="columnheader" scope="col" class="{kind}"{attributes}>{content}</th>'


def _sort_heading(label: str, *, key: int | str, kind: str, hint: str = "") -> str:
    text = _text(_with_unit(label))
    button = f'<button type="button" data-sort="{key}" title="{hint}">{text}</button>'
    order = "descending" if kind == "step" else "none"
    return _heading(kind, button, f' aria-sort="{order}"')


def _row(row: Mapping[str, Any], columns: _Columns) -> str:
    name = _text(row["name"])
    images = [_image_cell(label, path, name=name) for label, path in row["images"].items()]
    images += ['<td role="cell" class="image"></td>'] * (columns.slots - len(images))
    metrics = row.get("metrics") or {}
    cells = [_value_cell("step", "step", row.get("step"))] if columns.steps else []
    cells.append(_name_cell(name, compare=len(row["images"]) > 1))
    cells += images
    cells += [_value_cell("metric", metric, metrics.get(metric)) for metric in columns.metrics]
    return f'<tr role="row">{"".join(cells)}</tr>'


def _name_cell(name: str, *, compare: bool) -> str:
    label = f'aria-label="Compare images of {name}"'
    button = f'<button type="button" class="compare" {label}>Compare</button>' if compare else ""
    return f'<th role="rowheader" scope="row" class="name"><span>{name}</span>{button}</th>'


def _image_cell(label: str, path: str, *, name: str) -> str:
    url, label = _url(path), _text(label)
    return (
        f'<td role="cell" class="image" data-label="{label}"><a href="{url}"><img src="{url}" '
        f'alt="{label} of {name}" loading="lazy" decoding="async"></a></td>'
    )


def _value_cell(kind: str, label: str, value: float | None) -> str:
    exact = "" if value is None else repr(float(value))
    text = "" if value is None else str(value) if kind == "step" else _number(float(value))
    return (
        f'<td role="cell" class="{kind}" data-label="{_text(label)}" data-value="{exact}">'
        f"{text}</td>"
    )


def _with_unit(name: str) -> str:
    return f"{name} (dB)" if name.split()[0:1] == ["PSNR"] else name


def _higher_is_better(metric: str) -> bool:
    return any(word in metric.lower() for word in _HIGHER_IS_BETTER)


def _metric_options(columns: _Columns) -> Iterator[str]:
    for key, metric in enumerate(columns.metrics, start=int(columns.steps)):
        best = "descending" if _higher_is_better(metric) else "ascending"
        yield f'<option value="{key}" data-best="{best}">{_text(_with_unit(metric))}</option>'


def _pair_option(left: str, right: str) -> str:
    left, right = _text(left), _text(right)
    return f'<option data-left="{left}" data-right="{right}">|{left} − {right}|</option>'


def _summary(summary: Mapping[str, Any] | None) -> str:
    if not summary:
        return ""
    pairs = (
        f"<div><dt>{_text(_with_unit(k))}</dt><dd>{_text(_number(v))}</dd></div>"
        for k, v in summary.items()
    )
    return f'<dl class="summary">{"".join(pairs)}</dl>'


def _options(options: Mapping[str, Any] | None) -> str:
    if not options:
        return ""
    lines = "\n".join(
        f'<tr><th scope="row">{_text(key)}</th><td>{_text(value)}</td></tr>'
        for key, value in _flat(options)
    )
    return (
        '<details class="options"><summary>Options and versions</summary>\n'
        f"<table>\n{lines}\n</table></details>"
    )


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (dotted key, value) of dicts within dicts."""
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _curves(folder: Path, log: Path | None, *, is_open: bool) -> str:
    """The curves; folded where they would push the first image off the screen."""
    if log is None:
        return ""
    curves.draw_curves(log, folder / CURVES)
    return (
        f'<details class="curves"{" open" * is_open}><summary>Training curves</summary>'
        f'<img src="{CURVES}" alt="Each training loss against the step"></details>'
    )


def _number(value: Any) -> str:
    """Four significant digits for a float, thousands separated; other values as they are."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    if isinstance(value, numbers.Integral) or 1e4 <= abs(float(value)) < math.inf:
        return f"{value:,.0f}"
    return f"{value:#.4g}"


def _text(value: object) -> str:
    # html.escape leaves carriage returns, which a parser would turn into line feeds.
    return html.escape(str(value)).replace("\r", "&#13;")


def _url(path: str) -> str:
    return urllib.parse.quote(PurePath(path).as_posix(), errors="surrogateescape")


def _template(name: str) -> string.Template:
    return string.Template(_asset(name))


def _asset(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
