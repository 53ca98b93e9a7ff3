"""The notebooks of docs/notebooks, each run through a real kernel with little training."""

import nbformat
import pytest
from nbclient import NotebookClient
from support import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
# Replaces values of the cell that is tagged "parameters".
SHORT = {
    "cyclegan": "IMAGE_COUNT, SIZE, FILTERS, STEPS_PER_EPOCH, EPOCHS = 4, 32, 2, 10, 2",
    "pix2pix": "PAIR_COUNT, SIZE, DEPTH, FILTERS, STEPS_PER_EPOCH, EPOCHS = 4, 32, 5, 2, 3, 2",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    (parameters,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source += "\n" + SHORT[path.stem]
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    shown = [
        output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    assert len(shown) >= 3
    assert list((tmp_path / "run" / "checkpoints").iterdir())


def test_both_programs_have_a_notebook():
    assert [path.stem for path in NOTEBOOKS] == [*SHORT]
