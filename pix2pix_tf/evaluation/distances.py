"""How near one set of images is to another: Frechet and kernel distances of their features."""

import numpy as np

from pix2pix_tf.errors import InputError


def gaussian_statistics(features):
    """Mean and covariance of a set of features.

    Args:
        features: [n, d] floats, n at least 2.

    Returns:
        (mean [d], covariance [d, d]), float64; the covariance is the unbiased one (n - 1).

    Raises:
        InputError: If there are fewer than two rows or a value is not finite.
    """
    features = _checked(features)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance(mean1, covariance1, mean2, covariance2):
    """Squared Frechet distance of two Gaussians; of Inception features it is the FID.

    |mean1 - mean2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)). With C = F F^T the last trace is the
    sum of the singular values of F1^T F2, so nothing becomes imaginary, and a covariance of few
    samples (rank below d) costs no accuracy.

    Args:
        mean1: [d] floats.
        covariance1: [d, d] floats, symmetric and positive semi-definite.
        mean2: [d] floats.
        covariance2: [d, d] floats, likewise.

    Returns:
        Float, at least 0: the distance is a square, only rounding can bring it below.

    Raises:
        InputError: If the shapes do not fit, a value is not finite or a covariance is none.

    Reference:
        Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs Trained by a Two Time-Scale
        Update Rule Converge to a Local Nash Equilibrium", 2017.
        Dowson and Landau, "The Frechet distance between multivariate normal distributions", 1982.
    """
    given = [np.asarray(x, np.float64) for x in (mean1, covariance1, mean2, covariance2)]
    mean1, covariance1, mean2, covariance2 = given
    shapes = [x.shape for x in given]
    if shapes != [(mean1.size,), (mean1.size,) * 2] * 2 or not all(map(_is_finite, given)):
        raise InputError(f"Expected finite [d], [d, d], [d], [d, d]. Received: shapes {shapes}")
    factor1, factor2 = _factor(covariance1), _factor(covariance2)
    root_trace = np.linalg.svd(factor1.T @ factor2, compute_uv=False).sum()
    spread = np.trace(covariance1) + np.trace(covariance2) - 2 * root_trace
    return max(0.0, float(np.sum((mean1 - mean2) ** 2) + spread))


def frechet_distance_of_few(features1, features2):
    """`frechet_distance` of two sets that have no more images than features, in a moment.

    With X the centred features over (n - 1)^(1/2), C = X^T X: the root's trace is the sum of the
    singular values of X1 X2^T, which is as small as the sets are.

    Args:
        features1: [n, d] floats, n at least 2.
        features2: [m, d] floats, likewise.

    Returns:
        Float, at least 0.

    Raises:
        InputError: If a set has fewer than two rows, the sizes differ or a value is not finite.
    """
    sets = [_checked(features) for features in (features1, features2)]
    if sets[0].shape[1] != sets[1].shape[1]:
        raise InputError(f"Expected features of one size. Received: {[x.shape for x in sets]}")
    means = [features.mean(axis=0) for features in sets]
    centred = [
        (features - mean) / np.sqrt(len(features) - 1)
        for features, mean in zip(sets, means, strict=True)
    ]
    root_trace = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum(np.sum(x**2) for x in centred) - 2 * root_trace
    return max(0.0, float(np.sum((means[0] - means[1]) ** 2) + spread))


def kernel_distance(features1, features2, *, subsets=100, subset_size=1000, seed):
    """Kernel distance of two sets of features; of Inception features it is the KID.

    The unbiased squared MMD with the kernel (x.y / d + 1)^3, averaged over random subsets. Being
    unbiased it can be slightly negative for sets of the same distribution.

    Args:
        features1: [n, d] floats.
        features2: [m, d] floats.
        subsets: How many pairs of subsets are drawn.
        subset_size: Rows of each subset, drawn without replacement: from 2 to the smaller of n and
            m. At exactly n and m every subset is the whole set and the standard deviation is 0.
        seed: Int; the same seed draws the same subsets.

    Returns:
        (mean, standard deviation) over the subsets, floats.

    Raises:
        InputError: If a set is smaller than `subset_size`, the feature sizes differ or a value is
            not finite.

    Reference:
        Binkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018.
    """
    if subset_size < 2 or subsets < 1:
        raise InputError(
            "Expected at least 1 subset of at least 2 features. "
            f"Received: subsets={subsets}, subset_size={subset_size}"
        )
    features1, features2 = _checked(features1), _checked(features2)
    smaller = min(len(features1), len(features2))
    if features1.shape[1] != features2.shape[1] or smaller < subset_size:
        raise InputError(
            f"Expected two sets of at least {subset_size} features of one size; a smaller "
            f"subset_size is up to {smaller}. Received: {features1.shape} and {features2.shape}"
        )
    random = np.random.default_rng(seed)
    draws = [
        _squared_mmd(
            *(random.choice(f, subset_size, replace=False) for f in (features1, features2))
        )
        for _ in range(subsets)
    ]
    return float(np.mean(draws)), float(np.std(draws))


def _is_finite(values):
    return np.isfinite(values).all()


def _checked(features):
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not _is_finite(features):
        raise InputError(
            f"Expected finite features [n, d] of at least 2 images. "
            f"Received: shape {features.shape}, {np.sum(~np.isfinite(features))} values not finite"
        )
    return features


def _factor(covariance):
    """F [d, rank] with F F^T = covariance."""
    # Half of each triangle: a matrix that is symmetric but for rounding is made exactly so.
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    scale = np.abs(values).max()
    # Rounding leaves eigenvalues of about d * epsilon * scale; 1e-6 is far from that and from
    # what float32 statistics would bring.
    if not np.allclose(covariance, covariance.T, rtol=0, atol=1e-6 * scale) or (
        values.min() < -1e-6 * scale
    ):
        raise InputError(
            "Expected a covariance, symmetric and positive semi-definite. "
            f"Received: eigenvalues from {values.min():g} to {values.max():g}"
        )
    kept = values > len(values) * np.finfo(np.float64).eps * scale
    return vectors[:, kept] * np.sqrt(values[kept])


def _squared_mmd(x, y):
    """Unbiased squared MMD of two sets of m features [m, d]."""

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m = len(x)
    within = sum(k.sum() - np.trace(k) for k in (kernel(x, x), kernel(y, y)))
    return within / (m * (m - 1)) - 2 * kernel(x, y).mean()
