"""Image files that the core reads, of every kind: read right, or refused with a reason."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from contents import exif, npy, pillow, read, read_unit, with_chunks, with_segments
from file_checks import check_cut, check_damaged, check_read, check_written, read_in_graph, refuses
from PIL import Image
from support import png

from pix2pix_tf.data import decode, image_file, inspection, listing, pipelines
from pix2pix_tf.data.integrity import ADAM7
from pix2pix_tf.data.samples import DomainSpec, apply_orientation, from_unit, to_unit
from pix2pix_tf.data.sizes import ResizeSpec
from pix2pix_tf.errors import InputError

RNG = np.random.default_rng(0)
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


@pytest.mark.parametrize("name", ZOO)
def test_every_file_is_read_right_eagerly_in_a_graph_and_in_python(tmp_path, name):
    check_read(tmp_path / name, *ZOO[name])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_honoured(orientation, kind):
    contents = turned(orientation, kind)
    expected = apply_orientation(unit(COLOUR), orientation)
    found = read_in_graph(tf.constant(contents)).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 0.05
    served = decode.decode_unit(contents).numpy()
    np.testing.assert_array_equal(served, found)


PLAIN = {"JPEG": pillow(COLOUR, "JPEG", quality=95), "PNG": pillow(COLOUR)}
PROFILE = bytes(RNG.integers(0, 256, 3000, np.uint8))
XMP = b'<x tiff:Orientation="6"/>'
LEGACY = f"\nexif\n{len(exif(6)):8}\n{exif(6).hex()}\n".encode()
# Orientation 6 in places where only whole readers find it.
TURNED = {
    **{
        f"{order} at {offset} {kind} {others}": with_segments(
            PLAIN["JPEG"],
            (0xE1, b"Exif\0\0" + exif(6, order=order, offset=offset, kind=kind, others=others)),
        )
        for order, offset, kind, others in (("<", 20, "H", 60), (">", 8, "I", 0), (">", 20, "H", 3))
    },
    "JPEG after a profile": with_segments(
        PLAIN["JPEG"], (0xE2, PROFILE), (0xFE, b"Exif\0\0" + exif(3)), (0xE1, b"Exif\0\0" + exif(6))
    ),
    "JPEG by XMP": with_segments(PLAIN["JPEG"], (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
    "PNG after a profile": with_chunks(
        PLAIN["PNG"], (b"tEXt", b"a\0" + PROFILE.replace(b"\0", b"x")), (b"eXIf", exif(6))
    ),
    "PNG at the end": with_chunks(PLAIN["PNG"], (b"eXIf", exif(6)), after=True),
    "PNG by XMP": with_chunks(PLAIN["PNG"], (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    "PNG by packed XMP": with_chunks(
        PLAIN["PNG"], (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))
    ),
    "PNG by ImageMagick": with_chunks(
        PLAIN["PNG"], (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(LEGACY))
    ),
}


@pytest.mark.parametrize("name", TURNED)
def test_orientations_are_found_wherever_they_stand(name):
    expected = apply_orientation(unit(COLOUR), 6)
    readers = [read_in_graph, lambda contents: read_unit(contents.numpy(), DomainSpec())]
    if "packed" not in name and "ImageMagick" not in name:  # exports cannot unpack those
        readers.append(decode.decode_unit)
    for reader in readers:
        image = np.asarray(reader(tf.constant(TURNED[name])))
        assert image.shape == expected.shape
        assert np.abs(image - expected).mean() < 0.05


def test_the_whole_zoo_is_one_data_set(tmp_path):
    for name, (contents, _, _) in ZOO.items():
        (tmp_path / name).write_bytes(contents)
    paths = [path for path in listing.list_images(tmp_path) if "1x1" not in path]
    assert len(paths) == len(ZOO) - 1
    inspection.check_images(paths, minimum_width=2)
    for inputs, targets in pipelines.test_pairs(
        paths, framing=ResizeSpec(crop_size=32), batch_size=5
    ):
        assert inputs.shape == targets.shape and np.isfinite(inputs).all()
    batches = pipelines.training_pairs(paths, crop_size=32, scale_size=36, batch_size=len(paths))
    assert next(iter(batches))[0].shape == (len(paths), 32, 32, 3)


@pytest.mark.parametrize("name", ["float.npy", "colour16.png", "grey.jpg", "cmyk.jpg"])
def test_files_cut_at_ten_places_are_refused(tmp_path, name):
    check_cut(tmp_path / name, ZOO[name][0])


@pytest.mark.filterwarnings("ignore")  # Pillow's, of what it skips
@pytest.mark.parametrize("name", [name for name in ZOO if len(ZOO[name][0]) < 20_000])
def test_damaged_files_are_read_or_refused_in_one_line(name):
    check_damaged(ZOO[name][0], name)


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
def test_any_number_of_channels(count):
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


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_what_is_written_is_read_again(tmp_path, channels):
    check_written(image_file.write_array, tmp_path / "a.npy", channels)


def test_damage_that_decoders_accept_is_an_error():
    pixels = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    rows = [b"\0" + row.tobytes() for row in pixels]
    refuses(png(64, 64, (b"IDAT", zlib.compress(b"".join(rows[:40])))))
    contents = pillow(pixels // 16)
    half = len(contents) // 2
    refuses(contents[:half] + bytes(half))


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "I;16"])
@pytest.mark.parametrize("interlaced", [0, 1])
def test_pngs_of_every_kind_have_all_their_data(mode, interlaced):
    """Interlacing only moves the bytes, and a stored row of zeros is its own first pass."""
    kind, depth, channels = {
        "1": (0, 1, 1), "L": (0, 8, 1), "RGB": (2, 8, 3), "P": (3, 4, 1), "I;16": (0, 16, 1)
    }[mode]  # fmt: skip
    starts = ADAM7 if interlaced else ((0, 0, 1, 1),)
    data = b""
    for x, y, dx, dy in starts:
        columns, rows = len(range(x, 13, dx)), len(range(y, 3, dy))
        if columns:
            data += (b"\0" + bytes((columns * channels * depth + 7) // 8)) * rows
    palette = [(b"PLTE", bytes(48))] if kind == 3 else []
    for kept, is_whole in ((data, True), (data[:-1], False)):
        chunks = (*palette, (b"IDAT", zlib.compress(kept)))
        contents = png(13, 3, *chunks, depth=depth, kind=kind, interlaced=interlaced)
        if is_whole:
            assert read(contents).shape == (3, 13, channels if kind != 3 else 3)
        else:
            refuses(contents, "truncated")


@pytest.mark.parametrize(("kind", "bits"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8)])
def test_a_transparent_value_is_alpha(kind, bits):
    channels = 3 if kind == 2 else 1
    row = b"\0" + bytes([0b00011011] * (bits * channels))
    value = {1: 1, 2: 3, 4: 11, 8: 27, 16: 0x1B1B}[bits]
    transparent = (b"tRNS", struct.pack(">H", value) * channels)
    pixels = (b"IDAT", zlib.compress(row * 2))
    contents = png(8, 2, transparent, pixels, depth=bits, kind=kind)
    samples = image_file.from_bytes(contents).samples()
    assert samples.has_alpha and samples.array.shape == (2, 8, channels + 1)
    unit = read_unit(contents, DomainSpec(channels=4))
    assert unit[..., 3].min() == 0
    np.testing.assert_allclose(decode.read(contents, DomainSpec(channels=4)), unit, atol=1e-6)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_coarse_grey_is_opaque(bits):
    row = b"\0" + bytes([0b10110001] * bits)
    contents = png(8, 4, (b"IDAT", zlib.compress(row * 4)), depth=bits, kind=0)
    assert (decode.read(contents, DomainSpec(channels=4)).numpy()[..., 3] == 1).all()


def test_label_ids_become_colours_or_channels():
    ids = np.array([[0, 1], [2, 1]], np.uint8)
    contents = pillow(ids)
    colours = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
    found = decode.read(contents, DomainSpec(palette=colours)).numpy()
    np.testing.assert_array_equal(found * 255, np.array(colours)[ids])
    found = decode.read(contents, DomainSpec(channels=3, one_hot=True)).numpy()
    np.testing.assert_array_equal(found, np.eye(3)[ids])
    with pytest.raises(ValueError, match="label 2, 2 colours"):
        read_unit(contents, DomainSpec(palette=colours[:2]))


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int16", (-1024, 3071)), ("uint16", (0, 4095)), ("uint32", (5, 70000)), ("uint8", (3, 9)),
        ("int32", (-9, 9)), ("float32", (-2.5, 7.0)), ("float64", (0.0, 255.0)),
    ],
)  # fmt: skip
def test_a_range_holds_for_every_type_and_is_inverted(dtype, values):
    array = np.linspace(*values, 60).astype(dtype).reshape(4, 5, 3)
    side = DomainSpec(value_range=values)
    unit = decode.read(npy(array), side).numpy()
    np.testing.assert_allclose([unit.min(), unit.max()], [0, 1], atol=1e-6)
    back = from_unit(unit, dtype, values)
    np.testing.assert_allclose(back, array, atol=1e-6 if "f" in dtype else 0, rtol=1e-6)
    outside = np.full((2, 2, 3), 100, np.uint8)
    assert decode.read(npy(outside), DomainSpec(value_range=(3, 9))).numpy().max() == 1


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_png_files_use_the_range_in_the_graph(mode):
    values = np.array([[0, 50], [100, 200]], np.uint16)
    image = Image.fromarray(values if mode == "I;16" else values.astype(np.uint8))
    contents = pillow(np.asarray(image))
    found = decode.read(contents, DomainSpec(channels=1, value_range=(0, 100)))[..., 0]
    np.testing.assert_allclose(found, [[0, 0.5], [1, 1]], atol=1e-6)
