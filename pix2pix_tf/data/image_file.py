"""Image files: opened once, read as samples, and results written in the format of their source.

Without TensorFlow. `FORMATS` lists what can be read; to add a format, derive from `ImageFile` and
add a `FileFormat` to it.
"""

import abc
import contextlib
import dataclasses
import functools
import io
import math
import os
import re
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol

import numpy as np
from PIL import Image, ImageOps

from pix2pix_tf import run_folder
from pix2pix_tf.data.integrity import PNG_MARK, check_jpeg, check_png
from pix2pix_tf.data.recent import RECENT, Bytes, Source
from pix2pix_tf.data.samples import (
    TOO_LARGE,
    WHOLE,
    PlaneSelection,
    Samples,
    StoredType,
    add_missing,
    apply_orientation,
    check_size,
    fill_missing,
    full_range,
)
from pix2pix_tf.errors import InputError
from pix2pix_tf.optional import FILE_FORMATS, FileFormat

# All rows, or all columns.
ALL = slice(None)
JPEG_MARK = b"\xff\xd8\xff"
# Where a PNG says how many bits a sample has: signature, length, IHDR, width, height.
PNG_DEPTH_AT = 24
# Tag of TIFF and EXIF.
ORIENTATION = 274
# Longest beginning of a file that a mark lies in.
_HEAD = 132


class Result(Protocol):
    """A result that may be larger than memory."""

    shape: tuple[int, int, int]
    dtype: np.dtype

    def samples(self, rows: slice, columns: slice) -> np.ndarray:
        """Reads a part [rows, columns, c]."""


class ImageFile(abc.ABC):
    """One image: a file, one page of it, or a slice of a volume.

    The file is read when the object is made, and decoded when its samples are first asked for. A
    subclass implements `decode`; it overrides `dtype` and `shape` where a header contains them.

    Args:
        path: The file's name, or "" for bytes without a file.
        file: The open file.
        selection: Which image of the file.
        windowed: Whether a large image may stay in its file, to be read in parts.

    Attributes:
        suffix: Of the files in which results are stored that are like this file.
        native_suffixes: Suffixes of the files that `write` gives the geometry of this one.
        is_large: Whether the image stays in its file.
        container: The `Container` that the image belongs to, or None.
        encoded: The file's bytes if TensorFlow can decode them, else b"".
    """

    suffix: ClassVar[str] = ".png"
    native_suffixes: ClassVar[tuple[str, ...]] = ()
    is_large = False
    container: "Container | None" = None
    encoded = b""

    def __init__(
        self,
        path: str,
        file: BinaryIO,
        selection: PlaneSelection = WHOLE,
        *,
        windowed: bool = False,
    ) -> None:
        self.path, self.selection = path, selection
        self.contents = file.read()

    @abc.abstractmethod
    def decode(self) -> Samples:
        """Decodes the whole image.

        Returns:
            `Samples` of [h, w] or [h, w, c], upright. Pixels that equal `selection.nodata` need
            not be marked as missing.

        Raises:
            Exception: Of any kind; `samples` makes one line of it.
        """

    @functools.cached_property
    def _whole(self) -> Samples:
        samples = _decoded(self)
        return add_missing(samples, self.selection.nodata)

    def samples(self, rows: slice = ALL, columns: slice = ALL) -> Samples:
        """Decodes the image, or a part of it.

        Orientation tags are applied; palettes become RGB or RGBA, CMYK and other colour spaces RGB.

        Args:
            rows: Rows to read.
            columns: Columns to read.

        Returns:
            `Samples` [h, w, c] in the file's own type.

        Raises:
            ValueError: What is wrong, without the file's name.
        """
        whole = self._whole
        if rows == columns == ALL:
            return whole
        missing = None if whole.missing is None else whole.missing[rows, columns]
        return Samples(whole.array[rows, columns], missing, whole.has_alpha, whole.nodata)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        height, width, channels = self.samples().array.shape
        return height, width, channels

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of the samples."""
        return self.samples().array.dtype

    @property
    def missing(self) -> np.ndarray | None:
        """Pixels without data, bool [h, w], or None."""
        return self.samples().missing

    @property
    def stored_type(self) -> StoredType:
        """Type and suffix of results that are like this file."""
        return StoredType(self.dtype.name, self.suffix)

    def close(self) -> None:  # noqa: B027 (most files are closed already)
        """Closes the file, if that is still open."""

    def __enter__(self) -> "ImageFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- Results

    def native_suffix(self, result: Any) -> str | None:
        """The one of `native_suffixes` for a result, or None if no such file can hold it."""
        return None

    def save_like(
        self,
        result: "np.ndarray | Result",
        stem: Path,
        *,
        suffix: str | None = None,
        view: np.ndarray | None = None,
        half: int | None = None,
    ) -> Path | None:
        """Writes a result in the format, the geometry and the units of this file.

        Args:
            result: Samples [h, w, c] of the type to store.
            stem: Path of the new file without its suffix.
            suffix: Of the files that samples of this type are stored in; None for `self.suffix`.
            view: What the PNG beside the new file contains.
            half: 0 or 1 if the input was the left or right half of the image.

        Returns:
            Path of the file; None if none is needed, because a PNG with `view` contains all.
        """
        native = self.native_suffix(result) if half is None else None
        suffix = suffix or self.suffix
        if native is None and suffix == ".png" and view is not None:
            if np.array_equal(np.asarray(result), view):
                return None
        suffix = native or (suffix if can_hold_any(suffix) else ".npy")
        return self.write(stem.with_name(stem.name + suffix), result, half=half)

    def write(self, path: Path, result: "np.ndarray | Result", *, half: int | None = None) -> Path:
        """Writes a result, whose pixels are missing where they are missing in this image.

        Args:
            path: The new file; its suffix is ".npy", one that a format with `encode` has, or one
                of `native_suffixes`.
            result: Samples [h, w, c] of the type to store.
            half: As of `save_like`.

        Returns:
            `path`.

        Raises:
            InputError: If such a file cannot hold the result, or needs an extra.
        """
        write_array(path, self.with_missing(np.asarray(result), half=half))
        return path

    def with_missing(self, result: np.ndarray, *, half: int | None = None) -> np.ndarray:
        """`result` [h', w', c], with missing pixels where they are missing in this image."""
        missing = self.missing
        if missing is None:
            return result
        if half is not None:
            middle = missing.shape[1] // 2
            missing = missing[:, middle:] if half else missing[:, :middle]
        return fill_missing(result, missing, self.samples().nodata)

    @staticmethod
    def encode(array: np.ndarray) -> bytes:
        """The bytes of a file with samples [h, w, c], in a format that can hold any of them."""
        raise NotImplementedError


class Container(Source):
    """A file with several images, which are listed as FILE#NUMBER.

    Args:
        path: The file.

    Raises:
        InputError: If it cannot be read.
    """

    @abc.abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abc.abstractmethod
    def image(self, path: str, index: int, selection: PlaneSelection) -> ImageFile:
        """One of the images, whose name is `path`."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Writes the file of all results that the images have collected."""


class NumpyImage(ImageFile):
    """An array in an .npy file."""

    suffix = ".npy"

    def decode(self) -> Samples:
        """Loads the array, if there is as much of it as its header claims."""
        file = io.BytesIO(self.contents)
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0}
        shape, _, dtype = readers.get(version, np.lib.format.read_array_header_2_0)(file)
        if dtype.itemsize * math.prod(shape) > len(self.contents) - file.tell():
            raise ValueError(f"the file ends before the {list(shape)} values of its array")
        return Samples(np.load(io.BytesIO(self.contents), allow_pickle=False))

    @staticmethod
    def encode(array: np.ndarray) -> bytes:
        """The bytes of an .npy file."""
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()


class PillowImage(ImageFile):
    """A PNG, JPEG or any other image that Pillow reads.

    Attributes:
        unread: The optional format of the file whose extra is not installed, or None.
    """

    unread: FileFormat | None = None

    @functools.cached_property
    def encoded(self) -> bytes:  # type: ignore[override]
        """The file's bytes if it is a JPEG or PNG."""
        return self.contents if self.contents.startswith((JPEG_MARK, PNG_MARK)) else b""

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of the samples."""
        if not self.encoded:
            return super().dtype
        return np.dtype(np.uint16 if self._is_deep_png else np.uint8)

    @property
    def missing(self) -> np.ndarray | None:
        """Pixels without data, which no tag of such files names."""
        return None if self.selection.nodata is None else super().missing

    @property
    def _is_deep_png(self) -> bool:
        return self.contents.startswith(PNG_MARK) and self.contents[PNG_DEPTH_AT] == 16

    def decode(self) -> Samples:
        """Decodes the file; damaged data is an error also where Pillow fills it in."""
        if self.contents.startswith(JPEG_MARK):
            check_jpeg(self.contents)
        try:
            with Image.open(io.BytesIO(self.contents)) as opened:
                check_size(*opened.size)
                pages = getattr(opened, "n_frames", 1)
                if self.unread and pages > 1:
                    self.unread.load(needed_by=f"an image of {pages} pages")
                samples = self._decode(opened)
        except OSError:
            if self.unread:
                self.unread.load()
            raise
        if self.contents.startswith(PNG_MARK):
            check_png(self.contents)
        return samples

    def _decode(self, opened: Image.Image) -> Samples:
        if self._is_deep_png and opened.mode in ("RGB", "RGBA", "LA"):
            array, has_alpha = self._deep_colour(opened), opened.mode != "RGB"
        else:
            array, has_alpha = _pixels(ImageOps.exif_transpose(opened), opened.format)
        key = opened.info.get("transparency")
        if opened.format == "PNG" and isinstance(key, int | tuple) and opened.mode != "P":
            array, has_alpha = _add_alpha(array, key, self.contents[PNG_DEPTH_AT]), True
        return Samples(array, has_alpha=has_alpha)

    def _deep_colour(self, opened: Image.Image) -> np.ndarray:
        """16 bits per channel of colour, of which Pillow gives the upper 8."""
        try:
            from imagecodecs import png_decode
        except ImportError:
            return np.asarray(ImageOps.exif_transpose(opened)).astype(np.uint16) * 257
        opened.load()  # checks the checksums
        return apply_orientation(png_decode(self.contents), opened.getexif().get(ORIENTATION, 1))


def _pixels(image: Image.Image, kind: str | None) -> tuple[np.ndarray, bool]:
    """(samples, whether the last channel is transparency)."""
    mode = image.mode
    if mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode not in ("L", "LA", "RGB", "RGBA", "F", "I") and not mode.startswith("I;16"):
        image = image.convert("RGB")
    array = np.asarray(image)
    # Pillow before 11 reads 16-bit PNGs as mode I.
    is_deep = mode.startswith("I;16") or (mode == "I" and kind != "TIFF")
    return array.astype(np.uint16) if is_deep else array, image.mode in ("LA", "RGBA")


def _add_alpha(array: np.ndarray, key: Any, depth: int) -> np.ndarray:
    """Adds alpha to grey or RGB of which a PNG calls one value, the tRNS chunk, transparent."""
    array = array[..., None] if array.ndim == 2 else array
    high = full_range(array.dtype)[1]
    # Pillow has already widened a value of one bit.
    value = np.minimum(np.atleast_1d(key) * (255 // (2**depth - 1) if depth < 8 else 1), high)
    alpha = np.where((array == value).all(-1, keepdims=True), 0, high).astype(array.dtype)
    return np.concatenate([array, alpha], -1)


def _decoded(image: ImageFile) -> Samples:
    """`image.decode()` as [h, w, c]; whatever goes wrong is a ValueError of one line."""
    try:
        samples = image.decode()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(TOO_LARGE) from None
    except ValueError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        reason = str(error).split(" <_io")[0].split(" '")[0]
        is_unknown = "identify" in reason or not image.contents
        raise ValueError("not an image of a known format" if is_unknown else reason) from None
    except Exception as error:  # parsers raise anything on damaged files
        reason = str(error).partition("\n")[0]
        raise ValueError(f"damaged ({type(error).__name__}: {reason})") from None
    array = samples.array[..., None] if samples.array.ndim == 2 else samples.array
    if array.ndim != 3 or not array.size or array.dtype.kind not in "uifb":
        raise ValueError(
            f"an array {list(array.shape)} of {array.dtype}, expected numbers [height, width, "
            "channels]"
        )
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return dataclasses.replace(samples, array=array)


# ---- Formats

# To add a format, append or insert it. The first whose mark a file contains reads the file.
FORMATS: list[FileFormat] = [
    FileFormat(
        "image", (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".ppm", ".pgm", ".webp"), PillowImage
    ),
    FileFormat("NumPy", (".npy",), NumpyImage, ((0, b"\x93NUMPY"),)),
    *FILE_FORMATS,
]


def known_suffixes() -> tuple[str, ...]:
    """The endings of the names of image files, in lower case."""
    return tuple(suffix for item in FORMATS for suffix in item.suffixes)


def is_image(path: Path) -> bool:
    """Whether a file's name ends as one of the known formats does.

    Files whose names have no suffix, or end with a number, count by the `bare_mark` of a format;
    they are read for that, and stay in memory for a while.
    """
    if path.name.lower().endswith(known_suffixes()):
        return True
    if path.suffix and not path.suffix[1:].isdecimal():
        return False
    try:
        return bool(RECENT.get(path, _bare_file).contents)
    except OSError:
        return False


def _format_of_suffix(path: str | os.PathLike) -> FileFormat | None:
    name = os.fspath(path).lower()
    return next((item for item in FORMATS if name.endswith(item.suffixes)), None)


def _bare_file(path: Path) -> Bytes:
    """The contents of a file with a `bare_mark`, no bytes of another one."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        marks = [item.bare_mark for item in FORMATS if item.bare_mark]
        return Bytes(head + file.read() if _has_mark(head, marks) else b"")


def _has_mark(head: bytes, marks: Iterable[tuple[int, bytes]]) -> bool:
    return any(head[at : at + len(mark)] == mark for at, mark in marks)


def open_image(
    path: str | os.PathLike, selection: PlaneSelection = WHOLE, *, windowed: bool = False
) -> ImageFile:
    """Opens an image file, or an image of a container (FILE#NUMBER).

    Args:
        path: Name of the file or of the image.
        selection: Which image of the file.
        windowed: Whether a large image may stay in its file, to be read in parts; the caller
            closes it.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        InputError: If it needs an extra.
    """
    name, path = str(path), run_folder.as_path(path)
    if item := split_item(name):
        return open_container(item[0]).image(name, item[1], selection)
    if _format_of_suffix(name) is None:
        recent = RECENT.find(path)
        if recent is not None and recent.contents:
            return from_bytes(recent.contents, selection, path=name)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        image = _open(name, file, selection, windowed=windowed)
        if image.is_large:
            stack.pop_all()
        return image


def from_bytes(contents: bytes, selection: PlaneSelection = WHOLE, *, path: str = "") -> ImageFile:
    """The image in the bytes of a file.

    Args:
        contents: The bytes.
        selection: Which image of the file.
        path: The file's name, if it has one.

    Raises:
        InputError: If the format needs an extra.
    """
    return _open(path, io.BytesIO(contents), selection)


def _open(path: str, file: Any, selection: PlaneSelection, *, windowed: bool = False) -> ImageFile:
    head = file.read(_HEAD)
    file.seek(0)
    file_format = _find_format(head, path)
    try:
        return file_format.load()(path, file, selection, windowed=windowed)
    except InputError:
        if not file_format.has_plain_files:
            raise
    image = PillowImage(path, file, selection)
    image.unread = file_format
    return image


def _find_format(head: bytes, path: str) -> FileFormat:
    """The format whose mark a file contains; else by the suffix one without marks."""
    for item in FORMATS:
        if _has_mark(head, item.marks):
            return item
    file_format = _format_of_suffix(path)
    return (
        file_format
        if file_format and not (file_format.marks or file_format.is_container)
        else FORMATS[0]
    )


def can_hold_any(suffix: str) -> bool:
    """Whether files of a suffix can hold any samples; see `ImageFile.encode`."""
    file_format = _format_of_suffix(suffix)
    if file_format is None or file_format.is_container:
        return False
    return file_format.load().encode is not ImageFile.encode


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes samples [h, w, c] as .npy, or in another format that can hold any of them.

    Raises:
        InputError: If the format needs an extra.
    """
    file_format = _format_of_suffix(path) or FORMATS[0]
    contents = file_format.load(needed_by=str(path)).encode(array)
    with run_folder.atomic(path) as temporary:
        temporary.write_bytes(contents)


# ---- Containers


def item_pattern() -> str:
    """Regular expression, also for TensorFlow, of the names of images in containers."""
    suffixes = [s for item in FORMATS if item.is_container for s in item.suffixes]
    return rf"(?is)(.+(?:{'|'.join(map(re.escape, suffixes))}))#([0-9]+)"


def split_item(path: str | os.PathLike) -> tuple[str, int] | None:
    """(container, index) of FILE#NUMBER, or None for another name."""
    match = re.fullmatch(item_pattern(), str(path))
    return (match[1], int(match[2])) if match else None


def file_of(path: str | os.PathLike) -> str:
    """The container of an image; other paths as they are."""
    item = split_item(path)
    return item[0] if item else str(path)


def is_container(path: str | os.PathLike) -> bool:
    """Whether a file's name is that of a container."""
    file_format = _format_of_suffix(path)
    return file_format is not None and file_format.is_container


def open_container(path: str) -> Container:
    """Opens a container, such as a volume.

    Raises:
        InputError: If it cannot be read, or needs an extra.
    """
    file_format = _format_of_suffix(path)
    assert file_format is not None and file_format.is_container
    container: Container = RECENT.get(run_folder.as_path(path), file_format.load(needed_by=path))
    return container


def list_items(path: str) -> list[str]:
    """The names of a container's images, in order; see `open_container`."""
    count = len(open_container(path))
    width = len(str(count - 1))
    return [f"{path}#{index:0{width}d}" for index in range(count)]
