"""Optional features: the one table of `extras/`, and the one error of a missing extra.

The core never imports a folder of `extras/` by name; it asks `load` for what it needs of one.
"""

import importlib
from types import ModuleType
from typing import Any, NamedTuple

from pix2pix_tf.errors import InputError

# The extra of pyproject.toml, which is also a folder of `pix2pix_tf/extras`.
EXTRAS = (
    "edges",
    "medical",
    "metrics",
    "pict",
    "porting",
    "serve",
    "tfds",
    "tiff",
    "web",
    "workers",
)


def load(extra: str, home: str, *, needed_by: str) -> Any:
    """Imports one object of an optional feature.

    Args:
        extra: Name of the extra, one of `EXTRAS`.
        home: Where the object is defined inside of the extra's folder, as "module:name", or
            "module" for the module itself.
        needed_by: What needs it, the beginning of the error, such as "--mode serve".

    Returns:
        The object, such as a class, a function or a module.

    Raises:
        InputError: If the extra, or a package that it brings, is not installed.
    """
    module, _, name = home.partition(":")
    loaded = import_package(f"pix2pix_tf.extras.{extra}.{module}", extra=extra, needed_by=needed_by)
    return getattr(loaded, name) if name else loaded


def import_package(name: str, *, extra: str, needed_by: str) -> ModuleType:
    """Imports a package that an extra brings.

    Args:
        name: Name of the module.
        extra: Name of the extra in pyproject.toml.
        needed_by: What needs it, the beginning of the error.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        reason = f"no module {error.name}" if isinstance(error, ModuleNotFoundError) else error
        raise InputError(
            f"{needed_by} needs an extra: pip install 'pix2pix-tf[{extra}]' ({reason})"
        ) from None


class FileFormat(NamedTuple):
    """A format of image files.

    Attributes:
        name: What messages call it.
        suffixes: Endings of file names, in lower case.
        reader: Subclass of `image_file.ImageFile`, or of `image_file.Container`; of an optional
            format the place where `load` finds it, as "EXTRA/module:name".
        marks: (offset, bytes) pairs, one of which the files contain. They count more than the
            suffix; without any the suffix decides.
        bare_mark: The mark by which folders list files whose names have no suffix, or None.
        is_container: Whether a file contains several images, which are then listed one by one.
        has_plain_files: Whether the core reads the simplest files of an optional format.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: Any
    marks: tuple[tuple[int, bytes], ...] = ()
    bare_mark: tuple[int, bytes] | None = None
    is_container: bool = False
    has_plain_files: bool = False

    def load(self, *, needed_by: str | None = None) -> Any:
        """Imports the reader; see `load`."""
        if not isinstance(self.reader, str):
            return self.reader
        extra, _, home = self.reader.partition("/")
        return load(extra, home, needed_by=needed_by or self.name)


# The formats that extras read; `image_file.FORMATS` adds those of the core.
FILE_FORMATS = (
    # Before TIFF: the preamble of a DICOM file may be a TIFF.
    FileFormat(
        "DICOM",
        (".dcm",),
        "medical/dicom:DicomImage",
        ((128, b"DICM"), (0, b"\x08\0"), (0, b"\2\0")),
        bare_mark=(128, b"DICM"),
    ),
    FileFormat(
        "TIFF",
        (".tif", ".tiff"),
        "tiff/tiff_image:TiffImage",
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        has_plain_files=True,
    ),
    FileFormat("NIfTI", (".nii", ".nii.gz"), "medical/nifti:Volume", is_container=True),
)
