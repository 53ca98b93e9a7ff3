"""CSV files of a run: one row per step, neither gaps nor duplicates after any interruption."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pix2pix_tf import run_folder


class StepLog:
    """A CSV file whose rows begin with a step.

    Args:
        path: The file.
        columns: Names of the columns, the first of which is "step".
        first_step: Rows after this step are dropped: resumed training writes them again.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, first_step: int) -> None:
        self._path, self._columns = path, columns
        rows = read_rows(self._path, last_step=first_step) if first_step else []
        lines = [self._line(row) for row in [dict(zip(columns, columns, strict=True)), *rows]]
        run_folder.write_text(self._path, "".join(lines))

    def _line(self, row: Mapping[str, str]) -> str:
        return ",".join(row.get(column, "") for column in self._columns) + "\n"

    def write(self, row: Mapping[str, str]) -> None:
        """Appends one row, a dict from column names to text."""
        try:
            with self._path.open("ab") as file:
                file.write(self._line(row).encode())
        except OSError as error:
            error.filename = error.filename or str(self._path)
            raise


def read_rows(path: Path, *, last_step: int) -> list[dict[str, str]]:
    """Reads the whole rows of a CSV file of numbers whose first column is "step".

    Lines that are torn, as a killed process or a full disk leaves them, are passed over.

    Args:
        path: The file; it may be missing.
        last_step: Rows after this step are left out.

    Returns:
        List of dicts from column names to text, in ascending order of the steps.
    """
    if not path.is_file():
        return []
    head, *lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    columns, rows, before = head.split(","), [], 0
    # What follows the last line feed is an unfinished row, or nothing.
    for line in lines[:-1]:
        row = dict(zip(columns, line.split(","), strict=False))
        step = _whole_step(row) if line.count(",") == len(columns) - 1 else None
        if step is not None and before < step <= last_step:
            rows.append(row)
            before = step
    return rows


def _whole_step(row: Mapping[str, str]) -> int | None:
    """The step of a row of numbers, or None."""
    step = row.get("step", "")
    try:
        for cell in filter(None, row.values()):
            float(cell)
    except ValueError:
        return None
    return int(step) if step.isascii() and step.isdigit() and len(step) < 16 else None
