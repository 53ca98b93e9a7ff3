"""What holds for files of every format."""

import io
import random

import numpy as np
import pytest
import tensorflow as tf
from contents import read, read_unit
from PIL import Image

from pix2pix_tf.data import decode, inspection
from pix2pix_tf.data.samples import DomainSpec, to_unit


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def read_in_graph(contents):
    """What a pipeline makes of a file."""
    return decode.read(contents)


def check_read(path, contents, expected, tolerance):
    """Asserts that a file is read right eagerly, in a graph and in Python.

    Args:
        path: Where to write it.
        contents: The bytes.
        expected: [h, w, 3] in [0, 1], or None for what Pillow reads.
        tolerance: In levels of 255.
    """
    path.write_bytes(contents)
    assert inspection.inspect_file(str(path)).fault is None
    eager = decode.read(contents).numpy()
    np.testing.assert_array_equal(eager, read_in_graph(tf.constant(contents)))
    in_python = read_unit(contents, DomainSpec())
    np.testing.assert_allclose(in_python, eager, atol=max(tolerance, 6) / 255)
    if expected is None:
        expected = to_unit(np.asarray(Image.open(io.BytesIO(contents)).convert("RGB")))
    np.testing.assert_allclose(eager, expected, atol=tolerance / 255)


def check_cut(path, contents):
    """Asserts that the first part of a file is refused in one line, wherever it is cut."""
    for part in (0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96):
        path.write_bytes(contents[: int(len(contents) * part)])
        info = inspection.inspect_file(str(path))
        assert info.fault and "\n" not in info.fault and not info.width, part


def check_damaged(contents, seed):
    """Asserts that files with a few changed bytes are read, or refused in one line."""
    draw = random.Random(seed)
    for _ in range(200):
        damaged = bytearray(contents)
        for _ in range(draw.randint(1, 6)):  # Heads matter more than pixels.
            place = draw.randrange(min(len(damaged), draw.choice([16, 200, 20_000])))
            damaged[place] = draw.choice([0, 1, 255, draw.randrange(256)])
        try:
            assert read(bytes(damaged)).size
        except ValueError as error:
            assert str(error) and "\n" not in str(error)


def check_written(write, path, channels):
    """Asserts that samples are read as they were written."""
    array = np.random.default_rng(0).random((5, 9, channels), np.float32)
    write(path, array)
    np.testing.assert_array_equal(read(path.read_bytes()), array)


def refuses(contents, reason="."):
    """Asserts that the bytes of a file are refused."""
    with pytest.raises(ValueError, match=reason):
        read(contents)
