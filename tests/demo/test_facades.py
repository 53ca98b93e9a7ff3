import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.demo import facades
from pix2pix_tf.demo.facade_plan import STYLES

SIZE = 64
# The first building of each style.
BUILDINGS = (0, 1, 2, 3, 9, 13)


def facade(index):
    return facades.sample_facade(1, index)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_bytes_are_those_of_every_other_machine():
    """The model in the package was trained on these images, of every style, day and night."""
    assert {facade(index).style for index in BUILDINGS} == set(STYLES)
    digest = hashlib.sha256()
    for building in map(facade, BUILDINGS):
        for size in (32, 100, 256):
            digest.update(facades.draw_labels(building, size).tobytes())
            for night in (False, True):
                digest.update(facades.draw_image(building, size, night=night).tobytes())
    assert digest.hexdigest() == "6b2a30c5207fad4a783bbd328adee33845d289e2703e9e4a5ac2292e660e1f55"


def test_label_maps_show_the_parts_in_colours_of_the_palette():
    colours = set()
    for index in range(30):
        labels = facades.draw_labels(facade(index), SIZE)
        colours |= {tuple(map(int, colour)) for colour in np.unique(labels.reshape(-1, 3), axis=0)}
    assert colours == set(facades.PALETTE.values()) and len(colours) == 12
    building = facade(1)
    left, top, right, bottom = next(p for p in building.parts if p.form == "door").pixels(256)
    mask = np.zeros((256, 256), bool)
    mask[top:bottom, left:right] = True
    labels = facades.draw_labels(building, 256)
    np.testing.assert_array_equal((labels == facades.PALETTE["door"]).all(axis=-1), mask)


def test_pairs_are_files_with_the_image_left_and_the_labels_right(tmp_path):
    paths = facades.write_pairs(tmp_path / "new" / "train", 3, seed=1, start=4, size=SIZE)
    assert [path.name for path in paths] == ["5.png", "6.png", "7.png"]
    assert sorted((tmp_path / "new" / "train").iterdir()) == paths
    for index, path in enumerate(paths, start=4):
        image, labels = np.split(read(path), 2, axis=1)
        np.testing.assert_array_equal(image, facades.draw_image(facade(index), SIZE))
        np.testing.assert_array_equal(labels, facades.draw_labels(facade(index), SIZE))


def test_unpaired_domains_are_day_and_night_of_different_buildings(tmp_path):
    paths = facades.write_unpaired(tmp_path, 4, seed=1, test_count=2, size=SIZE)
    counts = {"trainA": 4, "trainB": 4, "testA": 2, "testB": 2}
    assert {name: len(files) for name, files in paths.items()} == counts
    for name, files in paths.items():
        assert sorted((tmp_path / name).iterdir()) == sorted(files)
        for path in files:
            building, night = facade(int(path.stem) - 1), name in ("trainB", "testB")
            expected = facades.draw_image(building, SIZE, night=night)
            np.testing.assert_array_equal(read(path), expected)
    names = [path.name for name in ("trainA", "trainB", "testA") for path in paths[name]]
    assert len(set(names)) == len(names) == 10
    assert [path.name for path in paths["testA"]] == [path.name for path in paths["testB"]]


@pytest.mark.parametrize("size", [31, 2049])
def test_other_sizes_are_refused(tmp_path, size):
    with pytest.raises(ValueError, match=f"Expected size to be from 32 to 2048. Received: {size}"):
        facades.write_pairs(tmp_path, 1, seed=0, size=size)
    assert not list(tmp_path.iterdir())


def test_tensorflow_is_not_imported():
    code = "import sys, pix2pix_tf.demo.facades; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
