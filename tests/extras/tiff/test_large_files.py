"""TIFF files that are read and written by windows."""

import contextlib
import os
import time

import numpy as np
import pytest
import runs as commands
from contents import read, read_unit
from PIL import Image

import pix2pix_tf
from pix2pix_tf.data import image_file
from pix2pix_tf.data.samples import DomainSpec, from_unit, to_unit
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.tiff import tiff_image
from pix2pix_tf.inference import large_files, translate, windows
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.factory import make_generator
from pix2pix_tf.training import runtime

pytestmark = pytest.mark.tiff

tifffile = pytest.importorskip("tifffile")

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _all_are_large(monkeypatch):
    monkeypatch.setattr(tiff_image, "LARGE_PIXELS", 0)


def translate_tiff(network, folder, *, channels=3, **options):
    """Translates x.tif to y.tif by windows."""
    with image_file.open_image(folder / "x.tif", windowed=True) as file:
        assert file.is_large
        source = large_files.WindowedImage(file, DomainSpec(channels=channels))
        options = {"tile": 32, "value_range": None, **options}
        with contextlib.closing(large_files.translate_large(network, source, **options)) as result:
            assert file.save_like(result, folder / "y") == folder / "y.tif"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7, "compression": "zlib"},
        {"tile": (32, 48), "bigtiff": True},
        {"tile": (32, 48), "compression": "lzw", "predictor": True},
        {"rowsperstrip": 16, "byteorder": ">"},
    ],
)
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 1), ("float32", 5)])
def test_windows_of_a_file_are_those_of_the_whole(tmp_path, options, dtype, channels):
    pixels = RNG.random((101, 130, channels))
    pixels = from_unit(pixels, dtype)
    if dtype == "float32" and options.get("predictor"):
        options = options | {"predictor": False}
    kind = "rgb" if channels == 3 else "minisblack"
    stored = pixels[..., 0] if channels == 1 else pixels
    options = options | ({"planarconfig": "contig"} if channels > 1 else {})
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric=kind, metadata=None, **options)
    side = DomainSpec(channels=channels)
    whole = read_unit((tmp_path / "x.tif").read_bytes(), side) * 2 - 1
    with image_file.open_image(tmp_path / "x.tif", windowed=True) as file:
        source = large_files.WindowedImage(file, side)
        assert source.shape == whole.shape
        for window in ((0, 101, 0, 130), (3, 60, 40, 99), (100, 101, 129, 130)):
            found = source.read(windows.Window(*window))
            top, bottom, left, right = window
            np.testing.assert_allclose(found[0], whole[top:bottom, left:right], atol=1e-6)


@pytest.mark.parametrize("options", [{"tile": (32, 48)}, {"rowsperstrip": 16}])
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_windows_of_slides_in_jpeg(tmp_path, options, subsampling):
    """Scanners of slides store YCbCr in JPEG tiles."""
    pytest.importorskip("imagecodecs")
    rows, columns = np.mgrid[:101, :130]
    pixels = np.stack([2 * rows, columns, 255 - columns], -1).astype(np.uint8)
    options = options | {"photometric": "rgb", "compression": "jpeg", "subsampling": subsampling}
    tifffile.imwrite(tmp_path / "x.tif", pixels, metadata=None, **options)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert file.pages[0].photometric.name == "YCBCR"
    with Image.open(tmp_path / "x.tif") as file:
        expected = np.asarray(file.convert("RGB"))
    assert np.abs(expected - pixels.astype(int)).mean() < 4
    assert (read((tmp_path / "x.tif").read_bytes()) == expected).all()
    with image_file.open_image(tmp_path / "x.tif", windowed=True) as file:
        found = file.samples(slice(3, 60), slice(40, 99)).array
    assert (found == expected[3:60, 40:99]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_file_is_translated_as_the_array(tmp_path, dtype):
    network = make_generator("unet", ngf=4, depth=4)
    network.build((None, None, None, 3))
    pixels = from_unit(RNG.random((150, 90, 3)), dtype)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", tile=(64, 64))
    translate_tiff(network, tmp_path, dtype=dtype, scratch_dir=tmp_path)
    signed = to_unit(pixels)[None] * 2 - 1
    expected = translate.translate(network, signed, multiple=network.multiple)
    expected = from_unit((expected[0] + 1) / 2, dtype)
    found = tifffile.imread(tmp_path / "y.tif")
    assert found.dtype == dtype and found.shape == expected.shape
    steps = {"uint8": 1, "uint16": 1, "float32": 1e-5}[dtype]
    assert np.abs(found.astype(float) - expected.astype(float)).max() <= steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.tif", "y.tif"]


def test_a_large_file_gets_the_type_of_the_targets_in_their_units(tmp_path, monkeypatch):
    network = make_generator("unet", ngf=4, depth=4)
    network.build((None, None, None, 3))
    tifffile.imwrite(tmp_path / "x.tif", from_unit(RNG.random((70, 50, 3)), "uint8"))
    sides = (DomainSpec(), DomainSpec(value_range=(-1000, 1000)))
    translate_file = Predictor(network, sides=sides, tile=32, target_type="int16").translate_file
    monkeypatch.setattr(tiff_image, "LARGE_PIXELS", 10_000)
    translate_file(tmp_path / "x.tif", tmp_path / "whole.tif")
    monkeypatch.setattr(tiff_image, "LARGE_PIXELS", 1000)
    translate_file(tmp_path / "x.tif", tmp_path / "windows.tif")
    whole, found = (tifffile.imread(tmp_path / f"{name}.tif") for name in ("whole", "windows"))
    assert whole.dtype == found.dtype == np.int16 and whole.min() < 0
    assert np.abs(whole.astype(int) - found).max() <= 1


def test_files_that_cannot_be_read_by_windows_are_refused(tmp_path):
    (tmp_path / "x.tif").write_bytes(b"no TIFF")
    planes = RNG.random((3, 20, 30), np.float32)
    tifffile.imwrite(tmp_path / "y.tif", planes, photometric="rgb", planarconfig="separate")
    for name in ("x.tif", "y.tif"):
        with image_file.open_image(tmp_path / name, windowed=True) as file:
            with pytest.raises(InputError, match=name):
                large_files.WindowedImage(file, DomainSpec())


def test_missing_pixels_stay_missing(tmp_path):
    network = make_generator("unet", ngf=4, depth=4, output_channels=1)
    network.build((None, None, None, 1))
    pixels = RNG.random((70, 50), np.float32)
    pixels[10:20, 5:9] = -9999
    options = {"extratags": [(42113, 2, 0, "-9999", True)], "metadata": None}
    tifffile.imwrite(tmp_path / "x.tif", pixels, **options)
    translate_tiff(network, tmp_path, channels=1, dtype="float32")
    with tifffile.TiffFile(tmp_path / "y.tif") as file:
        found, tag = file.asarray(), file.pages.first.tags[42113].value
    np.testing.assert_array_equal(found == -9999, pixels == -9999)
    assert tag.strip("\0") == "-9999"


def write_tiff(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(32, 48), **options)


def both_ways(monkeypatch, folder, translate):
    """What `translate` of a folder gives for whole files and for files read by windows."""
    found = []
    for pixels in (10**9, 1000):
        monkeypatch.setattr(tiff_image, "LARGE_PIXELS", pixels)
        monkeypatch.setattr(large_files, "WINDOW", 40)
        monkeypatch.setattr(large_files, "SHOWN", 50)
        found.append(translate(folder / str(pixels)))
    return found


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--which_direction", "BtoA", "--test_dropout"),
        pytest.param(("--dataset_mode", "folders"), marks=pytest.mark.slow),
        pytest.param(("--dataset_mode", "single"), marks=pytest.mark.slow),
    ],
)
def test_test_reads_large_files_by_windows(tmp_path, monkeypatch, words):
    data = tmp_path / "data"
    pixels = np.random.default_rng(0).integers(0, 256, (70, 220, 3), np.uint8)
    for name, part in (("x", pixels), ("y", pixels[::-1])):
        if "folders" in words:
            write_tiff(data / "A" / f"{name}.tif", part[:, :110])
            write_tiff(data / "B" / f"{name}.tif", part[:, 110:])
        else:
            write_tiff(data / f"{name}.tif", part, compression="zlib")
    options = dict(zip(words[::2], words[1::2], strict=False))
    direction = options.pop("--which_direction", "AtoB")
    run = commands.untrained(tmp_path / "run", crop_size=32, which_direction=direction)
    words = [word for word in words if word not in ("--which_direction", "BtoA")]
    words += ["--preprocess", "none", "--tile", 32, "--scratch_dir", tmp_path / "scratch"]

    def translate(folder):
        return commands.translate("pix2pix-tf", data, run, folder, *words), folder / "images"

    (expected, whole), (found, windowed) = both_ways(monkeypatch, tmp_path, translate)
    assert sorted(path.name for path in windowed.glob("*.tif")) == [
        "x-outputs.tif",
        "y-outputs.tif",
    ]
    for name in "xy":
        left = np.asarray(Image.open(whole / f"{name}-outputs.png"), int)
        assert np.abs(tifffile.imread(windowed / f"{name}-outputs.tif") - left).max() <= 1
        small = np.asarray(Image.open(windowed / f"{name}-outputs.png"), int)
        square = -(-left.shape[1] // 50)
        assert small.shape == (left.shape[0] // square, left.shape[1] // square, 3)
        mean = left[:square, :square].mean((0, 1))
        np.testing.assert_allclose(small[0, 0], mean, atol=1.5)
        for metric, value in expected["per_image"][name].items():
            assert found["per_image"][name][metric] == pytest.approx(value, rel=1e-3)
    assert not (tmp_path / "scratch").exists()


def test_load_reads_large_files_by_windows(tmp_path, monkeypatch):
    run = commands.untrained(tmp_path / "run", crop_size=32)
    pixels = np.random.default_rng(0).integers(0, 2**16, (90, 120, 3), np.uint16)
    write_tiff(tmp_path / "x.tif", pixels, extratags=[(33550, 12, 3, (2.0, 2.0, 0.0), True)])
    load = pix2pix_tf.load(run, tile=32)

    def translate(folder):
        folder.mkdir()
        load.translate_file(tmp_path / "x.tif", folder / "y.tif")
        return folder / "y.tif"

    expected, found = both_ways(monkeypatch, tmp_path, translate)
    with tifffile.TiffFile(found) as file:
        assert file.pages.first.is_tiled
        assert file.pages.first.tags[33550].value == (2.0, 2.0, 0.0)
    difference = tifffile.imread(found).astype(int) - tifffile.imread(expected)
    assert np.abs(difference).max() <= 1
    with pytest.raises(InputError, match=r"to end with \.tif"):
        load.translate_file(tmp_path / "x.tif", tmp_path / "y.png")


@pytest.mark.parametrize("number", runtime.EXIT_CODES)
def test_an_interruption_leaves_nothing(launcher, tmp_path, number):
    commands.untrained(tmp_path / "run", crop_size=32)
    (tmp_path / "data").mkdir()
    pixels = np.zeros((4100, 4200, 3), np.uint8)
    tifffile.imwrite(tmp_path / "data" / "x.tif", pixels, photometric="rgb", compression="zlib")
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    words = ("--mode", "test", "--input_dir", tmp_path / "data", "--output_dir", out)
    words += ("--checkpoint", tmp_path / "run", "--dataset_mode", "single", "--preprocess", "none")
    words += ("--tile", 64, "--scratch_dir", scratch)
    process = launcher.start("pix2pix-tf", *words, printed=tmp_path / "printed.txt")
    while not scratch.is_dir():
        os.kill(process, 0)  # as long as it is there
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process, number)
    assert launcher.wait(process) == runtime.EXIT_CODES[number]
    assert not scratch.exists()
    assert not [path for path in out.rglob("*") if path.is_file()]
