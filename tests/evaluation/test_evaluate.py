"""--mode evaluate of both programs, on real files, against independent numbers."""

import json
import os
import re

import numpy as np
import pytest
from evaluation import inception
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from support import SMALLEST

from pix2pix_tf import run_folder
from pix2pix_tf.demo import facades
from pix2pix_tf.evaluation.palettes import FACADES

# Folders that a test writes; commands run where they are.
FOLDERS = ("--input_dir", "outputs", "--target_dir", "targets")


@pytest.fixture
def command(launcher, tmp_path):
    """Runs --mode evaluate in tmp_path; returns (exit code, what it printed)."""

    def run(*words, program="pix2pix-tf", **options):
        words = ("--mode", "evaluate", "--output_dir", "out", *words)
        printed = tmp_path / "printed"
        return launcher.run(program, *words, printed=printed, cwd=tmp_path, **options)

    return run


@pytest.fixture
def evaluate(command, tmp_path):
    """Evaluates into tmp_path/out; returns (metrics.json, what was printed)."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    def run(*words, **options):
        code, printed = command(*words, **options)
        assert code == 0, printed
        text = (tmp_path / "out" / run_folder.METRICS).read_text(encoding="utf-8")
        return json.loads(text, parse_constant=refuse), printed

    return run


@pytest.fixture
def refused(command):
    """Evaluates what cannot be; returns the line that says so."""

    def run(*words, **options):
        code, printed = command(*words, **options)
        assert code == 1 and "Traceback" not in printed, printed
        return printed.splitlines()[-1]

    return run


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


def numpy_fid(a, b):
    """FID of few images: the root's trace is that of the small product of the centred sets."""
    a, b = (x.astype(np.float64) for x in (a, b))
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    root_trace = np.linalg.norm(centred[0] @ centred[1].T, "nuc")
    spread = sum(np.square(x).sum() for x in centred) - 2 * root_trace
    return np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + spread


def test_pairs_of_two_folders_against_scikit_image(evaluate, tmp_path):
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


def test_equal_images_have_no_psnr_and_large_ones_an_ms_ssim(evaluate, tmp_path):
    write_folders(tmp_path, sizes=((180, 176), (20, 20)), distance=0)
    metrics, _ = evaluate(*FOLDERS, "--metrics", "psnr,ms_ssim,l1")
    assert metrics["mean"] == {"PSNR": None, "MS-SSIM": pytest.approx(1), "L1": 0}
    assert metrics["left_out"] == {"PSNR": 2, "MS-SSIM": 1}


def read_rgb(file):
    return np.asarray(Image.open(file).convert("RGB"))


def features(network, images):
    return np.concatenate([network(image[None]) for image in images])


def test_fid_and_kid_against_numpy_and_the_statistics_file(
    evaluate, refused, tmp_path, weights, network
):
    """One process measures and keeps the statistics, a second one reads them."""
    images = write_folders(tmp_path, sizes=[(60, 60)] * 5)
    Image.fromarray(images["house 1"][0]).save(tmp_path / "targets" / "another.png")
    words = (*FOLDERS, "--inception_weights", weights)
    kept = (*words, "--statistics", "true.npz", "--kid_subset_size", 5, "--kid_subsets", 1)
    metrics, printed = evaluate(*kept)
    assert "Pairs are not measured" in printed and "another" in printed
    assert metrics["samples"] == {"pairs": 0, "outputs": 5, "targets": 6} and metrics["count"] == 0
    files = sorted((tmp_path / "targets").iterdir())
    outputs = features(network, [pair[0] for pair in images.values()])
    targets = features(network, map(read_rgb, files))
    assert metrics["sets"]["FID"] == pytest.approx(numpy_fid(outputs, targets), rel=1e-3)
    # Of six targets one is not drawn: which one, the seed decides.
    possible = [
        inception.squared_mmd(outputs, np.delete(targets, lone, axis=0)) for lone in range(6)
    ]
    kid = metrics["sets"]["KID"]
    assert min(abs(kid - value) / abs(value) for value in possible) < 1e-3
    assert metrics["sets"]["KID_std"] == 0
    kid_settings = metrics["settings"]["kid"]
    draws = {"kid_subsets": 1, "kid_subset_size": 5, "seed": 0}
    assert draws.items() <= kid_settings.items()
    assert len(kid_settings["weights_sha256"]) == 64

    again, printed = evaluate(*kept)
    assert "statistics of targets" in printed and "features of targets" not in printed
    assert again["sets"] == pytest.approx(metrics["sets"], rel=1e-6)

    (tmp_path / "targets" / "another.png").unlink()
    assert "images is 6 and not 5" in refused(*kept)
    line = refused(*words, "--metrics", "fid,kid", "--kid_subset_size", 6)
    assert "at least 6 images. Received: 5" in line


def test_the_pictures_of_a_test_and_its_run_give_the_same(evaluate, launcher, pairs, tmp_path):
    words = ("--mode", "train", "--input_dir", pairs, "--output_dir", tmp_path / "run", "--seed", 1)
    small = ("--ngf", 1, "--ndf", 1, "--netD", "pixel", "--max_steps", 1, "--summary_freq", 0)
    small += ("--run_eagerly",)
    assert launcher.run("pix2pix-tf", *words, *small, printed=tmp_path / "p")[0] == 0
    run = ("--checkpoint", tmp_path / "run", "--input_dir", pairs)
    tested = ("--mode", "test", "--output_dir", tmp_path / "test", *run)
    assert launcher.run("pix2pix-tf", *tested, printed=tmp_path / "p")[0] == 0
    assert "Training curves" in (tmp_path / "test" / run_folder.INDEX).read_text(encoding="utf-8")
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


def test_without_the_extra_fid_is_left_out_or_one_line(evaluate, refused, tmp_path):
    write_folders(tmp_path)
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no', name='torch')")
    paths = filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])
    without = {"environment": {"PYTHONPATH": os.pathsep.join(paths)}}
    metrics, printed = evaluate(*FOLDERS, **without)
    assert "FID and KID are left out. --metrics fid,kid need an extra" in printed
    assert set(metrics["mean"]) == {
        *("L1", "PSNR", "SSIM", "MS-SSIM", "MAE", "NRMSE", "Pearson")
    }  # fmt: skip
    line = refused(*FOLDERS, "--metrics", "fid", **without)
    assert "pip install 'pix2pix-tf[metrics]'" in line
    (tmp_path / "targets" / "house 1.png").rename(tmp_path / "targets" / "x.png")
    assert "there is nothing to measure" in refused(*FOLDERS, **without)


def test_what_cannot_be_measured_is_one_line(refused, tmp_path):
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


def test_label_maps_are_scored_by_class(evaluate, tmp_path):
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


@pytest.fixture(scope="module")
def unpaired(launcher, tmp_path_factory):
    """A folder with data and a run of cyclegan-tf."""
    folder = tmp_path_factory.mktemp("cyclegan")
    facades.write_unpaired(folder / "data", 2, seed=0, test_count=3, size=40)
    words = (
        "--mode", "train", "--input_dir", folder / "data", "--output_dir", folder / "run",
        *SMALLEST["cyclegan-tf"], "--load_size", 40, "--crop_size", 32, "--max_steps", 1,
        "--seed", 2, "--run_eagerly",
    )  # fmt: skip
    code, printed = launcher.run("cyclegan-tf", *words, printed=folder / "printed")
    assert code == 0, printed
    return folder


def test_cyclegan_both_ways_against_the_other_domain(
    evaluate, unpaired, tmp_path, weights, network
):
    words = ("--input_dir", unpaired / "data", "--checkpoint", unpaired / "run",
             "--inception_weights", weights)  # fmt: skip
    metrics, _ = evaluate(*words, program="cyclegan-tf")
    assert set(metrics["mean"]) == {"cycle L1 A", "cycle L1 B"}
    assert set(metrics["sets"]) == {
        f"{name} {way}" for name in ("FID", "KID", "KID_std") for way in ("AtoB", "BtoA")
    }
    fakes = sorted((tmp_path / "out" / "images").glob("*-fake_B.png"))
    true = sorted((unpaired / "data" / "testB").iterdir())
    found_features = [features(network, map(read_rgb, files)) for files in (fakes, true)]
    assert metrics["sets"]["FID AtoB"] == pytest.approx(numpy_fid(*found_features), rel=1e-3)
    assert metrics["samples"]["targets BtoA"] == 3
    assert {p.name for p in (tmp_path / "out").glob("*.npz")} == {
        "statistics-AtoB.npz", "statistics-BtoA.npz",
    }  # fmt: skip


def test_cyclegan_measures_pairs_when_asked(evaluate, refused, unpaired, tmp_path):
    words = ("--input_dir", unpaired / "data", "--checkpoint", unpaired / "run",
             "--direction", "BtoA", "--metrics", "l1,ssim")  # fmt: skip
    metrics, _ = evaluate(*words, program="cyclegan-tf")
    assert {"cycle L1 B", "L1 BtoA", "SSIM BtoA"} <= set(metrics["mean"])
    images = tmp_path / "out" / "images"
    fake, true = (
        np.asarray(Image.open(images / f"B-6-{kind}.png"), float) for kind in ("fake_A", "true_A")
    )
    expected = np.abs(fake - true).mean() / 127.5
    assert metrics["per_image"]["B-6"]["L1 BtoA"] == pytest.approx(expected, abs=0.01)
    (tmp_path / "out").rename(tmp_path / "made")
    outputs = ("--input_dir", "made", "--direction", "BtoA")
    pairs = ("--target_dir", unpaired / "data" / "testA", "--metrics", "l1")
    assert "B-5, B-6" in refused(*outputs, *pairs, program="cyclegan-tf")
    line = refused(*outputs[:2], program="cyclegan-tf")
    assert "Expected --checkpoint, --target_dir, or an --input_dir" in line


def test_two_folders_are_the_same_to_both_programs(evaluate, tmp_path):
    write_folders(tmp_path)
    words = (*FOLDERS, "--metrics", "l1,psnr,ssim", "--seed", 5)
    first, second = (evaluate(*words, program=name)[0] for name in ("pix2pix-tf", "cyclegan-tf"))
    assert first == second


def test_deep_grey_and_alpha_files_are_compared(evaluate, tmp_path):
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
