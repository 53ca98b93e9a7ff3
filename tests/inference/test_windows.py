"""Generators evaluated window by window: the result of the whole image."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pix2pix_tf.data import resize
from pix2pix_tf.errors import InputError
from pix2pix_tf.inference import windows
from pix2pix_tf.networks.factory import make_generator
from pix2pix_tf.networks.normalization import moments

TOLERANCE = 1e-5


class Array:
    """An image in memory as source and as sink that counts how often a pixel is written."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape
        self.written = np.zeros(array.shape[:2], int)

    def read(self, window):
        return self.array[None, window.top : window.bottom, window.left : window.right]

    def write(self, window, values):
        self.array[window.top : window.bottom, window.left : window.right] = values[0]
        self.written[window.top : window.bottom, window.left : window.right] += 1


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of a few pixels and no room for maps, so that small images have many of both."""
    monkeypatch.setattr(windows, "LEAST_SIDE", 8)


def generator(kind, **options):
    network = make_generator(kind, ngf=4, **options)
    network.build((None, None, None, 3))
    return network


def image(height, width):
    """Waves, noise and a flat corner: what normalisation does differs from place to place."""
    rows, columns = np.mgrid[:height, :width]
    waves = np.sin(rows / 17) * np.cos(columns / 11)
    noise = np.random.default_rng(0).normal(0, 0.2, (height, width, 3))
    pixels = np.clip(waves[..., None] + noise, -1, 1).astype(np.float32)
    pixels[: height // 2, : width // 2] = 0.5
    return pixels


def check(network, height, width, *, tile, seed=None):
    """Compares the whole image with the windows; returns the largest difference."""
    x = image(height, width)
    padded = resize.reflect_to_multiple(x[None], network.multiple)
    seeds = None if seed is None else tf.constant([seed], tf.int64)
    expected = network(padded, dropout_seeds=seeds)[0, :height, :width].numpy()
    received = Array(np.full_like(expected, np.nan))
    drop = None if seed is None else seeds[0]
    windows.evaluate(network, Array(x), received, tile=tile, dropout_seed=drop)
    assert (received.written == 1).all()
    return np.abs(received.array - expected).max()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("unet", {"norm": "batch"}),
        ("unet", {"norm": "instance_affine", "depth": 5, "dropout": False}),
        ("unet", {"norm": "batch", "separable_conv": True, "depth": 4}),
        pytest.param("unet_128", {"norm": "none"}, marks=pytest.mark.slow),
        ("resnet_6blocks", {"norm": "instance", "dropout": False}),
        pytest.param("resnet_6blocks", {"norm": "sync_batch"}, marks=pytest.mark.slow),
        pytest.param(
            "resnet_9blocks", {"norm": "instance_affine", "dropout": False}, marks=pytest.mark.slow
        ),
    ],
)
def test_the_result_is_that_of_the_whole_image(small_windows, kind, options):
    network = generator(kind, **options)
    seed = (5, 7) if options.get("dropout", True) else None
    assert check(network, 103, 90, tile=8, seed=seed) < TOLERANCE


@settings(max_examples=8)
@given(
    kind=st.sampled_from(["unet", "resnet_6blocks"]),
    norm=st.sampled_from(["batch", "instance", "none"]),
    height=st.integers(5, 90),
    width=st.integers(5, 90),
    tile=st.integers(1, 32),
    side=st.sampled_from([4, 12, 20]),
    kept=st.sampled_from([1, 12, 10**6]),
)
def test_any_size_and_tile(kind, norm, height, width, tile, side, kept):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "LEAST_SIDE", side)
        patch.setattr(windows, "KEPT_TILES", kept)
        network = generator(kind, norm=norm, **({"depth": 4} if kind == "unet" else {}))
        assert check(network, height, width, tile=tile) < TOLERANCE


def test_windows_are_bands_unless_maps_are_wide():
    assert windows.best_sides((192, 192), 200**2) == (192, 192)
    assert windows.best_sides((256, 256), 200**2) == (156, 256)
    assert windows.best_sides((8192, 8192), 200**2) == (200, 200)


@pytest.mark.parametrize("sides", [(8, 30), (5, 7), (23, 4)])
def test_maps_in_memory_and_in_files_are_read_in_any_windows(tmp_path, sides):
    values = tf.random.stateless_uniform((1, 23, 30, 2), (1, 2))
    stores = windows.Memory(), windows.Scratch((23, 30, 2), np.dtype(np.float32), tmp_path)
    for _ in "again":  # The result of a step replaces that of its convolution.
        values += 1
        for window in windows.cut((23, 30), sides):
            for store in stores:
                store.write(window, window.of(values, windows.Window(0, 23, 0, 30)))
    for window in (
        windows.Window(0, 23, 0, 30),
        windows.Window(7, 19, 3, 29),
        *windows.cut((23, 30), (4, 4)),
    ):
        expected = window.of(values, windows.Window(0, 23, 0, 30))
        for store in stores:
            np.testing.assert_array_equal(store.read(window), expected)
    assert not list(tmp_path.iterdir())  # the file has no name


def test_a_scratch_folder_is_made_and_removed(tmp_path, small_windows):
    network, x = generator("resnet_6blocks"), image(100, 70)
    folder, seen = tmp_path / "scratch", []

    def progress(share):
        seen.append(share)
        assert folder.is_dir()

    out = Array(np.empty_like(x))
    options = {"tile": 16, "scratch_dir": folder, "progress": progress}
    windows.evaluate(network, Array(x), out, **options)
    assert not folder.exists()
    assert seen == sorted(seen) and seen[-1] == 1

    def interrupted(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        windows.evaluate(network, Array(x), out, **options | {"progress": interrupted})
    assert not folder.exists()


def test_errors_of_the_scratch_folder_are_one_line(tmp_path, small_windows, monkeypatch):
    network, x = generator("resnet_6blocks"), image(100, 70)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="file as scratch_dir"):
        windows.evaluate(network, Array(x), Array(x.copy()), tile=16, scratch_dir=file)
    usage = windows.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(windows.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="need .* GiB in .*0.0 GiB free"):
        windows.evaluate(network, Array(x), Array(x.copy()), tile=16, scratch_dir=tmp_path)


def test_memory_and_disk_follow_from_the_plan():
    """8192 x 8192 through the default networks: what is stored, and where."""
    for kind, gibibytes in (("unet", 16), ("resnet_9blocks", 20)):
        network = make_generator(kind)
        network.build((None, None, None, 3))
        found = windows.plan(network.stages, (8192, 8192, 3), tile=512)
        assert found.disk < gibibytes * 2**30
        kept = sum(one.bytes for one in found.maps if one.place == "memory")
        assert kept < 2 * windows.KEPT_TILES * 512**2 * 64 * 4
        for one in found.maps:
            pixels = max(window.shape[0] * window.shape[1] for window in one.windows())
            assert pixels * one.shape[2] <= windows.WINDOW_TILES * 512**2 * 64


@pytest.mark.parametrize("side", [8, 50, 300])
def test_statistics_of_windows_are_those_of_the_whole_map_to_the_last_bit(side):
    x = np.random.default_rng(side).normal(3, 0.7, (1, 257, 190, 6)).astype(np.float32)
    statistics = windows.Statistics(6)
    for window in windows.cut((257, 190), (side, side)):
        statistics.add(x[:, window.top : window.bottom, window.left : window.right])
    for received, expected in zip(statistics.result(), moments(tf.constant(x)), strict=True):
        np.testing.assert_array_equal(received, tf.cast(expected, tf.float32))
