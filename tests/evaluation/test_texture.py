"""Metrics of texture against independent implementations, closed forms and extreme cases."""

import numpy as np
import pytest
from scipy.ndimage import convolve, gaussian_filter
from scipy.stats import wasserstein_distance

from pix2pix_tf.evaluation import texture


def noise(count, size=(64, 64), *, channels=1, seed=0, width=0.1):
    """Images of white noise around 0.5."""
    random = np.random.default_rng(seed)
    shape = (count, *size, channels)
    return list((0.5 + width * random.normal(size=shape)).astype(np.float32))


def smooth(count, *, seed=0):
    """Images whose spectrum falls as that of photographs."""
    return [
        gaussian_filter(x, (1, 1, 0)) + gaussian_filter(x, (5, 5, 0)) * 8 - 3.5
        for x in noise(count, channels=3, seed=seed)
    ]


def stripes(images, amplitude, period=2):
    wave = np.cos(2 * np.pi / period * np.arange(images[0].shape[1]))[None, :, None]
    return [(x + amplitude * wave).astype(np.float32) for x in images]


# ---- Spectra


def slow_power(image):
    """By the definition of the discrete Fourier transform, frequency by frequency."""
    height, width = image.shape[:2]
    luminance = image @ (0.299, 0.587, 0.114) if image.shape[-1] == 3 else image[..., 0]
    rows, columns = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n) for n in (height, width))
    window = rows[:, None] * columns
    values = (luminance - luminance.mean()) * window
    waves = [
        np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) for n in (height, width)
    ]
    return np.abs(waves[0] @ values @ waves[1]) ** 2 / (window**2).sum()


def test_the_power_spectrum_is_its_definition():
    image = noise(1, (24, 20), channels=3)[0]
    np.testing.assert_allclose(texture.power_spectrum(image), slow_power(image), atol=1e-8)
    mean = np.mean([texture.power_spectrum(x) for x in noise(200, (32, 32), width=0.2)])
    assert mean == pytest.approx(0.2**2, rel=0.02)


def slow_ratios(images):
    line, beside = {2: 0.0, 4: 0.0}, {2: 0.0, 4: 0.0}
    for image in images:
        power = slow_power(image)
        for period in line:
            for rows in (power, power.T):
                middle = len(rows) // period
                line[period] += rows[middle].mean()
                around = [rows[middle + d].mean() for d in (-4, -3, -2, 2, 3, 4)]
                beside[period] += np.mean(around)
    return {period: line[period] / beside[period] for period in line}


def test_checkerboard_is_a_straightforward_one():
    outputs, targets = stripes(noise(3, (48, 36), channels=3), 0.01), noise(2, (32, 40), seed=1)
    values, settings = texture.checkerboard(outputs, targets)
    expected = [slow_ratios(images) for images in (outputs, targets)]
    for period in (2, 4):
        ratio = expected[0][period] / expected[1][period]
        assert values[f"checkerboard_{period}"] == pytest.approx(ratio, rel=1e-5)
    assert settings["checkerboard"]["targets"] == pytest.approx(list(expected[1].values()))


@pytest.mark.parametrize("period", [2, 4])
def test_stripes_have_the_power_of_the_closed_form(period):
    """1 + n / 3 * amplitude^2 / variance; at period 4 half the amplitude is at -1 / 4."""
    images = noise(400, width=0.1)
    values, _ = texture.checkerboard(stripes(images, 0.05, period), images)
    gain = 64 / 3 * 0.05**2 / 0.1**2 * (1 if period == 2 else 1 / 4)
    assert values[f"checkerboard_{period}"] == pytest.approx(1 + gain, rel=0.02)
    assert values[f"checkerboard_{6 - period}"] == pytest.approx(1, rel=0.02)


def test_checkerboard_is_one_without_a_grid_and_far_above_with_one():
    targets = smooth(20)
    same, _ = texture.checkerboard(targets, targets)
    assert same == {"checkerboard_2": 1, "checkerboard_4": 1}
    other, _ = texture.checkerboard(smooth(20, seed=1), targets)
    assert all(0.7 < value < 1.4 for value in other.values())
    # A grid as transposed convolutions make it: a gain for every other row and column.
    gain = 1 + 0.1 * (np.indices((64, 64)) % 2).sum(axis=0)[..., None]
    grid, _ = texture.checkerboard([x * gain for x in targets], targets)
    assert grid["checkerboard_2"] > 10 > 1.5 > grid["checkerboard_4"]
    with pytest.raises(ValueError, match="at least 32x32 px for checkerboard. Received: 40x31"):
        texture.checkerboard(noise(1, (31, 40)), targets)


def test_spectrum_is_the_mean_log_ratio_of_powers():
    targets = noise(3, (40, 48), channels=3)
    fainter = [0.5 + 0.5 * (x - 0.5) for x in targets]
    assert texture.spectrum(targets, targets)[0] == {"spectrum": 0}
    values, settings = texture.spectrum(fainter, targets)
    assert values["spectrum"] == pytest.approx(2 * np.log(2), rel=1e-5)
    assert settings["spectrum"]["frequencies"] == 32


def test_spectrum_of_blurred_noise_is_the_filters():
    """(1 + cos) / 2 across and down: the filter [1, 2, 1] / 4."""
    images = noise(60, (128, 128))
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    blurred = [convolve(x, kernel, mode="wrap") for x in images]
    down, across = (np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    gain = ((1 + np.cos(2 * np.pi * down)) * (1 + np.cos(2 * np.pi * across)) / 4) ** 2
    radius = np.hypot(down, across)
    bins = [(radius > low) & (radius > 0) & (radius < low + 1 / 64) for low in np.arange(32) / 64]
    expected = np.mean([-np.log(gain[members].mean()) for members in bins])
    values, _ = texture.spectrum(blurred, images)
    assert values["spectrum"] == pytest.approx(expected, rel=0.02) and expected > 1


# ---- Sliced Wasserstein distance


def test_the_pyramid_is_scipys_and_adds_up_to_the_image():
    image = noise(1, (48, 36), channels=3)[0]
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[..., None] / 256
    levels, x, expected = list(texture.laplacian_pyramid(image, 3)), image, []
    for _ in range(2):
        smaller = convolve(x, kernel, mode="mirror")[::2, ::2]
        larger = np.zeros_like(x)
        larger[::2, ::2] = smaller
        expected.append(x - convolve(larger, kernel * 4, mode="mirror"))
        x = smaller
    for level, other in zip(levels, [*expected, x], strict=True):
        np.testing.assert_allclose(level, other, atol=1e-6)


def test_swd_of_one_patch_size_is_scipys(monkeypatch):
    monkeypatch.setattr(texture, "_REPEATS", 1)
    sets = [noise(20, (16, 16), channels=3, seed=seed) for seed in (0, 1)]
    sets[1] = [x**2 for x in sets[1]]
    values, _ = texture.swd(*sets, seed=5)
    assert values.keys() == {"SWD_1", "SWD"} and values["SWD"] == values["SWD_1"]
    # The same places in both sets: outputs lie over their targets.
    rows = []
    for images in sets:
        random, patches = np.random.default_rng([5, 0]), []
        for image in images:
            tops, lefts = random.integers(10, size=128), random.integers(10, size=128)
            places = zip(tops, lefts, strict=True)
            patches += [image[y : y + 7, x : x + 7] for y, x in places]
        patches = np.array(patches, float)
        patches = (patches - patches.mean((0, 1, 2))) / patches.std((0, 1, 2))
        rows.append(np.moveaxis(patches, -1, 1).reshape(len(patches), -1))
    random = np.random.default_rng([5, 1])
    for _ in rows:
        random.permutation(len(rows[0]))
    directions = random.normal(size=(147, 128))
    directions /= np.linalg.norm(directions, axis=0)
    expected = np.mean([wasserstein_distance(*(r @ d for r in rows)) for d in directions.T])
    assert values["SWD"] == pytest.approx(expected, rel=1e-4) and expected > 0.005


def test_swd_is_zero_for_equal_sets_and_finds_blur_and_noise():
    targets, others = smooth(40), smooth(40, seed=1)
    assert set(texture.swd(targets, targets)[0].values()) == {0}
    halves, _ = texture.swd(others, targets)
    blurred, _ = texture.swd([gaussian_filter(x, (2, 2, 0)) for x in others], targets)
    noisy, _ = texture.swd(noise(40, channels=3, seed=2), targets)
    assert list(halves) == ["SWD_1", "SWD_2", "SWD_4", "SWD"]
    assert halves["SWD"] == pytest.approx(np.mean([halves[f"SWD_{n}"] for n in (1, 2, 4)]))
    for name in ("SWD_1", "SWD_2"):
        assert noisy[name] > 1.5 * halves[name]
    assert blurred["SWD_1"] > 1.5 * halves["SWD_1"]
    assert texture.swd(others, targets)[0] == halves != texture.swd(others, targets, seed=1)[0]


def test_sets_of_other_sizes_channels_and_counts_are_compared():
    mixed = [*noise(3, (40, 64)), *noise(2, (33, 35), channels=4, seed=1)]
    targets = noise(9, (70, 70), channels=3, seed=2)
    for metric in (texture.swd, texture.spectrum, texture.checkerboard):
        values, _ = metric(mixed, targets)
        assert np.isfinite(list(values.values())).all()
    assert list(texture.swd(mixed, targets)[0]) == ["SWD_1", "SWD_2", "SWD"]
    with pytest.raises(ValueError, match="at least 16x16 px for swd. Received: 20x15 px"):
        texture.swd(noise(1, (15, 20)), targets)
