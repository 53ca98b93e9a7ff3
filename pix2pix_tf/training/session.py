"""Names for files that cannot be decoded."""

import contextlib

import tensorflow as tf

from pix2pix_tf.errors import InputError


@contextlib.contextmanager
def decode_errors_named(paths, decode):
    """Turns TensorFlow's error about a file that it cannot decode into one that names the file.

    The quick check before training reads only heads and tails; damage in the middle shows here.

    Args:
        paths: Files.
        decode: Function of a file's bytes that raises a TensorFlow error, or a ValueError.

    Raises:
        InputError: Naming the file.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError):
        for path in paths:
            try:
                decode(tf.io.read_file(path))
            except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError, ValueError) as error:
                text = error.message if isinstance(error, tf.errors.OpError) else str(error)
                why = text.splitlines()[0].rpartition("}} ")[2]
                raise InputError(f"Expected readable images. Received: {path} ({why})") from None
        raise
