"""uint8 pixels, [0, 1], [-1, 1] and Lab colour as tensors: the one place for conversions."""

import tensorflow as tf

from pix2pix_tf.data import color
from pix2pix_tf.data.samples import visible_channels as viewable  # noqa: F401

# tf.image.encode_jpeg in pix2pix.py, export mode.
JPEG_QUALITY = 80


def to_unit(image: tf.Tensor) -> tf.Tensor:
    """uint8 to float32 in [0, 1]."""
    return tf.image.convert_image_dtype(image, tf.float32)


def from_unit(image: tf.Tensor) -> tf.Tensor:
    """Float in [0, 1] to uint8, as the reference rounds: floor(255.5 x), saturated."""
    return tf.image.convert_image_dtype(image, tf.uint8, saturate=True)


def to_signed(image: tf.Tensor) -> tf.Tensor:
    """Float in [0, 1] to [-1, 1]."""
    return image * 2 - 1


def from_signed(image: tf.Tensor) -> tf.Tensor:
    """Float in [-1, 1] to [0, 1]."""
    return (image + 1) / 2


def split_pair(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts a side-by-side image at half its width; with an odd width B is one pixel wider.

    Args:
        image: Float [h, w, c] in [0, 1].

    Returns:
        (A, B): float32 in [-1, 1], [h, w // 2, c] and [h, w - w // 2, c].
    """
    image = to_signed(image)
    middle = tf.shape(image)[1] // 2
    return image[:, :middle], image[:, middle:]


def units(
    inputs: tf.Tensor,
    targets: tf.Tensor | None,
    outputs: tf.Tensor,
    *,
    lab: bool,
    direction: str,
) -> dict[str, tf.Tensor]:
    """Converts a batch to images in [0, 1].

    In Lab mode the half that is not an image by itself is joined with the lightness, as the
    reference does: AtoB shows lightness in and colour out, BtoA the other way round.

    Args:
        inputs: Float [n, h, w, c] in [-1, 1].
        targets: Likewise, or None.
        outputs: Likewise.
        lab: Whether the batch is in Lab colour.
        direction: "AtoB" or "BtoA".

    Returns:
        Dict from "inputs", "outputs", and "targets" if there are any, to float32 [n, h, w, c].
    """
    if lab and direction == "AtoB":
        displayed = (from_signed(inputs), color.join(inputs, outputs), color.join(inputs, targets))
    elif lab:
        displayed = (color.join(targets, inputs), from_signed(outputs), from_signed(targets))
    else:
        targets = None if targets is None else from_signed(targets)
        displayed = (from_signed(inputs), from_signed(outputs), targets)
    named = zip(("inputs", "outputs", "targets"), displayed, strict=True)
    return {kind: batch for kind, batch in named if batch is not None}


def encode(image: tf.Tensor, *, filetype: str = "png") -> tf.Tensor:
    """Encodes uint8 [h, w, c] as "png" or "jpeg" (quality 80, as the reference)."""
    if filetype == "jpeg":
        return tf.io.encode_jpeg(image, quality=JPEG_QUALITY)
    return tf.io.encode_png(image)
