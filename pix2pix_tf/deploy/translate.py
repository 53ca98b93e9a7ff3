"""From pictures to pictures: any size in, the same size out."""

import tensorflow as tf

from pix2pix_tf.data import color, images


def _reflected(size, padded):
    """Indices that continue an axis of `size` by reflection, as often as needed, to `padded`."""
    period = tf.maximum(2 * (size - 1), 1)
    index = tf.range(padded) % period
    return tf.minimum(index, period - index)


def _rounded_up(size, multiple):
    # Not -(-size // multiple): ONNX rounds quotients towards zero.
    return (size + multiple - 1) // multiple * multiple


def translate(generator, batch, *, multiple):
    """Translates images of any size.

    Images are continued by reflection to the next multiple that the network needs, and the
    result is cut back. Nothing is added to images of such a size, so those are translated exactly
    as in training.

    Args:
        generator: Model from [n, h, w, c] to [n, h, w, c'] in [-1, 1].
        batch: Float [n, h, w, c] in [-1, 1].
        multiple: The sides that the generator takes are multiples of this.

    Returns:
        float32 [n, h, w, c'] in [-1, 1].
    """
    height, width = tf.shape(batch)[1], tf.shape(batch)[2]
    rows = _reflected(height, _rounded_up(height, multiple))
    columns = _reflected(width, _rounded_up(width, multiple))
    padded = tf.gather(tf.gather(batch, rows, axis=1), columns, axis=2)
    return generator(padded)[:, :height, :width]


def translate_pictures(generator, pictures, *, multiple=256, lab=False, direction="AtoB"):
    """Translates pictures in [0, 1], in Lab mode by way of lightness and colour.

    Args:
        generator: Model from [n, h, w, c] to [n, h, w, c'] in [-1, 1].
        pictures: Float [n, h, w, 3] in [0, 1].
        multiple: The sides that the generator takes are multiples of this.
        lab: Whether the generator works on Lab colour: the half that it does not predict is
            taken from `pictures`.
        direction: "AtoB" or "BtoA".

    Returns:
        float32 [n, h, w, 3] in [0, 1].
    """
    if not lab:
        return images.from_signed(
            translate(generator, images.to_signed(pictures), multiple=multiple)
        )
    lightness, colour = color.split(pictures)
    if direction == "AtoB":
        return color.join(lightness, translate(generator, lightness, multiple=multiple))
    return color.join(translate(generator, colour, multiple=multiple), colour)
