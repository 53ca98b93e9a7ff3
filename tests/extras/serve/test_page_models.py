"""What the page shows a model by."""

from pix2pix_tf import run_folder
from pix2pix_tf.evaluation.palettes import CITYSCAPES, FACADES, resolve_palette
from pix2pix_tf.extras.serve import page

RUN = {"program": "pix2pix-tf", "which_direction": "BtoA"}


def test_words_in_a_path_choose_no_palette():
    cats = {**RUN, "input_dir": "data/demo/facade-labels/cats"}
    about = page.describe("demo", cats)
    assert (about["editor"], about["palette"], about["examples"]) == ("picture", None, None)
    assert (about["from"], about["to"]) == ("B", "A")


def test_the_model_of_the_package_has_boxes_and_examples():
    about = page.describe_run(run_folder.SHIPPED)
    assert (about["editor"], about["from"], about["to"]) == ("boxes", "labels", "facade")
    assert about["palette"] == FACADES and len(about["examples"]) == 12


def test_label_palettes_are_those_of_the_run(tmp_path):
    streets = {**RUN, "label_palette": "cityscapes"}
    about = page.describe("streets", streets)
    assert about["editor"] == "boxes" and about["palette"] == CITYSCAPES
    assert about["examples"] is None
    # It is stored that only A contains labels.
    about = page.describe("streets", {**streets, "palettes": {"A": "cityscapes"}})
    assert (about["editor"], about["from"], about["to"]) == ("picture", "B", "labels")
    file = tmp_path / "colours.txt"
    file.write_text("1 2 3 wall\n4 5 6\n0 0 0 void\n")
    named = {**RUN, "label_palette": resolve_palette(str(file))}
    assert page.describe("x", named)["palette"] == {"wall": (1, 2, 3), "label 1": (4, 5, 6)}
    named = {**RUN, "label_palette": str(file)}  # of a run of 0.2
    assert page.describe("x", named)["editor"] == "picture"


def test_lines_are_for_edges():
    shoes = {"program": "pix2pix-tf", "input_dir": "data/edges2shoes/train"}
    about = page.describe("shoes", shoes)
    assert (about["editor"], about["from"], about["to"]) == ("lines", "edges", "shoes")
    assert page.describe("shoes", {**shoes, "program": "cyclegan-tf"})["editor"] == "picture"


def test_names_of_a_run_named_run_are_those_of_its_folder(tmp_path):
    run = tmp_path / "horses" / "run"
    run_folder.write_json(run / run_folder.OPTIONS, RUN)
    run_folder.write_text(run_folder.checkpoint_path(run, 1), "")
    assert page.describe_run(run, suffix="AtoB")["name"] == "horses-AtoB"
