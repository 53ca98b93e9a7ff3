"""DICOM and NIfTI: physical units in, the same geometry out, through both programs."""

import json
import sys

import numpy as np
import pytest
from contents import read
from opens import count_opens
from runs import command, succeed, train, translate, untrained
from support import refused

import cyclegan_tf
import pix2pix_tf
from pix2pix_tf import run_folder
from pix2pix_tf.data import decode, image_file, listing
from pix2pix_tf.data.samples import DomainSpec, PlaneSelection

pytestmark = pytest.mark.medical

pydicom = pytest.importorskip("pydicom", reason="the extra [medical] is not installed")
nibabel = pytest.importorskip("nibabel", reason="the extra [medical] is not installed")
from pydicom.data import get_testdata_file  # noqa: E402

RNG = np.random.default_rng(0)
CT, MR = get_testdata_file("CT_small.dcm"), get_testdata_file("MR_small.dcm")
GEOMETRY = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
            "FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "Rows", "Columns")  # fmt: skip
ONE = ("--input_channels", 1, "--output_channels", 1, "--crop_size", 32, "--scale_size", 32)


def contents(path):
    return open(path, "rb").read()


def values(path):
    """Physical units, by pydicom alone."""
    dataset = pydicom.dcmread(path)
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return dataset.pixel_array * float(slope) + float(intercept)


def test_dicom_is_read_in_units():
    found = read(contents(CT))
    np.testing.assert_array_equal(found[..., 0], values(CT))
    assert found.min() == -896 and read(contents(MR)).dtype == np.int16
    unit = decode.read(contents(CT), DomainSpec(channels=1, value_range=(-1024, 3071))).numpy()
    np.testing.assert_allclose(unit[..., 0] * 4095 - 1024, values(CT), atol=1e-3)
    with pytest.raises(ValueError, match="2 planes; --plane 0 to 1 picks one"):
        read(contents(get_testdata_file("SC_rgb_rle_2frame.dcm")))
    colour = read(contents(get_testdata_file("SC_rgb_rle_2frame.dcm")), PlaneSelection(plane=1))
    assert colour.shape == (100, 100, 3) and colour.dtype == np.uint8
    with pytest.raises(ValueError, match="without an image"):
        read(contents(get_testdata_file("rtplan.dcm")))


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype", "expected"),
    [("2", "-1000", "uint16", "int32"), ("1", "-1024", "int16", "int32"),
     ("0.5", "-3.25", "uint16", "float32")],
)  # fmt: skip
def test_rescale_padding_and_fractions(tmp_path, slope, intercept, dtype, expected):
    dataset = pydicom.dcmread(MR)
    stored = RNG.integers(0, 4000, (40, 24)).astype(dtype)
    dataset.set_pixel_data(stored, "MONOCHROME2", 16)
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    dataset.add_new("PixelPaddingValue", "SS" if dtype == "int16" else "US", int(stored[3, 4]))
    dataset.save_as(tmp_path / "a.dcm")
    samples = image_file.open_image(tmp_path / "a.dcm").samples()
    physical = stored * float(slope) + float(intercept)
    assert samples.array.dtype == expected
    np.testing.assert_allclose(samples.array[..., 0], physical)
    assert samples.missing[3, 4] and samples.nodata == physical[3, 4]


@pytest.mark.parametrize(
    "program", ["pix2pix-tf", pytest.param("cyclegan-tf", marks=pytest.mark.slow)]
)
def test_a_result_has_the_geometry_of_its_dicom_and_units_of_the_target(tmp_path, program):
    is_paired = program == "pix2pix-tf"
    sides = ("A", "B") if is_paired else ("trainA", "trainB", "testA", "testB")
    for side in sides:
        (tmp_path / "data" / side).mkdir(parents=True)
        for number in range(2):
            path = tmp_path / "data" / side / f"IM{number}"  # often without a suffix
            path.write_bytes(contents(CT if "B" in side else MR))
    words = ("--value_range", "0,2500:-1024,3071", *ONE[:4])
    words += ("--dataset_mode", "folders") if is_paired else ()
    with count_opens(*(tmp_path / "data" / side for side in sides[:2])) as opens:
        assert train(program, tmp_path / "data", tmp_path / "run", *words, steps=1).returncode == 0
    places = sides[:1] if is_paired else ["testA"]
    source, words = tmp_path / "data", ()
    if is_paired:
        source, words = tmp_path / "data" / "A", ("--dataset_mode", "single")
    with count_opens(*(tmp_path / "data" / side for side in places)) as opens:
        translate(program, source, tmp_path / "run", tmp_path / "out", *words)
    assert max(opens.values(), default=0) <= 2, opens  # these are still in memory
    name = "IM1-outputs.dcm" if is_paired else "A-IM1-fake_B.dcm"
    result = tmp_path / "out" / "images" / name
    found, source = pydicom.dcmread(result), pydicom.dcmread(MR)
    for name in GEOMETRY:
        assert found.get(name) == source.get(name), name
    for name in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert found.get(name) != source.get(name)
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
    assert -1024 <= values(result).min() < values(result).max() <= 3071
    package = pix2pix_tf if is_paired else cyclegan_tf
    package.load(tmp_path / "run").translate_file(MR, tmp_path / "one.dcm")
    assert values(tmp_path / "one.dcm").shape == (64, 64)
    assert values(tmp_path / "one.dcm").min() >= -1024


@pytest.mark.parametrize("kind", ["int16", "float32", "rgb"])
def test_dicom_round_trips(kind):
    array = RNG.integers(-900, 3000, (128, 128, 1)).astype(np.int16)
    if kind == "float32":
        array = (array / 7).astype(np.float32)
    if kind == "rgb":
        array = RNG.integers(0, 255, (128, 128, 3)).astype(np.uint8)

    missing = np.zeros((128, 128), bool)
    missing[0, 0] = True
    encoded = image_file.open_image(CT).encode_like(
        array, missing=missing if kind == "int16" else None
    )
    samples = image_file.from_bytes(encoded).samples()
    tolerance = np.ptp(array) / 65534 if kind == "float32" else 0
    np.testing.assert_allclose(samples.array, array, atol=tolerance)
    if kind == "int16":
        assert samples.missing[0, 0] and samples.nodata == array[0, 0, 0]


def volume(path, shape, *, axes="RAS", dtype=np.int16, scale=None):
    """A volume whose axes lie as named, of a function of its place in RAS+."""
    codes = nibabel.orientations.axcodes2ornt(axes)
    start = nibabel.orientations.axcodes2ornt("RAS")
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    array = (grid @ [1, 40, 1000]).astype(dtype)
    image = nibabel.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0]))
    image = image.as_reoriented(nibabel.orientations.ornt_transform(start, codes))
    image.header["descrip"] = b"kept"
    if scale:
        image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    return array


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SLA"])
def test_slices_lie_as_in_ras_whatever_the_file(tmp_path, axes):
    array = volume(tmp_path / "v.nii.gz", (6, 8, 11), axes=axes)
    names = listing.list_images(tmp_path)
    assert len(names) == 11 and names[3].endswith("v.nii.gz#03")
    assert listing.names(names)[3] == "v-03"
    found = image_file.open_image(names[3]).samples().array[..., 0]
    np.testing.assert_array_equal(found, array[:, ::-1, 3].T)
    with pytest.raises(ValueError, match="known format"):  # a request cannot name files
        read(names[3].encode())


@pytest.mark.parametrize(
    ("preprocess", "ending"),
    [("none", ".nii.gz"), pytest.param("resize_and_crop", ".nii", marks=pytest.mark.slow)],
)
def test_a_result_is_a_volume_with_the_header_of_its_source(tmp_path, preprocess, ending):
    for side, dtype in zip("AB", (np.int16, np.uint8), strict=True):
        (tmp_path / "data" / side).mkdir(parents=True)
        for number in range(2):
            volume(tmp_path / "data" / side / f"s{number}{ending}", (18, 22, 5),
                   axes=("LPS", "PIR")[number], dtype=dtype)  # fmt: skip
    options = {"input_channels": 1, "output_channels": 1, "crop_size": 32, "scale_size": 32}
    folder = untrained(tmp_path / "run", **options, value_range="0,5000:0,255")
    words = ("--dataset_mode", "folders", "--preprocess", preprocess)
    with count_opens(tmp_path / "data" / "A", tmp_path / "data" / "B") as opens:
        found = translate("pix2pix-tf", tmp_path / "data", folder, tmp_path / "out", *words)
    assert max(opens.values()) <= 2 * 2, opens
    assert found["count"] == 10
    results = sorted(path.name for path in (tmp_path / "out" / "images").glob("*.nii*"))
    assert results == [f"s{number}-outputs{ending}" for number in range(2)]
    for number in range(2):
        result = nibabel.load(tmp_path / "out" / "images" / f"s{number}-outputs{ending}")
        source = nibabel.load(tmp_path / "data" / "A" / f"s{number}{ending}")
        np.testing.assert_array_equal(result.affine, source.affine)
        assert result.shape == source.shape and result.get_data_dtype() == np.uint8
        assert bytes(result.header["descrip"]).startswith(b"kept")
        assert np.ptp(np.asarray(result.dataobj)) > 0
    source = tmp_path / "data" / "A" / f"s1{ending}"
    predictor = pix2pix_tf.load(folder)
    predictor.translate_file(source, tmp_path / f"x{ending}")
    written = np.asarray(
        nibabel.as_closest_canonical(nibabel.load(tmp_path / f"x{ending}")).dataobj
    )
    inputs = image_file.open_image(listing.list_images(source.parent)[7]).samples().array
    np.testing.assert_allclose(written[:, ::-1, 2].T, predictor(inputs)[..., 0], atol=1)


def test_volumes_are_trained_on_cached_and_checked(tmp_path):
    for side in "AB":
        (tmp_path / "data" / side).mkdir(parents=True)
        volume(tmp_path / "data" / side / "s.nii.gz", (18, 22, 6), scale=(0.5, 3))
    words = ("--dataset_mode", "folders", *ONE)
    words_of_run = (*words, "--value_range", "p0,p100", "--cache", "disk")
    process = train("pix2pix-tf", tmp_path / "data", tmp_path / "run", *words_of_run)
    assert process.returncode == 0, process.stderr
    stored = json.loads((tmp_path / "run" / run_folder.OPTIONS).read_text())
    low, high = map(float, stored["value_range_A"].split(","))
    everything = np.asarray(nibabel.load(tmp_path / "data" / "A" / "s.nii.gz").dataobj)
    assert (low, high) == pytest.approx((everything.min(), everything.max()))
    check = ("pix2pix-tf", "check_data", "--input_dir", tmp_path / "data", *words[:6])
    assert "6 examples in 12 files" in succeed(*check)
    image = nibabel.Nifti1Image(np.zeros((18, 22, 6, 3), np.uint8), np.eye(4))
    for side in "AB":
        nibabel.save(image, tmp_path / "data" / side / "s.nii.gz")
    process = command(*check)
    assert process.returncode == 1
    assert "3 volumes; --series 0 to 2 picks one" in process.stdout
    succeed(*check, "--series", 1)
    (tmp_path / "data" / "A" / "s.nii.gz").write_bytes(b"x")
    assert "Expected NIfTI volumes" in refused(command(*check))


def test_without_the_extra_one_line_names_it(tmp_path, monkeypatch):
    for name in ("pydicom", "nibabel"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("dicom", "nifti"):
        monkeypatch.delitem(sys.modules, f"pix2pix_tf.extras.medical.{name}", raising=False)
    words = ("pix2pix-tf", "check_data", "--dataset_mode", "single", "--input_dir", tmp_path)
    (tmp_path / "a.dcm").write_bytes(contents(CT))
    process = command(*words)
    line = "DICOM needs an extra: pip install 'pix2pix-tf[medical]' (no module pydicom)"
    assert process.returncode == 1 and line in process.stdout
    (tmp_path / "b.nii").write_bytes(b"x")
    assert "pip install 'pix2pix-tf[medical]'" in refused(command(*words))
