"""TIFF files that are read and written by windows."""

import contextlib

import numpy as np
import pytest
from contents import read, read_unit
from PIL import Image

from pix2pix_tf.data import image_file
from pix2pix_tf.data.samples import DomainSpec, from_unit, to_unit
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.tiff import tiff_image
from pix2pix_tf.inference import large_files, translate, windows
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.factory import make_generator

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
