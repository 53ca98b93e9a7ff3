"""--mode evaluate of both programs, on real files, against independent numbers."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import runs
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import pix2pix_tf
from pix2pix_tf import run_folder
from pix2pix_tf.demo import facades
from pix2pix_tf.evaluation.labels import nearest_label
from pix2pix_tf.evaluation.palettes import FACADES, find_palette

# Folders that a test writes into the current folder.
FOLDERS = ("--input_dir", "outputs", "--target_dir", "targets")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder."""
    monkeypatch.chdir(tmp_path)


def evaluate(*words, program="pix2pix-tf"):
    """Evaluates into out/; returns (metrics.json, printed text)."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    printed = runs.succeed(program, "evaluate", "--output_dir", "out", *words)
    text = Path("out", run_folder.METRICS).read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse), printed


def refused(*words, program="pix2pix-tf"):
    """Evaluates what cannot be; returns the line that says so."""
    process = runs.command(program, "evaluate", "--output_dir", "out", *words)
    assert process.returncode == 1 and "Traceback" not in process.stderr
    return process.stderr.splitlines()[-1]


def write_folders(folder, *, sizes=((48, 40), (30, 30), (60, 52)), distance=40):
    """Outputs and their noisy targets, with the same names; returns {name: (output, target)}."""
    random = np.random.default_rng(0)
    images = {}
    for number, size in enumerate(sizes, start=1):
        small = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
        target = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
        noise = random.integers(-distance, distance + 1, target.shape)
        output = np.clip(target + noise, 0, 255).astype(np.uint8)
        images[f"house {number}"] = (output, target)
        for kind, image in (("outputs", output), ("targets", target)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / kind / f"house {number}.png")
    return images


def test_pairs_of_two_folders_against_scikit_image(tmp_path):
    images = write_folders(tmp_path)
    metrics, printed = evaluate(*FOLDERS, "--metrics", "l1,psnr,ssim,ms_ssim")
    for name, (output, target) in images.items():
        row = metrics["per_image"][name]
        difference = np.abs(output.astype(float) - target).mean() / 127.5
        assert row["L1"] == pytest.approx(difference, rel=1e-5)
        assert row["PSNR"] == pytest.approx(peak_signal_noise_ratio(target, output), rel=1e-5)
        expected, full = structural_similarity(
            target, output, channel_axis=-1, gaussian_weights=True, sigma=1.5, win_size=11,
            use_sample_covariance=False, full=True,
        )  # fmt: skip
        assert row["SSIM"] == pytest.approx(full[5:-5, 5:-5].mean(), abs=2e-5)
        assert row["MS-SSIM"] is None
        for kind, image in zip(("outputs", "targets"), (output, target), strict=True):
            copy = Image.open(tmp_path / "out" / "images" / f"{name}-{kind}.png")
            np.testing.assert_array_equal(np.asarray(copy), image)
    assert metrics["mean"]["MS-SSIM"] is None and metrics["left_out"] == {"MS-SSIM": 3}
    mean = np.mean([row["L1"] for row in metrics["per_image"].values()])
    assert metrics["mean"]["L1"] == pytest.approx(mean)
    assert metrics["samples"] == {"pairs": 3, "outputs": 3, "targets": 3}
    assert metrics["settings"]["ssim"]["window"] == 11
    assert "MS-SSIM none (3 images have none)" in printed
    assert "measuring: 100%" in printed
    page = (tmp_path / "out" / run_folder.INDEX).read_text(encoding="utf-8")
    assert 'data-best="descending">MS-SSIM<' in page and "versions.tensorflow" in page
    options = json.loads((tmp_path / "out" / "evaluate_options.json").read_text())
    assert options["target_dir"] == "targets"


def test_equal_images_have_no_psnr_and_large_ones_an_ms_ssim(tmp_path):
    write_folders(tmp_path, sizes=((180, 176), (20, 20)), distance=0)
    metrics, _ = evaluate(*FOLDERS, "--metrics", "psnr,ms_ssim,l1")
    assert metrics["mean"] == {"PSNR": None, "MS-SSIM": pytest.approx(1), "L1": 0}
    assert metrics["left_out"] == {"PSNR": 2, "MS-SSIM": 1}


@pytest.mark.slow
def test_images_of_a_test_and_its_run_give_the_same(pairs, tmp_path):
    large = ("--crop_size", 256, "--scale_size", 256, "--max_steps", 1)
    assert runs.train("pix2pix-tf", pairs, "run", *large).returncode == 0
    run = ("--checkpoint", "run", "--input_dir", pairs)
    runs.succeed("pix2pix-tf", "test", "--output_dir", "test", *run)
    assert "Training curves" in Path("test", run_folder.INDEX).read_text(encoding="utf-8")
    assert Image.open(tmp_path / "test" / "curves.png").width > 100
    by_test = json.loads((tmp_path / "test" / run_folder.METRICS).read_text())

    sets = ("--metrics", "l1,psnr,ssim,ms_ssim")
    of_run, printed = evaluate(*run, *sets)
    assert "translating: 100%" in printed
    assert of_run["checkpoint"].endswith(".safetensors")
    for name in ("L1", "PSNR", "SSIM"):
        assert of_run["mean"][name] == pytest.approx(by_test["mean"][name], rel=1e-6)
    assert 0 < of_run["mean"]["MS-SSIM"] < 1

    of_test, _ = evaluate("--input_dir", "test", *sets)
    assert of_test["mean"] == pytest.approx(of_run["mean"], rel=1e-4)
    of_images, _ = evaluate("--input_dir", "test/images", "--metrics", "l1")
    assert of_images["mean"] == {"L1": pytest.approx(of_run["mean"]["L1"])}
    assert (tmp_path / "out" / "images" / "3-inputs.png").is_file()


def test_what_cannot_be_measured_is_one_line(tmp_path):
    write_folders(tmp_path)
    assert "No such file" in refused(*FOLDERS, "--metrics", "labels", "--palette", "no.txt")
    line = refused(*FOLDERS[:2], "--target_dir", "nothing")
    assert "Expected --target_dir to be a folder" in line
    assert "NAME-outputs.png and NAME-targets.png" in refused(*FOLDERS[:2])
    Image.new("RGB", (20, 20)).save(tmp_path / "targets" / "house 1.png")
    expected = r"house 1.png and .*house 1.png, 48x40 and 20x20 px; --metrics fid"
    assert re.search(expected, refused(*FOLDERS, "--metrics", "l1"))
    (tmp_path / "targets" / "house 2.png").rename(tmp_path / "targets" / "x.png")
    assert "in one only: house 2, x" in refused(*FOLDERS, "--metrics", "l1")
    process = runs.command("pix2pix-tf", "evaluate", "--output_dir", "out", *FOLDERS)
    assert "there is nothing to measure" in process.stderr
    assert "Pairs are not measured" in process.stdout


def test_label_maps_are_scored_by_class(tmp_path):
    """The right half of the second map says window where it is facade."""
    for kind in ("outputs", "targets"):
        (tmp_path / kind).mkdir()
    facade, window = (FACADES[name] for name in ("facade", "window"))
    truth = np.full((4, 8, 3), facade, np.uint8)
    truth[:, :2] = window
    guess = truth.copy()
    guess[:, 4:] = np.array(window) + (9, 9, -9)  # nearest to window still
    for name, output in (("1", truth), ("2", guess)):
        Image.fromarray(output).save(tmp_path / "outputs" / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / "targets" / f"{name}.png")
    metrics, _ = evaluate(*FOLDERS, "--metrics", "labels", "--palette", "facades")
    rows = [row["label accuracy"] for row in metrics["per_image"].values()]
    assert rows == [1.0, 0.5]
    assert metrics["sets"] == pytest.approx({
        "per_pixel_accuracy": 48 / 64,
        "per_class_accuracy": (32 / 48 + 1) / 2,
        "class_IoU": (32 / 48 + 16 / 32) / 2,
    })  # fmt: skip
    lines = ["# mine", "", "{} {} {} facade".format(*facade), "{} {} {} void".format(*window)]
    (tmp_path / "palette.txt").write_text("\n".join(lines))
    metrics, _ = evaluate(*FOLDERS, "--metrics", "labels", "--palette", "palette.txt")
    assert metrics["sets"]["per_pixel_accuracy"] == 1
    assert metrics["settings"]["labels"]["classes"] == 1


@pytest.mark.slow
def test_cyclegan_measures_pairs_when_asked(tiny_run, tmp_path):
    facades.write_unpaired(tmp_path / "data", 1, seed=0, test_count=2, size=40)
    words = ("--input_dir", "data", "--checkpoint", tiny_run("cyclegan-tf"), "--direction", "BtoA")
    metrics, _ = evaluate(*words, "--metrics", "l1,ssim", program="cyclegan-tf")
    assert {"cycle L1 B", "L1 BtoA", "SSIM BtoA"} <= set(metrics["mean"])
    images = tmp_path / "out" / "images"
    fake, true = (
        np.asarray(Image.open(images / f"B-3-{kind}.png"), float) for kind in ("fake_A", "true_A")
    )
    expected = np.abs(fake - true).mean() / 127.5
    assert metrics["per_image"]["B-3"]["L1 BtoA"] == pytest.approx(expected, abs=0.01)
    (tmp_path / "out").rename(tmp_path / "outputs")
    words = ("--input_dir", "outputs", "--direction", "BtoA")
    pairs = ("--target_dir", "data/testA", "--metrics", "l1")
    assert "in one only: 3, 4, B-3, B-4" in refused(*words, *pairs, program="cyclegan-tf")
    line = refused(*words[:2], program="cyclegan-tf")
    assert "Expected --checkpoint, --target_dir, or an --input_dir" in line


def test_texture_of_sets_is_measured_in_both_directions(tmp_path):
    facades.write_unpaired(tmp_path / "data", 1, seed=0, test_count=2, size=40)
    sizes = ("--crop_size", 40, "--load_size", 40, "--max_steps", 1)
    assert runs.train("cyclegan-tf", "data", "run", *sizes).returncode == 0
    words = ("--input_dir", "data", "--checkpoint", "run")
    names = ("--metrics", "checkerboard,swd,spectrum")
    metrics, printed = evaluate(*words, *names, program="cyclegan-tf")
    titles = ("checkerboard_2", "checkerboard_4", "SWD_1", "SWD_2", "SWD", "spectrum")
    assert metrics["sets"].keys() == {f"{t} {d}" for t in titles for d in ("AtoB", "BtoA")}
    assert "swd of targets BtoA: 100%" in printed
    assert metrics["settings"]["swd AtoB"]["directions"] == 512
    shutil.copytree("data/testA", "targets")
    same = ("--input_dir", "data/testA", "--target_dir", "targets", *names)
    best = evaluate(*same)[0]["sets"]
    assert best == {t: 1 if "board" in t else 0 for t in titles}


def test_recovery_translates_the_outputs_back(pairs, tiny_run, tmp_path):
    recogniser = runs.untrained(tmp_path / "recogniser")
    words = ("--checkpoint", tiny_run(), "--input_dir", pairs)
    palette = ("--palette", "facades", "--recogniser", recogniser)
    metrics, _ = evaluate(*words, *palette, "--metrics", "recovery")
    predictor, correct, count = pix2pix_tf.load(recogniser), 0, 0
    colours = find_palette("facades").classes
    for path in sorted((tmp_path / "out" / "images").glob("*-outputs.png")):
        labels = predictor(np.asarray(Image.open(path)))
        inputs = np.asarray(Image.open(str(path).replace("outputs", "inputs")))
        same = nearest_label(labels, colours) == nearest_label(inputs, colours)
        correct, count = correct + same.sum(), count + same.size
    accuracy = metrics["sets"]["recovery_per_pixel_accuracy"]
    assert accuracy == pytest.approx(correct / count, abs=1e-3) and count > 100
    assert set(metrics["settings"]) == {"recovery"}
    runs.succeed("pix2pix-tf", "test", *words, "--output_dir", "tested")
    again, _ = evaluate("--input_dir", "tested", *palette, "--metrics", "recovery")
    assert again["sets"] == metrics["sets"]
    words = ("--input_dir", "tested", "--target_dir", "tested/images", *palette)
    assert "--metrics recovery needs" in refused(*words, "--metrics", "recovery")


def test_two_folders_are_the_same_to_both_programs(tmp_path):
    write_folders(tmp_path)
    words = (*FOLDERS, "--metrics", "l1,psnr,ssim", "--seed", 5)
    first, second = (evaluate(*words, program=name)[0] for name in ("pix2pix-tf", "cyclegan-tf"))
    assert first == second


def test_deep_grey_and_alpha_files_are_compared(tmp_path):
    random = np.random.default_rng(3)
    for kind in ("outputs", "targets"):
        (tmp_path / kind).mkdir()
    deep = random.integers(0, 65536, (20, 24), np.uint16)
    Image.fromarray(deep).save(tmp_path / "outputs" / "deep.png")
    np.save(tmp_path / "targets" / "deep.npy", (deep / 65535).astype(np.float32))
    colour = random.integers(0, 256, (20, 24, 4), np.uint8)
    Image.fromarray(colour).save(tmp_path / "outputs" / "alpha.png")
    Image.fromarray(colour[..., :3]).save(tmp_path / "targets" / "alpha.png")
    per_image = evaluate(*FOLDERS, "--metrics", "l1")[0]["per_image"]
    assert per_image["deep"]["L1"] < 1e-6 and per_image["alpha"]["L1"] == 0
