"""What the two commands of the README do, with less training."""

import json
import shutil

import pytest
from runs import succeed
from support import SMALLEST

from pix2pix_tf import run_folder
from pix2pix_tf.extras.serve import page

pytestmark = pytest.mark.slow

SMALL = (*SMALLEST["pix2pix-tf"], "--crop_size", 32, "--scale_size", 36, "--run_eagerly")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a finished pix2pix demonstration, and what was printed."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    return folder, succeed("pix2pix-tf", "--output_dir", folder, *SMALL, "--max_steps", 3)


def test_it_trains_tests_on_other_houses_and_exports(demo):
    folder, text = demo
    metrics = json.loads((folder / "test" / run_folder.METRICS).read_text())
    constant = metrics["context"]["L1 of the best constant image"]
    assert 0.1 < constant < 0.5 and f"{constant:.3f}" in text
    houses = {path.stem for path in (folder / "data" / "val").iterdir()}
    painted = (folder / "test" / run_folder.IMAGES).glob("*-outputs.png")
    assert len(houses) == 40 and {path.stem.partition("-")[0] for path in painted} == houses
    assert houses.isdisjoint(path.stem for path in (folder / "data" / "train").iterdir())
    assert (folder / "export" / "saved_model.pb").is_file()
    assert str(folder / "test" / run_folder.INDEX) in text


def test_its_page_is_for_boxes_whatever_it_is_called(demo, tmp_path):
    folder, _ = demo
    run = shutil.copytree(folder / "run", tmp_path / "cats")
    about = page.describe_run(run)
    assert (about["name"], about["editor"], about["to"]) == ("cats", "boxes", "facade")
    # Of an export likewise.
    stored = run_folder.read_json(folder / "export" / "export_options.json")
    assert page.describe("cats", stored)["editor"] == "boxes"
    (run / run_folder.DATA).unlink()
    assert page.describe_run(run)["editor"] == "picture"


def test_the_same_command_again_resumes(demo):
    folder, _ = demo
    text = succeed("pix2pix-tf", "--output_dir", folder, *SMALL, "--max_steps", 4)
    assert "drawing" not in text and "trained to step 4:" in text


def test_cyclegan_is_measured_against_the_targets(tmp_path):
    folder, sizes = tmp_path / "new", ("--crop_size", 32, "--load_size", 36, "--run_eagerly")
    words = (*SMALLEST["cyclegan-tf"], *sizes, "--max_steps", 3)
    text = succeed("cyclegan-tf", "--output_dir", folder, *words)
    mean = json.loads((folder / "test" / run_folder.METRICS).read_text())["mean"]
    for direction in ("AtoB", "BtoA"):
        nothing = mean[f"L1 of the input {direction}"]
        assert nothing > 0.3 and f"{nothing:.3f}" in text
    assert list((folder / "export").rglob("saved_model.pb"))
