"""benchmarks/experiments.py on little data: trained once, then only read."""

import importlib
import json

import pytest
from runs import succeed
from support import ROOT, refused

from pix2pix_tf import run_folder
from pix2pix_tf.demo import facades

pytestmark = pytest.mark.slow


def test_experiments_are_trained_measured_and_tabled(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    experiments = importlib.import_module("experiments")
    commands = []

    def run(package, *words):
        commands.append(words)
        succeed(package.replace("_", "-"), *words, "--run_eagerly")

    monkeypatch.setattr(experiments, "run", run)
    facades.write_pairs(tmp_path / "facades" / "train", 2, seed=0)
    facades.write_pairs(tmp_path / "facades" / "val", 2, seed=0, start=2)
    out = tmp_path / "out"
    flags = {"only": "patch-16", "ngf": 1, "max_steps": 2, "output_dir": out}
    flags["facades"] = tmp_path / "facades"
    experiments.FLAGS(["", *(f"--{name}={value}" for name, value in flags.items())])
    for count in (2, 3):  # the second time only the training, which has ended, is asked again
        experiments.main()
        assert len(commands) == count
        options = json.loads((out / "patch-16" / run_folder.OPTIONS).read_text())
        assert (options["netD"], options["n_layers_D"], options["seed"]) == ("n_layers", 1, 1)
        metrics = json.loads((out / "patch-16-scores" / run_folder.METRICS).read_text())
        columns, _, row = (out / "results.md").read_text(encoding="utf-8").splitlines()
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (columns, row)]
        result = dict(zip(*cells, strict=True))
        assert (result["experiment"], result["step"]) == ("patch-16", "2")
        assert result["L1"] == f"{metrics['mean']['L1']:.4g}"
        assert (out / "outputs.png").is_file()


def test_missing_data_is_one_line(run_tool, tmp_path):
    line = refused(run_tool("experiments", flags={"output_dir": tmp_path}))
    assert "expected --facades or --horse2zebra" in line
