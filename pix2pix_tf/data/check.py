"""Reads a whole data set and says on one screen what is in it and what is wrong with it."""

import dataclasses
import hashlib
import itertools
import os
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs, listing

# How many sizes, files or pairs of files one line names.
_NAMED = 4
# Folders that belong to one data set.
SETS = ("train", "val", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Look:
    """What is known of a file after it was read.

    Attributes:
        path: The file.
        fault: Why it cannot be used, or None.
        size: "WIDTHxHEIGHT".
        kind: Channels and type, such as "3 x uint8".
        is_odd: Whether the width is odd, so that halves differ by one pixel.
        digest: Equal for files of equal pixels.
        is_outside: Whether float samples lie outside of the range of values.
    """

    path: str
    fault: str | None = None
    size: str = ""
    kind: str = ""
    is_odd: bool = False
    digest: bytes = b""
    is_outside: bool = False


def data_sets(folder):
    """Finds the sets that a folder belongs to, or holds: {name: folder}.

    Images in the folder itself are its first set; a folder named like one of `SETS` brings its
    neighbours, and a folder without images of its own brings those it holds.
    """
    folder = run_folder.place(folder)
    home = folder.absolute().parent if folder.name in SETS else folder
    near = {name: home / name for name in SETS if (home / name).is_dir()}
    first = {} if home == folder and near and not _has_images(folder) else {folder.name: folder}
    return first | near


def _has_images(folder):
    return any(path.suffix.lower() in codecs.SUFFIXES for path in folder.iterdir())


def look(path, *, minimum_width, channels, value_range):
    """Decodes a file; returns its `Look`."""
    fault = listing.fault(path, minimum_width=minimum_width, channels=channels)
    try:
        array = codecs.read(run_folder.place(path).read_bytes())
        dtype = codecs.depth(path).dtype
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        return Look(path, fault or str(error))
    height, width, count = array.shape
    digest = hashlib.sha1(repr(array.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    low, high = value_range or (0.0, 1.0)
    is_float = array.dtype.kind == "f"
    return Look(
        path,
        fault,
        size=f"{width}x{height}",
        kind=f"{count} x {dtype}",
        is_odd=width % 2 == 1,
        digest=digest.digest(),
        is_outside=is_float and bool(array.min() < low or array.max() > high),
    )


def report(sets, *, minimum_width=1, value_range=(0.0, 1.0)):
    """Reads every file of the sets.

    Args:
        sets: Dict from names to (list of examples, which are files or pairs of files; for each
            file of an example the numbers of channels that it is decoded to).
        minimum_width: Smallest usable width in pixels; 2 for side-by-side pairs.
        value_range: The (low, high) of float samples.

    Returns:
        (lines of text, whether all files can be used).
    """
    rules = {"minimum_width": minimum_width, "value_range": value_range}

    def one(path, counts):
        return look(path, channels=counts, **rules)

    lines, digests, usable = [], {}, True
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (examples, channels) in sets.items():
            looks = list(pool.map(one, listing.files(examples), itertools.cycle(channels)))
            lines += _set_lines(name, examples, looks, side_by_side=minimum_width == 2)
            digests[name] = _by_digest(looks)
            usable = usable and not any(seen.fault for seen in looks)
    verdict = "all files can be used" if usable else "training or testing would fail"
    return [*lines, *_duplicate_lines(digests), verdict], usable


def _by_digest(looks):
    found = defaultdict(list)
    for seen in looks:
        if seen.digest:
            found[seen.digest].append(seen.path)
    return found


def _set_lines(name, examples, looks, *, side_by_side):
    lines = [f"{name}: {len(examples)} examples in {len(looks)} files"]
    readable = [seen for seen in looks if seen.size]
    lines.append("  sizes        " + _counted(seen.size for seen in readable))
    lines.append("  channels     " + _counted(seen.kind for seen in readable))
    groups = {
        "odd widths": [seen for seen in readable if seen.is_odd and side_by_side],
        "out of range": [seen for seen in readable if seen.is_outside],
        "unusable": [seen for seen in looks if seen.fault],
    }
    for word, group in groups.items():
        if group:
            shown = [_name(seen.path, seen.fault) for seen in group]
            lines.append(f"  {word:<12} {len(group)}: {_some(shown)}")
    return lines


def _name(path, fault):
    # A line break in a file's name would spoil the screen.
    name = Path(path).name.encode("unicode_escape").decode("ascii")
    return f"{name} ({fault})" if fault else name


def _counted(values):
    common = Counter(values).most_common()
    shown = [f"{value} ({count})" for value, count in common]
    return _some(shown) if shown else "none"


def _some(items):
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def _duplicate_lines(digests):
    """One line per set with files of equal pixels, and per two sets that share some."""
    lines = []
    for name, found in digests.items():
        alike = [paths for paths in found.values() if len(paths) > 1]
        if alike:
            shown = _some([f"{_name(a, None)} = {_name(b, None)}" for a, b, *_ in alike])
            lines.append(f"equal images within {name}: {len(alike)}: {shown}")
    for first, second in itertools.combinations(digests, 2):
        shared = [key for key in digests[first] if key in digests[second]]
        if shared:
            pairs = [(digests[first][key][0], digests[second][key][0]) for key in shared]
            shown = _some([f"{_name(a, None)} = {_name(b, None)}" for a, b in pairs])
            lines.append(f"equal images in {first} and {second}: {len(shared)}: {shown}")
    return lines
