"""Random mirroring and cropping as stateless functions of a seed."""

import tensorflow as tf


def jitter(images, seed, *, scale_size, crop_size, flip):
    """Mirrors, resizes and crops images that belong together, with one draw for all.

    The order is the reference's: mirror, resize with area interpolation to a square (the aspect
    is not kept), crop at an offset of 0 to scale_size - crop_size inclusive.

    Args:
        images: Sequence of float [h, w, c], of any sizes.
        seed: int32 [2].
        scale_size: Side of the square before the crop, in pixels, at least crop_size.
        crop_size: Side of the result, in pixels.
        flip: Whether to mirror left-right with probability 1/2.

    Returns:
        List of float32 [crop_size, crop_size, c].

    Reference:
        pix2pix.py, load_examples(), transform().
    """
    draws = tf.random.stateless_uniform([3], seed, alg="philox")
    offset = tf.cast(draws[:2] * float(scale_size - crop_size + 1), tf.int32)
    mirrored = draws[2] < 0.5 if flip else tf.constant(False)

    def transform(image):
        image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
        size = [scale_size, scale_size]
        image = tf.image.resize(image, size, method=tf.image.ResizeMethod.AREA)
        start = tf.concat([offset, [0]], 0)
        return tf.slice(image, start, [crop_size, crop_size, image.shape[-1]])

    return [transform(image) for image in images]
