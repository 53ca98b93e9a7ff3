"""Data as people have it, through the commands of both programs."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from runs import command, succeed, train, translate, untrained
from support import logged_losses, refused

from pix2pix_tf import run_folder

PROGRAMS = ("pix2pix-tf", "cyclegan-tf")
SLOW = pytest.mark.slow
# Kinds of the input and of the result, the beginning of names, and where the images are.
INPUT = {"pix2pix-tf": "inputs", "cyclegan-tf": "real_A"}
OUTPUT = {"pix2pix-tf": "outputs", "cyclegan-tf": "fake_B"}
PREFIX = {"pix2pix-tf": "", "cyclegan-tf": "A-"}
PAIRS, UNPAIRED = "pairs", "unpaired"
SETS = {"pix2pix-tf": PAIRS, "cyclegan-tf": UNPAIRED}
BOTH = pytest.mark.parametrize("program", PROGRAMS)


def write_images(folder, sizes, *, seed):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number, size in enumerate(sizes):
        pixels = rng.integers(0, 256, (6, 7 * 2, 3), np.uint8)
        Image.fromarray(pixels).resize(size).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three pairs of 140x60, and two unpaired sets of 70x45 and other sizes."""
    folder = tmp_path_factory.mktemp("data")
    write_images(folder / PAIRS, [(140, 60)] * 3, seed=0)
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        sizes = [(70, 45), (61, 50), (40, 33)][: 2 + (name == "trainA")]
        write_images(folder / UNPAIRED / name, sizes, seed=seed)
    return folder


@pytest.fixture(scope="module")
def folders(data, tmp_path_factory):
    """The pairs as folder/A and folder/B."""
    folder = tmp_path_factory.mktemp("folders")
    for side, left in zip("AB", (0, 70), strict=True):
        (folder / side).mkdir()
        for path in (data / PAIRS).iterdir():
            with Image.open(path) as image:
                image.crop((left, 0, left + 70, 60)).save(folder / side / path.name)
    return folder


def result(program, out, kind, *, name="0", suffix=".png"):
    """The path of a result."""
    return out / "images" / f"{PREFIX[program]}{name}-{kind}{suffix}"


def pixels(path):
    """An image as integers."""
    return np.asarray(Image.open(path), int)


@pytest.mark.parametrize(
    ("program", "words", "tested"),
    [
        ("pix2pix-tf", ("--crop_size", "32x48", "--scale_size", "36x54"), (48, 32)),
        ("cyclegan-tf", ("--preprocess", "none", "--pool_size", 0), (70, 45)),
        pytest.param("cyclegan-tf", ("--preprocess", "scale_width_and_crop", "--load_size", 36),
                     (36, 23), marks=SLOW),
        pytest.param("cyclegan-tf", ("--crop_size", "24x40", "--scale_size", "28x44", "--netD",
                     "n_layers", "--n_layers_D", 1), (40, 24), marks=SLOW),
    ],
)  # fmt: skip
def test_training_and_testing_with_each_preprocess(data, tmp_path, program, words, tested):
    source = data / SETS[program]
    assert train(program, source, tmp_path / "run", *words).returncode == 0
    metrics = translate(program, source, tmp_path / "run", tmp_path / "out")
    kinds = {"pix2pix-tf": ("inputs", "outputs", "targets")}
    for kind in kinds.get(program, ("real_A", "fake_B", "rec_A", "idt_A")):
        assert pixels(result(program, tmp_path / "out", kind)).shape[1::-1] == tested
    assert metrics["count"] == (3 if program == "pix2pix-tf" else 2)


@pytest.mark.parametrize(
    ("options", "words", "expected"),
    [
        pytest.param({"preprocess": "crop"}, (), (60, 70), marks=SLOW),
        pytest.param({"preprocess": "scale_width", "scale_size": 100}, (), (85, 100), marks=SLOW),
        ({"preprocess": "scale_width"}, ("--scale_size", "50"), (42, 50)),
    ],
)
def test_the_size_of_results(data, tmp_path, options, words, expected):
    run = untrained(tmp_path / "run", crop_size=32, **options)
    translate("pix2pix-tf", data / PAIRS, run, tmp_path / "out", *words)
    assert pixels(result("pix2pix-tf", tmp_path / "out", "outputs")).shape[:2] == expected


@BOTH
def test_a_tile_bounds_memory_and_changes_nothing(data, tmp_path, program):
    options = {"crop_size": 32} if program == "pix2pix-tf" else {}
    run, images = untrained(tmp_path / "run", program, **options), {}
    for tile in (0, 32):
        words = ("--preprocess", "none", "--tile", tile)
        words += ("--scratch_dir", tmp_path / "scratch") if tile else ()
        translate(program, data / SETS[program], run, tmp_path / f"{tile}", *words)
        images[tile] = pixels(result(program, tmp_path / f"{tile}", OUTPUT[program]))
    assert images[0].shape == ((60, 70, 3) if program == "pix2pix-tf" else (45, 70, 3))
    assert np.abs(images[0] - images[32]).max() <= 1
    assert not (tmp_path / "scratch").exists()


def write_arrays(folder, counts, shape):
    """Two float arrays for each of A and B, with so many channels."""
    rng = np.random.default_rng(0)
    for side, count in zip("AB", counts, strict=True):
        for name in (side, f"train{side}", f"test{side}"):
            (folder / name).mkdir(parents=True)
            for number in range(2):
                np.save(folder / name / f"{number}.npy", rng.random((*shape, count), np.float32))
    return folder


@pytest.mark.parametrize(
    "counts", [(2, 5), *(pytest.param(counts, marks=SLOW) for counts in ((1, 3), (4, 1)))]
)
def test_any_numbers_of_channels(tmp_path, counts):
    channels = {"input_channels": counts[0], "output_channels": counts[1]}
    options = {"crop_size": "32x48", "dataset_mode": "folders", **channels}
    run = untrained(tmp_path / "run", **options)
    source = write_arrays(tmp_path / "data", counts, (32, 48))
    translate("pix2pix-tf", source, run, tmp_path / "out")
    array = np.load(result("pix2pix-tf", tmp_path / "out", "outputs", name="1", suffix=".npy"))
    assert array.shape == (32, 48, counts[1]) and 0 <= array.min() <= array.max() <= 1


@SLOW
def test_any_numbers_of_channels_both_ways(tmp_path):
    source, counts = write_arrays(tmp_path / "data", (4, 1), (12, 9)), (4, 1)
    words = ("--input_channels", counts[0], "--output_channels", counts[1], "--lambda_identity", 0)
    process = train("cyclegan-tf", source, tmp_path / "run", *words, "--display_freq", 2)
    assert process.returncode == 0, process.stderr
    out, both = tmp_path / "out", ("--direction", "both")
    metrics = translate("cyclegan-tf", source, tmp_path / "run", out, *both)
    assert set(metrics["per_image"]) == {"A-0", "A-1", "B-0", "B-1"}
    for name, count in (("A-1-fake_B", counts[1]), ("B-1-fake_A", counts[0])):
        array = np.load(out / "images" / f"{name}.npy")
        assert array.shape == (8, 8, count) and 0 <= array.min() <= array.max() <= 1
    words = ("--input_dir", source, "--checkpoint", tmp_path / "run", "--metrics", "l1")
    succeed("cyclegan-tf", "evaluate", "--output_dir", tmp_path / "scores", *words)
    metrics = json.loads((tmp_path / "scores" / run_folder.METRICS).read_text())
    assert {"L1 AtoB", "L1 BtoA"} <= set(metrics["mean"])
    assert not (out / "images" / "A-0-idt_A.png").exists()


def test_grey_and_colour_files_are_converted(data, tmp_path):
    run = untrained(tmp_path / "run", "cyclegan-tf", input_channels=1, lambda_identity=0.0)
    translate("cyclegan-tf", data / UNPAIRED, run, tmp_path / "out", "--preprocess", "none")
    grey, colour = (
        pixels(result("cyclegan-tf", tmp_path / "out", kind)) for kind in ("real_A", "fake_B")
    )
    assert grey.shape == (45, 70) and colour.shape == (45, 70, 3)
    with Image.open(data / UNPAIRED / "testA" / "0.png") as image:
        assert np.abs(grey - np.asarray(image.convert("L"), int)).max() <= 1


@BOTH
def test_results_have_the_bit_depth_of_their_source(tmp_path, program):
    source = tmp_path / ("data" if program == "pix2pix-tf" else "data/testA")
    source.mkdir(parents=True)
    deep = np.random.default_rng(0).integers(0, 65536, (32, 64, 3)).astype(np.uint16)
    (source / "a.png").write_bytes(tf.io.encode_png(deep).numpy())
    np.save(source / "b.npy", (deep / 65535).astype(np.float64))
    Image.fromarray((deep >> 8).astype(np.uint8)).save(source / "c.png")
    options = {"crop_size": 32} if program == "pix2pix-tf" else {}
    run, out = untrained(tmp_path / "run", program, **options), tmp_path / "out"
    words = ("--preprocess", "none", "--notest_dropout")
    metrics = translate(program, tmp_path / "data", run, out, *words)

    def decoded(kind):
        contents = result(program, out, kind, name="a").read_bytes()
        return tf.io.decode_png(contents, dtype=tf.uint16).numpy()

    # The same pixels in two depths: equal within the coarser one.
    output, width = decoded(OUTPUT[program]), 32 if program == "pix2pix-tf" else 64
    assert output.shape == (32, width, 3) and (output % 257 != 0).any()
    doubles = np.load(result(program, out, OUTPUT[program], name="b", suffix=".npy"))
    assert doubles.dtype == np.float64 and np.abs(output / 65535 - doubles).max() < 5e-4
    np.testing.assert_array_equal(decoded(INPUT[program]), deep[:, :width])
    with Image.open(result(program, out, OUTPUT[program], name="c")) as image:
        assert np.asarray(image).dtype == np.uint8
    a, b = (metrics["per_image"][f"{PREFIX[program]}{name}"] for name in "ab")
    assert all(a[name] == pytest.approx(b[name], 1e-3) for name in a if "L1" in name)


@SLOW
@pytest.mark.parametrize(
    ("program", "options", "words", "channels"),
    [
        ("pix2pix-tf", {"crop_size": "64x32", "input_channels": 1, "output_channels": 4}, (),
         {".": (1, 4)}),
        ("cyclegan-tf", {"output_channels": 1, "lambda_identity": 0.0, "crop_size": "8x12",
         "load_size": "8x12"}, ("--direction", "both"), {"AtoB": (3, 1), "BtoA": (1, 3)}),
    ],
)  # fmt: skip
def test_export_of_other_channels_and_sizes(tmp_path, program, options, words, channels):
    run = untrained(tmp_path / "run", program, **options)
    words = ("--output_dir", tmp_path / "out", "--checkpoint", run, *words)
    succeed(program, "export", *words)
    for folder, (inputs, outputs) in channels.items():
        signatures = tf.saved_model.load(str(tmp_path / "out" / folder)).signatures
        x = np.random.default_rng(0).random((1, 100, 130, inputs), np.float32)
        found = signatures["serving_default"](images=x)["outputs"]
        assert found.shape == (1, 100, 130, outputs)
        file = tf.constant([tf.io.encode_png(np.uint16(x[0] * 65535)).numpy()])
        output = signatures["serve_image_bytes"](input=file)["output"].numpy()[0]
        assert tf.io.decode_png(output).shape == (100, 130, outputs)


@pytest.mark.parametrize("direction", ["AtoB", pytest.param("BtoA", marks=SLOW)])
def test_two_folders_give_what_one_file_gives(data, folders, tmp_path, direction):
    run = untrained(tmp_path / "run", crop_size=32, which_direction=direction)
    one = translate("pix2pix-tf", data / PAIRS, run, tmp_path / "one")
    words = ("--dataset_mode", "folders")
    two = translate("pix2pix-tf", folders, run, tmp_path / "two", *words)
    assert one["per_image"] == two["per_image"]


@pytest.mark.parametrize("program", ["pix2pix-tf", pytest.param("cyclegan-tf", marks=SLOW)])
def test_a_cache_changes_no_loss(data, folders, tmp_path, program):
    source = folders if program == "pix2pix-tf" else data / UNPAIRED
    words = ("--progress_freq", 1, "--preprocess", "crop")
    words += ("--dataset_mode", "folders") if program == "pix2pix-tf" else ()
    for cache in ("none", "disk"):
        process = train(program, source, tmp_path / cache, "--cache", cache, *words)
        assert process.returncode == 0, process.stderr
    losses = logged_losses(tmp_path / "none")
    np.testing.assert_array_equal(logged_losses(tmp_path / "disk"), losses)
    assert len(losses) == 2
    sizes = {".": 6 * 70 * 60} if program == "pix2pix-tf" else {
        "A": 70 * 45 + 61 * 50 + 40 * 33, "B": 70 * 45 + 61 * 50
    }  # fmt: skip
    for folder, count in sizes.items():
        cache = tmp_path / "disk" / run_folder.CACHE / folder
        assert (cache / "decoded.raw").stat().st_size == 3 * count


def test_every_name_without_a_partner_is_listed(folders, tmp_path):
    source = shutil.copytree(folders, tmp_path / "data")
    (source / "A" / "0.png").rename(source / "A" / "zero.png")
    process = train("pix2pix-tf", source, tmp_path / "run", "--dataset_mode", "folders")
    assert "in A only: zero; in B only: 0" in refused(process)


def test_images_without_targets(folders, tmp_path):
    run = untrained(tmp_path / "run", crop_size=32)
    words = ("--dataset_mode", "single", "--preprocess", "none")
    metrics = translate("pix2pix-tf", folders / "A", run, tmp_path / "out", *words)
    assert metrics["count"] == 3 and metrics["mean"] == {}
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert names == [f"{i}-{kind}.png" for i in range(3) for kind in ("inputs", "outputs")]
    assert "2-outputs.png" in (tmp_path / "out" / run_folder.INDEX).read_text()


def test_targets_of_another_size_are_resized_and_compared(tmp_path):
    run = untrained(tmp_path / "run", "cyclegan-tf")
    write_images(tmp_path / "data" / "testA", [(40, 36), (44, 32)], seed=1)
    write_images(tmp_path / "data" / "testB", [(80, 72), (44, 33)], seed=2)
    words = ("--input_dir", tmp_path / "data", "--output_dir", tmp_path / "out", "--checkpoint")
    words += (run, "--direction", "AtoB", "--preprocess", "none", "--metrics", "l1")
    succeed("cyclegan-tf", "evaluate", *words)
    for kind in ("real_A", "fake_B", "true_B"):
        assert pixels(result("cyclegan-tf", tmp_path / "out", kind)).shape[:2] == (36, 40)
    scores = json.loads((tmp_path / "out" / run_folder.METRICS).read_text())["per_image"]
    assert set(scores["A-0"]) == {"cycle L1 A", "L1 AtoB", "L1 of the input AtoB"}


@pytest.mark.parametrize(
    ("program", "words", "part"),
    [
        ("pix2pix-tf", ("--dataset_mode", "single"), "learning needs targets. Received: single"),
        ("pix2pix-tf", ("--input_channels", 5), "3 channels, expected 5"),
        ("pix2pix-tf", ("--lab_colorization", "--input_channels", 1),
         "--lab_colorization makes its pairs"),
        ("pix2pix-tf", ("--preprocess", "none", "--batch_size", 2),
         "Expected --batch_size 1 with --preprocess"),
        ("pix2pix-tf", ("--value_range", "1,0"),
         "--value_range LOW,HIGH such as 0,1. Received: 1,0"),
        ("pix2pix-tf", ("--dataset_mode", "folders"), "to contain the folders A and B"),
        ("cyclegan-tf", ("--input_channels", 1), "set --lambda_identity 0"),
        ("cyclegan-tf", ("--input_nc", 5, "--output_nc", 5),
         "trainA/0.png (3 channels, expected 5)"),
        ("cyclegan-tf", ("--output_channels", 5, "--lambda_identity", 0),
         "trainB/0.png (3 channels, expected 5)"),
        ("cyclegan-tf", ("--preprocess", "none"), "Expected --pool_size 0 with --preprocess none"),
        ("cyclegan-tf", ("--crop_size", "8x9"),
         "multiple of 2 with --netG unet, better still of a higher power of two"),
        ("cyclegan-tf", ("--scale_size", "8x7"),
         "Expected --load_size to be at least 8. Received: 8x7"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(data, tmp_path, program, words, part):
    process = train(program, data / SETS[program], tmp_path / "run", *words)
    assert part in refused(process)


def test_check_data_summarises_a_data_set(data, tmp_path):
    for name in ("train", "val"):
        shutil.copytree(data / PAIRS, tmp_path / name)
    Image.new("L", (65, 40)).save(tmp_path / "train" / "odd.jpg")
    Image.new("RGB", (60, 40)).save(tmp_path / "val" / "0.png")
    for folder in (tmp_path, tmp_path / "train"):
        process = command("pix2pix-tf", "check_data", "--input_dir", folder)
        # Training on the folder around both sets would fail.
        assert process.returncode == (folder == tmp_path)
        text = process.stdout
        assert "train: 4 examples in 4 files" in text and "val: 3 examples in 3 files" in text
        assert "140x60 (3), 65x40 (1)" in text and "odd widths   1: odd.jpg" in text
        assert "3 x uint8 (3), 1 x uint8 (1)" in text
        assert "equal images in train and val: 2: 1.png = 1.png, 2.png = 2.png" in text
        assert ("all files can be used" in text) == (folder != tmp_path)
        assert len(text.splitlines()) <= 24


def test_check_data_names_unusable_files(data, tmp_path):
    source = shutil.copytree(data / PAIRS, tmp_path / "data")
    contents = (source / "1.png").read_bytes()
    for number in range(20):
        (source / f"cut {number}.png").write_bytes(contents[: len(contents) * number // 20])
    Image.new("RGB", (1, 5)).save(source / "line\nbreak.png")
    process = command("pix2pix-tf", "check_data", "--input_dir", source)
    assert process.returncode == 1 and len(process.stdout.splitlines()) <= 24
    assert "unusable     21: " in process.stdout and "and 17 more" in process.stdout
    assert "training or testing would fail" in process.stdout


def test_check_data_lists_both_domains(data):
    source = data / UNPAIRED
    lines = succeed("cyclegan-tf", "check_data", "--input_dir", source).splitlines()
    text = "\n".join(lines)
    assert "trainA: 3 examples in 3 files" in text and "testB: 2 examples in 2 files" in text
    assert "70x45 (1), 61x50 (1), 40x33 (1)" in text and lines[-1] == "all files can be used"
    words = ("--input_dir_A", source / "trainA", "--input_dir_B", source / "trainA")
    words += ("--input_channels", 1, "--output_channels", 4)
    text = succeed("cyclegan-tf", "check_data", *words)
    assert "equal images in A and B: 3: 0.png = 0.png" in text
    words = ("--mode", "test", "--input_dir", source / "testB")
    assert "A: 2 examples in 2 files" in succeed("cyclegan-tf", "check_data", *words)


def test_check_data_counts_the_channels_of_each_domain(data):
    words = ("--input_dir", data / UNPAIRED, "--output_channels", 5)
    process = command("cyclegan-tf", "check_data", *words)
    assert process.returncode == 1
    assert process.stdout.count("unusable     2: 0.png (3 channels, expected 5)") == 2
    assert process.stdout.splitlines()[-1] == "training or testing would fail"


@BOTH
def test_check_data_of_nothing(data, tmp_path, program):
    shutil.copytree(data / UNPAIRED / "trainB", tmp_path / "trainB")
    line = refused(command(program, "check_data", "--input_dir", tmp_path / "nothing"))
    assert "Expected --input_dir to be a folder" in line
    assert "--input_dir" in refused(command(program, "check_data"))
    line = refused(command(program, "check_data", "--input_dir", tmp_path))
    assert "trainA" in line if program == "cyclegan-tf" else "folders trainB" in line
