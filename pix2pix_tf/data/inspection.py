"""What image files contain: their properties, and why a file cannot be used."""

import dataclasses
import functools
import hashlib
import itertools
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from pix2pix_tf.data import image_file
from pix2pix_tf.data.listing import Example, files
from pix2pix_tf.data.samples import DomainSpec, Samples, can_convert_channels, full_range
from pix2pix_tf.errors import InputError, print_line

# `sides` of files with one colour image each.
COLOUR: Sequence[Sequence[DomainSpec]] = ((DomainSpec(),),)
# How many bad files one message names.
_NAMED = 5


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """Properties of a decoded file.

    Attributes:
        path: The file.
        fault: Why it cannot be used, or None.
        width: In pixels, 0 if it cannot be read.
        height: In pixels.
        channels: How many it has.
        dtype: NumPy's name of the type.
        values: For each part of the file (halves of a pair) its least and its largest sample.
        sample: For each part some of its samples, for percentiles.
        is_transparent: Whether it has transparency that is not used.
        is_reduced: Whether it has other channels that are not used.
        missing: Number of pixels without data.
        is_one_image: Whether both halves look like one image.
        digest: Equal for files of equal pixels; empty where it was not asked for.
    """

    path: str
    fault: str | None = None
    width: int = 0
    height: int = 0
    channels: int = 0
    dtype: str = ""
    values: tuple[tuple[float, float], ...] = ()
    sample: tuple[np.ndarray, ...] = dataclasses.field(default=(), compare=False)
    is_transparent: bool = False
    is_reduced: bool = False
    missing: int = 0
    is_one_image: bool = False
    digest: bytes = b""

    @property
    def size(self) -> str:
        """WIDTHxHEIGHT."""
        return f"{self.width}x{self.height}"


def inspect_file(
    path: str,
    sides: Sequence[DomainSpec] = COLOUR[0],
    *,
    minimum_width: int = 1,
    sampled: int = 0,
    with_digest: bool = False,
    windowed: bool = False,
) -> FileInfo:
    """Decodes a file and returns its properties.

    Args:
        path: The file.
        sides: What is made of it; two for a side-by-side pair.
        minimum_width: Smallest usable width in pixels; 2 for such a pair.
        sampled: How many samples of each part to keep; 0 for none.
        with_digest: Whether to compute the digest.
        windowed: Whether of a large image, which is read by windows, only the head is read.
    """
    try:
        with image_file.open_image(path, sides[0].selection, windowed=windowed) as image:
            height, width, channels = image.shape
            head = FileInfo(
                path, height=height, width=width, channels=channels, dtype=image.dtype.name
            )
            if image.is_large:
                fault = _channel_fault(channels, image.dtype, sides)
                return dataclasses.replace(head, fault=fault)
            samples = image.samples()
    except (OSError, ValueError) as error:
        return FileInfo(path, getattr(error, "strerror", None) or str(error))

    def parts(image: np.ndarray) -> list[np.ndarray]:
        return np.array_split(image, [width // 2], axis=1) if minimum_width == 2 else [image]

    array, missing = samples.array, samples.missing
    valid = parts(array[..., :-1] if samples.has_alpha else array)
    if missing is not None:
        valid = [part[~mask] for part, mask in zip(valid, parts(missing), strict=True)]
    valid = [part.ravel() if part.size else np.zeros(1, array.dtype) for part in valid]
    drops = channels in (2, 4) and max(side.channels for side in sides) in (1, 3)
    return dataclasses.replace(
        head,
        fault=_fault(samples, sides, minimum_width),
        values=tuple((float(part.min()), float(part.max())) for part in valid),
        sample=tuple(part[:: max(1, part.size // sampled)] for part in valid) if sampled else (),
        is_transparent=drops
        and samples.has_alpha
        and bool((array[..., -1] < full_range(array.dtype)[1]).any()),
        is_reduced=drops and not samples.has_alpha,
        missing=0 if missing is None else int(missing.sum()),
        is_one_image=minimum_width == 2 and _looks_like_one(array),
        digest=_digest(array) if with_digest else b"",
    )


def _digest(array: np.ndarray) -> bytes:
    sha = hashlib.sha1(repr(array.shape).encode(), usedforsecurity=False)
    sha.update(np.ascontiguousarray(array).data)
    return sha.digest()


def _channel_fault(count: int, dtype: np.dtype, sides: Sequence[DomainSpec]) -> str | None:
    for side in sides:
        if not side.has_labels(count, dtype) and not can_convert_channels(count, side.channels):
            return f"{count} channel{'s' * (count > 1)}, expected {side.channels}"
    return None


def _fault(samples: Samples, sides: Sequence[DomainSpec], minimum_width: int) -> str | None:
    array = samples.array
    width, channels = array.shape[1:]
    if width < minimum_width:
        return f"{width} pixel wide, a pair needs at least {minimum_width}"
    if fault := _channel_fault(channels, array.dtype, sides):
        return fault
    for side in sides:
        if side.has_labels(channels, array.dtype):
            try:
                side.to_unit(samples)
            except ValueError as error:
                return str(error)
    if array.dtype.kind != "f":
        return None
    finite = np.isfinite(array).all(-1)
    if samples.missing is not None:
        finite |= samples.missing
    return None if finite.all() else "contains values that are not finite; --nodata nan allows NaN"


def _looks_like_one(array: np.ndarray) -> bool:
    """Whether the columns in the middle differ no more than other neighbours do."""
    grey = array.astype(np.float32).mean(-1)
    if grey.shape[1] < 8:
        return False
    steps = np.abs(np.diff(grey, axis=1)).mean(0)
    middle = grey.shape[1] // 2 - 1
    near = np.delete(steps, middle)
    return bool(near.mean() > 0 and steps[middle] < np.quantile(near, 0.9))


def inspect_files(
    examples: Sequence[Example],
    sides: Sequence[Sequence[DomainSpec]] = COLOUR,
    *,
    minimum_width: int = 1,
    sampled: int = 0,
    with_digest: bool = False,
    windowed: bool = False,
) -> list[FileInfo]:
    """Decodes every file of the examples once, so that training does not stop in the middle.

    Args:
        examples: Files, or pairs of files.
        sides: For each file of an example what is made of it.
        minimum_width: Smallest usable width in pixels; 2 for side-by-side pairs.
        sampled: As of `inspect_file`.
        with_digest: As of `inspect_file`.
        windowed: As of `inspect_file`.

    Returns:
        A `FileInfo` for each of `files(examples)`.
    """
    inspect = functools.partial(
        inspect_file,
        minimum_width=minimum_width,
        sampled=sampled,
        with_digest=with_digest,
        windowed=windowed,
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(pool.map(inspect, files(examples), itertools.cycle(sides)))


def filter_usable(
    examples: Sequence[Example], infos: Sequence[FileInfo], *, skip: bool = False
) -> list[Example]:
    """The examples whose files can all be used.

    Args:
        examples: Files, or pairs of files.
        infos: Result of `inspect_files`.
        skip: Whether to print the names of the others and leave them out.

    Raises:
        InputError: If a file cannot be used and `skip` is false, or none can.
    """
    bad = {info.path: info.fault for info in infos if info.fault}
    if not bad:
        return list(examples)
    lines = [f"{path} ({fault})" for path, fault in bad.items()]
    usable = [example for example in examples if not bad.keys() & {*files([example])}]
    if skip and usable:
        for line in lines:
            print_line(f"left out: {line}")
        return usable
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    raise InputError(f"Expected readable images. Received: {', '.join(lines[:_NAMED])}{more}")


def check_images(
    examples: Sequence[Example],
    *,
    minimum_width: int = 1,
    sides: Sequence[Sequence[DomainSpec]] = COLOUR,
) -> None:
    """Decodes every file once; see `inspect_files` and `filter_usable`.

    Raises:
        InputError: With the first files that cannot be used, and why.
    """
    filter_usable(examples, inspect_files(examples, sides, minimum_width=minimum_width))
