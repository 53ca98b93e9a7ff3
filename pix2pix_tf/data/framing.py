"""Sides of images: resized, continued by reflection, rounded to what a network takes."""

import tensorflow as tf


def resize(image, height, width):
    """Resizes float [..., h, w, c] with area interpolation, as the reference does."""
    return tf.image.resize(image, [height, width], method=tf.image.ResizeMethod.AREA)


def _indices(size, wanted):
    """Indices that continue an axis of `size` by reflection, as often as needed, to `wanted`."""
    period = tf.maximum(2 * (size - 1), 1)
    index = tf.range(wanted) % period
    return tf.minimum(index, period - index)


def reflect(image, height, width):
    """Continues [..., h, w, c] by reflection, below and on the right, to at least a size.

    Args:
        image: Tensor [..., h, w, c].
        height: Least height in pixels.
        width: Least width in pixels.

    Returns:
        Tensor [..., max(h, height), max(w, width), c].
    """
    shape = tf.shape(image)
    rows = _indices(shape[-3], tf.maximum(shape[-3], height))
    columns = _indices(shape[-2], tf.maximum(shape[-2], width))
    return tf.gather(tf.gather(image, rows, axis=-3), columns, axis=-2)


def reflect_to_multiple(image, multiple):
    """Continues [..., h, w, c] by reflection to the next multiples of `multiple` pixels."""
    shape = tf.shape(image)
    height, width = (-(-shape[axis] // multiple) * multiple for axis in (-3, -2))
    return reflect(image, height, width)


def scale_to_width(image, width, *, least_height=1):
    """Scales float [h, w, c] to a width, keeping the aspect but for a least height in pixels.

    Reference:
        PyTorch pix2pix, base_dataset.py, __scale_width().
    """
    shape = tf.shape(image)
    return resize(image, tf.maximum(width * shape[0] // shape[1], least_height), width)


def round_to_multiple(image, multiple):
    """Resizes float [h, w, c] to the nearest multiples of `multiple` pixels, at least one.

    Reference:
        PyTorch pix2pix, base_dataset.py, __make_power_2(), whose multiple is always 4.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32) / multiple
    height, width = tf.unstack(tf.maximum(tf.cast(tf.round(size), tf.int32), 1) * multiple)
    return resize(image, height, width)


def same_size(first, second):
    """Gives `second` the size of `first`, both float [h, w, c].

    Halves of an image with an odd width differ by one pixel, which is cut off; anything else is
    resized.
    """
    wanted, found = tf.shape(first), tf.shape(second)
    rest = found[:2] - wanted[:2]
    if_cut = tf.reduce_all((rest >= 0) & (rest <= 1))
    return tf.cond(
        if_cut,
        lambda: second[: wanted[0], : wanted[1]],
        lambda: resize(second, wanted[0], wanted[1]),
    )
