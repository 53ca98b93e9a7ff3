"""Random mirroring and cropping as stateless functions of a seed."""

from collections.abc import Sequence

import tensorflow as tf

from pix2pix_tf.data import resize, sizes
from pix2pix_tf.data.sizes import ResizeSpec


def jitter(
    images: Sequence[tf.Tensor], seed: tf.Tensor, framing: ResizeSpec, *, flip: bool
) -> list[tf.Tensor]:
    """Mirrors, resizes and crops images that belong together, with one draw for all.

    The order is pix2pix.py's: mirror, resize (the aspect is not kept), crop at an offset of 0 to
    scale_size - crop_size inclusive. The PyTorch code mirrors last, which is the same draw. With
    another `preprocess` the images have to be of one size, and images under the crop size are
    reflection-padded.

    Args:
        images: Sequence of float [h, w, c] in [-1, 1], of any sizes.
        seed: int32 [2].
        framing: `ResizeSpec`; its scale size is at least its crop size.
        flip: Whether to mirror left-right with probability 1/2.

    Returns:
        List of float32 [crop_size, crop_size, c], or of the rounded size.

    Reference:
        pix2pix.py, load_examples(), transform(); PyTorch CycleGAN, data/base_dataset.py.
    """
    draws = tf.random.stateless_uniform([3], seed, alg="philox")
    mirrored = draws[2] < 0.5 if flip else tf.constant(False)
    scale, crop = sizes.sides(framing.scale_size), sizes.sides(framing.crop_size)
    preprocess, method = framing.preprocess, framing.method

    def transform(image: tf.Tensor) -> tf.Tensor:
        image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
        if preprocess == "resize_and_crop":
            image = resize.resize(image, *scale, method=method)
        if preprocess in ("scale_width", "scale_width_and_crop"):
            image = resize.scale_to_width(image, scale[1], least_height=crop[0], method=method)
        if preprocess in ("scale_width", "none"):
            return resize.round_to_multiple(image, framing.multiple, method=method)
        if preprocess != "resize_and_crop":
            image = resize.reflect(image, *crop)
        room = tf.cast(tf.shape(image)[:2] - crop + 1, tf.float32)
        start = tf.concat([tf.cast(draws[:2] * room, tf.int32), [0]], 0)
        return tf.slice(image, start, [*crop, image.shape[-1]])

    return [transform(image) for image in images]


def eval_transform(images: Sequence[tf.Tensor], framing: ResizeSpec) -> list[tf.Tensor]:
    """Sizes images as testing does: nothing is mirrored or cropped.

    Args:
        images: Sequence of float [h, w, c].
        framing: `ResizeSpec`; of its scale size only the width is used.

    Returns:
        List of float32 [h', w', c]: the crop size with "resize_and_crop", the width of the scale
        size with "scale_width" and "scale_width_and_crop", else the images' own size.
    """
    crop, width = sizes.sides(framing.crop_size), sizes.sides(framing.scale_size)[1]
    if framing.preprocess == "resize_and_crop":
        return [resize.resize(image, *crop, method=framing.method) for image in images]
    if framing.preprocess in ("scale_width", "scale_width_and_crop"):
        return [resize.scale_to_width(image, width, method=framing.method) for image in images]
    return list(images)
