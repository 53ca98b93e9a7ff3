"""Listing and checking of image folders."""

import os

import numpy as np
import pytest
from PIL import Image
from runs import command
from support import write_pairs

from pix2pix_tf.data import inspection, listing
from pix2pix_tf.data.integrity import PNG_MARK
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


def test_only_regular_files_are_listed(tmp_path):
    folder = write_pairs(tmp_path / "data", 2)
    (folder / "._1.png").write_bytes(b"x")
    (folder / "9.png").mkdir()
    os.mkfifo(folder / "3.png")
    os.symlink("/dev/zero", folder / "4.png")
    (folder / "5.gif").write_bytes(b"GIF89a")
    (folder / "photo").write_bytes(PNG_MARK)
    Image.new("RGB", (64, 32)).save(folder / "6.jfif", "JPEG")
    assert [os.path.basename(p) for p in listing.list_images(folder)] == [
        "1.png",
        "2.png",
        "6.jfif",
    ]
    line = listing.ignored_files_note(folder)
    assert ".gif (1)" in line and "without suffix (1)" in line and "jfif" not in line
    assert command("pix2pix-tf", "check_data", "--input_dir", folder).returncode == 0


def test_natural_order_nested_folders_and_unique_names(tmp_path):
    for name in ("img10", "img2", "sub/img1", "IMG3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / ".hidden").mkdir()
    flat = [os.path.basename(path) for path in listing.list_images(tmp_path)]
    assert flat == ["IMG3.png", "img2.png", "img10.png"]
    nested = listing.list_images(tmp_path, recursive=True)
    assert listing.names(nested)[-1] == "sub_img1" and len(nested) == 4
    write_pairs(tmp_path / "deep" / "in", 2)
    assert command("pix2pix-tf", "check_data", "--input_dir", tmp_path / "deep").returncode == 1
    assert (
        command(
            "pix2pix-tf", "check_data", "--input_dir", tmp_path / "deep", "--recursive"
        ).returncode
        == 0
    )
    assert listing.names(["d/x.ome.tif"]) == listing.names(["d/x.png"])
    assert len(set(listing.names(["d/a.png", "d/a.jpg", "d/a.jpg.png"]))) == 3


def test_any_two_folders_are_pairs_by_order(tmp_path):
    a, b = (write_pairs(tmp_path / name, 3, size=32) for name in ("left", "right"))
    (b / "3.png").rename(b / "z.png")
    words = (
        "pix2pix-tf",
        "check_data",
        "--dataset_mode",
        "folders",
        "--input_dir_A",
        a,
        "--input_dir_B",
        b,
    )
    assert command(*words).returncode == 1
    assert command(*words, "--pair_by", "order").returncode == 0
