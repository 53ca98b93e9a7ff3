"""How near one image is to another: L1, PSNR, SSIM and MS-SSIM of pairs in [-1, 1]."""

import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError

DATA_RANGE = 2.0  # of images in [-1, 1]
# Wang, Bovik, Sheikh and Simoncelli 2004, section III.C.
SSIM_WINDOW, SSIM_SIGMA, SSIM_K1, SSIM_K2 = 11, 1.5, 0.01, 0.03
# Wang, Simoncelli and Bovik 2003, section 3.2: the weights of the five scales, finest first.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# The window has to fit into the coarsest scale, which is halved four times: 176 px.
MS_SSIM_SIZE = SSIM_WINDOW * 2 ** (len(MS_SSIM_WEIGHTS) - 1)

# What `pair_metrics` measures.
QUICK = ("L1", "PSNR", "SSIM")


def l1(targets, outputs):
    """Mean absolute difference of each image, in units of [-1, 1].

    Args:
        targets: Float [n, h, w, c] in [-1, 1].
        outputs: Likewise, of the same shape.

    Returns:
        float32 [n], from 0 (equal) to 2.

    Raises:
        InputError: If the shapes differ or the values are not floats.
    """
    targets, outputs = _pair(targets, outputs)
    return tf.reduce_mean(tf.abs(targets - outputs), axis=[1, 2, 3])


def psnr(targets, outputs):
    """Peak signal-to-noise ratio of each image, in dB.

    Args:
        targets: Float [n, h, w, c] in [-1, 1].
        outputs: Likewise, of the same shape.

    Returns:
        float32 [n]; infinite where the images are equal.

    Raises:
        InputError: If the shapes differ or the values are not floats.
    """
    targets, outputs = _pair(targets, outputs)
    return tf.image.psnr(targets, outputs, max_val=DATA_RANGE)


def ssim(targets, outputs):
    """Structural similarity of each image.

    The mean over all places where the 11x11 Gaussian window lies inside the image, and over the
    channels, each judged by itself. Its luminance term is made for intensities, where black is 0,
    so it is taken of the images moved to [0, 2]: the same as of uint8 images with a range of 255.

    Args:
        targets: Float [n, h, w, c] in [-1, 1], at least 11x11 px.
        outputs: Likewise, of the same shape.

    Returns:
        float32 [n], at most 1 (equal).

    Raises:
        InputError: If the shapes differ, the images are too small or the values are not floats.

    Reference:
        Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
        Structural Similarity", IEEE Transactions on Image Processing, 2004.
    """
    targets, outputs = _pair(targets, outputs)
    _check_size(targets, "SSIM", at_least=SSIM_WINDOW)
    luminance, contrast = _similarity(targets, outputs)
    return tf.reduce_mean(luminance * contrast, axis=[1, 2, 3])


def ms_ssim(targets, outputs):
    """Multi-scale structural similarity of each image, over five scales; intensities as in `ssim`.

    Args:
        targets: Float [n, h, w, c] in [-1, 1], at least 176x176 px.
        outputs: Likewise, of the same shape.

    Returns:
        float32 [n] in [0, 1]; a scale with a negative contrast term counts as 0.

    Raises:
        InputError: If the shapes differ, the images are too small or the values are not floats.

    Reference:
        Wang, Simoncelli and Bovik, "Multiscale Structural Similarity for Image Quality
        Assessment", Asilomar Conference on Signals, Systems and Computers, 2003.
    """
    targets, outputs = _pair(targets, outputs)
    _check_size(targets, "MS-SSIM", at_least=MS_SSIM_SIZE)
    product = 1.0
    for scale, weight in enumerate(MS_SSIM_WEIGHTS, start=1):
        luminance, term = _similarity(targets, outputs)
        if scale == len(MS_SSIM_WEIGHTS):
            term *= luminance
        product *= tf.nn.relu(tf.reduce_mean(term, axis=[2, 3])) ** weight
        targets, outputs = (tf.nn.avg_pool2d(x, 2, 2, "SAME") for x in (targets, outputs))
    return tf.reduce_mean(product, axis=1)


def pair_metrics(targets, outputs):
    """The quick three of every tested pair, in one call.

    Args:
        targets: Float [n, h, w, c] in [-1, 1].
        outputs: Likewise, of the same shape.

    Returns:
        Dict from "L1", "PSNR" and "SSIM" to float32 arrays [n]. PSNR is infinite for equal images;
        SSIM is NaN for images under 11x11 px, into which its window does not fit.

    Raises:
        InputError: If the shapes differ or the values are not floats.
    """
    return {name: values.numpy() for name, values in _quick(*_pair(targets, outputs)).items()}


# One trace serves images of every size.
@tf.function(input_signature=[tf.TensorSpec([None] * 4)] * 2)
def _quick(targets, outputs):
    fits = tf.reduce_min(tf.shape(targets)[1:3]) >= SSIM_WINDOW
    undefined = tf.fill(tf.shape(targets)[:1], np.float32(np.nan))
    similarity = tf.cond(fits, lambda: ssim(targets, outputs), lambda: undefined)
    return {"L1": l1(targets, outputs), "PSNR": psnr(targets, outputs), "SSIM": similarity}


def _similarity(targets, outputs):
    """Luminance and contrast-structure terms of every window, both [n, c, h - 10, w - 10]."""
    mean_t, mean_o = _window_means(targets), _window_means(outputs)
    variances = _window_means(targets**2 + outputs**2) - mean_t**2 - mean_o**2
    covariance = _window_means(targets * outputs) - mean_t * mean_o
    c1, c2 = (SSIM_K1 * DATA_RANGE) ** 2, (SSIM_K2 * DATA_RANGE) ** 2
    # Intensities, with black at 0. Variances do not change with that; taken of [-1, 1] they are
    # differences of smaller numbers and keep more digits.
    mean_t, mean_o = mean_t + 1, mean_o + 1
    luminance = (2 * mean_t * mean_o + c1) / (mean_t**2 + mean_o**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _window_means(images):
    """Gaussian means of all whole windows, [n, h, w, c] to [n, c, h - 10, w - 10]."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    window = (window / window.sum()).astype(np.float32)
    n, h, w, c = tf.unstack(tf.shape(images))
    planes = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [n * c, h, w, 1])
    for kernel in (window[:, None, None, None], window[None, :, None, None]):
        planes = tf.nn.conv2d(planes, kernel, strides=1, padding="VALID")
    return tf.reshape(planes, [n, c, h - SSIM_WINDOW + 1, w - SSIM_WINDOW + 1])


def _pair(targets, outputs):
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


def _check_size(images, name, *, at_least):
    height, width = images.shape[1:3]
    if min(height or at_least, width or at_least) < at_least:
        raise InputError(
            f"Expected images of at least {at_least}x{at_least} px for {name}. "
            f"Received: {width}x{height} px (width x height)"
        )
