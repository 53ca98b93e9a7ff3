"""The scripts of examples/, run on a few small images."""

import pytest
from PIL import Image
from support import ROOT

from pix2pix_tf.demo import facades

SMALL = ("--size", "32", "--epochs", "2")
# Script: flags, and what it is to write.
EXAMPLES = {
    "pix2pix_minimal": (("--filters", "2", *SMALL), ("generator.keras",)),
    "own_generator": (("--filters", "2", *SMALL), ("own_generator.keras",)),
    "own_loss": (("--ngf", "2", *SMALL), ("own_loss.keras",)),
    "own_callback": (
        ("--val_dir", "photos/val", "--ngf", "2", *SMALL),
        ("samples/epoch-0001.png", "samples/epoch-0002.png"),
    ),
    "cyclegan_two_folders": (
        ("--input_dir_A", "unpaired/trainA", "--input_dir_B", "unpaired/trainB", "--ngf", "2")
        + SMALL,
        ("losses.csv", "a_to_b.png", "b_to_a.png", "cyclegan_run/options.json"),
    ),
}


def test_every_example_is_run():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(launcher, tmp_path, name):
    words, files = EXAMPLES[name]
    if name.startswith("cyclegan"):
        facades.write_unpaired(tmp_path / "unpaired", 2, seed=0, test_count=1, size=40)
    else:
        facades.write_pairs(tmp_path / "photos" / "train", 2, seed=0, size=64)
        facades.write_pairs(tmp_path / "photos" / "val", 4, seed=0, start=2, size=64)
        words = ("--input_dir", "photos/train", *words)
    done = launcher.complete(ROOT / "examples" / f"{name}.py", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    for file in files:
        assert (tmp_path / file).is_file(), file
    for file in (name for name in files if name.startswith("samples")):
        with Image.open(tmp_path / file) as image:
            assert image.size == (3 * 32, 4 * 32)
