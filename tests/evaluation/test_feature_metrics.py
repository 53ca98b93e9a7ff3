"""LPIPS, FID and KID against their definitions, with random weights of the real form.

PyTorch is loaded in other processes only: after TensorFlow some of its builds do not load.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from evaluation import inception
from PIL import Image
from scipy.linalg import sqrtm

from pix2pix_tf.evaluation import feature_metrics
from pix2pix_tf.evaluation.feature_metrics import (
    FeatureMetrics,
    load_statistics,
    save_statistics,
)

pytestmark = pytest.mark.metrics


@pytest.fixture(scope="module")
def measured(weights):
    found = FeatureMetrics(["fid", "kid"], inception_weights=weights)
    yield found
    found.close()


def correlated(count, size, *, seed, shift=0.0):
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, size)) @ random.normal(size=(size, size)) + shift).astype(
        np.float32
    )


def test_features_are_those_of_the_network(measured, network, tmp_path):
    random, files, expected = np.random.default_rng(1), [], []
    sizes = ((256, 256), (300, 200), (64, 96), (299, 299), (400, 350))
    for number, (size, mode) in enumerate(
        zip(sizes, ("RGB", "RGB", "RGBA", "L", "RGB"), strict=True)
    ):
        small = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
        image = small.resize(size, Image.Resampling.BICUBIC).convert(mode)
        files.append(tmp_path / f"{number}.png")
        image.save(files[-1])
        expected.append(network(np.asarray(image.convert("RGB"))[None])[0])
    found = measured.features(files, label="features")
    assert found.shape == (5, 2048) and found.dtype == np.float32
    largest = np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 0.01 * largest
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * largest)
    np.testing.assert_array_equal(measured.features(files[:1], label="again")[0], found[0])


def statistics_of(features, folder):
    return save_statistics(folder / "x.npz", features, settings={}, keep_features=True)


@pytest.mark.parametrize(("n", "m", "size"), [(300, 200, 48), (20, 30, 24)])
def test_fid_is_the_matrix_square_root_one(measured, tmp_path, n, m, size):
    x, y = correlated(n, size, seed=4), correlated(m, size, seed=5, shift=0.5)
    covariances = [np.cov(features.astype(float), rowvar=False) for features in (x, y)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((x.mean(axis=0, dtype=float) - y.mean(axis=0, dtype=float)) ** 2)
    expected += np.trace(covariances[0] + covariances[1] - 2 * root)
    found = measured.distances(x, statistics_of(y, tmp_path), metrics=["fid"])
    assert found == {"FID": pytest.approx(expected, rel=1e-6)}
    same = measured.distances(x, statistics_of(x, tmp_path), metrics=["fid"])
    assert 0 <= same["FID"] < 1e-5 * np.trace(covariances[0])


def test_kid_of_whole_sets_is_the_double_loop(measured, tmp_path):
    x, y = correlated(12, 5, seed=8), correlated(12, 5, seed=9, shift=0.3)
    draws = {"kid_subsets": 4, "kid_subset_size": 12}
    found = measured.distances(x, statistics_of(y, tmp_path), metrics=["kid"], **draws)
    assert found["KID"] == pytest.approx(inception.squared_mmd(x, y), rel=1e-6)
    assert found["KID_std"] == pytest.approx(0, abs=1e-9 * abs(found["KID"]))


def test_kid_averages_seeded_random_subsets(measured, tmp_path):
    random = np.random.default_rng(12)
    x, y = random.normal(size=(2, 400, 16)).astype(np.float32)
    draws = {"kid_subsets": 20, "kid_subset_size": 100}

    def kid(outputs, seed):
        true = statistics_of(y, tmp_path)
        found = measured.distances(outputs, true, metrics=["kid"], seed=seed, **draws)
        return found["KID"], found["KID_std"]

    assert kid(x, 3) == kid(x, 3) != kid(x, 4)
    same, deviation = kid(x, 3)
    assert deviation > 0 and abs(same) < 3 * deviation / np.sqrt(20)
    assert kid(x + 0.3, 3)[0] > 10 * deviation


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no', name='torch')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    for metric in ("lpips", "fid"):
        with pytest.raises(ValueError, match="pip install 'pix2pix-tf.metrics.' .no module torch"):
            FeatureMetrics([metric])


@pytest.mark.process
def test_inception_weights_that_are_missing_or_do_not_fit_are_one_line(
    needs_torch, tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / feature_metrics.INCEPTION_FILE
    with pytest.raises(ValueError, match="--inception_weights.*--download_weights") as raised:
        FeatureMetrics(["kid"])
    assert str(cached) in str(raised.value) and not cached.parent.exists()
    with pytest.raises(ValueError, match="no file .*missing.pth"):
        FeatureMetrics(["fid"], inception_weights=tmp_path / "missing.pth")
    other, junk, cached = (tmp_path / name for name in ("other.pth", "junk.h5", "cached"))
    code = "import sys, torch; torch.save({'conv.weight': torch.zeros(3)}, sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, other], check=True)
    junk.write_bytes(b"<html>404</html>")
    for path in (other, junk):
        with pytest.raises(ValueError, match="to be torch-fidelity's weights-incep") as raised:
            FeatureMetrics(["fid"], inception_weights=path)
        assert str(path) in str(raised.value) and len(str(raised.value).splitlines()) == 1


@pytest.mark.process
def test_a_pickle_that_runs_code_is_not_loaded(needs_torch, tmp_path):
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    code = (
        "import sys, pathlib, torch\n"
        "class Evil:\n"
        "    def __reduce__(self):\n"
        "        return pathlib.Path.touch, (pathlib.Path(sys.argv[2]),)\n"
        "torch.save({'x': Evil()}, sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, path, trace], check=True)
    with pytest.raises(ValueError, match="Expected --inception_weights"):
        FeatureMetrics(["fid"], inception_weights=path)
    assert path.is_file() and not trace.exists()


# ---- The file of statistics, which needs no PyTorch


def test_stored_statistics_are_those_of_the_definition(tmp_path):
    features = correlated(30, 4, seed=0, shift=2.0)
    path, settings = tmp_path / "kept" / "true.npz", {"folder": "val", "size": (299, 299)}
    saved = save_statistics(path, features, settings=settings)
    loaded = load_statistics(path, settings=settings)
    assert [x.name for x in path.parent.iterdir()] == ["true.npz"]
    centred = features.astype(float) - features.mean(axis=0, dtype=float)
    for found in (saved, loaded):
        assert found.count == 30 and found.features is None
        np.testing.assert_allclose(found.mean, features.mean(axis=0, dtype=float), rtol=1e-12)
        expected = sum(np.outer(x, x) for x in centred) / 29
        np.testing.assert_allclose(found.covariance, expected, rtol=1e-9)
    save_statistics(path, features, settings=settings, keep_features=True)
    np.testing.assert_array_equal(load_statistics(path, settings=settings).features, features)


def test_statistics_of_other_settings_are_refused(tmp_path):
    path = tmp_path / "true.npz"
    save_statistics(path, np.eye(4), settings={"weights": "a", "folder": "val"})
    with pytest.raises(ValueError, match="weights is 'a' and not 'b'; delete the file") as raised:
        load_statistics(path, settings={"weights": "b", "folder": "val"})
    assert "folder" not in str(raised.value)
    with pytest.raises(ValueError, match="folder is 'val' and not None"):
        load_statistics(path, settings={"weights": "a"})


def test_files_that_are_no_statistics_are_refused(tmp_path):
    path = tmp_path / "true.npz"
    with pytest.raises(FileNotFoundError):
        load_statistics(path, settings={})
    good, pickled, bare, other = (tmp_path / f"{name}.npz" for name in ("good", "p", "b", "o"))
    save_statistics(good, np.eye(4), settings={})
    np.savez(pickled, settings=np.array([{}], object), mean=0, covariance=0, count=0)
    with open(bare, "wb") as file:
        np.save(file, np.eye(2))
    np.savez(other, mean=np.zeros(4))
    whole = good.read_bytes()
    files = (pickled.read_bytes(), bare.read_bytes(), other.read_bytes())
    for content in (b"", b"hello", whole[: len(whole) // 2], *files):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="true.npz contains no intact statistics"):
            load_statistics(path, settings={})


def test_a_failed_write_keeps_the_old_statistics(tmp_path):
    path = tmp_path / "true.npz"
    save_statistics(path, np.eye(4), settings={})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_statistics(path, np.eye(5), settings={"not JSON": object()})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    for features in (np.zeros((1, 4)), np.zeros(4), [[0.0], [np.inf]]):
        with pytest.raises(ValueError, match="Expected finite features"):
            save_statistics(path, features, settings={})


# ---- LPIPS

# Writes a random AlexNet and prints the LPIPS of two files by the definition.
DEFINITION = """
import json, pathlib, sys
import numpy as np, torch, torchvision
import torchmetrics.functional.image.lpips as carrier
from PIL import Image

cached, *files = sys.argv[1:]
torch.manual_seed(0)
alexnet = torchvision.models.alexnet(weights=None)
pathlib.Path(cached).parent.mkdir(parents=True)
torch.save(alexnet.state_dict(), cached)
images = np.stack([np.asarray(Image.open(file)) for file in files]) / 127.5 - 1
images = (images - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
maps, found = torch.tensor(images, dtype=torch.float32).movedim(-1, 1), 0.0
file = pathlib.Path(carrier.__file__).parent / "lpips_models/alex.pth"
linear = torch.load(file, map_location="cpu")
for index, layer in enumerate(alexnet.features[:12]):
    maps = layer(maps)
    if index in (1, 4, 7, 9, 11):  # the five ReLUs
        unit = maps / maps.norm(dim=1, keepdim=True)
        weights = linear[f"lin{(1, 4, 7, 9, 11).index(index)}.model.1.weight"][0, :, 0, 0]
        found += float((((unit[0] - unit[1]) ** 2).movedim(0, -1) @ weights).mean())
print(found)
"""


@pytest.fixture
def alexnet(needs_torch, tmp_path, monkeypatch):
    """AlexNet's place in an empty cache of PyTorch."""
    if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
        pytest.skip("needs the extra [metrics]")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints" / feature_metrics.ALEXNET_FILE


def write_images(folder, *, size=(40, 33)):
    random = np.random.default_rng(0)
    files = [folder / f"{name}.png" for name in "ab"]
    for file in files:
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(file)
    return files


@pytest.mark.process
def test_lpips_is_its_definition(alexnet, tmp_path):
    with pytest.raises(ValueError, match="--download_weights") as raised:
        FeatureMetrics(["lpips"])
    assert str(alexnet) in str(raised.value) and not alexnet.parent.exists()
    a, b = write_images(tmp_path)
    words = [sys.executable, "-c", DEFINITION, alexnet, a, b]
    expected = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    measured = FeatureMetrics(["lpips"])
    assert measured.lpips(a, b) == pytest.approx(expected, rel=1e-4) and expected > 0.01
    assert measured.lpips(a, a) == 0
    (tmp_path / "small").mkdir()
    size = (feature_metrics.LPIPS_SIZE, feature_metrics.LPIPS_SIZE)
    assert measured.lpips(*write_images(tmp_path / "small", size=size)) > 0.01
    with pytest.raises(ValueError, match="too small"):
        measured.lpips(*write_images(tmp_path / "small", size=(size[0] - 1, size[0])))
    with pytest.raises(ValueError, match="has ended"):
        measured.lpips(a, b)
