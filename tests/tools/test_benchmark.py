"""tools/benchmark.py with the smallest networks."""

import importlib.util
import json

import pytest
from support import refused

SMALL = {"ngf": 2, "ndf": 2, "batch_sizes": 1, "rounds": 2, "runs": 1, "precisions": "float32"}
SMALL |= {"cycle_size": 64}


def test_measures_our_parts(run_tool, tmp_path):
    done = run_tool("benchmark", flags={"output_dir": tmp_path, "peer": False, **SMALL})
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "benchmark.json").read_text())
    systems = [(row["part"], row["system"]) for row in report["rows"]]
    inference = [("inference", "ours"), ("inference", "export")]
    rest = [("pipeline", "ours"), ("cycle", "ours")]
    assert systems == [("peak", "ours"), ("step", "ours"), *inference, *rest]
    for row in report["rows"]:
        assert len(row["seconds"]) == 2
        assert min(row["seconds"]) <= row["median"] <= max(row["seconds"])
        assert row["system"] in done.stdout
    assert report["machine"]["cores"] >= 1
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_compares_networks_of_one_size_with_pytorch(run_tool, tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs the extra [bench]")
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
    [("parts", "walk"), ("precisions", "int8"), ("image_sizes", "100"), ("batch_sizes", "0")],
)
def test_refuses_what_it_does_not_know(run_tool, tmp_path, flag, value):
    done = run_tool("benchmark", flags={"output_dir": tmp_path, flag: value})
    assert f"--{flag}" in refused(done)
