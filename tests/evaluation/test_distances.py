import numpy as np
import pytest
from scipy.linalg import sqrtm

from pix2pix_tf.evaluation.distances import (
    frechet_distance,
    frechet_distance_of_few,
    gaussian_statistics,
    kernel_distance,
)


def correlated(count, size, *, seed, shift=0.0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, size)) @ random.normal(size=(size, size)) + shift


def test_statistics_are_those_of_the_definition():
    features = correlated(30, 4, seed=0, shift=2.0)
    mean, covariance = gaussian_statistics(features.astype(np.float32))
    expected = sum(features) / 30
    centred = features - expected
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        covariance, sum(np.outer(x, x) for x in centred) / 29, rtol=1e-5, atol=1e-5
    )
    assert mean.dtype == covariance.dtype == np.float64


def test_statistics_of_one_feature_are_matrices():
    mean, covariance = gaussian_statistics([[1.0], [3.0]])
    assert mean.tolist() == [2.0] and covariance.tolist() == [[2.0]]
    assert frechet_distance(mean, covariance, mean + 3, covariance) == pytest.approx(9.0)


# With 20 of 64 the covariances are singular, as those of fewer than 2048 images always are.
@pytest.mark.parametrize("count", [500, 20])
def test_a_set_is_no_distance_from_itself(count):
    statistics = gaussian_statistics(correlated(count, 64, seed=1))
    distance = frechet_distance(*statistics, *statistics)
    assert 0 <= distance < 1e-11 * np.trace(statistics[1])


def test_equal_covariances_leave_the_means():
    mean, covariance = gaussian_statistics(correlated(100, 16, seed=2))
    other = mean + np.linspace(-1, 2, 16)
    expected = np.sum((mean - other) ** 2)
    assert frechet_distance(mean, covariance, other, covariance) == pytest.approx(expected, 1e-12)


def test_commuting_covariances_have_a_closed_form():
    random = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(random.normal(size=(12, 12)))
    a, b = random.uniform(0, 4, 12), random.uniform(0, 4, 12)
    a[:3] = b[2:5] = 0  # directions without any spread
    covariances = [rotation @ np.diag(x) @ rotation.T for x in (a, b)]
    mean = random.normal(size=12)
    expected = np.sum(mean**2) + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    found = frechet_distance(mean, covariances[0], np.zeros(12), covariances[1])
    assert found == pytest.approx(expected, rel=1e-10)


def test_frechet_distance_is_the_matrix_square_root_one():
    mean1, cov1 = gaussian_statistics(correlated(300, 48, seed=4))
    mean2, cov2 = gaussian_statistics(correlated(200, 48, seed=5, shift=0.5))
    root = sqrtm(cov1 @ cov2).real
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2 - 2 * root)
    assert frechet_distance(mean1, cov1, mean2, cov2) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(mean2, cov2, mean1, cov1) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (2, 64), (100, 50)])
def test_of_few_it_is_the_same_distance(n, m):
    x, y = correlated(n, 64, seed=8), correlated(m, 64, seed=9, shift=1.0)
    expected = frechet_distance(*gaussian_statistics(x), *gaussian_statistics(y))
    assert frechet_distance_of_few(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_of_few(x, x) < 1e-9 * np.trace(gaussian_statistics(x)[1])
    with pytest.raises(ValueError, match="features of one size"):
        frechet_distance_of_few(x, y[:, 1:])


def test_few_samples_agree_with_the_nuclear_norm_of_the_centred_sets():
    # tr((C1 C2)^(1/2)) is the sum of singular values of the product of any factors of C1 and C2.
    x, y = correlated(15, 200, seed=6), correlated(25, 200, seed=7)
    factors = [(f - f.mean(axis=0)) / np.sqrt(len(f) - 1) for f in (x, y)]
    root_trace = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    expected = (
        np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
        + sum(np.sum(f**2) for f in factors)
        - 2 * root_trace
    )
    found = frechet_distance(*gaussian_statistics(x), *gaussian_statistics(y))
    assert found == pytest.approx(expected, rel=1e-10)


def test_what_is_no_covariance_is_refused():
    mean, identity = np.zeros(2), np.eye(2)
    with pytest.raises(ValueError, match="positive semi-definite"):
        frechet_distance(mean, np.diag([1.0, -0.1]), mean, identity)
    with pytest.raises(ValueError, match="symmetric"):
        frechet_distance(mean, identity, mean, [[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"Received: shapes \[\(2,\), \(2, 2\), \(3,\)"):
        frechet_distance(mean, identity, np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="finite"):
        frechet_distance([0.0, np.nan], identity, mean, identity)


@pytest.mark.parametrize("features", [np.zeros((1, 4)), np.zeros(4), [[0.0], [np.inf]]])
def test_statistics_need_two_finite_images(features):
    with pytest.raises(ValueError, match="Expected finite features"):
        gaussian_statistics(features)


def naive_squared_mmd(x, y):
    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    m = len(x)
    inside = sum(
        kernel(x[i], x[j]) + kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j
    )
    return inside / (m * (m - 1)) - 2 / m**2 * sum(kernel(a, b) for a in x for b in y)


def test_kernel_distance_of_whole_sets_is_the_double_loop():
    x, y = correlated(12, 5, seed=8), correlated(12, 5, seed=9, shift=0.3)
    mean, deviation = kernel_distance(x, y, subsets=4, subset_size=12, seed=0)
    assert mean == pytest.approx(naive_squared_mmd(x, y), rel=1e-12)
    assert deviation == pytest.approx(0, abs=1e-12 * abs(mean))


def test_kernel_distance_averages_random_subsets():
    x, y = correlated(40, 5, seed=10), correlated(60, 5, seed=11, shift=0.3)
    random = np.random.default_rng(3)
    drawn = []
    for _ in range(6):
        a = random.choice(x, 10, replace=False)
        drawn.append(naive_squared_mmd(a, random.choice(y, 10, replace=False)))
    found = kernel_distance(x, y, subsets=6, subset_size=10, seed=3)
    assert found == pytest.approx((np.mean(drawn), np.std(drawn)), rel=1e-10)
    assert found == kernel_distance(x, y, subsets=6, subset_size=10, seed=3)
    assert found != kernel_distance(x, y, subsets=6, subset_size=10, seed=4)


def test_kernel_distance_tells_distributions_apart():
    random = np.random.default_rng(12)
    x, y = random.normal(size=(2, 2000, 16))
    same, deviation = kernel_distance(x, y, subsets=20, subset_size=200, seed=0)
    assert abs(same) < 3 * deviation / np.sqrt(20)
    other, _ = kernel_distance(x, y + 0.3, subsets=20, subset_size=200, seed=0)
    assert other > 10 * deviation


def test_too_small_sets_name_the_subset_size_that_works():
    features = np.zeros((30, 4))
    with pytest.raises(ValueError, match="at least 1000 features.*subset_size is up to 30"):
        kernel_distance(features, np.zeros((2000, 4)), seed=0)
    with pytest.raises(ValueError, match=r"\(30, 4\) and \(30, 5\)"):
        kernel_distance(features, np.zeros((30, 5)), subset_size=10, seed=0)
    with pytest.raises(ValueError, match="subset_size=1"):
        kernel_distance(features, features, subset_size=1, seed=0)


def test_sets_of_one_repeated_image_have_no_spread():
    point = gaussian_statistics(np.ones((5, 3)))
    assert frechet_distance(*point, *point) == 0
    assert frechet_distance(*point, np.zeros(3), np.eye(3)) == pytest.approx(6.0)
