"""Lists the image files of folders, in order, and checks their contents."""

import dataclasses
import functools
import hashlib
import itertools
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs, dicom, nifti, tiff
from pix2pix_tf.data.samples import Samples, Side, converts, full_range
from pix2pix_tf.errors import InputError, print_line

# A file, or the files of A and B.
Example = str | tuple[str, str]
# `sides` of files with one colour image each.
COLOUR: Sequence[Sequence[Side]] = ((Side(),),)
# How many bad files one message names.
_NAMED = 5


def folders_of_pairs(
    folder: str | os.PathLike | None, given: tuple[str | None, str | None]
) -> list[str | os.PathLike]:
    """The folders of A and B: those that are given, else A and B in a folder.

    Raises:
        InputError: If that does not contain them.
    """
    found: list[str | os.PathLike] = []
    for side, place in zip("AB", given, strict=True):
        inside = run_folder.place(folder or "") / side
        if not place and not inside.is_dir():
            raise InputError(
                f"Expected --input_dir to contain the folders A and B, in capitals, or "
                f"--input_dir_{side}. Received: {folder}{_folders_in(folder)}"
            )
        found.append(place or inside)
    return found


def list_images(
    folder: str | os.PathLike, *, flag: str = "--input_dir", recursive: bool = False
) -> list[str]:
    """Lists the images of a folder in natural order: img2 before img10.

    Only regular files count, and none whose name starts with a dot. Volumes become their slices.

    Args:
        folder: Path of a folder.
        flag: The option that named the folder.
        recursive: Also list nested folders.

    Returns:
        Paths whose suffix, in any case, is one of `codecs.SUFFIXES`.

    Raises:
        InputError: If the folder does not exist or contains no image.
    """
    folder = run_folder.place(folder)
    if not folder.is_dir():
        raise InputError(f"Expected {flag} to be a folder. Received: {folder}")
    paths = [path for path in regular_files(folder, recursive) if is_image(path)]
    if not paths:
        kinds = ", ".join(suffix[1:] for suffix in codecs.SUFFIXES)
        raise InputError(
            f"Expected images ({kinds}) in {folder}. Received: none{_folders_in(folder)}"
        )
    found = sorted(map(str, paths), key=_natural)
    return [name for p in found for name in (nifti.slices(p) if nifti.is_volume(p) else [p])]


def _folders_in(folder: str | os.PathLike | None) -> str:
    """The end of a message that names some folders within a folder, if there are any."""
    place = run_folder.place(folder or "")
    inside = (
        sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
    )
    return f"; it contains the folders {', '.join(inside[:_NAMED])}" if inside else ""


def is_image(path: Path) -> bool:
    """Whether a file's name ends as one of the supported formats does.

    DICOM is often stored under names without a suffix, or that end with a number.
    """
    if path.name.lower().endswith(codecs.SUFFIXES):
        return True
    if path.suffix and not path.suffix[1:].isdecimal():
        return False
    try:
        with path.open("rb") as file:
            return file.read(dicom.HEAD)[-4:] == dicom.MARK
    except OSError:
        return False


def unread(folder: str | os.PathLike, *, recursive: bool = False) -> str | None:
    """One line about the files beside the images that are not read, or None."""
    others = Counter(
        path.suffix.lower() or "without suffix"
        for path in regular_files(run_folder.place(folder), recursive)
        if not is_image(path)
    )
    if not others:
        return None
    kinds = ", ".join(f"{suffix} ({count})" for suffix, count in others.most_common())
    return f"not read in {folder}: {kinds}"


def regular_files(folder: Path, recursive: bool = False) -> Iterator[Path]:
    """Yields the regular files of a folder whose names do not start with a dot."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        # Asking costs a request for each file at an address, where there are no pipes.
        if not isinstance(path, Path) or path.is_file():
            yield path
        elif recursive and path.is_dir():
            yield from regular_files(path, recursive)


def _natural(path: str) -> tuple:
    parts = re.split(r"([0-9]+)", path)
    # Text and numbers alternate, so that neither is compared with the other.
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), path


def list_pairs(
    folder_a: str | os.PathLike,
    folder_b: str | os.PathLike,
    *,
    by: str = "name",
    recursive: bool = False,
) -> list[tuple[str, str]]:
    """Pairs the images of two folders.

    Args:
        folder_a: Folder of A.
        folder_b: Folder of B.
        by: "name" for equal names without suffix, or "order" for the order of the names.
        recursive: Also list nested folders; names then include them.

    Returns:
        List of (path of A, path of B), in the order of `list_images`.

    Raises:
        InputError: With the files that have no partner, or names that are there twice.
    """
    folders = (run_folder.place(folder_a), run_folder.place(folder_b))
    sides = [list_images(folder, recursive=recursive) for folder in folders]
    if by == "order":
        if len(sides[0]) != len(sides[1]):
            raise InputError(
                f"Expected as many images in {folders[0]} as in {folders[1]}. Received: "
                f"{len(sides[0])} and {len(sides[1])}"
            )
        return list(zip(*sides, strict=True))
    stems = [
        [nifti.stem(path[len(str(folder)) + 1 :]) for path in paths]
        for folder, paths in zip(folders, sides, strict=True)
    ]
    for folder, names_of_side in zip(folders, stems, strict=True):
        if twice := [stem for stem, count in Counter(names_of_side).items() if count > 1]:
            raise InputError(
                f"Expected one file per name in {folder}. Received more of: "
                f"{', '.join(sorted(twice))}"
            )
    only_a, only_b = sorted(set(stems[0]) - set(stems[1])), sorted(set(stems[1]) - set(stems[0]))
    if only_a or only_b:
        lone = [f"in A only: {', '.join(only_a)}"] if only_a else []
        lone += [f"in B only: {', '.join(only_b)}"] if only_b else []
        raise InputError(
            f"Expected the same names in {folders[0]} and {folders[1]}. Received "
            f"{'; '.join(lone)}; --pair_by order pairs them in their order"
        )
    partners = dict(zip(stems[1], sides[1], strict=True))
    return [(path, partners[stem]) for path, stem in zip(sides[0], stems[0], strict=True)]


def files(examples: Sequence[Example]) -> list[str]:
    """Every file of a list of examples, in one list."""
    return [str(path) for path in np.asarray(examples, dtype=object).ravel()]


def source(example: Example, direction: str = "AtoB") -> str:
    """The file of an example that is translated; it gives results their name."""
    return example if isinstance(example, str) else example[direction == "BtoA"]


def target(example: Example, direction: str = "AtoB") -> str:
    """The file of an example that contains the target."""
    return example if isinstance(example, str) else example[direction == "AtoB"]


def names(examples: Sequence[Example]) -> list[str]:
    """A name for each example, all different.

    The stem of the first file; the whole file name where two stems are equal or one is another's
    file name; with the nested folders where there are any.
    """
    paths = [source(example) for example in examples]
    parents = {os.path.dirname(path) for path in paths}
    root = os.path.commonpath(parents) if len(parents) > 1 else next(iter(parents), "")
    flat = [path[len(root) :].lstrip("/").replace(os.sep, "_") for path in paths]
    stems = [nifti.stem(name) for name in flat]
    counts = Counter(stems)
    whole = {name for name, stem in zip(flat, stems, strict=True) if counts[stem] > 1}
    found: dict[str, None] = {}
    for name, stem in zip(flat, stems, strict=True):
        unique = name if counts[stem] > 1 or stem in whole else stem
        while unique in found:
            unique += "~"
        found[unique] = None
    return list(found)


@dataclasses.dataclass(frozen=True)
class Look:
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


def look(
    path: str,
    sides: Sequence[Side] = COLOUR[0],
    *,
    minimum_width: int = 1,
    sampled: int = 0,
    with_digest: bool = False,
    windowed: bool = False,
) -> Look:
    """Decodes a file and returns its properties.

    Args:
        path: The file.
        sides: What is made of it; two for a side-by-side pair.
        minimum_width: Smallest usable width in pixels; 2 for such a pair.
        sampled: How many samples of each part to keep; 0 for none.
        with_digest: Whether to compute the digest.
        windowed: Whether of a large TIFF, which is read by windows, only the head is read.
    """
    if windowed and tiff.is_large(path):
        return _look_at_head(path, sides)
    try:
        samples = codecs.load(codecs.contents_of(path), sides[0].selection)
    except (OSError, ValueError) as error:
        return Look(path, getattr(error, "strerror", None) or str(error))
    array = samples.array
    height, width, channels = array.shape
    fault = _fault(samples, sides, minimum_width)

    def parts(image: np.ndarray) -> list[np.ndarray]:
        return np.array_split(image, [width // 2], axis=1) if minimum_width == 2 else [image]

    valid = parts(array[..., :-1] if samples.has_alpha else array)
    if samples.missing is not None:
        masks = parts(samples.missing)
        valid = [part[~mask] for part, mask in zip(valid, masks, strict=True)]
    valid = [part.ravel() if part.size else np.zeros(1, array.dtype) for part in valid]
    used = max(side.channels for side in sides)
    drops = channels in (2, 4) and used in (1, 3)
    digest = b""
    if with_digest:
        sha = hashlib.sha1(repr(array.shape).encode(), usedforsecurity=False)
        sha.update(np.ascontiguousarray(array).data)
        digest = sha.digest()
    return Look(
        path,
        fault,
        width=width,
        height=height,
        channels=channels,
        dtype=array.dtype.name,
        values=tuple((float(part.min()), float(part.max())) for part in valid),
        sample=tuple(part[:: max(1, part.size // sampled)] for part in valid) if sampled else (),
        is_transparent=drops
        and samples.has_alpha
        and bool((array[..., -1] < full_range(array.dtype)[1]).any()),
        is_reduced=drops and not samples.has_alpha,
        missing=0 if samples.missing is None else int(samples.missing.sum()),
        is_one_image=minimum_width == 2 and _looks_like_one(array),
        digest=digest,
    )


def _look_at_head(path: str, sides: Sequence[Side]) -> Look:
    """What there is to know of a large TIFF without its samples."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page, _ = tiff.windowed_page(file, sides[0].selection)
    except ValueError as error:
        return Look(path, str(error))
    count = int(page.samplesperpixel)
    height, width = int(page.imagelength), int(page.imagewidth)
    fault = _channel_fault(count, page.dtype, sides)
    return Look(path, fault, height=height, width=width, channels=count, dtype=page.dtype.name)


def _channel_fault(count: int, dtype: np.dtype, sides: Sequence[Side]) -> str | None:
    for side in sides:
        if not side.has_labels(count, dtype) and not converts(count, side.channels):
            return f"{count} channel{'s' * (count > 1)}, expected {side.channels}"
    return None


def _fault(samples: Samples, sides: Sequence[Side], minimum_width: int) -> str | None:
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


def survey(
    examples: Sequence[Example],
    sides: Sequence[Sequence[Side]] = COLOUR,
    *,
    minimum_width: int = 1,
    sampled: int = 0,
    with_digest: bool = False,
    windowed: bool = False,
) -> list[Look]:
    """Decodes every file of the examples once, so that training does not stop in the middle.

    Args:
        examples: Files, or pairs of files.
        sides: For each file of an example what is made of it.
        minimum_width: Smallest usable width in pixels; 2 for side-by-side pairs.
        sampled: As of `look`.
        with_digest: As of `look`.
        windowed: As of `look`.

    Returns:
        A `Look` for each of `files(examples)`.
    """
    look_at = functools.partial(
        look,
        minimum_width=minimum_width,
        sampled=sampled,
        with_digest=with_digest,
        windowed=windowed,
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(pool.map(look_at, files(examples), itertools.cycle(sides)))


def usable(
    examples: Sequence[Example], looks: Sequence[Look], *, skip: bool = False
) -> list[Example]:
    """The examples whose files can all be used.

    Args:
        examples: Files, or pairs of files.
        looks: Result of `survey`.
        skip: Whether to print the names of the others and leave them out.

    Raises:
        InputError: If a file cannot be used and `skip` is false, or none can.
    """
    bad = {seen.path: seen.fault for seen in looks if seen.fault}
    if not bad:
        return list(examples)
    lines = [f"{path} ({fault})" for path, fault in bad.items()]
    kept = [example for example in examples if not bad.keys() & {*files([example])}]
    if skip and kept:
        for line in lines:
            print_line(f"left out: {line}")
        return kept
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    raise InputError(f"Expected readable images. Received: {', '.join(lines[:_NAMED])}{more}")


def check_images(
    examples: Sequence[Example],
    *,
    minimum_width: int = 1,
    sides: Sequence[Sequence[Side]] = COLOUR,
) -> None:
    """Decodes every file once; see `survey` and `usable`.

    Raises:
        InputError: With the first files that cannot be used, and why.
    """
    usable(examples, survey(examples, sides, minimum_width=minimum_width))
