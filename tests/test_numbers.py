"""Numbers kept true: what files contain is what networks see and what results give back."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from contents import read, read_unit
from PIL import Image
from support import SMALLEST, png, write_pairs
from test_any_data import run, test, train, untrained

from cyclegan_tf import cli as cyclegan
from pix2pix_tf import load, run_folder
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.data import check, decode, image_file, listing
from pix2pix_tf.data.integrity import ADAM7, PNG_MARK
from pix2pix_tf.data.samples import DomainSpec, PlaneSelection, fill_missing, from_unit
from pix2pix_tf.task import Pix2PixTask

tifffile = pytest.importorskip("tifffile", reason="the extra [tiff] is not installed")
RNG = np.random.default_rng(0)
SMALL = {"crop_size": 32, "scale_size": 32}


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def as_tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


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
    for contents in (npy(array), as_tiff(array, photometric="rgb")):
        unit = decode.read(contents, side).numpy()
        np.testing.assert_allclose([unit.min(), unit.max()], [0, 1], atol=1e-6)
        back = from_unit(unit, dtype, values)
        np.testing.assert_allclose(back, array, atol=1e-6 if "f" in dtype else 0, rtol=1e-6)
    outside = np.full((2, 2, 3), 100, np.uint8)
    assert decode.read(npy(outside), DomainSpec(value_range=(3, 9))).numpy().max() == 1


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_png_files_use_the_range_in_the_graph(mode):
    values = np.array([[0, 50], [100, 200]], np.uint16)
    image = Image.fromarray(values if mode == "I;16" else values.astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    found = decode.read(buffer.getvalue(), DomainSpec(channels=1, value_range=(0, 100)))[..., 0]
    np.testing.assert_allclose(found, [[0, 0.5], [1, 1]], atol=1e-6)


def halves(folder, a, b, *, count=3):
    """Pairs A and B as .npy files of two functions of a number."""
    for side, make in zip("AB", (a, b), strict=True):
        (folder / side).mkdir(parents=True)
        for number in range(count):
            np.save(folder / side / f"{number}.npy", make(number))
    return folder


@pytest.mark.slow
def test_percentiles_are_measured_once_and_results_have_the_targets_type(tmp_path):
    ct = [RNG.integers(-1000, 2000, (32, 32, 1)).astype(np.int16) for _ in range(3)]
    mr = [RNG.random((32, 32, 1), np.float32) * 700 for _ in range(3)]
    source, folder = halves(tmp_path / "data", mr.__getitem__, ct.__getitem__), tmp_path / "run"
    channels = ("--input_channels", 1, "--output_channels", 1, "--dataset_mode", "folders")
    size = ("--crop_size", 32, "--scale_size", 32)
    words = ("--value_range", "p1,p99:-1024,3071", *size, *channels)
    train(source, folder, *words)
    stored = json.loads((folder / run_folder.OPTIONS).read_text())
    low, high = (float(part) for part in stored["value_range_A"].split(","))
    np.testing.assert_allclose([low, high], np.percentile(np.stack(mr), [1, 99]), rtol=1e-5)
    test(source, folder, tmp_path / "out")
    found = np.load(tmp_path / "out" / "images" / "1-outputs.npy")
    assert found.dtype == np.int16 and found.min() >= -1024 and found.max() <= 3071
    # Without targets the run knows the type of B.
    test(source / "A", folder, tmp_path / "single", "--dataset_mode", "single")
    found = np.load(tmp_path / "single" / "images" / "1-outputs.npy")
    assert found.dtype == np.int16 and found.std() > 0


@pytest.mark.parametrize(("dtype", "high"), [(np.uint16, 4095), (np.uint8, 200)])
def test_a_range_in_png_files_gives_results_in_its_units(tmp_path, dtype, high):
    for side in "AB":
        (tmp_path / "data" / side).mkdir(parents=True)
        pixels = RNG.integers(0, high, (32, 32), endpoint=True).astype(dtype)
        Image.fromarray(pixels).save(tmp_path / "data" / side / "1.png")
    options = {"input_channels": 1, "output_channels": 1, "dataset_mode": "folders"}
    folder = untrained(tmp_path / "run", **SMALL, **options, value_range=f"0,{high}")
    test(tmp_path / "data", folder, tmp_path / "out")
    found = np.load(tmp_path / "out" / "images" / "1-outputs.npy")[..., 0]
    with Image.open(tmp_path / "out" / "images" / "1-outputs.png") as file:
        shown = np.asarray(file)
    assert found.dtype == dtype and found.max() <= high and found.std() > 0
    np.testing.assert_allclose(shown / np.iinfo(dtype).max, found / high, atol=1 / 255)


def test_metrics_have_units_and_a_grey_image_scores_badly(tmp_path, capsys):
    ct = [RNG.integers(-1000, 2000, (32, 32, 1)).astype(np.int16) for _ in range(2)]
    low_dose = [np.clip(image + 40, -1024, 3071).astype(np.int16) for image in ct]
    source = halves(tmp_path / "data", low_dose.__getitem__, ct.__getitem__, count=2)
    words = ("--value_range", "-1024,3071")
    channels = {"input_channels": 1, "output_channels": 1, "dataset_mode": "folders"}
    folder = untrained(tmp_path / "run", **SMALL, **channels, value_range="-1024,3071")
    tested = test(source, folder, tmp_path / "out")
    row = tested["per_image"]["1"]
    output = np.load(tmp_path / "out" / "images" / "1-outputs.npy").astype(float)
    assert row["MAE"] == pytest.approx(np.abs(output - ct[1]).mean(), rel=1e-4)
    assert row["MAE of the input"] == pytest.approx(40, abs=0.01)
    assert row["PSNR of the input"] == pytest.approx(20 * np.log10(4095 / 40), abs=0.01)
    assert row["NRMSE of the input"] == pytest.approx(40 / np.ptp(ct[1]), rel=1e-3)
    assert row["Pearson of the input"] == pytest.approx(1)
    page = (tmp_path / "out" / "index.html").read_text()
    assert ">MAE<" in page and "MAE of the input</dt>" in page
    # The same from the run, from the folder of the test, and from files without a model.
    results = {}
    for name, arguments in {
        "of run": ("--input_dir", source, "--checkpoint", folder),
        "test": ("--input_dir", tmp_path / "out"),
        "files": ("--input_dir", tmp_path / "out", "--target_dir", source / "B", *words),
    }.items():
        arguments = ("--output_dir", tmp_path / name, *arguments, "--metrics", "mae,psnr,pearson")
        assert run("--mode", "evaluate", *arguments) == 0
        results[name] = json.loads((tmp_path / name / run_folder.METRICS).read_text())["per_image"]
        assert results[name]["1"]["MAE"] == pytest.approx(row["MAE"], rel=1e-4)
        assert results[name]["1"]["PSNR"] == pytest.approx(row["PSNR"], abs=0.1)
    assert (
        results["of run"]["1"].keys()
        == results["test"]["1"].keys()
        == {f"{name}{of}" for name in ("MAE", "PSNR", "Pearson") for of in ("", " of the input")}
    )
    (tmp_path / "grey").mkdir()
    for number in range(2):
        np.save(tmp_path / "grey" / f"{number}.npy", np.full((32, 32, 1), 1023, np.int16))
    arguments = ("--input_dir", tmp_path / "grey", "--target_dir", source / "B", *words)
    assert run("--mode", "evaluate", *arguments, "--output_dir", tmp_path / "scores") == 0
    mean = json.loads((tmp_path / "scores" / run_folder.METRICS).read_text())["mean"]
    assert mean["PSNR"] < 15 and mean["Pearson"] is None
    words = ("--value_range", "p1,p99", "--target_dir", source / "B", "--output_dir", "x")
    assert run("--mode", "evaluate", "--input_dir", tmp_path / "grey", *words) == 1
    assert "percentiles are measured by training" in capsys.readouterr().err


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
    test(source, folder, tmp_path / "out", "--dataset_mode", "single")
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


def test_missing_pixels_are_reported(tmp_path):
    array = RNG.random((8, 8, 3), np.float32)
    array[:2] = -9999
    np.save(tmp_path / "a.npy", array)
    contents = check.DatasetFiles(
        [str(tmp_path / "a.npy")], ((DomainSpec(selection=PlaneSelection(nodata=-9999)),),)
    )
    (look,) = contents.inspect()
    assert look.missing == 16 and look.fault is None and look.values[0][0] >= 0
    assert any("pixels without data" in line for line in check.notes(contents, [look]))
    assert decode.read(npy(array), contents.sides[0][0]).numpy().min() >= 0


def damaged(kind):
    """Files that a look at both ends does not give away."""
    pixels, buffer = RNG.integers(0, 256, (64, 64, 3), np.uint8), io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG" if "jpeg" in kind else "PNG")
    contents = buffer.getvalue()
    if kind == "jpeg cut":
        return contents[: len(contents) // 2] + b"\xff\xd9"
    if kind == "png zeros":
        middle = len(contents) // 2
        return contents[:middle] + bytes(40) + contents[middle + 40 :]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    return png(64, 64, (b"IDAT", packed[: len(packed) // 2]))


@pytest.mark.parametrize(
    "kind",
    [
        "jpeg cut",
        pytest.param("png zeros", marks=pytest.mark.slow),
        pytest.param("png cut", marks=pytest.mark.slow),
    ],
)
def test_damage_inside_stops_a_run_before_it_starts(tmp_path, capsys, kind):
    folder = write_pairs(tmp_path / "data", 3, size=32)
    (folder / "bad.png").write_bytes(damaged(kind))
    words = ("--mode", "train", "--input_dir", folder, *SMALLEST["pix2pix-tf"], "--max_steps", 1)
    words += ("--run_eagerly",)
    assert run(*words, "--output_dir", tmp_path / "run") == 1
    assert "bad.png" in capsys.readouterr().err
    assert run(*words, "--output_dir", tmp_path / "kept", "--skip_bad_files") == 0
    text = capsys.readouterr().out
    assert "left out: " in text and "examples count = 3" in text


def test_damage_that_decoders_accept_is_an_error():
    pixels = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    rows = [b"\0" + row.tobytes() for row in pixels]
    short = png(64, 64, (b"IDAT", zlib.compress(b"".join(rows[:40]))))
    buffer = io.BytesIO()
    Image.fromarray(pixels // 16).save(buffer, "PNG")
    half = len(buffer.getvalue()) // 2
    cut = [short, buffer.getvalue()[:half] + bytes(half)]
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "TIFF", compression=compression)
        assert (read(buffer.getvalue()) == pixels).all()
        cut.append(buffer.getvalue()[:-3])
    for contents in cut:
        with pytest.raises(ValueError, match="."):
            read(contents)


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
            with pytest.raises(ValueError, match="truncated"):
                read(contents)


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
    assert run("--check_data", "--input_dir", folder) == 0


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
    assert run("--check_data", "--input_dir", tmp_path / "deep") == 1
    assert run("--check_data", "--input_dir", tmp_path / "deep", "--recursive") == 0
    assert listing.names(["d/x.ome.tif"]) == listing.names(["d/x.png"])
    assert len(set(listing.names(["d/a.png", "d/a.jpg", "d/a.jpg.png"]))) == 3


def test_any_two_folders_are_pairs_by_order(tmp_path):
    a, b = (write_pairs(tmp_path / name, 3, size=32) for name in ("left", "right"))
    (b / "3.png").rename(b / "z.png")
    words = ("--check_data", "--dataset_mode", "folders", "--input_dir_A", a, "--input_dir_B", b)
    assert run(*words) == 1
    assert run(*words, "--pair_by", "order") == 0


@pytest.mark.parametrize(
    "width",
    [64, pytest.param(96, marks=pytest.mark.slow), pytest.param(112, marks=pytest.mark.slow)],
)
def test_check_data_reports_layout_and_direction(tmp_path, capsys, width):
    (tmp_path / "data").mkdir()
    rows, columns = np.mgrid[:64, :width].astype(np.uint8)
    for number in range(2):
        image = np.stack([rows + number, columns, rows], -1)
        Image.fromarray(image).save(tmp_path / "data" / f"{number}.png")
    folder = untrained(tmp_path / "run", **SMALL)
    for words in (
        ("--mode", "test", "--output_dir", tmp_path / "out", "--checkpoint", folder),
        ("--check_data",),
    ):
        assert run(*words, "--input_dir", tmp_path / "data") == 0
        text = capsys.readouterr().out
        half = f"{width // 2}x64"
        assert f"each file is split into A {half} and B {half}" in text and "--dataset_mode" in text
    assert run("--check_data", "--input_dir", write_pairs(tmp_path / "pairs", 2)) == 0
    assert "is split into" not in capsys.readouterr().out


def test_transparency_slivers_and_sizes_are_reported(tmp_path, capsys):
    for side, size in zip("AB", (16, 18), strict=True):
        (tmp_path / side).mkdir()
        Image.new("RGBA", (size, 16), (9, 9, 9, 99)).save(tmp_path / side / "0.png")
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16) % 11
    Image.fromarray(ids).save(tmp_path / "A" / "1.png")
    Image.fromarray(ids).save(tmp_path / "B" / "1.png")
    assert run("--check_data", "--input_dir", tmp_path, "--dataset_mode", "folders") == 0
    text = capsys.readouterr().out
    assert "transparency is dropped" in text and "1 pairs differ in size" in text
    assert "A: values 0-99 of 0-255" in text or "A: values 0-10 of 0-255" in text
    assert "label_palette" in text


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_coarse_grey_is_opaque(bits):
    row = b"\0" + bytes([0b10110001] * bits)
    contents = png(8, 4, (b"IDAT", zlib.compress(row * 4)), depth=bits, kind=0)
    assert (decode.read(contents, DomainSpec(channels=4)).numpy()[..., 3] == 1).all()


def test_label_ids_become_colours_or_channels():
    ids = np.array([[0, 1], [2, 1]], np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(ids).save(buffer, "PNG")
    colours = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
    found = decode.read(buffer.getvalue(), DomainSpec(palette=colours)).numpy()
    np.testing.assert_array_equal(found * 255, np.array(colours)[ids])
    found = decode.read(buffer.getvalue(), DomainSpec(channels=3, one_hot=True)).numpy()
    np.testing.assert_array_equal(found, np.eye(3)[ids])
    with pytest.raises(ValueError, match="label 2, 2 colours"):
        read_unit(buffer.getvalue(), DomainSpec(palette=colours[:2]))


@pytest.mark.slow
def test_cyclegan_skips_bad_files_and_keeps_types(tmp_path, capsys):
    for side, dtype in zip("AB", ("uint8", "int16"), strict=True):
        for phase in ("train", "test"):
            (tmp_path / "data" / f"{phase}{side}").mkdir(parents=True)
            for number in range(2):
                array = RNG.integers(0, 200, (16, 16, 3)).astype(dtype)
                np.save(tmp_path / "data" / f"{phase}{side}" / f"{number}.npy", array)
    (tmp_path / "data" / "trainA" / "x.jpg").write_bytes(damaged("jpeg cut"))
    words = ("--mode", "train", "--input_dir", tmp_path / "data", "--output_dir", tmp_path / "run")
    words += (*SMALLEST["cyclegan-tf"], "--max_steps", 1, "--run_eagerly", "--value_range", "0,200")
    assert cyclegan.main([str(word) for word in words]) == 1
    assert "x.jpg" in capsys.readouterr().err
    assert cyclegan.main([str(word) for word in [*words, "--skip_bad_files"]]) == 0
    words = ("--mode", "test", "--input_dir", tmp_path / "data", "--output_dir", tmp_path / "out")
    assert cyclegan.main([str(w) for w in [*words, "--checkpoint", tmp_path / "run"]]) == 0
    found = np.load(tmp_path / "out" / "images" / "A-0-fake_B.npy")
    assert found.dtype == np.int16 and 0 <= found.min() and found.max() <= 200


def test_label_ids_are_found_in_each_domain(tmp_path):
    for side, mode in (("A", "RGB"), ("B", "L")):
        (tmp_path / side).mkdir()
        Image.new(mode, (16, 16)).save(tmp_path / side / "0.png")
    config = Pix2PixConfig(
        mode="train",
        input_dir=str(tmp_path),
        output_dir="run",
        dataset_mode="folders",
        label_palette="cityscapes",
    )
    _, files = Pix2PixTask().training_files(config)
    assert files.label_domains == {"B"} and files.types == {"A": "uint8", "B": "uint8"}
