"""Image files, uint8 pixels and floats in [-1, 1]: the one place where they are converted."""

import tensorflow as tf

from pix2pix_tf.data import codecs, color

# tf.image.encode_jpeg in pix2pix.py, export mode.
JPEG_QUALITY = 80


# Of the first bytes of a JPEG or PNG: EXIF with its tags at the usual offset of 8, little or big
# endian, twelve bytes a tag, up to the orientation (274, a short). \C is any byte.
_EXIF = (
    r"(?s)^\C*?(?:Exif\x00\x00|eXIf)(?:"
    r"II\*\x00\x08\x00\x00\x00\C\C(?:\C{12}){0,40}?\x12\x01\x03\x00\x01\x00\x00\x00([\x01-\x08])"
    r"|MM\x00\*\x00\x00\x00\x08\C\C(?:\C{12}){0,40}?\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x01-\x08])"
    r")\C*"
)
_EXIF_WITHIN = 1024


def decode(contents, *, channels=3):
    """Decodes JPEG, PNG, GIF or BMP bytes.

    Grey is widened, alpha is dropped (or added, opaque) and 16 bits become 8.

    Args:
        contents: String scalar, the bytes of a file.
        channels: 3, or 4 with alpha.

    Returns:
        uint8 [h, w, channels].
    """

    def colour():
        image = tf.io.decode_image(contents, channels=3, expand_animations=False)
        return tf.ensure_shape(image, [None, None, 3])

    if channels == 3:
        return colour()
    is_png = tf.strings.substr(contents, 0, 8) == codecs.PNG_MARK
    return tf.cond(
        is_png,
        lambda: tf.io.decode_png(contents, channels=4),
        lambda: tf.pad(colour(), [[0, 0], [0, 0], [0, 1]], constant_values=255),
    )


def decode_unit(contents, *, channels=3):
    """Decodes JPEG or PNG bytes of 8 or 16 bits, upright.

    Args:
        contents: String scalar, the bytes of a file.
        channels: 1, 3 or 4.

    Returns:
        float32 [h, w, channels] in [0, 1].
    """
    decoded = max(channels, 3)
    head = tf.strings.substr(contents, 0, 32) + b"\0" * 32
    is_png = tf.strings.substr(head, 0, 8) == codecs.PNG_MARK
    is_deep = is_png & (tf.strings.substr(head, codecs.PNG_DEPTH_AT, 1) == b"\x10")
    image = tf.cond(
        is_deep,
        lambda: to_unit(tf.io.decode_png(contents, channels=decoded, dtype=tf.uint16)),
        lambda: to_unit(decode(contents, channels=decoded)),
    )
    image = _upright(image, contents)
    return image if channels > 1 else tf.tensordot(image, [[x] for x in codecs.LUMINANCE], 1)


def _upright(image, contents):
    """Turns an image as its file's EXIF orientation says."""
    head = tf.strings.substr(contents, 0, _EXIF_WITHIN)
    found = tf.strings.regex_replace(head, _EXIF, r"\1\2", replace_global=False)
    is_told = tf.strings.length(found) == 1
    told = tf.where(is_told, found, b"\1")
    orientation = tf.cast(tf.io.decode_raw(told, tf.uint8)[0], tf.int32)

    def turned():
        upright = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
        for axis, reversing in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
            is_reversed = tf.reduce_any(orientation == reversing)
            upright = tf.where(is_reversed, tf.reverse(upright, [axis]), upright)
        return upright

    upright = tf.cond(orientation > 1, turned, lambda: image)
    return tf.ensure_shape(upright, [None, None, image.shape[-1]])


def read(contents, *, channels=3, value_range=(0.0, 1.0)):
    """Decodes a file of any supported format.

    Usual JPEG and PNG files stay in TensorFlow, all else is read in Python.

    Args:
        contents: String scalar, the bytes of a file.
        channels: How many the result has; 1 to 4 are converted, others must be right.
        value_range: The float samples that stand for 0 and 1.

    Returns:
        float32 [h, w, channels] in [0, 1].
    """

    def load(contents):
        # Outside of graphs TensorFlow passes an array that holds the bytes.
        contents = contents if isinstance(contents, bytes) else contents.tobytes()
        return codecs.load_unit(contents, channels=channels, value_range=value_range)

    def foreign():
        image = tf.numpy_function(load, [contents], tf.float32)
        return tf.ensure_shape(image, [None, None, channels])

    if channels not in (1, 3, 4):
        return foreign()
    is_jpeg = tf.strings.substr(contents, 0, 3) == codecs.JPEG_MARK
    is_png = tf.strings.substr(contents, 0, 8) == codecs.PNG_MARK
    # TensorFlow takes the four channels of CMYK for three.
    is_usual = tf.cond(is_jpeg, lambda: tf.io.extract_jpeg_shape(contents)[2] != 4, lambda: is_png)
    return tf.cond(is_usual, lambda: decode_unit(contents, channels=channels), foreign)


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
