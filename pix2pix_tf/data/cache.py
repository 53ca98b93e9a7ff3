"""Decoded images in memory or on disk, cached before augmentation."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.data import image_file, images, listing, samples
from pix2pix_tf.data.decode import ExampleFormat, name_bad_files
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.pipelines import Fetch

# Changes when the files of a cache on disk do.
_FORMAT = 2


def make(
    kind: str, reading: ExampleFormat, examples: Sequence[Example], *, folder: Path
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
    with name_bad_files(listing.files(examples), reading):
        if kind == "memory":
            decoded = list(_decoded(reading, examples))
        else:
            decoded = _on_disk(reading, examples, path=folder / "decoded")
    channels = [side.channels for side in reading.decoded_sides]
    is_exact = all(image.dtype == np.uint8 for images_of in decoded for image in images_of)
    dtype = tf.uint8 if is_exact else tf.float32

    def load(index: int) -> list[np.ndarray]:
        return [image if is_exact else samples.to_unit(image) for image in decoded[index]]

    def fetch(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        stored = tf.numpy_function(load, [index], [dtype] * len(channels))
        return tuple(
            images.to_unit(tf.ensure_shape(image, [None, None, count]))
            for image, count in zip(tf.nest.flatten(stored), channels, strict=True)
        )

    return fetch


def _decoded(
    reading: ExampleFormat, examples: Sequence[Example]
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields what `reading.decode` gives for each example: uint8 where that is exact."""

    @tf.autograph.experimental.do_not_convert
    def load(example: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return reading.decode(example)

    files = tf.constant(np.asarray(examples, dtype=object), tf.string)
    dataset = tf.data.Dataset.from_tensor_slices(files).map(load, tf.data.AUTOTUNE).prefetch(4)
    for decoded in dataset.as_numpy_iterator():
        yield tuple(map(_compact, decoded))


def _compact(image: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] as uint8, if that can be converted back to the same numbers."""
    levels = np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
    return levels if np.array_equal(samples.to_unit(levels), image) else image


def _on_disk(
    reading: ExampleFormat, examples: Sequence[Example], *, path: Path
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
            for decoded in _decoded(reading, examples):
                shapes.append([[image.dtype.name, *image.shape] for image in decoded])
                for image in decoded:
                    file.write(image.tobytes())
        about = {"key": key, "shapes": shapes}
        run_folder.write_json(described, about)
    raw = np.memmap(path.with_suffix(".raw"), np.uint8, "r")
    return list(_views(raw, about["shapes"]))


def _views(raw: np.ndarray, shapes: list) -> Iterator[tuple[np.ndarray, ...]]:
    offset = 0
    for example in shapes:
        views = []
        for dtype, *shape in example:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            views.append(np.frombuffer(raw, dtype, int(np.prod(shape)), offset).reshape(shape))
            offset += size
        yield tuple(views)


def _key(reading: ExampleFormat, examples: Sequence[Example]) -> str:
    """Changes with the files and with how they are read."""
    states = [
        (path, (at := os.stat(image_file.file_of(path))).st_size, at.st_mtime_ns)
        for path in listing.files(examples)
    ]
    parts = [_FORMAT, repr(reading), states]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", errors="surrogateescape")).hexdigest()
