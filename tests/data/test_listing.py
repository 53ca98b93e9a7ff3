"""Listing and checking of image folders."""

import os

import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.data import listing
from pix2pix_tf.errors import InputError


def save(path, width=8, height=4, mode="RGB"):
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).convert(mode).save(path)
    return str(path)


def test_numbers_are_sorted_as_numbers(tmp_path):
    for name in ("10.jpg", "9.PNG", "1.jpeg", "notes.txt", "2.JPG"):
        (tmp_path / name).write_bytes(b"x")
    found = [os.path.basename(path) for path in listing.list_images(tmp_path)]
    assert found == ["1.jpeg", "2.JPG", "9.PNG", "10.jpg"]


def test_other_names_are_sorted_as_text(tmp_path):
    for name in ("b.png", "10.png", "a 1.png", "é'\".png"):
        (tmp_path / name).write_bytes(b"x")
    found = [os.path.basename(path) for path in listing.list_images(tmp_path)]
    assert found == sorted(found)


def test_names_are_stems_unless_two_are_the_same():
    assert listing.names(["d/a.jpg", "d/b.png"]) == ["a", "b"]
    assert listing.names(["d/a.jpg", "d/a.png", "d/b.png"]) == ["a.jpg", "a.png", "b"]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="to be a folder"):
        listing.list_images(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="Received: none"):
        listing.list_images(tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16"])
def test_usual_files_pass(tmp_path, mode):
    path = tmp_path / "a.png"
    if mode == "I;16":
        Image.fromarray(np.zeros((4, 8), np.uint16)).save(path)
    else:
        save(path, mode=mode)
    assert listing.look(path).fault is None


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.995])
def test_truncated_files_are_found(tmp_path, suffix, part):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    contents = path.read_bytes()
    path.write_bytes(contents[: int(len(contents) * part)])
    assert listing.look(path).fault


def test_bytes_after_the_end_of_an_image_are_allowed(tmp_path):
    path = tmp_path / "a.jpg"
    save(path)
    path.write_bytes(path.read_bytes() + b"\0" * 5000)
    assert listing.look(path).fault is None


def test_bad_files_are_named_with_the_reason(tmp_path):
    good, text, narrow = save(tmp_path / "0.png"), tmp_path / "x.jpg", tmp_path / "1.png"
    text.write_text("no image")
    save(narrow, width=1)
    with pytest.raises(InputError) as caught:
        listing.check_images([good, str(text), str(narrow)], minimum_width=2)
    message = str(caught.value)
    assert f"{text} (not an image of a known format)" in message
    assert f"{narrow} (1 pixel wide, a pair needs at least 2)" in message
    assert good not in message


def test_only_the_first_bad_files_are_listed(tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(9)]
    with pytest.raises(InputError, match="and 4 more$"):
        listing.check_images(paths)
