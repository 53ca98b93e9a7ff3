"""Numbers kept true: what files contain is what networks see and what results give back."""

import json
import zlib

import numpy as np
import pytest
from contents import npy, pillow
from PIL import Image
from runs import command, succeed, train, translate, untrained
from support import png, refused, write_pairs

from pix2pix_tf import run_folder
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.data import check, decode
from pix2pix_tf.data.samples import DomainSpec, PlaneSelection
from pix2pix_tf.task import Pix2PixTask

RNG = np.random.default_rng(0)
SMALL = {"crop_size": 32, "scale_size": 32}


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
    assert train("pix2pix-tf", source, folder, *words).returncode == 0
    stored = json.loads((folder / run_folder.OPTIONS).read_text())
    low, high = (float(part) for part in stored["value_range_A"].split(","))
    np.testing.assert_allclose([low, high], np.percentile(np.stack(mr), [1, 99]), rtol=1e-5)
    translate("pix2pix-tf", source, folder, tmp_path / "out")
    found = np.load(tmp_path / "out" / "images" / "1-outputs.npy")
    assert found.dtype == np.int16 and found.min() >= -1024 and found.max() <= 3071
    # Without targets the run knows the type of B.
    translate("pix2pix-tf", source / "A", folder, tmp_path / "single", "--dataset_mode", "single")
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
    translate("pix2pix-tf", tmp_path / "data", folder, tmp_path / "out")
    found = np.load(tmp_path / "out" / "images" / "1-outputs.npy")[..., 0]
    with Image.open(tmp_path / "out" / "images" / "1-outputs.png") as file:
        shown = np.asarray(file)
    assert found.dtype == dtype and found.max() <= high and found.std() > 0
    np.testing.assert_allclose(shown / np.iinfo(dtype).max, found / high, atol=1 / 255)


def test_metrics_have_units_and_a_grey_image_scores_badly(tmp_path):
    ct = [RNG.integers(-1000, 2000, (32, 32, 1)).astype(np.int16) for _ in range(2)]
    low_dose = [np.clip(image + 40, -1024, 3071).astype(np.int16) for image in ct]
    source = halves(tmp_path / "data", low_dose.__getitem__, ct.__getitem__, count=2)
    words = ("--value_range", "-1024,3071")
    channels = {"input_channels": 1, "output_channels": 1, "dataset_mode": "folders"}
    folder = untrained(tmp_path / "run", **SMALL, **channels, value_range="-1024,3071")
    tested = translate("pix2pix-tf", source, folder, tmp_path / "out")
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
        succeed("pix2pix-tf", "evaluate", *arguments)
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
    succeed("pix2pix-tf", "evaluate", *arguments, "--output_dir", tmp_path / "scores")
    mean = json.loads((tmp_path / "scores" / run_folder.METRICS).read_text())["mean"]
    assert mean["PSNR"] < 15 and mean["Pearson"] is None
    words = ("--value_range", "p1,p99", "--target_dir", source / "B", "--output_dir", "x")
    process = command("pix2pix-tf", "evaluate", "--input_dir", tmp_path / "grey", *words)
    assert "percentiles are measured by training" in refused(process)


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
    pixels = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    contents = pillow(pixels, "JPEG" if "jpeg" in kind else "PNG")
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
def test_damage_inside_stops_a_run_before_it_starts(tmp_path, kind):
    folder = write_pairs(tmp_path / "data", 3, size=32)
    (folder / "bad.png").write_bytes(damaged(kind))
    assert "bad.png" in refused(train("pix2pix-tf", folder, tmp_path / "run"))
    process = train("pix2pix-tf", folder, tmp_path / "kept", "--skip_bad_files", steps=1)
    assert process.returncode == 0, process.stderr
    assert "left out: " in process.stdout and "examples count = 3" in process.stdout


@pytest.mark.parametrize(
    "width",
    [64, pytest.param(96, marks=pytest.mark.slow), pytest.param(112, marks=pytest.mark.slow)],
)
def test_check_data_reports_layout_and_direction(tmp_path, width):
    (tmp_path / "data").mkdir()
    rows, columns = np.mgrid[:64, :width].astype(np.uint8)
    for number in range(2):
        image = np.stack([rows + number, columns, rows], -1)
        Image.fromarray(image).save(tmp_path / "data" / f"{number}.png")
    folder = untrained(tmp_path / "run", **SMALL)
    for words in (
        ("test", "--output_dir", tmp_path / "out", "--checkpoint", folder),
        ("check_data",),
    ):
        text = succeed("pix2pix-tf", *words, "--input_dir", tmp_path / "data")
        half = f"{width // 2}x64"
        assert f"each file is split into A {half} and B {half}" in text and "--dataset_mode" in text
    words = ("--input_dir", write_pairs(tmp_path / "pairs", 2))
    assert "is split into" not in succeed("pix2pix-tf", "check_data", *words)


def test_transparency_slivers_and_sizes_are_reported(tmp_path):
    for side, size in zip("AB", (16, 18), strict=True):
        (tmp_path / side).mkdir()
        Image.new("RGBA", (size, 16), (9, 9, 9, 99)).save(tmp_path / side / "0.png")
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16) % 11
    Image.fromarray(ids).save(tmp_path / "A" / "1.png")
    Image.fromarray(ids).save(tmp_path / "B" / "1.png")
    words = ("--input_dir", tmp_path, "--dataset_mode", "folders")
    text = succeed("pix2pix-tf", "check_data", *words)
    assert "transparency is dropped" in text and "1 pairs differ in size" in text
    assert "A: values 0-99 of 0-255" in text or "A: values 0-10 of 0-255" in text
    assert "label_palette" in text


@pytest.mark.slow
def test_cyclegan_skips_bad_files_and_keeps_types(tmp_path):
    for side, dtype in zip("AB", ("uint8", "int16"), strict=True):
        for phase in ("train", "test"):
            (tmp_path / "data" / f"{phase}{side}").mkdir(parents=True)
            for number in range(2):
                array = RNG.integers(0, 200, (16, 16, 3)).astype(dtype)
                np.save(tmp_path / "data" / f"{phase}{side}" / f"{number}.npy", array)
    (tmp_path / "data" / "trainA" / "x.jpg").write_bytes(damaged("jpeg cut"))
    start = ("cyclegan-tf", tmp_path / "data", tmp_path / "run", "--value_range", "0,200")
    assert "x.jpg" in refused(train(*start))
    assert train(*start, "--skip_bad_files", steps=1).returncode == 0
    translate("cyclegan-tf", tmp_path / "data", tmp_path / "run", tmp_path / "out")
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
