import hashlib
import json

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.evaluation import distances, inception


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (5, 6, 6, 3)).astype(np.uint8)
    sizes = ((256, 256), (300, 200), (64, 96), (299, 299), (400, 350))
    return [
        np.asarray(Image.fromarray(x).resize(size, Image.Resampling.BICUBIC))
        for x, size in zip(coarse, sizes, strict=True)
    ]


@pytest.fixture(scope="module")
def found(images, weights):
    return inception.features(images, weights=weights, batch_size=2)


def test_features_are_the_pooled_network_of_the_resized_images(found, network, images):
    resized = np.stack([inception.resize(image) for image in images])
    maps = network(keras.applications.inception_v3.preprocess_input(resized), training=False)
    expected = np.mean(maps, axis=(1, 2))
    assert found.shape == (5, 2048) and found.dtype == np.float32
    assert np.abs(expected[0] - expected[1]).max() > 0.01 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_features_do_not_depend_on_the_batch_size_and_are_repeatable(found, images, weights):
    again = inception.features(iter(images), weights=weights, batch_size=2)
    np.testing.assert_array_equal(again, found)
    together = inception.features(images, weights=weights, batch_size=32)
    np.testing.assert_allclose(together, found, rtol=0, atol=1e-5 * np.abs(found).max())


def write_legacy_file(network, path, *, layers=None):
    """The layout of the file in Keras' cache: one group for each layer, in order."""
    with h5py.File(path, "w") as file:
        weighted = [layer for layer in network.layers if layer.weights][:layers]
        file.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        for layer in network.layers:
            kept = layer.weights if layer in weighted else []
            names = [f"{layer.name}/{variable.name}:0" for variable in kept]
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, kept, strict=True):
                group[name] = variable.numpy()


def test_the_file_of_keras_cache_is_found_and_read(
    found, network, images, weights, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    cached = tmp_path / "models" / inception.KERAS_FILE
    with pytest.raises(FileNotFoundError, match="--inception_weights") as raised:
        inception.find_weights()
    assert str(cached) in str(raised.value) and len(str(raised.value).splitlines()) == 1
    assert not cached.parent.exists()
    cached.parent.mkdir()
    write_legacy_file(network, cached)
    assert inception.find_weights() == cached
    np.testing.assert_array_equal(inception.features(images[:2], batch_size=2), found[:2])


def test_weights_that_do_not_fit_are_one_line(network, tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    junk, part, other = (tmp_path / f"{name}.h5" for name in ("junk", "part", "other.weights"))
    junk.write_bytes(b"<html>404</html>")
    write_legacy_file(network, part, layers=100)
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(other)
    for path in (junk, part, other):
        with pytest.raises(ValueError, match="keras.applications.InceptionV3") as raised:
            inception.features([image], weights=path)
        assert str(path) in str(raised.value) and len(str(raised.value).splitlines()) == 1
    with pytest.raises(FileNotFoundError, match="no file .*missing.h5"):
        inception.features([image], weights=tmp_path / "missing.h5")
    (tmp_path / "inception.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="end in .h5 or .weights.h5"):
        inception.features([image], weights=tmp_path / "inception.pth")


def test_downloaded_weights_are_checked_and_a_file_that_is_there_stays(
    weights, tmp_path, monkeypatch
):
    cached = tmp_path / "models" / inception.KERAS_FILE
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "KERAS_URL", weights.as_uri())
    with pytest.raises(ValueError, match="Expected inception_v3.*Received: .*corrupted") as raised:
        inception.download_weights()
    assert len(str(raised.value).splitlines()) == 1 and list(cached.parent.iterdir()) == []
    digest = hashlib.md5(weights.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "KERAS_MD5", digest)
    inception.download_weights()
    assert inception.find_weights() == cached
    assert cached.read_bytes() == weights.read_bytes()
    monkeypatch.setattr(inception, "KERAS_URL", (tmp_path / "nothing.h5").as_uri())
    cached.write_bytes(b"mine")
    inception.download_weights()
    assert cached.read_bytes() == b"mine"
    cached.unlink()
    with pytest.raises(ValueError, match="Received: .*nothing.h5"):
        inception.download_weights()


def test_mixed_precision_changes_neither_features_nor_policy(found, images, weights):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        again = inception.features(images[:2], weights=weights, batch_size=2)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(again, found[:2])


def test_no_images_and_other_kinds_are_refused(weights):
    with pytest.raises(ValueError, match="at least one image"):
        inception.features([], weights=weights)
    with pytest.raises(ValueError, match="batch size of at least 1. Received: 0"):
        inception.features([np.zeros((8, 8, 3), np.uint8)], weights=weights, batch_size=0)
    for image in (np.zeros((8, 8, 3)), np.zeros((8, 8, 4), np.uint8), np.zeros(8, np.uint8)):
        with pytest.raises(ValueError, match="uint8 .height, width, 3 or 1."):
            inception.resize(image)


def test_resizing_is_pillows_on_float_channels(images):
    for image in images:
        expected = [
            Image.fromarray(image[..., c].astype(np.float32)).resize((299, 299), Image.BICUBIC)
            for c in range(3)
        ]
        found = inception.resize(image)
        assert found.shape == (299, 299, 3) and found.dtype == np.float32
        np.testing.assert_array_equal(found, np.stack(expected, axis=-1).clip(0, 255))


def bicubic_matrix(size):
    """Weights [299, size] of the cubic filter (a = -1/2), as wide as the reduction."""
    scale = size / 299
    centres = (np.arange(299)[:, None] + 0.5) * scale
    x = np.abs(np.arange(size) + 0.5 - centres) / max(scale, 1)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    filters = np.where(x < 1, near, np.where(x < 2, far, 0))
    return filters / filters.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(640, 700, 3), (64, 96, 3), (299, 450, 3)])
def test_resizing_has_antialiasing_and_no_rounding(shape):
    image = np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)
    rows, columns = bicubic_matrix(shape[0]), bicubic_matrix(shape[1])
    expected = np.einsum("yh,hwc,xw->yxc", rows, image.astype(np.float64), columns, optimize=True)
    assert np.abs(expected - np.round(expected)).max() > 0.4
    found = inception.resize(image)
    np.testing.assert_allclose(found, expected.clip(0, 255), rtol=0, atol=1e-3)


def test_grey_images_are_widened():
    grey = np.random.default_rng(3).integers(0, 256, (20, 30)).astype(np.uint8)
    expected = inception.resize(np.repeat(grey[..., None], 3, axis=-1))
    np.testing.assert_array_equal(inception.resize(grey), expected)
    np.testing.assert_array_equal(inception.resize(grey[..., None]), expected)


def test_the_description_names_the_weights(weights):
    described = inception.describe(weights)
    assert described["weights_file"] == "seeded.weights.h5"
    assert described["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert json.loads(json.dumps(described)) == described


def test_cached_statistics_give_the_same_distances(tmp_path):
    random = np.random.default_rng(4)
    features, others = random.random((2, 30, 8)).astype(np.float32)
    path, settings = tmp_path / "cache" / "real.npz", {"folder": "val", "size": (299, 299)}
    saved = inception.save_statistics(path, features, settings=settings)
    loaded = inception.load_statistics(path, settings=settings)
    assert [x.name for x in path.parent.iterdir()] == ["real.npz"]
    assert loaded.count == saved.count == 30 and loaded.features is None
    statistics = distances.gaussian_statistics(others)
    direct = distances.frechet_distance(*distances.gaussian_statistics(features), *statistics)
    for found in (saved, loaded):
        assert distances.frechet_distance(found.mean, found.covariance, *statistics) == direct
    inception.save_statistics(path, features, settings=settings, keep_features=True)
    kept = inception.load_statistics(path, settings=settings).features
    np.testing.assert_array_equal(kept, features)


def test_a_cache_of_other_settings_is_refused(tmp_path):
    path, features = tmp_path / "real.npz", np.eye(4)
    inception.save_statistics(path, features, settings={"weights": "a", "folder": "val"})
    with pytest.raises(ValueError, match="weights is 'a' and not 'b'; delete it") as raised:
        inception.load_statistics(path, settings={"weights": "b", "folder": "val"})
    assert "folder" not in str(raised.value)
    with pytest.raises(ValueError, match="folder is 'val' and not None"):
        inception.load_statistics(path, settings={"weights": "a"})


def test_what_is_no_cache_is_refused(tmp_path):
    path = tmp_path / "real.npz"
    with pytest.raises(FileNotFoundError):
        inception.load_statistics(path, settings={})
    good = tmp_path / "good.npz"
    inception.save_statistics(good, np.eye(4), settings={})
    pickled, bare, other = (tmp_path / f"{name}.npz" for name in ("pickled", "bare", "other"))
    np.savez(pickled, settings=np.array([{}], object), mean=0, covariance=0, count=0)
    with open(bare, "wb") as file:
        np.save(file, np.eye(2))
    np.savez(other, mean=np.zeros(4))
    damaged = good.read_bytes()
    for content in (
        b"",
        b"hello",
        damaged[: len(damaged) // 2],
        pickled.read_bytes(),
        bare.read_bytes(),
        other.read_bytes(),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="Expected cached statistics.*real.npz.*damaged"):
            inception.load_statistics(path, settings={})


def test_a_failed_write_keeps_the_old_cache(tmp_path):
    path = tmp_path / "real.npz"
    inception.save_statistics(path, np.eye(4), settings={})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        inception.save_statistics(path, np.eye(5), settings={"not JSON": object()})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
