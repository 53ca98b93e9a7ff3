"""Awkward files of every kind: read right, or refused with a reason."""

import io
import random

import numpy as np
import pytest
import tensorflow as tf
from contents import as_tiff, npy, pillow, read, read_unit
from PIL import Image

from pix2pix_tf.data import decode, image_file, inspection, listing, pipelines
from pix2pix_tf.data.samples import DomainSpec, StoredType, apply_orientation, from_unit, to_unit
from pix2pix_tf.data.sizes import ResizeSpec
from pix2pix_tf.errors import InputError

pytest.importorskip("tifffile", reason="the extra [tiff] is not installed")

RNG = np.random.default_rng(0)
FRAMING = ResizeSpec(crop_size=32)
COLOUR = np.repeat(np.repeat(RNG.integers(0, 256, (4, 6, 3), np.uint8), 8, 0), 8, 1)
DEEP = RNG.integers(0, 65536, (12, 20, 3)).astype(np.uint16)
FLOATS = RNG.random((12, 20, 3), np.float32)


def png16(array):
    return tf.io.encode_png(array).numpy()


def unit(array):
    return to_unit(np.asarray(array))


def turned(orientation, kind):
    exif = Image.Exif()
    exif[274], exif[271] = orientation, "Maker"
    return pillow(COLOUR, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))


# Name: (contents, expected [h, w, 3] in [0, 1], tolerance in levels of 255).
ZOO = {
    "grey16.png": (png16(DEEP[..., :1]), unit(np.repeat(DEEP[..., :1], 3, -1)), 0.01),
    "colour16.png": (png16(DEEP), unit(DEEP), 0.01),
    "rgba.png": (pillow(COLOUR, mode="RGBA"), unit(COLOUR), 0.01),
    "grey.png": (pillow(COLOUR[..., 0]), unit(np.repeat(COLOUR[..., :1], 3, -1)), 0.01),
    "grey alpha.png": (pillow(COLOUR, mode="LA"), None, 0.01),
    "palette.png": (pillow(COLOUR, mode="P"), None, 0.01),
    "bilevel.png": (pillow(COLOUR, mode="1"), None, 0.01),
    "grey.jpg": (pillow(COLOUR[..., 0], "JPEG"), None, 6),
    "cmyk.jpg": (pillow(COLOUR, "JPEG", mode="CMYK", quality=95), unit(COLOUR), 20),
    "colour.bmp": (pillow(COLOUR, "BMP"), unit(COLOUR), 0.01),
    "colour.ppm": (pillow(COLOUR, "PPM"), unit(COLOUR), 0.01),
    "colour.webp": (pillow(COLOUR, "WEBP", lossless=True), unit(COLOUR), 0.01),
    "colour.tif": (as_tiff(COLOUR), unit(COLOUR), 0.01),
    "cmyk.tif": (pillow(COLOUR, "TIFF", mode="CMYK"), unit(COLOUR), 1.01),
    "palette.tif": (pillow(COLOUR, "TIFF", mode="P"), None, 0.01),
    "colour16.tif": (as_tiff(DEEP, photometric="rgb"), unit(DEEP), 0.01),
    "planes16.tif": (
        as_tiff(np.moveaxis(DEEP, -1, 0), photometric="rgb", planarconfig="separate"),
        unit(DEEP),
        0.01,
    ),
    "packed.tif": (as_tiff(DEEP, photometric="rgb", compression="zlib"), unit(DEEP), 0.01),
    "float.tif": (as_tiff(FLOATS, photometric="rgb"), FLOATS, 0.01),
    "float.npy": (npy(FLOATS), FLOATS, 0.01),
    "double.npy": (npy(FLOATS.astype(np.float64)), FLOATS, 0.01),
    "flat.npy": (npy(DEEP[..., 0]), unit(np.repeat(DEEP[..., :1], 3, -1)), 0.01),
    "wrong extension.png": (
        pillow(COLOUR, "JPEG", quality=95, subsampling=0),
        unit(COLOUR),
        20,
    ),
    "wrong.jpg": (pillow(COLOUR), unit(COLOUR), 0.01),
    "1x1.png": (pillow(COLOUR[:1, :1]), unit(COLOUR[:1, :1]), 0.01),
    "5000x40.png": (
        pillow(np.tile(COLOUR[:, :40], (2, 125, 1))[:40]),
        unit(np.tile(COLOUR[:, :40], (2, 125, 1))[:40]),
        0.01,
    ),
    'it\'s a "name" with é, 日本 and\na line break.png': (pillow(COLOUR), unit(COLOUR), 0.01),
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for name, (contents, _, _) in ZOO.items():
        (folder / name).write_bytes(contents)
    return folder


@pytest.fixture(scope="module")
def inside():
    """What a pipeline makes of each file."""
    signature = [tf.TensorSpec([], tf.string)]
    return tf.function(lambda x: decode.read(x), input_signature=signature, autograph=False)


@pytest.mark.parametrize("name", ZOO)
def test_every_file_is_read_right_eagerly_in_a_graph_and_in_python(zoo, inside, name):
    contents, expected, tolerance = ZOO[name]
    assert inspection.inspect_file(str(zoo / name)).fault is None
    eager = decode.read(contents).numpy()
    np.testing.assert_array_equal(eager, inside(tf.constant(contents)))
    in_python = read_unit(contents, DomainSpec())
    np.testing.assert_allclose(in_python, eager, atol=max(tolerance, 6) / 255)
    if expected is None:
        expected = unit(np.asarray(Image.open(io.BytesIO(contents)).convert("RGB")))
    np.testing.assert_allclose(eager, expected, atol=tolerance / 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_honoured(inside, orientation, kind):
    contents = turned(orientation, kind)
    expected = apply_orientation(unit(COLOUR), orientation)
    found = inside(tf.constant(contents)).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 0.05
    served = decode.decode_unit(contents).numpy()
    np.testing.assert_array_equal(served, found)


def test_the_whole_zoo_is_one_data_set(zoo):
    paths = [path for path in listing.list_images(zoo) if "1x1" not in path]
    assert len(paths) == len(ZOO) - 1
    inspection.check_images(paths, minimum_width=2)
    for inputs, targets in pipelines.test_pairs(paths, framing=FRAMING, batch_size=5):
        assert inputs.shape == targets.shape and np.isfinite(inputs).all()
    batches = pipelines.training_pairs(paths, crop_size=32, scale_size=36, batch_size=len(paths))
    assert next(iter(batches))[0].shape == (len(paths), 32, 32, 3)


@pytest.mark.parametrize(
    "name", ["colour.tif", "float.npy", "colour16.png", "grey.jpg", "cmyk.jpg"]
)
@pytest.mark.parametrize("part", [0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96])
def test_files_cut_at_ten_places_are_refused(tmp_path, name, part):
    contents = ZOO[name][0]
    path = tmp_path / name
    path.write_bytes(contents[: int(len(contents) * part)])
    seen = inspection.inspect_file(str(path))
    assert seen.fault and "\n" not in seen.fault
    assert not seen.width


@pytest.mark.filterwarnings("ignore")  # Pillow's and tifffile's, of what they skip
@pytest.mark.parametrize("name", [name for name in ZOO if len(ZOO[name][0]) < 20_000])
def test_damaged_files_are_read_or_refused_in_one_line(name):
    draw = random.Random(name)
    for _ in range(200):
        damaged = bytearray(ZOO[name][0])
        for _ in range(draw.randint(1, 6)):  # Heads matter more than pixels.
            place = draw.randrange(min(len(damaged), draw.choice([16, 200, 20_000])))
            damaged[place] = draw.choice([0, 1, 255, draw.randrange(256)])
        try:
            assert read(bytes(damaged)).size
        except ValueError as error:
            assert str(error) and "\n" not in str(error)


@pytest.mark.parametrize("mark", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
def test_a_tiff_without_pages_is_refused(mark):
    with pytest.raises(ValueError, match=r"damaged|not a TIFF|invalid|known format"):
        read(mark + b"\1\0\0\1" * 8)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.full((4, 4, 3), np.nan, np.float32), "not finite"),
        (np.zeros((4, 4, 7), np.uint8), "7 channels, expected 3"),
        (np.zeros((4,), np.uint8), r"\[4\] of uint8, expected numbers"),
        (np.zeros((0, 4, 3), np.uint8), "expected numbers"),
        (np.zeros((4, 4, 3), np.complex64), "complex64, expected numbers"),
        (np.array({"a": 1}), "allow_pickle"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, array, why):
    path = tmp_path / "a.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InputError, match=why):
        inspection.check_images([str(path)])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_any_number_of_channels(tmp_path, count):
    array = RNG.random((6, 8, count), np.float32)
    found = decode.read(npy(array), DomainSpec(channels=count))
    np.testing.assert_allclose(found, array, atol=1e-6)
    if count in (1, 3, 4):
        eight = from_unit(array, np.uint8)
        encoded = tf.io.encode_png(eight).numpy()
        np.testing.assert_allclose(
            decode.read(encoded, DomainSpec(channels=count)), unit(eight), atol=1e-6
        )


def test_grey_and_alpha_are_made_and_dropped():
    colour = pillow(COLOUR)
    grey = decode.read(colour, DomainSpec(channels=1)).numpy()
    np.testing.assert_allclose(grey[..., 0], unit(COLOUR) @ [0.299, 0.587, 0.114], atol=1e-6)
    for contents in (colour, pillow(COLOUR, "JPEG")):
        alpha = decode.read(contents, DomainSpec(channels=4)).numpy()
        assert (alpha[..., 3] == 1).all()
        np.testing.assert_array_equal(alpha[..., :3], decode.read(contents))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "bool"])
def test_bit_depths_survive_writing_and_reading(dtype):
    kind = np.dtype(dtype)
    if kind.kind in "ui":
        limits = np.iinfo(kind)
        array = np.linspace(limits.min, limits.max, 99).astype(kind).reshape(3, 11, 3)
    else:
        array = RNG.integers(0, 2, (3, 11, 3)).astype(kind)
    found = from_unit(to_unit(array), kind)
    if dtype == "uint32":  # float32 carries 24 bits
        np.testing.assert_allclose(found, array, rtol=1e-6, atol=2**8)
    else:
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_what_is_written_is_read_again(tmp_path, suffix, count):
    array = RNG.random((5, 9, count), np.float32)
    image_file.write_array(tmp_path / f"a{suffix}", array)
    np.testing.assert_array_equal(read((tmp_path / f"a{suffix}").read_bytes()), array)
    assert image_file.open_image(tmp_path / f"a{suffix}").stored_type == StoredType(
        "float32", suffix
    )
