"""Decoded images in memory or on disk, cached before augmentation."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs, images, listing, nifti
from pix2pix_tf.data.decode import Reading, bad_files_named
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.pipelines import Fetch


def make(
    kind: str, reading: Reading, examples: Sequence[Example], *, folder: str | os.PathLike
) -> Fetch | None:
    """Decodes every example once.

    Args:
        kind: "memory", "disk" or "none".
        reading: How they are read.
        examples: Files, or pairs of files.
        folder: Folder for the cache on disk, which later runs on the same files use again.

    Returns:
        Function of an index (int64 scalar tensor) to what `reading.decode` gives for that example;
        None with "none".

    Raises:
        InputError: With the name of a file that cannot be decoded.
    """
    if kind == "none":
        return None
    with bad_files_named(listing.files(examples), reading):
        dtype = _dtype(reading, examples)
        if kind == "memory":
            kept = list(_decoded(reading, examples, dtype))
        else:
            kept = _on_disk(reading, examples, dtype=dtype, path=Path(folder) / "decoded")
    channels = [side.channels for side in reading.decoded_sides]

    def fetch(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        found = tf.numpy_function(kept.__getitem__, [index], [tf.as_dtype(dtype)] * len(channels))
        return tuple(
            images.to_unit(tf.ensure_shape(image, [None, None, count]))
            for image, count in zip(tf.nest.flatten(found), channels, strict=True)
        )

    return fetch


def _dtype(reading: Reading, examples: Sequence[Example]) -> np.dtype:
    """uint8 where that is lossless, else float32 in [0, 1]."""
    sides, paths = reading.decoded_sides, listing.files(examples)
    plain = all(side.channels in (3, 4) and side.value_range is None for side in sides)
    plain = plain and all(codecs.depth(path, sides[0].selection).dtype == "uint8" for path in paths)
    return np.dtype(np.uint8 if plain else np.float32)


def _decoded(
    reading: Reading, examples: Sequence[Example], dtype: np.dtype
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields what `reading.decode` gives for each example, as arrays of `dtype`."""

    @tf.autograph.experimental.do_not_convert
    def load(example: tf.Tensor) -> tuple[tf.Tensor, ...]:
        decoded = reading.decode(example)
        if dtype == np.uint8:
            return tuple(tf.cast(tf.round(image * 255), tf.uint8) for image in decoded)
        return decoded

    files = tf.constant(np.asarray(examples, dtype=object), tf.string)
    dataset = tf.data.Dataset.from_tensor_slices(files).map(load, tf.data.AUTOTUNE).prefetch(4)
    return dataset.as_numpy_iterator()


def _on_disk(
    reading: Reading, examples: Sequence[Example], *, dtype: np.dtype, path: Path
) -> list[tuple[np.ndarray, ...]]:
    """The decoded examples as views of one file: PATH.raw, described by PATH.json."""
    described, key = path.with_suffix(".json"), _key(reading, examples)
    about = run_folder.read_json(described) if described.is_file() else {}
    if about.get("key") != key:
        shapes = []
        described.unlink(missing_ok=True)
        with (
            run_folder.atomic(path.with_suffix(".raw")) as temporary,
            open(temporary, "wb") as file,
        ):
            for decoded in _decoded(reading, examples, dtype):
                shapes.append([image.shape for image in decoded])
                for image in decoded:
                    file.write(image.tobytes())
        about = {"key": key, "shapes": shapes}
        run_folder.write_json(described, about)
    raw = np.memmap(path.with_suffix(".raw"), dtype, "r")
    return list(_views(raw, about["shapes"]))


def _views(raw: np.ndarray, shapes: list) -> Iterator[tuple[np.ndarray, ...]]:
    offset = 0
    for example in shapes:
        views = []
        for shape in example:
            size = int(np.prod(shape))
            views.append(raw[offset : offset + size].reshape(shape))
            offset += size
        yield tuple(views)


def _key(reading: Reading, examples: Sequence[Example]) -> str:
    """Changes with the files and with how they are read."""
    states = [
        (path, (at := os.stat(nifti.file_of(path))).st_size, at.st_mtime_ns)
        for path in listing.files(examples)
    ]
    made = [repr(reading), states]
    return hashlib.sha256(json.dumps(made).encode("utf-8", errors="surrogateescape")).hexdigest()
