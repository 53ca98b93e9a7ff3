"""Sides of images: resized, reflection-padded, rounded to what a network takes."""

import tensorflow as tf


def resize(
    image: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int, *, method: str = "area"
) -> tf.Tensor:
    """Resizes to a size; the aspect is not kept.

    Args:
        image: Float [h, w, c] in [-1, 1].
        height: In pixels.
        width: In pixels.
        method: "area" as pix2pix.py, or "bicubic" as the PyTorch code.

    Returns:
        float32 [height, width, c] in [-1, 1].
    """
    if method == "area":
        return tf.image.resize(image, [height, width], method=tf.image.ResizeMethod.AREA)
    return _pillow_bicubic(image, height, width)


def _pillow_bicubic(image: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """Resizes as Pillow does: the width, then the height, each rounded to 8 bits.

    The kernel is wider where the image shrinks. Its overshoot at edges is cut off after each
    pass: without that, sharp edges are off by up to 11/255. With it, one value in 10,000 differs
    from Pillow's by 1/255. (Pillow 13 starts with the height where that shrinks more.)

    Images that are not of 8 bits are not rounded; they keep within their own extremes.
    """
    bicubic, levels = tf.image.ResizeMethod.BICUBIC, (image + 1) * 127.5
    # Neighbours of 16 bits are 1/257 apart, float32 is 1e-5 off.
    coarse = tf.reduce_all(tf.abs(levels - tf.round(levels)) < 1e-3)
    levels = tf.where(coarse, tf.round(levels), levels)
    low = tf.where(coarse, 0.0, tf.reduce_min(levels))
    high = tf.where(coarse, 255.0, tf.reduce_max(levels))
    for shape in ([tf.shape(image)[0], width], [height, width]):
        levels = tf.image.resize(levels, shape, method=bicubic, antialias=True)
        levels = tf.where(coarse, tf.floor(levels + 0.5), levels)
        levels = tf.clip_by_value(levels, low, high)
    return levels / 127.5 - 1


def _indices(size: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Indices that reflection-pad an axis of `size`, as often as needed, to `wanted`."""
    period = tf.maximum(2 * (size - 1), 1)
    index = tf.range(wanted) % period
    return tf.minimum(index, period - index)


def reflect(image: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """Reflection-pads [..., h, w, c], below and on the right, to at least a size.

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


def reflect_to_multiple(image: tf.Tensor, multiple: int, *, least: int = 1) -> tf.Tensor:
    """Reflection-pads [..., h, w, c] to the next multiples of `multiple` pixels, at least `least`.

    `least` is a multiple itself, or 1.
    """
    sides = [rounded_up(side, multiple) for side in tf.unstack(tf.shape(image)[-3:-1])]
    if least > multiple:
        sides = [tf.maximum(side, least) for side in sides]
    return reflect(image, *sides)


def rounded_up(size: tf.Tensor | int, multiple: tf.Tensor | int) -> tf.Tensor | int:
    """The next multiple of `multiple`, both ints or int tensors, none negative."""
    # Not -(-size // multiple): ONNX rounds quotients towards zero.
    return (size + multiple - 1) // multiple * multiple


def scale_to_width(
    image: tf.Tensor, width: int, *, least_height: int = 1, method: str = "area"
) -> tf.Tensor:
    """Scales float [h, w, c] to a width, keeping the aspect but for a least height in pixels.

    `method` is that of `resize`.

    Reference:
        PyTorch pix2pix, base_dataset.py, __scale_width().
    """
    shape = tf.shape(image)
    height = tf.maximum(width * shape[0] // shape[1], least_height)
    return resize(image, height, width, method=method)


def round_to_multiple(image: tf.Tensor, multiple: int, *, method: str = "area") -> tf.Tensor:
    """Resizes float [h, w, c] to the nearest multiples of `multiple` pixels, at least one.

    `method` is that of `resize`.

    Reference:
        PyTorch pix2pix, base_dataset.py, __make_power_2(), whose multiple is always 4.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32) / multiple
    height, width = tf.unstack(tf.maximum(tf.cast(tf.round(size), tf.int32), 1) * multiple)
    return resize(image, height, width, method=method)


def same_size(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
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
