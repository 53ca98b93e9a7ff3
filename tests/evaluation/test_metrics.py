import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from skimage.metrics import normalized_root_mse, structural_similarity

from pix2pix_tf.evaluation import metrics


def pairs(count, *, size=(64, 80), channels=3, seed=0):
    """Smooth targets and outputs that miss them by noise, blur and brightness."""
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.normal(size=(count, *size, channels)), (0, 3, 3, 0))
    targets = np.clip(6 * smooth, -1, 1)
    noise = np.linspace(0.02, 0.6, count)[:, None, None, None] * random.normal(size=targets.shape)
    outputs = np.clip(gaussian_filter(targets, (0, 1, 1, 0)) * 0.9 + 0.05 + noise, -1, 1)
    return targets.astype(np.float32), outputs.astype(np.float32)


def independent_ssim(target, output):
    _, places = structural_similarity(
        target.astype(np.float64) + 1,
        output.astype(np.float64) + 1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=2,
        channel_axis=-1,
        full=True,
    )
    return places[5:-5, 5:-5].mean()  # windows of 11 px that lie inside


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_ssim_is_scikit_images(channels):
    targets, outputs = pairs(5, channels=channels)
    expected = [independent_ssim(*pair) for pair in zip(targets, outputs, strict=True)]
    assert min(expected) < 0.5 < max(expected)
    np.testing.assert_allclose(metrics.ssim(targets, outputs), expected, rtol=0, atol=1e-5)


def test_ssim_of_flat_colours_is_scikit_images():
    # Label pictures are flat; there float32 has the least to hold on to.
    targets = np.kron(np.sign(pairs(2, size=(8, 8))[0]), np.ones((1, 8, 8, 1), np.float32))
    outputs = np.clip(targets * 0.99 + 0.003 * pairs(2, size=(64, 64))[1], -1, 1)
    expected = [independent_ssim(*pair) for pair in zip(targets, outputs, strict=True)]
    np.testing.assert_allclose(metrics.ssim(targets, outputs), expected, rtol=0, atol=1e-5)


def test_l1_is_the_mean_per_image():
    targets, outputs = pairs(4)
    expected = np.abs(targets.astype(np.float64) - outputs).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(metrics.l1(targets, outputs), expected, rtol=1e-5)
    black, white = -np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 1))
    assert metrics.l1(black, white).numpy() == [2.0]
    assert metrics.psnr(black, white).numpy() == pytest.approx([0.0], abs=1e-5)


def test_errors_in_units_and_correlation_are_those_of_numpy():
    targets, outputs = pairs(4, channels=1)
    low, high = -1024.0, 3071.0
    units = [(x.astype(np.float64) + 1) / 2 * (high - low) + low for x in (targets, outputs)]
    expected = np.abs(units[0] - units[1]).mean(axis=(1, 2, 3))
    found = metrics.mae(targets, outputs, value_range=(low, high))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    for index, pair in enumerate(zip(targets, outputs, strict=True)):
        nrmse = normalized_root_mse(*pair, normalization="min-max")
        correlation = np.corrcoef(*(x.ravel().astype(np.float64) for x in pair))[0, 1]
        assert float(metrics.nrmse(targets, outputs)[index]) == pytest.approx(nrmse, rel=1e-5)
        assert float(metrics.pearson(targets, outputs)[index]) == pytest.approx(
            correlation, abs=1e-5
        )
    flat = np.zeros_like(targets)
    assert np.isnan(metrics.pearson(flat, outputs)).all()
    assert np.isinf(metrics.nrmse(flat, outputs)).all()


def independent_ms_ssim(target, output):
    """Means of contrast-structure at five scales and of luminance at the last, per channel."""

    def blur(x):
        for axis in (0, 1):
            x = gaussian_filter1d(x, 1.5, axis=axis, radius=5)
        return x[5:-5, 5:-5]

    product, x, y = 1.0, target.astype(np.float64) + 1, output.astype(np.float64) + 1
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my = blur(x), blur(y)
        vx, vy, vxy = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        term = (2 * vxy + 0.06**2) / (vx + vy + 0.06**2)
        if scale == 4:
            term = term * (2 * mx * my + 0.02**2) / (mx**2 + my**2 + 0.02**2)
        product = product * np.maximum(term.mean(axis=(0, 1)), 0) ** weight
        x, y = (
            z.reshape(z.shape[0] // 2, 2, z.shape[1] // 2, 2, -1).mean(axis=(1, 3)) for z in (x, y)
        )
    return product.mean()


def test_ms_ssim_is_a_straightforward_one():
    targets, outputs = pairs(3, size=(192, 224))
    expected = [independent_ms_ssim(*pair) for pair in zip(targets, outputs, strict=True)]
    assert max(expected) - min(expected) > 0.05
    np.testing.assert_allclose(metrics.ms_ssim(targets, outputs), expected, rtol=0, atol=1e-5)


def test_ms_ssim_of_odd_sizes_is_tensorflows():
    targets, outputs = pairs(2, size=(177, 203))
    expected = tf.image.ssim_multiscale(targets + 1, outputs + 1, max_val=2.0)
    np.testing.assert_allclose(metrics.ms_ssim(targets, outputs), expected, rtol=0, atol=1e-5)


def test_equal_images_are_perfect():
    targets, _ = pairs(2, size=(176, 176))
    found = metrics.pair_metrics(targets, targets.copy())
    assert list(found) == ["L1", "PSNR", "SSIM", "NRMSE", "Pearson"]
    np.testing.assert_array_equal(found["L1"], [0, 0])
    np.testing.assert_array_equal(found["PSNR"], [np.inf, np.inf])
    np.testing.assert_allclose(found["SSIM"], [1, 1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(metrics.ms_ssim(targets, targets), [1, 1], rtol=0, atol=1e-6)


def test_pair_metrics_are_the_single_ones_per_image():
    targets, outputs = pairs(3)
    found = metrics.pair_metrics(targets, outputs)
    assert {*metrics.QUICK} < {*found}
    for name in found:
        single = getattr(metrics, name.lower())
        assert isinstance(found[name], np.ndarray) and found[name].shape == (3,)
        one_by_one = [single(targets[i : i + 1], outputs[i : i + 1])[0] for i in range(3)]
        np.testing.assert_allclose(found[name], one_by_one, rtol=1e-5, atol=1e-6)


def test_one_trace_serves_all_sizes():
    for count, size, channels in ((1, (32, 32), 3), (2, (40, 24), 1), (3, (16, 64), 3)):
        metrics.pair_metrics(*pairs(count, size=size, channels=channels))
    assert metrics._quick.experimental_get_tracing_count() == 1


def test_half_precision_is_measured_in_float32():
    targets, outputs = (tf.cast(x, tf.bfloat16) for x in pairs(2))
    found = metrics.pair_metrics(targets, outputs)
    exact = metrics.pair_metrics(tf.cast(targets, tf.float32), tf.cast(outputs, tf.float32))
    for name, values in found.items():
        np.testing.assert_array_equal(values, exact[name])


def test_images_under_the_window_have_no_ssim():
    targets, outputs = pairs(2, size=(10, 64))
    found = metrics.pair_metrics(targets, outputs)
    assert np.isnan(found["SSIM"]).all() and np.isfinite(found["PSNR"]).all()
    with pytest.raises(ValueError, match=r"at least 11x11 px for SSIM\. Received: 64x10 px"):
        metrics.ssim(targets, outputs)
    assert np.isfinite(metrics.ssim(*pairs(1, size=(11, 11)))).all()


def test_ms_ssim_names_its_smallest_image():
    with pytest.raises(ValueError, match=r"at least 176x176 px for MS-SSIM\. Received: 176x175"):
        metrics.ms_ssim(*pairs(1, size=(175, 176)))


@pytest.mark.parametrize("measure", [metrics.l1, metrics.ms_ssim, metrics.pair_metrics])
def test_other_sizes_are_named(measure):
    with pytest.raises(ValueError, match=r"\(1, 16, 16, 3\) and outputs \(1, 16, 8, 3\)"):
        measure(np.zeros((1, 16, 16, 3)), np.zeros((1, 16, 8, 3)))
    with pytest.raises(ValueError, match=r"Received: targets \(16, 16, 3\)"):
        measure(np.zeros((16, 16, 3)), np.zeros((16, 16, 3)))


def test_uint8_is_refused():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="floats in .-1, 1.. Received: uint8 and uint8"):
        metrics.pair_metrics(image, image)
