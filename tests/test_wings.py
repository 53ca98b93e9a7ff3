"""The core works without any of the optional features; what needs one says so in one line."""

import json
import shutil

import pytest
from PIL import Image
from support import GOLDENS, ROOT, SMALLEST, write_pairs, write_unpaired

from pix2pix_tf import optional

pytestmark = [pytest.mark.slow, pytest.mark.process]
WINGS = sorted(path.parent.name for path in (ROOT / "pix2pix_tf" / "extras").glob("*/__init__.py"))
# What needs each of them: words of pix2pix-tf, in a folder with pairs, slices, stacks and a run.
NEEDING = {
    "edges": "evaluate --input_dir pairs --target_dir pairs --output_dir new --metrics hed_kid",
    "medical": "train --input_dir slices --output_dir new",
    "metrics": "evaluate --input_dir pairs --target_dir pairs --output_dir new --metrics fid",
    "pict": "export --checkpoint run --output_dir new --export_format pict",
    "porting": f"import --checkpoint {GOLDENS / 'small'} --output_dir new",
    "serve": "serve --checkpoint run --port 0",
    "tfds": "train --input_dir tfds:facades --output_dir new",
    "tiff": "train --input_dir stacks --output_dir new",
    "web": "export --checkpoint run --output_dir new --export_format web",
    "workers": "train --input_dir pairs --output_dir new --strategy multi_worker",
}
# Runs one after the other in a process that may have loaded the whole package before.
SCRIPT = """
import contextlib, io, json, sys
for name in [name for name in sys.modules if name.split(".")[0] in ("pix2pix_tf", "cyclegan_tf")]:
    del sys.modules[name]
import pix2pix_tf.cli, cyclegan_tf.cli
programs = {"pix2pix-tf": pix2pix_tf.cli.main, "cyclegan-tf": cyclegan_tf.cli.main}
results = [pix2pix_tf.__file__]
for program, *words in json.load(open("commands.json")):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = programs[program](words)
    results.append([code, err.getvalue()])
json.dump(results, open("results.json", "w"))
"""


def commands(program, data):
    """A small training, a test and, of pix2pix, an export."""
    small = [*map(str, SMALLEST[program]), "--run_eagerly"]
    run = ["--checkpoint", f"{data}-run", "--output_dir"]
    train = ["train", "--input_dir", data, "--output_dir", f"{data}-run", "--max_steps", "1"]
    export = ["export", *run, f"{data}-export"]
    return [
        [program, *train, *small],
        [program, "test", "--input_dir", data, *run, f"{data}-test"],
        *([[program, *export]] if program == "pix2pix-tf" else []),
    ]


def write_foreign(folder):
    """Writes the beginning of a DICOM file, and a TIFF of two pages."""
    (folder / "slices").mkdir()
    (folder / "slices" / "1.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 100)
    (folder / "stacks").mkdir()
    pages = [Image.new("RGB", (32, 16)) for _ in range(2)]
    pages[0].save(folder / "stacks" / "1.tif", save_all=True, append_images=pages[1:])


def test_every_wing_is_tried():
    assert set(WINGS) == set(NEEDING) and set(WINGS) <= set(optional.EXTRAS)


@pytest.mark.parametrize("wing", WINGS)
def test_the_core_works_without(wing, launcher, tmp_path):
    for package in ("pix2pix_tf", "cyclegan_tf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.rmtree(tmp_path / "pix2pix_tf" / "extras" / wing)
    write_pairs(tmp_path / "pairs", 2, size=16)
    write_unpaired(tmp_path / "sets")
    write_foreign(tmp_path)
    needing = NEEDING[wing].replace("--checkpoint run", "--checkpoint pairs-run").split()
    words = [*commands("pix2pix-tf", "pairs"), *commands("cyclegan-tf", "sets")]
    (tmp_path / "commands.json").write_text(json.dumps([*words, ["pix2pix-tf", *needing]]))
    (tmp_path / "script.py").write_text(SCRIPT)
    done = launcher.complete(tmp_path / "script.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    file, *results, (code, error) = json.loads((tmp_path / "results.json").read_text())
    assert file == str(tmp_path / "pix2pix_tf" / "__init__.py")
    assert [code for code, _ in results] == [0] * len(words), results
    line = f"needs an extra: pip install 'pix2pix-tf[{wing}]' (no module pix2pix_tf.extras.{wing}"
    assert code == 1 and line in error and error.count("\n") == 1, error
