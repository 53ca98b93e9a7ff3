"""Lists the image files of folders, in order, and names them."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import image_file
from pix2pix_tf.data.image_file import is_image
from pix2pix_tf.errors import InputError, OptionError

# A file, or the files of A and B.
Example = str | tuple[str, str]
# How many folders one message names.
_NAMED = 5


def folders_of_pairs(folder: Path | None, given: tuple[Path | None, Path | None]) -> list[Path]:
    """The folders of A and B: those that are given, else A and B in a folder.

    Raises:
        InputError: If that does not contain them.
    """
    folders = []
    for side, named in zip("AB", given, strict=True):
        inside = named or (folder or Path()) / side
        if not named and not inside.is_dir():
            raise OptionError(
                f"Expected {{input_dir}} to contain the folders A and B, in capitals, or "
                f"{{input_dir_{side}}}. Received: {{}}{{}}",
                folder,
                _folders_in(folder or Path()),
            )
        folders.append(inside)
    return folders


def list_images(
    folder: str | os.PathLike[str], *, option: str = "input_dir", recursive: bool = False
) -> list[str]:
    """Lists the images of a folder in natural order: img2 before img10.

    Only regular files count, and none whose name starts with a dot. Volumes become their slices.

    Args:
        folder: Path of a folder.
        option: The option that named the folder.
        recursive: Also list nested folders.

    Returns:
        Paths whose suffix, in any case, is one of `image_file.known_suffixes`.

    Raises:
        InputError: If the folder does not exist or contains no image.
    """
    folder = run_folder.as_path(folder)
    if not folder.is_dir():
        raise OptionError(f"Expected {{{option}}} to be a folder. Received: {{}}", folder)
    paths = [path for path in regular_files(folder, recursive) if is_image(path)]
    if not paths:
        kinds = ", ".join(suffix[1:] for suffix in image_file.known_suffixes())
        raise InputError(
            f"Expected images ({kinds}) in {folder}. Received: none{_folders_in(folder)}"
        )
    return [
        name
        for path in sorted(map(str, paths), key=_natural)
        for name in (image_file.list_items(path) if image_file.is_container(path) else [path])
    ]


def _folders_in(folder: Path) -> str:
    """The end of a message that names some folders within a folder, if there are any."""
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return f"; it contains the folders {', '.join(names[:_NAMED])}" if names else ""


def ignored_files_note(folder: Path, *, recursive: bool = False) -> str | None:
    """One line about the files beside the images that are not read, or None."""
    others = Counter(
        path.suffix.lower() or "without suffix"
        for path in regular_files(folder, recursive)
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
        if run_folder.is_remote(path) or path.is_file():
            yield path
        elif recursive and path.is_dir():
            yield from regular_files(path, recursive)


def _natural(path: str) -> tuple:
    parts = re.split(r"([0-9]+)", path)
    # Text and numbers alternate, so that neither is compared with the other.
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), path


def list_pairs(
    folder_a: Path,
    folder_b: Path,
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
    folders = (folder_a, folder_b)
    sides = [list_images(folder, recursive=recursive) for folder in folders]
    if by == "order":
        if len(sides[0]) != len(sides[1]):
            raise InputError(
                f"Expected as many images in {folders[0]} as in {folders[1]}. Received: "
                f"{len(sides[0])} and {len(sides[1])}"
            )
        return list(zip(*sides, strict=True))
    stems = [
        [stem(path[len(str(folder)) + 1 :]) for path in paths]
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


def stem(name: str) -> str:
    """A name without its suffix: "t1-012" of "t1.nii#012"; numbers such as those of UIDs stay.

    That of OME-TIFF is ".ome.tif".
    """
    if item := image_file.split_item(name):
        root, _ = os.path.splitext(item[0].removesuffix(".gz"))
        return f"{root}-{name.rpartition('#')[2]}"
    root, suffix = os.path.splitext(name)
    return name if suffix[1:].isdecimal() else root.removesuffix(".ome")


def names(examples: Sequence[Example]) -> list[str]:
    """A name for each example, all different.

    The stem of the first file; the whole file name where two stems are equal or one is another's
    file name; with the nested folders where there are any.
    """
    paths = [source(example) for example in examples]
    parents = {os.path.dirname(path) for path in paths}
    root = os.path.commonpath(parents) if len(parents) > 1 else next(iter(parents), "")
    flat = [path[len(root) :].lstrip("/").replace(os.sep, "_") for path in paths]
    stems = list(map(stem, flat))
    counts = Counter(stems)
    whole = {name for name, short in zip(flat, stems, strict=True) if counts[short] > 1}
    unique: dict[str, None] = {}
    for name, short in zip(flat, stems, strict=True):
        text = name if counts[short] > 1 or short in whole else short
        while text in unique:
            text += "~"
        unique[text] = None
    return list(unique)
