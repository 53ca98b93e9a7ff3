"""Metrics of image pairs: pure functions of images in [-1, 1], one value per image.

All of them take targets and outputs as floats [n, h, w, c] of one shape and return float32 [n].
Other shapes and types, and images that are too small, raise an `InputError`.
"""

from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError

# tf.Tensor or np.ndarray; TensorFlow has no types.
Images: TypeAlias = Any

DATA_RANGE = 2.0  # of images in [-1, 1]
# Wang, Bovik, Sheikh and Simoncelli 2004, section III.C; tf.image.ssim's own defaults.
SSIM_WINDOW, SSIM_SIGMA, SSIM_K1, SSIM_K2 = 11, 1.5, 0.01, 0.03
_WINDOW = {
    "max_val": DATA_RANGE,
    "filter_size": SSIM_WINDOW,
    "filter_sigma": SSIM_SIGMA,
    "k1": SSIM_K1,
    "k2": SSIM_K2,
}
# Wang, Simoncelli and Bovik 2003, section 3.2: the weights of the five scales, finest first.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# The window has to fit into the coarsest scale, which is halved four times: 176 px.
MS_SSIM_SIZE = SSIM_WINDOW * 2 ** (len(MS_SSIM_WEIGHTS) - 1)

# What validation logs of `pair_metrics`.
QUICK = ("L1", "PSNR", "SSIM")


def l1(targets: Images, outputs: Images) -> tf.Tensor:
    """Mean absolute difference, in units of [-1, 1]: from 0 (equal) to 2."""
    targets, outputs = _pair(targets, outputs)
    return tf.reduce_mean(tf.abs(targets - outputs), axis=[1, 2, 3])


def mae(targets: Images, outputs: Images, *, value_range: tuple[float, float]) -> tf.Tensor:
    """Mean absolute error in the units of the files, from 0 (equal) to the width of the range.

    Args:
        targets: Float [n, h, w, c] in [-1, 1].
        outputs: Float [n, h, w, c] in [-1, 1].
        value_range: The values that stand for -1 and 1, such as (-1024, 3071) Hounsfield units.
    """
    low, high = value_range
    return l1(targets, outputs) * ((high - low) / DATA_RANGE)


def nrmse(targets: Images, outputs: Images) -> tf.Tensor:
    """Root mean square error over the range of the target (largest - smallest), at least 0.

    NaN or infinite where the target is flat.
    """
    targets, outputs = _pair(targets, outputs)
    error = tf.sqrt(tf.reduce_mean(tf.square(targets - outputs), axis=[1, 2, 3]))
    spread = tf.reduce_max(targets, axis=[1, 2, 3]) - tf.reduce_min(targets, axis=[1, 2, 3])
    return error / spread


def pearson(targets: Images, outputs: Images) -> tf.Tensor:
    """Pearson's correlation over pixels and channels, in [-1, 1]; NaN where an image is flat."""
    centred = [
        x - tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True) for x in _pair(targets, outputs)
    ]
    covariance = tf.reduce_sum(centred[0] * centred[1], axis=[1, 2, 3])
    powers = [tf.reduce_sum(tf.square(x), axis=[1, 2, 3]) for x in centred]
    return covariance / (tf.sqrt(powers[0]) * tf.sqrt(powers[1]))


def psnr(targets: Images, outputs: Images) -> tf.Tensor:
    """Peak signal-to-noise ratio in dB, over all channels; infinite where the images are equal."""
    targets, outputs = _pair(targets, outputs)
    return tf.image.psnr(targets, outputs, max_val=DATA_RANGE)


def ssim(targets: Images, outputs: Images) -> tf.Tensor:
    """Structural similarity by `tf.image.ssim`, at most 1 (equal); of at least 11x11 px.

    The mean over all places where the Gaussian window (11x11 px, sigma 1.5) lies inside the image,
    and over the channels, each measured by itself. Its luminance term is made for intensities,
    where black is 0, so it is taken of the images moved to [0, 2]: the same as of uint8 images
    with a range of 255.

    Reference:
        Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
        Structural Similarity", IEEE Transactions on Image Processing, 2004.
    """
    targets, outputs = _pair(targets, outputs)
    _check_size(targets, "SSIM", at_least=SSIM_WINDOW)
    return tf.image.ssim(targets + 1, outputs + 1, **_WINDOW)


def ms_ssim(targets: Images, outputs: Images) -> tf.Tensor:
    """SSIM over five scales by `tf.image.ssim_multiscale`, in [0, 1]; of at least 176x176 px.

    Window and intensities as in `ssim`; a scale with a negative contrast term counts as 0.

    Reference:
        Wang, Simoncelli and Bovik, "Multiscale Structural Similarity for Image Quality
        Assessment", Asilomar Conference on Signals, Systems and Computers, 2003.
    """
    targets, outputs = _pair(targets, outputs)
    _check_size(targets, "MS-SSIM", at_least=MS_SSIM_SIZE)
    return tf.image.ssim_multiscale(
        targets + 1, outputs + 1, power_factors=MS_SSIM_WEIGHTS, **_WINDOW
    )


def pair_metrics(targets: Images, outputs: Images) -> dict[str, np.ndarray]:
    """L1, PSNR, SSIM, NRMSE and Pearson's correlation in one call, by these names.

    SSIM is NaN for images under 11x11 px, into which its window does not fit.
    """
    return {name: values.numpy() for name, values in _quick(*_pair(targets, outputs)).items()}


# One trace serves images of every size.
@tf.function(input_signature=[tf.TensorSpec([None] * 4)] * 2, autograph=False)
def _quick(targets: tf.Tensor, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    fits = tf.reduce_min(tf.shape(targets)[1:3]) >= SSIM_WINDOW
    undefined = tf.fill(tf.shape(targets)[:1], np.float32(np.nan))
    similarity = tf.cond(fits, lambda: ssim(targets, outputs), lambda: undefined)
    return {
        "L1": l1(targets, outputs),
        "PSNR": psnr(targets, outputs),
        "SSIM": similarity,
        "NRMSE": nrmse(targets, outputs),
        "Pearson": pearson(targets, outputs),
    }


def _pair(targets: Images, outputs: Images) -> tuple[tf.Tensor, tf.Tensor]:
    """Both as float32 tensors of one shape."""
    targets, outputs = tf.convert_to_tensor(targets), tf.convert_to_tensor(outputs)
    if targets.shape.rank != 4 or not targets.shape.is_compatible_with(outputs.shape):
        raise InputError(
            "Expected targets and outputs of one shape [n, height, width, channels]. "
            f"Received: targets {targets.shape} and outputs {outputs.shape}"
        )
    if not (targets.dtype.is_floating and outputs.dtype.is_floating):
        raise InputError(
            "Expected targets and outputs as floats in [-1, 1]. "
            f"Received: {targets.dtype.name} and {outputs.dtype.name}"
        )
    return tf.cast(targets, tf.float32), tf.cast(outputs, tf.float32)


def _check_size(images: tf.Tensor, name: str, *, at_least: int) -> None:
    height, width = images.shape[1:3]
    if min(height or at_least, width or at_least) < at_least:
        raise InputError(
            f"Expected images of at least {at_least}x{at_least} px for {name}. "
            f"Received: {width}x{height} px (width x height)"
        )
