"""TIFF: planes, tags, missing pixels, the place on Earth."""

import io

import numpy as np
import pytest
from contents import as_tiff, pillow, read
from file_checks import check_cut, check_damaged, check_read, check_written, refuses
from opens import count_opens
from runs import translate, untrained

from pix2pix_tf import load
from pix2pix_tf.data import decode, image_file
from pix2pix_tf.data.samples import DomainSpec, PlaneSelection, fill_missing, from_unit, to_unit

tifffile = pytest.importorskip("tifffile", reason="the extra [tiff] is not installed")

RNG = np.random.default_rng(0)
SMALL = {"crop_size": 32, "scale_size": 32}
COLOUR = np.repeat(np.repeat(RNG.integers(0, 256, (4, 6, 3), np.uint8), 8, 0), 8, 1)
DEEP = RNG.integers(0, 65536, (12, 20, 3)).astype(np.uint16)
FLOATS = RNG.random((12, 20, 3), np.float32)

# Name: (contents, expected [h, w, 3] in [0, 1], tolerance in levels of 255).
ZOO = {
    "colour.tif": (as_tiff(COLOUR), to_unit(COLOUR), 0.01),
    "cmyk.tif": (pillow(COLOUR, "TIFF", mode="CMYK"), to_unit(COLOUR), 1.01),
    "palette.tif": (pillow(COLOUR, "TIFF", mode="P"), None, 0.01),
    "colour16.tif": (as_tiff(DEEP, photometric="rgb"), to_unit(DEEP), 0.01),
    "planes16.tif": (
        as_tiff(np.moveaxis(DEEP, -1, 0), photometric="rgb", planarconfig="separate"),
        to_unit(DEEP),
        0.01,
    ),
    "packed.tif": (as_tiff(DEEP, photometric="rgb", compression="zlib"), to_unit(DEEP), 0.01),
    "float.tif": (as_tiff(FLOATS, photometric="rgb"), FLOATS, 0.01),
}


@pytest.mark.parametrize("name", ZOO)
def test_every_file_is_read_right_eagerly_in_a_graph_and_in_python(tmp_path, name):
    check_read(tmp_path / name, *ZOO[name])


def test_files_cut_at_ten_places_are_refused(tmp_path):
    check_cut(tmp_path / "a.tif", ZOO["colour.tif"][0])


@pytest.mark.filterwarnings("ignore")  # Pillow's and tifffile's, of what they skip
@pytest.mark.parametrize("name", ZOO)
def test_damaged_files_are_read_or_refused_in_one_line(name):
    check_damaged(ZOO[name][0], name)


@pytest.mark.parametrize("mark", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
def test_a_file_without_pages_is_refused(mark):
    refuses(mark + b"\1\0\0\1" * 8, r"damaged|not a TIFF|invalid|known format")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_truncated_data_is_an_error(compression):
    pixels = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    contents = pillow(pixels, "TIFF", compression=compression)
    assert (read(contents) == pixels).all()
    refuses(contents[:-3])


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_what_is_written_is_read_again(tmp_path, channels):
    check_written(image_file.write_array, tmp_path / "a.tif", channels)
    assert image_file.open_image(tmp_path / "a.tif").stored_type.suffix == ".tif"


@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint32", "uint8", "int32", "float32"])
def test_a_range_holds_for_every_type(dtype):
    array = np.linspace(5, 200, 60).astype(dtype).reshape(4, 5, 3)
    contents = as_tiff(array, photometric="rgb")
    unit = decode.read(contents, DomainSpec(value_range=(5, 200))).numpy()
    np.testing.assert_allclose(from_unit(unit, dtype, (5, 200)), array, atol=1e-4)


def test_planes_and_series_are_picked_or_refused():
    planes = RNG.integers(0, 255, (5, 16, 20), np.uint8)
    contents = {
        "channels": as_tiff(planes[:3], ome=True, metadata={"axes": "CYX"}),
        "stack": as_tiff(planes, imagej=True, metadata={"axes": "ZYX"}),
        "pages": as_tiff(planes, photometric="minisblack", metadata=None),
        "ome": as_tiff(planes, ome=True, metadata={"axes": "ZYX"}, photometric="minisblack"),
    }
    found = read(contents["channels"])
    np.testing.assert_array_equal(found, np.moveaxis(planes[:3], 0, -1))
    for name in ("stack", "pages", "ome"):
        with pytest.raises(ValueError, match=r"5 planes .*; --plane 0 to 4 picks one"):
            read(contents[name])
        found = read(contents[name], PlaneSelection(plane=3))[..., 0]
        np.testing.assert_array_equal(found, planes[3])
        with pytest.raises(ValueError, match="--plane 5, expected 0 to"):
            read(contents[name], PlaneSelection(plane=5))
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(planes[0], metadata=None)
        writer.write(planes[1, :8], metadata=None)
    with pytest.raises(ValueError, match="2 series; --series 0 to 1 picks one"):
        read(buffer.getvalue())
    assert read(buffer.getvalue(), PlaneSelection(series=1)).shape == (8, 20, 1)


GEO = [
    (33550, 12, 3, (10.0, 10.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0), True),
    (34735, 3, 4, (1, 1, 0, 0), True),
    (34737, 2, 0, "WGS 84|", True),
]


def test_a_geotiff_keeps_its_place_compression_type_and_missing_pixels(tmp_path):
    source = tmp_path / "data"
    source.mkdir()
    values = RNG.integers(0, 3000, (64, 64, 3)).astype(np.uint16)
    values[:16, :16] = 65535
    nodata = (42113, 2, 0, "65535", True)
    options = {"photometric": "rgb", "compression": "zlib", "metadata": None}
    tifffile.imwrite(source / "a.tif", values, extratags=[*GEO, nodata], **options)
    folder = untrained(tmp_path / "run", **SMALL, value_range="0,3000")
    with count_opens(source) as opens:
        translate("pix2pix-tf", source, folder, tmp_path / "out", "--dataset_mode", "single")
    assert opens["a.tif"] <= 2
    with tifffile.TiffFile(tmp_path / "out" / "images" / "a-outputs.tif") as file:
        page = file.pages.first
        assert page.dtype == np.uint16 and page.compression.name == "ADOBE_DEFLATE"
        assert page.tags[33550].value == (20.0, 20.0, 0.0)  # 64 px became 32
        assert page.tags[33922].value == GEO[1][3] and page.tags[34735].value == (1, 1, 0, 0)
        assert page.tags[34737].value.startswith("WGS 84")
        found = page.asarray()
    assert (found[:8, :8] == 65535).all() and found[8:].max() <= 3000
    load(folder).translate_file(source / "a.tif", tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.tags[33550].value == (10.0, 10.0, 0.0)
        assert (file.asarray()[:16, :16] == 65535).all()


@pytest.mark.parametrize(
    ("text", "dtype", "is_kept"),
    [
        ("-9999", "float32", True),
        ("nan", "float32", True),
        ("255", "uint8", True),
        ("-9999", "uint8", False),
        ("0.5", "int16", False),
        ("nan", "uint16", False),
        ("-32768", "int16", True),
        ("65536", "uint16", False),
    ],
)
def test_the_tag_of_missing_pixels_stays_where_results_can_have_its_value(
    tmp_path, text, dtype, is_kept
):
    source = tmp_path / "a.tif"
    tag = (42113, 2, 0, text, True)
    tifffile.imwrite(source, RNG.random((8, 8), np.float32), extratags=[*GEO, tag], metadata=None)
    result = np.ones((8, 8, 1), dtype)
    image_file.open_image(source).write(tmp_path / "b.tif", result)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert (42113 in file.pages.first.tags) == is_kept and 33550 in file.pages.first.tags
    found = fill_missing(result, np.eye(8, dtype=bool), float(text))
    np.testing.assert_array_equal(
        found[..., 0],
        np.where(np.eye(8, dtype=bool) & is_kept, float(text), 1).astype(found.dtype),
    )


def test_results_have_the_type_of_their_source(tmp_path):
    (tmp_path / "data").mkdir()
    floats = RNG.random((32, 64, 3), np.float32)
    tifffile.imwrite(tmp_path / "data" / "a.tif", floats, photometric="rgb")
    np.save(tmp_path / "data" / "b.npy", floats)
    run = untrained(tmp_path / "run", **SMALL)
    translate("pix2pix-tf", tmp_path / "data", run, tmp_path / "out", "--notest_dropout")
    found = tifffile.imread(tmp_path / "out" / "images" / "a-outputs.tif")
    expected = np.load(tmp_path / "out" / "images" / "b-outputs.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
