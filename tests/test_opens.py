"""Each pass over the data opens each file once."""

import numpy as np
import pytest
from opens import count_opens
from PIL import Image
from runs import succeed, train, untrained

RNG = np.random.default_rng(0)
PROGRAMS = ("pix2pix-tf", "cyclegan-tf")


@pytest.fixture
def folders(tmp_path):
    """The folders of A and B for training and for tests, with a file of each kind."""
    places = [tmp_path / name for name in ("trainA", "trainB", "testA", "testB")]
    for place in places:
        place.mkdir()
        pixels = RNG.integers(0, 256, (16, 16, 3), np.uint8)
        for name in ("a.png", "b.jpg", "c.bmp"):
            Image.fromarray(pixels).save(place / name)
        np.save(place / "d.npy", pixels / np.float32(255))
    return places


def words(program, folders):
    """The words that name the folders of a command."""
    if program == "cyclegan-tf":
        return ()
    return ("--dataset_mode", "folders", "--input_dir_A", folders[0], "--input_dir_B", folders[1])


@pytest.mark.parametrize("program", PROGRAMS)
def test_test_opens_a_file_to_check_it_and_to_translate_it(folders, tmp_path, program):
    run = untrained(tmp_path / "run", program, crop_size=8, netD="pixel")
    places = folders[2:] if program == "pix2pix-tf" else folders[2:3]
    for more in ((), ("--preprocess", "none"), ("--preprocess", "none", "--tile", 32)):
        start = ("test", "--input_dir", tmp_path, "--checkpoint", run, "--output_dir")
        with count_opens(*places) as opens:
            succeed(program, *start, tmp_path / f"out {len(more)}", *words(program, places), *more)
        assert set(opens) == {"a.png", "b.jpg", "c.bmp", "d.npy"}
        assert max(opens.values()) <= 2 * len(places), opens


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["none", "disk"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_train_opens_a_file_to_check_it_and_once_an_epoch(folders, tmp_path, program, cache):
    places, run = folders[:2], tmp_path / "run"
    more = (*words(program, places), "--cache", cache, "--max_steps", 1, "--batch_size", 4)
    with count_opens(*places) as opens:
        assert train(program, tmp_path, run, *more, "--display_freq", 0).returncode == 0
    assert set(opens) == {"a.png", "b.jpg", "c.bmp", "d.npy"}
    if cache == "disk":
        assert max(opens.values()) == 2 * len(places)
    with count_opens(*places) as opens:
        process = train(program, tmp_path, run, *more, "--resume", "--max_steps", 2)
        assert process.returncode == 0, process.stderr
    if cache == "disk":
        assert max(opens.values()) == len(places)
