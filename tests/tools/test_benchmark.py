"""benchmarks/benchmark.py with the smallest networks."""

import importlib.util
import json
from types import SimpleNamespace

import pytest
from support import ROOT, refused

pytestmark = pytest.mark.slow

SMALL = {"ngf": 2, "ndf": 2, "batch_sizes": 1, "rounds": 1, "runs": 1, "precisions": "float32"}
SMALL |= {"cycle_size": 64}


def test_measures_our_parts(run_tool, tmp_path):
    flags = {"output_dir": tmp_path, "peer": False, "parts": "step,pipeline", **SMALL}
    done = run_tool("benchmark", flags=flags)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "benchmark.json").read_text())
    systems = [(row["part"], row["system"]) for row in report["rows"]]
    assert systems == [("peak", "ours"), ("step", "ours"), ("pipeline", "ours")]
    for row in report["rows"]:
        assert len(row["seconds"]) == 1
        assert min(row["seconds"]) <= row["median"] <= max(row["seconds"])
        assert row["system"] in done.stdout
    assert report["machine"]["cores"] >= 1
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("part", "system"), [("cycle", "ours"), ("inference", "ours"), ("inference", "saved_model")]
)
def test_the_systems_run(monkeypatch, part, system):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    subjects = importlib.import_module("_subjects")
    case = {"batch_size": 1, "image_size": 64 if part == "cycle" else 256, "ngf": 1, "ndf": 1}
    run, facts = subjects.PARTS[part][system]({**case, "precision": "float32"})
    run()
    assert facts["parameters"] > 0


def test_compares_networks_of_one_size_with_pytorch(run_tool, tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs PyTorch")
    flags = {"output_dir": tmp_path, "parts": "step,cycle,pipeline", **SMALL}
    done = run_tool("benchmark", flags=flags)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    for part in ("step", "cycle"):
        counts = {row["system"]: row["parameters"] for row in rows if row["part"] == part}
        assert set(counts) == {"ours", "torch"}
        assert counts["ours"] == counts["torch"]
    rates = [row["images_per_s"] for row in rows if row["part"] == "pipeline"]
    assert len(rates) == 2 and min(rates) > 0
    assert "x PyTorch float32" in done.stdout


@pytest.mark.parametrize(
    ("flag", "value"),
    [("parts", "walk"), ("precisions", "int8"), ("image_sizes", "100"), ("batch_sizes", "0")]
    + [("links", "NVLink"), ("isa", "AVX2"), ("isa", "MMX")],
)
def test_refuses_what_it_does_not_know(run_tool, tmp_path, flag, value):
    done = run_tool("benchmark", flags={"output_dir": tmp_path, flag: value})
    assert f"--{flag}" in refused(done)


def test_predicts_what_gpus_would_do(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    scaling = importlib.import_module("_scaling")
    medians = {"one": 1.0, "two replicas": 1.3, "one worker": 1.0, "two workers": 2.5}
    # Two images are 100 GFLOP; the gradients are 1 GB, the smallest exchanges 3 ms in all.
    facts = {"part": "devices", "gflop": 100, "reduced_bytes": 1e9, "reduced_tensors": 100}
    rows = [{**facts, "system": name, "median": median} for name, median in medians.items()]
    values = SimpleNamespace(gpu_tflops=10, gpu_images=4, links=["slow=10", "fast=100"])
    found = scaling.report([{"part": "peak"}, *rows], values)
    assert found["exchange_seconds"] == pytest.approx({"replicas": 0.3, "workers": 1.5})
    steps = {name: [row["step_ms"] for row in rows] for name, rows in found["predicted"].items()}
    assert steps["slow"] == pytest.approx([20, 123, 173, 198, 210.5])
    assert steps["fast"][:2] == pytest.approx([20, 33])
    four = found["predicted"]["slow"][2]
    assert four["images_per_s"] == pytest.approx(16 / 0.173)
    assert four["efficiency"] == pytest.approx(20 / 173)
    assert "slow (10 GB/s)  1: 200/s (100%)" in scaling.table(found)
