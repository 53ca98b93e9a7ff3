"""From pictures to pictures: any size in, the same size out, in tiles where that is too large."""

import tensorflow as tf

from pix2pix_tf.data import color, images, resize


def translate(generator, batch, *, multiple, tile=0):
    """Translates images of any size.

    Images are continued by reflection to the next multiple that the network needs, and the
    result is cut back. Nothing is added to images of such a size, so those are translated exactly
    as in training.

    Args:
        generator: Model from [n, h, w, c] to [n, h, w, c'] in [-1, 1].
        batch: Float [n, h, w, c] in [-1, 1].
        multiple: The sides that the generator takes are multiples of this.
        tile: Side in pixels of the tiles in which larger images are translated, rounded up to
            a multiple of `multiple`; 0 for whole images.

    Returns:
        float32 [n, h, w, c'] in [-1, 1].
    """
    shape = tf.shape(batch)
    tile = resize.rounded_up(tile, multiple)

    def whole():
        return generator(resize.reflect_to_multiple(batch, multiple))

    if not tile:
        result = whole()
    else:
        fits = tf.reduce_max(shape[1:3]) <= tile
        result = tf.cond(fits, whole, lambda: _tiled(generator, batch, tile))
    return result[:, : shape[1], : shape[2]]


def _tiled(generator, batch, tile):
    """Translates tile by tile and blends the results.

    Tiles overlap by a quarter, over which the weight of one falls linearly while that of the next
    rises. Each is normalised by its own statistics, as crops are in training, so neighbours may
    differ in tone; the blend spreads that difference over the overlap.
    """
    batch = resize.reflect(batch, tile, tile)
    height, width = tf.shape(batch)[1], tf.shape(batch)[2]
    tops, row_weights = _windows(height, tile)
    lefts, column_weights = _windows(width, tile)
    corners = tf.reshape(tf.stack(tf.meshgrid(tops, lefts, indexing="ij"), -1), [-1, 2])

    def one(corner):
        part = batch[:, corner[0] : corner[0] + tile, corner[1] : corner[1] + tile]
        return generator(part)

    def add(total, item):
        part, number, (top, left) = item[0], item[1], tf.unstack(item[2])
        row, column = number // tf.size(lefts), number % tf.size(lefts)
        weights = row_weights[row][:, None, None] * column_weights[column][:, None]
        rest = [[0, 0], [top, height - top - tile], [left, width - left - tile], [0, 0]]
        return total + tf.pad(part * weights, rest)

    # One after the other: the memory of one tile is what tiles are for.
    parts = tf.map_fn(one, corners, fn_output_signature=tf.float32, parallel_iterations=1)
    total = tf.zeros([tf.shape(batch)[0], height, width, tf.shape(parts)[-1]])
    numbers = tf.range(tf.shape(corners)[0])
    return tf.foldl(add, (parts, numbers, corners), total, parallel_iterations=1)


def _windows(size, tile):
    """Where tiles start along an axis, and the weight of each pixel in each of them.

    Returns:
        (starts, weights): int32 [k] and float32 [k, tile]; over all tiles a pixel's weights sum
        up to 1.
    """
    overlap = tile // 4
    last = size - tile
    step = tile - overlap
    count = resize.rounded_up(last, step) // step + 1
    starts = tf.minimum(tf.range(count) * step, last)
    place = tf.range(tile)
    ramp = tf.cast(tf.minimum(place + 1, tile - place), tf.float32) / (overlap + 1)
    ramp = tf.tile(tf.minimum(ramp, 1.0)[None], [count, 1])
    places = starts[:, None] + place
    sums = tf.tensor_scatter_nd_add(tf.zeros([size]), places[..., None], ramp)
    return starts, ramp / tf.gather(sums, places)


def translate_pictures(generator, pictures, *, multiple=256, tile=0, lab=False, direction="AtoB"):
    """Translates pictures in [0, 1], in Lab mode by way of lightness and colour.

    Args:
        generator: Model from [n, h, w, c] to [n, h, w, c'] in [-1, 1].
        pictures: Float [n, h, w, 3] in [0, 1].
        multiple: The sides that the generator takes are multiples of this.
        tile: Side in pixels of the tiles for larger pictures, or 0.
        lab: Whether the generator works on Lab colour: the half that it does not predict is
            taken from `pictures`.
        direction: "AtoB" or "BtoA".

    Returns:
        float32 [n, h, w, 3] in [0, 1].
    """
    size = {"multiple": multiple, "tile": tile}
    if not lab:
        return images.from_signed(translate(generator, images.to_signed(pictures), **size))
    lightness, colour = color.split(pictures)
    if direction == "AtoB":
        return color.join(lightness, translate(generator, lightness, **size))
    return color.join(translate(generator, colour, **size), colour)
