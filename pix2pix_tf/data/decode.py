"""Image files of every format as tensors, upright and in their full depth."""

import tensorflow as tf

from pix2pix_tf.data import codecs, images

# Of the first bytes of a JPEG or PNG: EXIF with its tags at the usual offset of 8, little or big
# endian, twelve bytes a tag, up to the orientation (274, a short). \C is any byte.
_EXIF = (
    r"(?s)^\C*?(?:Exif\x00\x00|eXIf)(?:"
    r"II\*\x00\x08\x00\x00\x00\C\C(?:\C{12}){0,40}?\x12\x01\x03\x00\x01\x00\x00\x00([\x01-\x08])"
    r"|MM\x00\*\x00\x00\x00\x08\C\C(?:\C{12}){0,40}?\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x01-\x08])"
    r")\C*"
)
_EXIF_WITHIN = 1024


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

    def deep():
        with tf.control_dependencies(images.size_checks(contents)):
            return images.to_unit(tf.io.decode_png(contents, channels=decoded, dtype=tf.uint16))

    image = tf.cond(
        is_deep,
        deep,
        lambda: images.to_unit(images.decode(contents, channels=decoded)),
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
