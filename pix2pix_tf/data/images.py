"""Image files, uint8 pixels and floats in [-1, 1]: the one place where they are converted."""

import tensorflow as tf

from pix2pix_tf.data import codecs, color

# tf.image.encode_jpeg in pix2pix.py, export mode.
JPEG_QUALITY = 80
# As long as the part of a BMP that ends with its size, the longest of all.
_NOTHING = b"\0" * 26


def decode(contents, *, channels=3):
    """Decodes JPEG, PNG, GIF or BMP bytes.

    Grey is widened, alpha is dropped (or added, opaque) and 16 bits become 8.

    Args:
        contents: String scalar, the bytes of a file.
        channels: 3, or 4 with alpha.

    Returns:
        uint8 [h, w, channels].

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no such image, or claim to be one of more
            than `codecs.MAX_PIXELS`: that is refused before any memory is spent on it.
    """

    def colour():
        image = tf.io.decode_image(contents, channels=3, expand_animations=False)
        return tf.ensure_shape(image, [None, None, 3])

    with tf.control_dependencies(size_checks(contents)):
        if channels == 3:
            return colour()
        is_png = tf.strings.substr(contents, 0, 8) == codecs.PNG_MARK
        return tf.cond(
            is_png,
            lambda: tf.io.decode_png(contents, channels=4),
            lambda: tf.pad(colour(), [[0, 0], [0, 0], [0, 1]], constant_values=255),
        )


def size_checks(contents):
    """The operations that have to run before a file is decoded, so that no small one fills memory.

    Args:
        contents: String scalar, the bytes of a file.

    Returns:
        List of operations; they raise tf.errors.InvalidArgumentError.
    """
    check = tf.debugging.assert_less_equal(
        tf.reduce_prod(_claimed_size(contents)),
        tf.constant(codecs.MAX_PIXELS, tf.int64),
        message=f"Expected an image of at most {codecs.MAX_PIXELS} pixels",
    )
    return [] if check is None else [check]


def _claimed_size(contents):
    """The two sides that the head of a file names, int64 [2]; zeros if it is of no known kind."""
    head = tf.strings.substr(tf.strings.join([contents, _NOTHING]), 0, len(_NOTHING))
    head = tf.reshape(tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64), [len(_NOTHING)])

    def sides(first, weights):
        width, height = tf.split(head[first : first + 2 * len(weights)], 2)
        return tf.stack([tf.reduce_sum(width * weights), tf.reduce_sum(height * weights)])

    def starts(mark):
        return tf.reduce_all(head[: len(mark)] == list(mark))

    def bmp():
        size = sides(18, [1, 2**8, 2**16, 2**24])
        # A negative height is that of an image from the top.
        return tf.minimum(size, 2**32 - size)

    # PNG is big-endian; GIF and BMP are little-endian.
    return tf.case(
        [
            (starts(b"\xff\xd8"), lambda: _jpeg_size(contents)),
            (starts(b"\x89PNG"), lambda: sides(16, [2**24, 2**16, 2**8, 1])),
            (starts(b"GIF8"), lambda: sides(6, [1, 2**8])),
            (starts(b"BM"), bmp),
        ],
        default=lambda: tf.zeros([2], tf.int64),
    )


def _jpeg_size(contents):
    return tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.int64)


def to_unit(image):
    """uint8 to float32 in [0, 1]."""
    return tf.image.convert_image_dtype(image, tf.float32)


def from_unit(image):
    """Float in [0, 1] to uint8, as the reference rounds: floor(255.5 x), saturated."""
    return tf.image.convert_image_dtype(image, tf.uint8, saturate=True)


def to_signed(image):
    """Float in [0, 1] to [-1, 1]."""
    return image * 2 - 1


def from_signed(image):
    """Float in [-1, 1] to [0, 1]."""
    return (image + 1) / 2


def split_pair(image):
    """Cuts a side-by-side image at half its width; with an odd width B is one pixel wider.

    Args:
        image: uint8, or float in [0, 1], [h, w, c].

    Returns:
        (A, B): float32 in [-1, 1], [h, w // 2, c] and [h, w - w // 2, c].
    """
    image = to_signed(to_unit(image))
    middle = tf.shape(image)[1] // 2
    return image[:, :middle], image[:, middle:]


def split_lab(image):
    """Splits a colour image into lightness (A) and colour (B).

    Args:
        image: uint8, or float in [0, 1], [h, w, 3].

    Returns:
        (A, B): float32 in [-1, 1], [h, w, 1] and [h, w, 2].
    """
    return color.split(to_unit(image))


def pictures(inputs, targets, outputs, *, lab=False, direction="AtoB"):
    """What a person looks at: the batch as uint8 pictures.

    In Lab mode the half that is not a picture by itself is joined with the lightness, as the
    reference does: AtoB shows lightness in and colour out, BtoA the other way round.

    Args:
        inputs: Float [n, h, w, c] in [-1, 1].
        targets: Likewise.
        outputs: Likewise.
        lab: Whether the batch is in Lab colour.
        direction: "AtoB" or "BtoA".

    Returns:
        Dict from "inputs", "outputs", "targets" to uint8 [n, h, w, 1, 3 or 4].
    """
    shown = units(inputs, targets, outputs, lab=lab, direction=direction)
    return {kind: from_unit(viewable(batch)) for kind, batch in shown.items()}


def viewable(batch):
    """The channels of [..., c] that a picture can show: 1, 3 or 4 of them."""
    count = batch.shape[-1]
    return batch if count in (1, 3, 4) else batch[..., : 3 if count > 4 else 1]


def units(inputs, targets, outputs, *, lab=False, direction="AtoB"):
    """As `pictures`, in float32 [n, h, w, c] in [0, 1]; without targets if they are None."""
    if lab and direction == "AtoB":
        shown = (from_signed(inputs), color.join(inputs, outputs), color.join(inputs, targets))
    elif lab:
        shown = (color.join(targets, inputs), from_signed(outputs), from_signed(targets))
    else:
        targets = None if targets is None else from_signed(targets)
        shown = (from_signed(inputs), from_signed(outputs), targets)
    named = zip(("inputs", "outputs", "targets"), shown, strict=True)
    return {kind: batch for kind, batch in named if batch is not None}


def encode(image, *, filetype="png"):
    """Encodes uint8 [h, w, c] as "png" or "jpeg" (quality 80, as the reference)."""
    if filetype == "jpeg":
        return tf.io.encode_jpeg(image, quality=JPEG_QUALITY)
    return tf.io.encode_png(image)
