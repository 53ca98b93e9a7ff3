"""benchmarks/experiments.py on little data: two experiments, done once, then only read."""

import importlib
import json

import pytest
from PIL import Image
from support import ROOT

from pix2pix_tf import run_folder
from pix2pix_tf.demo import facades

pytestmark = pytest.mark.slow


@pytest.fixture
def experiments(launcher, tmp_path, monkeypatch):
    """The tool as a module, whose commands are started quickly and noted in `done`."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = importlib.import_module("experiments")
    module.done = []

    def run(name, *words):
        module.done.append(words)
        program = name.replace("_", "-")
        code, printed = launcher.run(program, *words, printed=tmp_path / "printed")
        assert code == 0, printed

    monkeypatch.setattr(module, "run", run)
    return module


def test_experiments_are_trained_measured_and_tabled(experiments, tmp_path):
    facades.write_pairs(tmp_path / "facades" / "train", 2, seed=0)
    facades.write_pairs(tmp_path / "facades" / "val", 2, seed=0, start=2)
    facades.write_unpaired(tmp_path / "h2z", 2, seed=0, test_count=2, size=40)
    experiments.FLAGS(
        ["", "--only=patch-16", "--only=horse2zebra", "--ngf=1", "--max_steps=2",
         "--cycle_steps=4", "--crop_size=32", f"--output_dir={tmp_path}/out",
         f"--facades={tmp_path}/facades", f"--horse2zebra={tmp_path}/h2z"],
    )  # fmt: skip
    experiments.main()
    options = json.loads((tmp_path / "out" / "patch-16" / run_folder.OPTIONS).read_text())
    assert (options["netD"], options["n_layers_D"], options["seed"]) == ("n_layers", 1, 1)
    assert options["which_direction"] == "BtoA"
    table = (tmp_path / "out" / "results.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    rows = [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    assert [(row["experiment"], row["step"]) for row in rows] == [
        ("patch-16", "2"), *(("horse2zebra", str(step)) for step in (1, 2, 3, 4)),
    ]  # fmt: skip
    metrics = json.loads((tmp_path / "out" / "patch-16-scores" / run_folder.METRICS).read_text())
    assert rows[0]["L1"] == f"{metrics['mean']['L1']:.4g}" and rows[1]["L1"] == ""
    assert 0 < float(rows[4]["cycle L1 A"]) < 2
    assert len(experiments.done) == 2 + 5
    painted = sorted((tmp_path / "out" / "patch-16-scores" / "images").glob("*-outputs.png"))
    with Image.open(tmp_path / "out" / "outputs.png") as strip, Image.open(painted[1]) as last:
        assert strip.size == (96, 2 * 96 + 4)
        assert strip.crop((0, 100, 96, 196)) == last.resize((96, 96), Image.Resampling.LANCZOS)

    experiments.main()
    assert len(experiments.done) == 2 + 5 + 2  # both trainings see that they have ended
    assert (tmp_path / "out" / "results.md").read_text().splitlines() == table


def test_every_experiment_differs_from_the_base(experiments):
    flags = list(experiments.FACADES.values())
    assert flags[0] == () and len(set(flags)) == len(flags)


def test_without_data_one_line_says_so(run_tool, tmp_path):
    done = run_tool("experiments", flags={"output_dir": tmp_path})
    assert done.returncode == 1 and "expected --facades or --horse2zebra" in done.stderr
    assert "patch-286" in run_tool("experiments", "--help").stdout
