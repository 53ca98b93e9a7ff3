"""Listing and checking of image folders."""

import os

import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.data import inspection, listing
from pix2pix_tf.errors import InputError


def save(path, width=8):
    Image.fromarray(np.full((4, width, 3), 90, np.uint8)).save(path)
    return str(path)


def test_other_names_are_sorted_as_text(tmp_path):
    for name in ("b.png", "10.png", "a 1.png", "é'\".png"):
        (tmp_path / name).write_bytes(b"x")
    found = [os.path.basename(path) for path in listing.list_images(tmp_path)]
    assert found == sorted(found)


def test_names_are_stems_unless_two_are_the_same():
    assert listing.names(["d/a.jpg", "d/b.png"]) == ["a", "b"]
    assert listing.names(["d/a.jpg", "d/a.png", "d/b.png"]) == ["a.jpg", "a.png", "b"]


def test_bytes_after_the_end_of_an_image_are_allowed(tmp_path):
    path = tmp_path / "a.jpg"
    save(path)
    path.write_bytes(path.read_bytes() + b"\0" * 5000)
    assert inspection.inspect_file(path).fault is None


def test_bad_files_are_named_with_the_reason(tmp_path):
    good, text, narrow = save(tmp_path / "0.png"), tmp_path / "x.jpg", tmp_path / "1.png"
    text.write_text("no image")
    save(narrow, width=1)
    with pytest.raises(InputError) as caught:
        inspection.check_images([good, str(text), str(narrow)], minimum_width=2)
    message = str(caught.value)
    assert f"{text} (not an image of a known format)" in message
    assert f"{narrow} (1 pixel wide, a pair needs at least 2)" in message
    assert good not in message


def test_only_the_first_bad_files_are_listed(tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(9)]
    with pytest.raises(InputError, match="and 4 more$"):
        inspection.check_images(paths)
