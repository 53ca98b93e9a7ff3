import dataclasses
import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.demo import facades
from pix2pix_tf.demo.facade_plan import STYLES

SIZE = 64


def facade(index, seed=1):
    return facades.sample_facade(seed, index)


def house(style):
    """The first building of a style."""
    return next(f for f in map(facade, itertools.count()) if f.style == style)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def class_mask(labels, name):
    return (labels == facades.PALETTE[name]).all(axis=-1)


def mean_distance(a, b):
    """Mean absolute difference on the scale of [-1, 1]."""
    return np.abs(a.astype(float) - b).mean() / 127.5


# --- what is drawn -------------------------------------------------------------------------------


def test_other_seed_or_index_gives_another_building():
    layouts = {facade(index, seed).parts for index in range(10) for seed in range(2)}
    assert len(layouts) == 20


def test_bytes_are_those_of_every_other_machine():
    """Digests of pixels, so that a numpy or a platform that draws otherwise is noticed."""
    digest = hashlib.sha256()
    for index in range(6):
        digest.update(facades.draw_labels(facade(index)).tobytes())
        for size, night in itertools.product((SIZE, 256), (False, True)):
            digest.update(facades.draw_image(facade(index), size, night=night).tobytes())
    assert digest.hexdigest() == "91c3ea8dec65285847e4e5ba63d03082b4315e25112dbf473d3e52fe84080dd3"


@pytest.mark.parametrize("size", [32, 64, 100, 128, 256, 512])
@pytest.mark.parametrize("night", [False, True])
def test_every_style_can_be_drawn_at_every_size(size, night):
    for one in map(house, STYLES):
        picture = facades.draw_image(one, size, night=night)
        labels = facades.draw_labels(one, size)
        assert picture.shape == labels.shape == (size, size, 3)
        assert picture.dtype == labels.dtype == np.uint8


def test_label_maps_hold_palette_colours_only_and_all_of_them():
    seen = set()
    for index in range(30):
        labels = facades.draw_labels(facade(index), SIZE)
        seen |= {tuple(map(int, colour)) for colour in np.unique(labels.reshape(-1, 3), axis=0)}
    assert seen == set(facades.PALETTE.values())
    assert len(seen) == 12


def test_label_map_shows_the_parts_of_the_facade():
    one = house(STYLES[1])
    labels = facades.draw_labels(one, 256)
    door = next(part for part in one.parts if part.form == "door")
    left, top, right, bottom = door.pixels(256)
    mask = np.zeros((256, 256), bool)
    mask[top:bottom, left:right] = True
    np.testing.assert_array_equal(class_mask(labels, "door"), mask)


def test_a_small_picture_is_the_large_one_made_small():
    for one in map(house, STYLES):
        large = facades.draw_image(one, 256).astype(float)
        small = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
        # Box edges round to other pixels; a picture of another building is 0.2 and more away.
        assert mean_distance(facades.draw_image(one, 64), small) < 0.12


def test_day_and_night_show_the_same_building():
    for one in map(house, STYLES):
        day, night = (facades.draw_image(one, night=n).astype(float) for n in (False, True))
        assert night.mean() < 0.55 * day.mean()
        wall = class_mask(facades.draw_labels(one), "facade")
        wall[128:] = False  # the lamps' light
        by_day, by_night = day[wall].sum(axis=-1), night[wall].sum(axis=-1)
        assert np.corrcoef(by_day, by_night)[0, 1] > 0.7


# --- whether it can be learned -------------------------------------------------------------------


def spread_within_classes(picture, labels):
    """How far pixels are from the mean colour of their class, summed."""
    classes = [picture[class_mask(labels, name)] for name in facades.PALETTE]
    return sum(np.abs(pixels - pixels.mean(axis=0)).sum() for pixels in classes if len(pixels))


def test_picture_is_aligned_with_its_labels():
    for one in map(house, STYLES):
        labels, picture = facades.draw_labels(one), facades.draw_image(one).astype(float)
        aligned = spread_within_classes(picture, labels)
        for shift, axis in itertools.product((-4, 4), (0, 1)):
            assert aligned < spread_within_classes(picture, np.roll(labels, shift, axis))


@pytest.mark.parametrize("style", STYLES)
def test_glass_differs_from_the_wall_around_it(style):
    one = house(style)
    labels, picture = facades.draw_labels(one), facades.draw_image(one).astype(float)
    wall, glass = (picture[class_mask(labels, name)] for name in ("facade", "window"))
    assert np.abs(np.median(wall, axis=0) - glass.mean(axis=0)).max() > 20


def test_labels_tell_most_of_the_picture():
    """Houses that differ only in what labels do not show are near; the best constant is far."""
    train = [facades.draw_image(facade(index), SIZE) for index in range(60)]
    constant = np.median(train, axis=0)
    unknown, far = [], []
    for index in range(60, 76):
        one = facade(index)
        other = dataclasses.replace(one, grain=one.grain + 1)
        picture = facades.draw_image(one, SIZE)
        assert not np.array_equal(picture, facades.draw_image(other, SIZE))
        unknown.append(mean_distance(picture, facades.draw_image(other, SIZE)))
        far.append(mean_distance(picture, constant))
    assert np.mean(unknown) < 0.2 * np.mean(far)


# --- files ---------------------------------------------------------------------------------------


def test_pairs_are_files_with_the_picture_left_and_the_labels_right(tmp_path):
    paths = facades.write_pairs(tmp_path / "new" / "train", 3, seed=1, start=4, size=SIZE)
    assert [path.name for path in paths] == ["5.png", "6.png", "7.png"]
    assert sorted((tmp_path / "new" / "train").iterdir()) == paths
    for index, path in enumerate(paths, start=4):
        pair = read(path)
        assert pair.shape == (SIZE, 2 * SIZE, 3)
        picture, labels = pair[:, :SIZE], pair[:, SIZE:]
        np.testing.assert_array_equal(picture, facades.draw_image(facade(index), SIZE))
        np.testing.assert_array_equal(labels, facades.draw_labels(facade(index), SIZE))


def test_unpaired_domains_are_day_and_night_of_different_buildings(tmp_path):
    paths = facades.write_unpaired(tmp_path, 4, seed=1, test_count=2, size=SIZE)
    assert {name: len(found) for name, found in paths.items()} == {
        "trainA": 4, "trainB": 4, "testA": 2, "testB": 2,
    }  # fmt: skip
    for name, found in paths.items():
        assert sorted((tmp_path / name).iterdir()) == sorted(found)
        for path in found:
            one, night = facade(int(path.stem) - 1), name in ("trainB", "testB")
            expected = facades.draw_image(one, SIZE, night=night)
            np.testing.assert_array_equal(read(path), expected)
    names = [path.name for name in ("trainA", "trainB", "testA") for path in paths[name]]
    assert len(set(names)) == len(names) == 10
    assert [path.name for path in paths["testA"]] == [path.name for path in paths["testB"]]


# --- bad arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1), (1.0, 0), (0, "1"), (True, 0)])
def test_bad_seed_or_index_is_refused(seed, index):
    with pytest.raises(ValueError, match="Expected (seed|index) to be an integer of at least 0"):
        facades.sample_facade(seed, index)


@pytest.mark.parametrize("size", [0, 31, 2049, 64.0, None])
def test_bad_size_is_refused(size):
    for draw in (facades.draw_labels, facades.draw_image):
        with pytest.raises(ValueError, match="Expected size to be an integer from 32 to 2048"):
            draw(facade(0), size)


@pytest.mark.parametrize("bad", [{"count": 0}, {"seed": -2}, {"size": 16}, {"start": -1}])
@pytest.mark.parametrize(
    ("write", "needs"),
    [(facades.write_pairs, {"start": 0}), (facades.write_unpaired, {"test_count": 1})],
)
def test_bad_sets_are_refused_before_a_file_is_written(tmp_path, write, needs, bad):
    bad = bad if bad.keys() != {"start"} else {name: value - 1 for name, value in needs.items()}
    arguments = {"count": 1, "seed": 0, "size": SIZE, **needs} | bad
    with pytest.raises(ValueError, match=f"Expected {next(iter(bad))} .*Received"):
        write(tmp_path, arguments.pop("count"), **arguments)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_an_oserror(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError):
        facades.write_pairs(tmp_path / "taken", 1, seed=0, size=SIZE)


def test_tensorflow_is_not_imported():
    code = "import sys, pix2pix_tf.demo.facades; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
