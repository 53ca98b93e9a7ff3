"""Which files a folder holds, in which order, and whether they can be used."""

import struct
import warnings
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from pix2pix_tf import runs
from pix2pix_tf.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")
# What Pillow opens without a warning (a quarter of a gigabyte in RGB): 9459 x 9459.
MAX_PIXELS = 1024**3 // 4 // 3
# How many bad files one message names.
_NAMED = 5


def list_images(folder):
    """Lists the images of a folder: by number if every name is one, else by name.

    Args:
        folder: Path of a folder; sub-folders are not read.

    Returns:
        List of paths (str), .jpg, .jpeg and .png in any case.

    Raises:
        InputError: If the folder does not exist or holds no image.
    """
    folder = runs.place(folder)
    if not folder.is_dir():
        raise InputError(f"Expected --input_dir to be a folder. Received: {folder}")
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    if not found:
        raise InputError(f"Expected images (jpg, jpeg, png) in {folder}. Received: none")
    if all(path.stem.isascii() and path.stem.isdigit() for path in found):
        found.sort(key=lambda path: (int(path.stem), path.name))
    else:
        found.sort()
    return [str(path) for path in found]


def names(paths):
    """A name for each image: its stem, or the whole file name where two stems are the same."""
    stems = [Path(path).stem for path in paths]
    twice = {stem for stem, count in Counter(stems).items() if count > 1}
    return [
        Path(path).name if stem in twice else stem for path, stem in zip(paths, stems, strict=True)
    ]


def check_images(paths, *, minimum_width=1):
    """Reads the head and the tail of every file, so that training does not stop in the middle.

    Args:
        paths: Files.
        minimum_width: Smallest usable width in pixels; 2 for side-by-side pairs.

    Raises:
        InputError: Naming the first files that cannot be used, and why.
    """
    with ThreadPoolExecutor(8) as pool, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        faults = list(pool.map(lambda path: fault(path, minimum_width=minimum_width), paths))
    bad = [f"{path} ({why})" for path, why in zip(paths, faults, strict=True) if why]
    if bad:
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise InputError(f"Expected readable images. Received: {', '.join(bad[:_NAMED])}{more}")


def fault(path, *, minimum_width=1):
    """Says what is wrong with an image file, or None.

    Only a file without its format's end mark is decoded: that is what a broken download lacks.
    """
    try:
        file = runs.place(path).open("rb")
        with file, Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                return f"{image.width}x{image.height} pixels, at most {MAX_PIXELS} are read"
            if image.width < minimum_width:
                return f"{image.width} pixel wide, a pair needs at least {minimum_width}"
            if not _ends_properly(file, image.format):
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"it claims more than {MAX_PIXELS} pixels"
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        # Pillow's "cannot identify image file 'x'" repeats the path, which the caller names.
        named = str(error).split(" '")[0]
        return "not a JPEG or PNG" if "identify" in named else named
    return None


def _ends_properly(file, kind):
    mark, before = b"\xff\xd9" if kind == "JPEG" else b"IEND", file.tell()
    size = file.seek(0, 2)
    file.seek(max(0, size - 1024))
    found = mark in file.read()
    file.seek(before)
    return found
