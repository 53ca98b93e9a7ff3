"""Which files a folder holds, in which order, and whether they can be used."""

import itertools
import struct
import warnings
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_tf import run_folder
from pix2pix_tf.data import codecs
from pix2pix_tf.data.codecs import MAX_PIXELS
from pix2pix_tf.errors import InputError

# How many bad files one message names.
_NAMED = 5


def list_examples(folder, dataset_mode="aligned"):
    """Lists the examples of a data set.

    Args:
        folder: Path of a folder; with "folders" it holds the folders A and B.
        dataset_mode: "aligned", "folders" or "single".

    Returns:
        List of paths (str), or with "folders" of (path of A, path of B).

    Raises:
        InputError: If a folder is missing or empty, or names of A and B do not match.
    """
    return list_pairs(folder) if dataset_mode == "folders" else list_images(folder)


def list_images(folder, *, flag="--input_dir"):
    """Lists the images of a folder: by number if every name is one, else by name.

    Args:
        folder: Path of a folder; sub-folders are not read.
        flag: What named the folder.

    Returns:
        List of paths (str) whose suffix, in any case, is one of `codecs.SUFFIXES`.

    Raises:
        InputError: If the folder does not exist or holds no image.
    """
    folder = run_folder.place(folder)
    if not folder.is_dir():
        raise InputError(f"Expected {flag} to be a folder. Received: {folder}")
    found = [path for path in folder.iterdir() if path.suffix.lower() in codecs.SUFFIXES]
    if not found:
        kinds = ", ".join(suffix[1:] for suffix in codecs.SUFFIXES)
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f"; it holds the folders {', '.join(inside[:_NAMED])}" if inside else ""
        raise InputError(f"Expected images ({kinds}) in {folder}. Received: none{hint}")
    if all(path.stem.isascii() and path.stem.isdigit() for path in found):
        found.sort(key=lambda path: (int(path.stem), path.name))
    else:
        found.sort()
    return [str(path) for path in found]


def list_pairs(folder):
    """Pairs the images of the folders A and B by their names without suffix.

    Args:
        folder: Path of the folder that holds A and B.

    Returns:
        List of (path of A, path of B), in the order of `list_images`.

    Raises:
        InputError: Naming every file without a partner, or names that are there twice.
    """
    sides = [list_images(run_folder.place(folder) / side) for side in ("A", "B")]
    stems = [[Path(path).stem for path in paths] for paths in sides]
    for side, found in zip(("A", "B"), stems, strict=True):
        if twice := [stem for stem, count in Counter(found).items() if count > 1]:
            raise InputError(
                f"Expected one file per name in {run_folder.place(folder) / side}. "
                f"Received more of: "
                f"{', '.join(sorted(twice))}"
            )
    only_a, only_b = sorted(set(stems[0]) - set(stems[1])), sorted(set(stems[1]) - set(stems[0]))
    if only_a or only_b:
        lone = [f"in A only: {', '.join(only_a)}"] if only_a else []
        lone += [f"in B only: {', '.join(only_b)}"] if only_b else []
        raise InputError(f"Expected the same names in {folder}/A and B. Received {'; '.join(lone)}")
    partners = dict(zip(stems[1], sides[1], strict=True))
    return [(path, partners[stem]) for path, stem in zip(sides[0], stems[0], strict=True)]


def files(examples):
    """Every file of a list of examples, in one list."""
    return [str(path) for path in np.asarray(examples, dtype=object).ravel()]


def source(example):
    """The file that gives an example its name and its results their depth."""
    return example if isinstance(example, str) else example[0]


def names(examples):
    """A name for each example: its stem, or the whole file name where two stems are the same."""
    paths = [source(example) for example in examples]
    stems = [Path(path).stem for path in paths]
    twice = {stem for stem, count in Counter(stems).items() if count > 1}
    return [
        Path(path).name if stem in twice else stem for path, stem in zip(paths, stems, strict=True)
    ]


def check_images(examples, *, minimum_width=1, channels=((3,),)):
    """Reads the head and the tail of every file, so that training does not stop in the middle.

    Args:
        examples: Files, or pairs of files.
        minimum_width: Smallest usable width in pixels; 2 for side-by-side pairs.
        channels: For each file of an example the numbers of channels that it is decoded to.

    Raises:
        InputError: Naming the first files that cannot be used, and why.
    """
    paths = files(examples)

    def look(path, counts):
        return fault(path, minimum_width=minimum_width, channels=counts)

    with ThreadPoolExecutor(8) as pool, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        faults = list(pool.map(look, paths, itertools.cycle(channels)))
    bad = [f"{path} ({why})" for path, why in zip(paths, faults, strict=True) if why]
    if bad:
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise InputError(f"Expected readable images. Received: {', '.join(bad[:_NAMED])}{more}")


def fault(path, *, minimum_width=1, channels=(3,)):
    """Says what is wrong with an image file, or None.

    Of JPEG and PNG only a file without its end mark is decoded: that is what a broken download
    lacks. Other formats are decoded.
    """
    try:
        with run_folder.place(path).open("rb") as file:
            head = file.read(8)
            file.seek(0)
            if head.startswith((codecs.JPEG_MARK, codecs.PNG_MARK)):
                return _fault_of_usual(file, minimum_width, channels)
            array = codecs.read(file.read())
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    if array.shape[1] < minimum_width:
        return _narrow(array.shape[1], minimum_width)
    if wrong := _wrong_channels(array.shape[-1], channels):
        return wrong
    return None if np.isfinite(array).all() else "holds values that are not finite"


def _fault_of_usual(file, minimum_width, channels):
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                return f"{image.width}x{image.height} pixels, at most {MAX_PIXELS} are read"
            if image.width < minimum_width:
                return _narrow(image.width, minimum_width)
            if wrong := _wrong_channels(len(image.getbands()), channels):
                return wrong
            if not _ends_properly(file, image.format):
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"it claims more than {MAX_PIXELS} pixels"
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        # Pillow's "cannot identify image file 'x'" repeats the path, which the caller names.
        named = str(error).split(" '")[0]
        return "not a JPEG or PNG" if "identify" in named else named
    return None


def _narrow(width, minimum_width):
    return f"{width} pixel wide, a pair needs at least {minimum_width}"


def _wrong_channels(found, wanted):
    for count in wanted:
        if not codecs.converts(found, count):
            return f"{found} channel{'s' * (found > 1)}, expected {count}"
    return None


def _ends_properly(file, kind):
    mark, before = b"\xff\xd9" if kind == "JPEG" else b"IEND", file.tell()
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 1024))
    found = mark in file.read()
    file.seek(before)
    return found
