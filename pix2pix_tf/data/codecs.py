"""Files as arrays of their own type, and arrays as files; without TensorFlow.

A file's samples become [0, 1] through a range of values: LOW,HIGH of --value_range, or the whole
range of an integer type, or floats as they are. `from_unit` is the way back.
"""

import dataclasses
import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import simplejpeg
from numpy.typing import ArrayLike, DTypeLike
from PIL import Image, ImageOps

from pix2pix_tf import run_folder
from pix2pix_tf.data import dicom, nifti
from pix2pix_tf.errors import InputError

# The samples that become 0 and 1; None for the whole range of an integer, and for floats 0 and 1.
Range = tuple[float, float] | None
# What stands for None in the options.
AUTO = "auto"

SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".ppm", ".pgm", ".webp"),
    *(".tif", ".tiff", ".npy", dicom.SUFFIX, *nifti.SUFFIXES),
)
JPEG_MARK, PNG_MARK, NPY_MARK = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Interlaced PNGs: first column and row, and steps between columns and rows, of each of 7 passes.
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
# Where a PNG says how many bits a sample has: signature, length, IHDR, width, height.
PNG_DEPTH_AT = 24
# Rec. ITU-R BT.601, as Pillow converts colour to grey.
LUMINANCE = (0.299, 0.587, 0.114)
# What Pillow opens without a warning (a quarter of a gigabyte in RGB): 9459 x 9459.
MAX_PIXELS = 1024**3 // 4 // 3
_TOO_LARGE = f"it claims more than {MAX_PIXELS} pixels"
# TIFFs of more pixels are read and written by windows where a tile is given.
LARGE_PIXELS = 2**24
_ORIENTATION, _NO_DATA = 274, 42113  # TIFF tags; EXIF shares the first
# Those of sizes, types, compression, colour, strips and tiles (TIFF 6.0).
_SIZES, _STRIPS, _TILES = {256, 257, 258, 259, 262, 277}, {273, 278, 279}, {322, 323, 324, 325}
_SAMPLE_TAGS = _SIZES | _STRIPS | _TILES | {284, 317, 320, 338, 339}
# libjpeg warns of these and fills in grey; what it says of stray bytes does no harm.
_JPEG_DAMAGE = ("Corrupt JPEG data: premature", "Corrupt JPEG data: bad", "Premature end")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """The image that is read from a file with several, and the value of missing samples.

    Attributes:
        plane: Number of the plane over Z, T and pages, counted from 0, or None for the only one.
        series: Number of the series of a TIFF, likewise.
        nodata: Sample that stands for missing values (NaN is allowed), or None for what the
            file's own tag says.
    """

    plane: int | None = None
    series: int | None = None
    nodata: float | None = None


# The only image of a file.
WHOLE = Selection()


@dataclasses.dataclass(frozen=True)
class Samples:
    """A decoded file.

    Attributes:
        array: [h, w, c] of the file's own type.
        missing: bool [h, w], pixels without data; None if there are none.
        has_alpha: Whether the last channel is transparency.
        nodata: The sample that stands for missing pixels by the file's own tag, or None.
    """

    array: np.ndarray
    missing: np.ndarray | None = None
    has_alpha: bool = False
    nodata: float | None = None


def parse_range(text: str, *, flag: str = "value_range") -> Range:
    """The (low, high) of "LOW,HIGH", the samples that become black and white; None of "auto".

    Raises:
        InputError: If `text` is not two rising numbers.
    """
    if text == AUTO:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not -math.inf < low < high < math.inf:
        raise InputError(f"Expected --{flag} LOW,HIGH such as 0,1. Received: {text}")
    return low, high


def parse_percentiles(text: str) -> tuple[float, float] | None:
    """The percentiles of "p0.1,p99.9", or None of another text."""
    parts = text.split(",")
    if len(parts) != 2 or not all(part.startswith("p") for part in parts):
        return None
    try:
        low, high = (float(part[1:]) for part in parts)
    except ValueError:
        return None
    return (low, high) if 0 <= low < high <= 100 else None


def contents_of(path: str | os.PathLike) -> bytes:
    """The bytes of a file; of a slice of a volume what `load` reads it by."""
    if nifti.is_slice(path):
        return nifti.MARK + os.fsencode(path)
    return run_folder.place(path).read_bytes()


def read(contents: bytes, selection: Selection = WHOLE) -> np.ndarray:
    """Decodes a file's bytes to [h, w, c] of the file's own type; see `load`."""
    return load(contents, selection).array


def load(contents: bytes, selection: Selection = WHOLE) -> Samples:
    """Decodes a file's bytes.

    The orientation of EXIF or TIFF tags is applied; palettes become RGB or RGBA, CMYK and other
    colour spaces RGB.

    Args:
        contents: bytes of an .npy, TIFF, DICOM or any image that Pillow reads, or what `contents`
            gives for a slice of a volume.
        selection: Which image of the file.

    Returns:
        `Samples`.

    Raises:
        ValueError: What is wrong, without the file's name.
    """
    try:
        samples = _load(contents, selection)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(_TOO_LARGE) from None
    except ValueError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        reason = str(error).split(" <_io")[0].split(" '")[0]
        unknown = "identify" in reason or not contents
        raise ValueError("not an image of a known format" if unknown else reason) from None
    except Exception as error:  # parsers raise anything on damaged files
        reason = str(error).partition("\n")[0]
        raise ValueError(f"damaged ({type(error).__name__}: {reason})") from None
    array = samples.array[..., None] if samples.array.ndim == 2 else samples.array
    if array.ndim != 3 or not array.size or array.dtype.kind not in "uifb":
        raise ValueError(
            f"an array {list(array.shape)} of {array.dtype}, expected numbers [height, width, "
            "channels]"
        )
    return without_missing(dataclasses.replace(samples, array=array), selection.nodata)


def _load(contents: bytes, selection: Selection) -> Samples:
    if contents.startswith(NPY_MARK):
        return Samples(_read_npy(contents))
    if _is_tiff(contents):
        return _read_tiff(contents, selection)
    if contents.startswith(nifti.MARK):
        return Samples(nifti.read(contents, series=selection.series))
    if dicom.is_dicom(contents):
        array, missing, nodata = dicom.read(contents, plane=selection.plane, max_pixels=MAX_PIXELS)
        return Samples(array, missing=missing, nodata=nodata)
    if contents.startswith(JPEG_MARK):
        _check_jpeg(contents)
    samples = _read_pillow(contents)
    if contents.startswith(PNG_MARK):
        _check_png(contents)
    return samples


def _is_tiff(head: bytes) -> bool:
    """Whether a file is a TIFF; the preamble of DICOM may look like one."""
    return head.startswith(TIFF_MARKS) and not dicom.is_dicom(head)


def without_missing(samples: Samples, nodata: float | None) -> Samples:
    """Adds to `missing` the pixels whose every channel is `nodata`."""
    if nodata is None:
        return samples
    array = samples.array
    if array.ndim == 2:
        array = array[..., None]
    if math.isnan(nodata) and array.dtype.kind != "f":
        return samples
    same = np.isnan(array) if math.isnan(nodata) else array == nodata
    missing = same.all(-1) if samples.missing is None else same.all(-1) | samples.missing
    return dataclasses.replace(samples, missing=missing if missing.any() else None)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ValueError(_TOO_LARGE)


def _check_jpeg(contents: bytes) -> None:
    """Raises an error for truncated JPEG data, of which libjpeg only warns."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(contents, strict=False)
        _check_size(width, height)
        simplejpeg.decode_jpeg(contents, "GRAY", strict=True)
    except ValueError as error:
        if str(error).startswith(_JPEG_DAMAGE) or str(error) == _TOO_LARGE:
            raise


def _read_npy(contents: bytes) -> np.ndarray:
    """Loads an array, if there is as much of it as its head claims."""
    file = io.BytesIO(contents)
    version = np.lib.format.read_magic(file)
    headers = {(1, 0): np.lib.format.read_array_header_1_0}
    shape, _, dtype = headers.get(version, np.lib.format.read_array_header_2_0)(file)
    if dtype.itemsize * math.prod(shape) > len(contents) - file.tell():
        raise ValueError(f"the file ends before the {list(shape)} values of its array")
    return np.load(io.BytesIO(contents), allow_pickle=False)


def _check_png(contents: bytes) -> None:
    """Raises an error for wrong checksums and missing data, which Pillow accepts in some places."""
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", contents, 16)
    _check_size(width, height)
    pixel = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    missing = sum(rows * (1 + -(-columns * pixel // 8)) for columns, rows in sizes if columns > 0)
    stream, at = zlib.decompressobj(), len(PNG_MARK)
    while missing > 0 and at + 8 <= len(contents):
        length, name = struct.unpack_from(">I4s", contents, at)
        at, end = at + 12 + length, at + 8 + length
        if name == b"IDAT":
            if contents[end:at] != struct.pack(">I", zlib.crc32(contents[end - length - 4 : end])):
                raise ValueError("a checksum is wrong")
            missing -= len(stream.decompress(contents[end - length : end]))
    if missing > 0:
        raise ValueError("image file is truncated")


def _with_transparency(array: np.ndarray, key: Any, depth: int) -> np.ndarray:
    """Adds alpha to grey or RGB of which a PNG calls one value, the tRNS chunk, transparent."""
    array = array[..., None] if array.ndim == 2 else array
    high = full_range(array.dtype)[1]
    # Pillow has already widened a value of one bit.
    value = np.minimum(np.atleast_1d(key) * (255 // (2**depth - 1) if depth < 8 else 1), high)
    alpha = np.where((array == value).all(-1, keepdims=True), 0, high).astype(array.dtype)
    return np.concatenate([array, alpha], -1)


def _read_pillow(contents: bytes) -> Samples:
    with Image.open(io.BytesIO(contents)) as opened:
        _check_size(*opened.size)
        samples, key = _read_opened(contents, opened), opened.info.get("transparency")
        if opened.format == "PNG" and isinstance(key, int | tuple) and opened.mode != "P":
            array = _with_transparency(samples.array, key, contents[PNG_DEPTH_AT])
            samples = dataclasses.replace(samples, array=array, has_alpha=True)
        return samples


def _read_opened(contents: bytes, opened: Image.Image) -> Samples:
    is_deep = opened.format == "PNG" and contents[PNG_DEPTH_AT] == 16
    if is_deep and opened.mode in ("RGB", "RGBA", "LA"):
        return _read_deep_png(contents, opened)
    image = ImageOps.exif_transpose(opened)
    mode = image.mode
    if mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode == "I":  # Pillow before 11 reads 16-bit grey so.
        return Samples(np.asarray(image).astype(np.uint16))
    elif mode not in ("L", "LA", "RGB", "RGBA", "F") and not mode.startswith("I;16"):
        image = image.convert("RGB")
    array = np.asarray(image)
    array = array.astype(np.uint16) if mode.startswith("I;16") else array
    return Samples(array, has_alpha=image.mode in ("LA", "RGBA"))


def _read_deep_png(contents: bytes, opened: Image.Image) -> Samples:
    """16 bits per channel of colour, of which Pillow gives the upper 8."""
    try:
        from imagecodecs import png_decode
    except ImportError:
        array = np.asarray(ImageOps.exif_transpose(opened)).astype(np.uint16) * 257
    else:
        opened.load()  # checks the checksums
        array = upright(png_decode(contents), opened.getexif().get(_ORIENTATION, 1))
    return Samples(array, has_alpha=array.shape[-1] in (2, 4))


def _read_tiff(contents: bytes, selection: Selection) -> Samples:
    """Uncommon colour spaces, and all TIFFs without tifffile, go through Pillow."""
    try:
        import tifffile
    except ImportError:
        return _tiff_without_tifffile(contents)
    with tifffile.TiffFile(io.BytesIO(contents)) as file:
        page = file.pages.first
        _check_size(int(page.imagewidth), int(page.imagelength))  # damaged ones are tuples or bytes
        _check_tags(file, page)
        if not _is_plain(page):
            return _read_pillow(contents)
        series = _picked_series(file, selection)
        page = series.keyframe
        _check_size(int(page.imagewidth), int(page.imagelength))
        array = _plane(series.asarray(), series.axes, selection)
        tags = {code: page.tags.get(code) for code in (_ORIENTATION, _NO_DATA)}
        has_alpha = any(int(kind) in (1, 2) for kind in page.extrasamples)
    orientation = tags[_ORIENTATION]
    array = upright(array, int(orientation.value) if orientation else 1)
    nodata = _number(tags[_NO_DATA].value) if tags[_NO_DATA] else None
    return without_missing(Samples(array, has_alpha=has_alpha, nodata=nodata), nodata)


def _check_tags(file: Any, page: Any) -> None:
    """Raises an error if a tag that samples depend on is listed without its values."""
    form, handle = file.tiff, file.filehandle
    handle.seek(page.offset)
    (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    entries = handle.read(count * form.tagsize)
    codes = {
        struct.unpack_from(form.byteorder + "H", entries, at)[0]
        for at in range(0, len(entries), form.tagsize)
    }
    if lost := sorted(codes & _SAMPLE_TAGS - {tag.code for tag in page.tags}):
        raise ValueError(f"the file ends before the values of its tag {lost[0]}")


def _is_plain(page: Any) -> bool:
    """Whether tifffile gives the samples of a page as they are: grey or RGB, also as JPEG."""
    kind = page.photometric.name
    is_jpeg = kind == "YCBCR" and page.compression.name == "JPEG"
    return page.dtype is not None and (kind in ("MINISBLACK", "RGB") or is_jpeg)


def _number(text: Any) -> float | None:
    """The number in the text of a tag such as "-9999", or None."""
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def _picked_series(file: Any, selection: Selection) -> Any:
    """The series of a TIFF that is read; thumbnails, overviews and masks do not count."""
    series = [one for one in file.series if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    series = series or list(file.series)
    if len(series) > 1 and selection.series is None:
        raise ValueError(f"{len(series)} series; --series 0 to {len(series) - 1} picks one")
    return _item(series, selection.series, flag="series")


def _item(items: list, number: int | None, *, flag: str) -> Any:
    if (number or 0) >= len(items):
        raise ValueError(f"--{flag} {number}, expected 0 to {len(items) - 1}")
    return items[number or 0]


def _plane(array: np.ndarray, axes: str, selection: Selection) -> np.ndarray:
    """[h, w, c] of an array whose axes are named: C and S are channels, all others planes."""
    channels = [axis for axis in axes if axis in "CS"]
    others = [axis for axis in axes if axis not in "CSYX"]
    order = [axes.index(axis) for axis in [*others, "Y", "X", *channels]]
    array = np.transpose(array, order)
    count = math.prod(array.shape[: len(others)])
    height, width = array.shape[len(others) : len(others) + 2]
    if count > 1 and selection.plane is None:
        sizes = ", ".join(f"{name} {size}" for name, size in zip(others, array.shape, strict=False))
        raise ValueError(f"{count} planes ({sizes}); --plane 0 to {count - 1} picks one")
    planes = array.reshape(count, height, width, -1)
    return _item(list(planes), selection.plane if count > 1 else None, flag="plane")


def _tiff_without_tifffile(contents: bytes) -> Samples:
    hint = "pip install 'pix2pix-tf[tiff]' reads more TIFFs"
    try:
        with Image.open(io.BytesIO(contents)) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError(f"{image.n_frames} pages; {hint}")
        return _read_pillow(contents)
    except OSError as error:
        raise ValueError(f"{error}; {hint}") from None


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turns [h, w, c] as an EXIF orientation of 1 to 8 says."""
    if orientation >= 5:
        array = np.swapaxes(array, 0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array[::-1] if orientation in (3, 4, 7, 8) else array


def full_range(dtype: DTypeLike) -> tuple[float, float]:
    """The values that become 0 and 1 by default, for samples of a type."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "ui":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def to_unit(array: np.ndarray, value_range: Range = None) -> np.ndarray:
    """Converts samples of any type to float32 in [0, 1].

    Args:
        array: Samples of any real type.
        value_range: The (low, high) that become 0 and 1; values beyond are clipped. None for the
            whole range of an integer type, and for floats as they are.

    Returns:
        float32 array of the same shape.
    """
    if array.dtype.kind == "b" or (array.dtype.kind == "f" and value_range is None):
        return array.astype(np.float32)
    if value_range is None and array.dtype in (np.uint8, np.uint16):  # as TensorFlow converts
        return array.astype(np.float32) * np.float32(1 / np.iinfo(array.dtype).max)
    low, high = value_range or full_range(array.dtype)
    return np.clip((array.astype(np.float64) - low) / (high - low), 0, 1).astype(np.float32)


def from_unit(unit: ArrayLike, dtype: DTypeLike, value_range: Range = None) -> np.ndarray:
    """Converts floats in [0, 1] to samples of `dtype`: the inverse of `to_unit`.

    Integers are rounded and saturated. uint8 of the whole range is rounded as TensorFlow and the
    reference do: down, from 255.5.
    """
    unit, dtype = np.asarray(unit), np.dtype(dtype)
    if dtype.kind == "b":
        return unit >= 0.5
    if dtype.kind == "f" and value_range is None:
        return unit.astype(dtype)
    if dtype == np.uint8 and value_range is None:
        return np.clip(unit * np.float32(255.5), 0, 255).astype(dtype)
    low, high = value_range or full_range(dtype)
    if dtype.kind == "f":
        return (unit.astype(np.float64) * (high - low) + low).astype(dtype)
    wide = np.round(np.clip(unit, 0, 1).astype(np.float64) * (high - low) + low)
    least, most = full_range(dtype)
    # 2**63 and 2**64 are float64s, the largest 64-bit integers are not.
    most = np.nextafter(most, 0) if dtype.itemsize == 8 else most
    return np.clip(wide, least, most).astype(dtype)


def converts(found: int, wanted: int) -> bool:
    """Whether `with_channels` makes `wanted` channels of `found`."""
    return found == wanted or (found <= 4 and wanted in (1, 3, 4))


def with_channels(unit: np.ndarray, count: int) -> np.ndarray:
    """Converts [h, w, c] in [0, 1] to another number of channels.

    One to four channels are grey, grey and alpha, RGB, RGBA: alpha is dropped or added opaque,
    grey is widened, colour becomes luminance. Any other number has to be right already.

    Raises:
        ValueError: If it is not.
    """
    found = unit.shape[-1]
    if found == count:
        return unit
    if not converts(found, count):
        raise ValueError(f"{found} channels, expected {count}")
    colour = unit[..., :-1] if found in (2, 4) else unit
    alpha = unit[..., -1:] if found in (2, 4) else np.ones_like(unit[..., :1])
    if count == 1:
        return colour if found == 2 else colour @ np.array(LUMINANCE, np.float32)[:, None]
    colour = np.repeat(colour, 3, -1) if colour.shape[-1] == 1 else colour
    return colour if count == 3 else np.concatenate([colour, alpha], -1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """How the images of one domain become network inputs.

    Attributes:
        channels: 1, 3 and 4 are made of what files contain; other numbers have to be in the files.
        value_range: The (low, high) samples that become 0 and 1; see `to_unit`.
        selection: Which image of a file with several.
        palette: RGB of each label for grey integer files that contain label ids, or None.
        one_hot: Whether grey integer files contain label ids that become one channel each.
    """

    channels: int = 3
    value_range: Range = None
    selection: Selection = WHOLE
    palette: tuple[tuple[int, int, int], ...] | None = None
    one_hot: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether TensorFlow reads usual files as this side needs them."""
        labelled = self.palette is not None or self.one_hot
        return not labelled and self.selection.nodata is None and self.channels in (1, 3, 4)

    def to_unit(self, samples: Samples) -> np.ndarray:
        """Converts a decoded file to float32 [h, w, channels] in [0, 1]; missing pixels are 0.

        Raises:
            ValueError: If the file has other channels, or ids without a label.
        """
        array = samples.array
        if self.value_range is None and samples.missing is not None and array.dtype.kind == "f":
            array = np.where(samples.missing[..., None], 0, array)
        is_label = array.shape[-1] == 1 and array.dtype.kind in "uib"
        if is_label and (self.palette is not None or self.one_hot):
            return self._labels_to_unit(array[..., 0].astype(np.int64))
        unit = to_unit(array, self.value_range)
        if samples.missing is not None:
            unit = np.where(samples.missing[..., None], np.float32(0), unit)
        return with_channels(unit, self.channels)

    def _labels_to_unit(self, ids: np.ndarray) -> np.ndarray:
        count = self.channels if self.one_hot else len(self.palette or ())
        if ids.min() < 0 or ids.max() >= count:
            kind = "channels of --one_hot" if self.one_hot else "colours in the palette"
            raise ValueError(f"label {ids.max() if ids.min() >= 0 else ids.min()}, {count} {kind}")
        if self.one_hot:
            return np.eye(count, dtype=np.float32)[ids]
        colours = np.array(self.palette, np.uint8)[ids]
        return with_channels(to_unit(colours), self.channels)


def load_unit(contents: bytes, side: Side = Side()) -> np.ndarray:  # noqa: B008
    """Decodes bytes to float32 [h, w, channels] in [0, 1]."""
    return side.to_unit(load(contents, side.selection))


@dataclasses.dataclass(frozen=True)
class Depth:
    """How a file stores its samples.

    Attributes:
        dtype: NumPy's name of the type.
        suffix: ".png", ".tif", ".npy", ".dcm" or ".nii": in what results of this depth are
            written, the last two if their source is of that kind.
    """

    dtype: str = "uint8"
    suffix: str = ".png"


def depth(path: str | os.PathLike, selection: Selection = WHOLE) -> Depth:
    """Reads from a file how it stores its samples.

    Returns:
        `Depth`; 8 bits for what cannot be read.
    """
    if nifti.is_slice(path):
        return Depth(read(contents_of(path), selection).dtype.name, nifti.SUFFIXES[0])
    with run_folder.place(path).open("rb") as file:
        head = file.read(dicom.HEAD)
        file.seek(0)
        if head.startswith(PNG_MARK):
            return Depth("uint16" if head[PNG_DEPTH_AT] == 16 else "uint8")
        if head.startswith(NPY_MARK):
            with run_folder.fetched(path) as local:
                array = np.load(local, mmap_mode="r", allow_pickle=False)
                return Depth(array.dtype.name, ".npy")
        if _is_tiff(head):
            return Depth(_tiff_dtype(file), ".tif")
        if dicom.is_dicom(head):
            return Depth(read(file.read(), selection).dtype.name, dicom.SUFFIX)
    return Depth()


def _tiff_dtype(opened: IO[bytes]) -> str:
    try:
        import tifffile

        with tifffile.TiffFile(opened) as file:
            dtype = file.pages.first.dtype
            return "uint8" if dtype is None else dtype.name
    except ImportError:
        return read(opened.read()).dtype.name


def large_tiff(path: str | os.PathLike) -> tuple[int, int] | None:
    """The (height, width) of a local TIFF of more than LARGE_PIXELS pixels; None of other files."""
    if run_folder.is_remote(path) or nifti.is_slice(path):
        return None
    try:
        with open(path, "rb") as opened:
            if not _is_tiff(opened.read(dicom.HEAD)):
                return None
            import tifffile

            opened.seek(0)
            with tifffile.TiffFile(opened) as file:
                page = file.pages.first
                height, width = int(page.imagelength), int(page.imagewidth)
    except Exception:  # a damaged file, or no tifffile: whoever reads it reports that
        return None
    return (height, width) if height * width > LARGE_PIXELS else None


def windowed_page(file: Any, selection: Selection = WHOLE) -> tuple[Any, float | None]:
    """The page of an open `tifffile.TiffFile` that is read by windows.

    Returns:
        (tifffile's page; the sample that stands for missing pixels by the file's own tag, or None).

    Raises:
        ValueError: If that is not possible: turned images, planes of several pages or one after
            the other, palettes and uncommon colour spaces have to be read as a whole.
    """
    series = _picked_series(file, selection)
    page = series.keyframe
    tag = page.tags.get(_ORIENTATION)
    turned = tag is not None and int(tag.value) != 1
    if turned or not _is_plain(page) or series.axes not in ("YX", "YXS") or len(series.pages) != 1:
        raise ValueError("turned images, planes and uncommon colour spaces are read as a whole")
    return page, _number(page.tags.valueof(_NO_DATA))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """The metadata of a TIFF that is copied to a result.

    Attributes:
        compression: tifffile's name of the compression, or None.
        tags: Tags of the place on Earth as tifffile's `extratags`.
        size: (height, width) of what the tags are of.
    """

    compression: str | None = None
    tags: tuple = ()
    size: tuple[int, int] = (1, 1)


# GeoTIFF: scale, tie points, transformation, keys; GDAL: metadata, no-data.
_SCALE, _TIE_POINTS, _TRANSFORMATION = 33550, 33922, 34264
_PLACE = (_SCALE, _TIE_POINTS, _TRANSFORMATION, 34735, 34736, 34737, 42112, _NO_DATA)
_ASCII, _SHORT, _DOUBLE = 2, 3, 12
# What every result is compressed with that has to be lossless.
_LOSSLESS = ("LZW", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS", "LZMA", "ZSTD", "NONE")


def place_of(path: str | os.PathLike, *, is_half: bool = False) -> Place:
    """Reads the place and the compression of a TIFF; those of other files are empty.

    Args:
        path: The file.
        is_half: Whether only its left half is meant.
    """
    try:
        import tifffile
    except ImportError:
        return Place()
    if nifti.is_slice(path):
        return Place()
    with run_folder.place(path).open("rb") as opened:
        if not _is_tiff(opened.read(dicom.HEAD)):
            return Place()
        opened.seek(0)
        page: Any = tifffile.TiffFile(opened).pages.first
        name = page.compression.name
        tags = [page.tags[code] for code in _PLACE if code in page.tags]
        return Place(
            compression=None if name == "NONE" else name if name in _LOSSLESS else "ADOBE_DEFLATE",
            tags=tuple((tag.code, int(tag.dtype), tag.value) for tag in tags),
            size=(int(page.imagelength), int(page.imagewidth) // (1 + is_half)),
        )


def with_missing(
    array: np.ndarray, source: str | os.PathLike, selection: Selection, *, is_half: bool = False
) -> np.ndarray:
    """Gives the pixels of a result that are missing in its source their value there.

    Args:
        array: Result [h, w, c], of any size.
        source: The file that was translated.
        selection: How it was read.
        is_half: Whether only its left half was.
    """
    contents = contents_of(source)
    if selection.nodata is None and not _is_tiff(contents):
        return array
    samples = load(contents, selection)
    if samples.missing is None:
        return array
    missing = samples.missing[:, : samples.missing.shape[1] // (1 + is_half)]
    height, width = array.shape[:2]
    rows = (np.arange(height) + 0.5) * missing.shape[0] / height
    columns = (np.arange(width) + 0.5) * missing.shape[1] / width
    there = missing[rows.astype(int)][:, columns.astype(int)]
    return marked(array, there, selection.nodata if samples.nodata is None else samples.nodata)


def marked(array: np.ndarray, missing: np.ndarray | None, value: float | None) -> np.ndarray:
    """Gives pixels [h, w, c] a value where they are missing, if their type can hold it."""
    if missing is None or value is None:
        return array
    if _holds(array.dtype, value):
        array = np.where(missing[..., None], np.array(value).astype(array.dtype), array)
    return array


def _holds(dtype: np.dtype, value: float | None) -> bool:
    """Whether samples of a type can have a value."""
    if value is None or dtype.kind == "f":
        return True
    return value.is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def geometry(path: str | os.PathLike) -> str:
    """The suffix of results that keep the geometry of a file: of DICOM and NIfTI, else ""."""
    if nifti.is_slice(path):
        return ".nii.gz" if nifti.file_of(path).lower().endswith(".gz") else ".nii"
    with run_folder.place(path).open("rb") as file:
        return dicom.SUFFIX if dicom.is_dicom(file.read(dicom.HEAD)) else ""


def resampled(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes [h, w, c] of any type bilinearly."""
    if array.shape[:2] == (height, width):
        return array
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(array.astype(np.float32), -1, 0)
    ]
    found = np.stack(planes, -1)
    return (found if array.dtype.kind == "f" else np.round(found)).astype(array.dtype)


def write_in_geometry(
    path: Any,
    array: np.ndarray,
    source: str | os.PathLike,
    selection: Selection,
    *,
    volumes: nifti.Volumes,
) -> None:
    """Writes a result into the geometry of its source, a DICOM file or a slice of a volume.

    The result is resized to its source; pixels that are missing there are missing again.

    Args:
        path: Where.
        array: Result [h, w, c].
        source: The file or slice that was translated.
        selection: How it was read.
        volumes: Collects the slices.

    Raises:
        InputError: If DICOM cannot hold the result.
    """
    contents = contents_of(source)
    samples = load(contents, selection)
    array = resampled(array, *samples.array.shape[:2])
    nodata = selection.nodata if samples.nodata is None else samples.nodata
    array = marked(array, samples.missing, nodata)
    if nifti.is_slice(source):
        volumes.add(path, str(source), array)
        return
    encoded = dicom.write(array, contents, plane=selection.plane, missing=samples.missing)
    with run_folder.atomic(path) as temporary:
        temporary.write_bytes(encoded)


def _scaled_tags(place: Place, height: int, width: int, dtype: np.dtype) -> list[tuple]:
    """The tags of a result of a size and a type, as tifffile's `extratags`."""
    by_y, by_x = place.size[0] / height, place.size[1] / width
    tags = []
    for code, kind, value in place.tags:
        if code == _NO_DATA and not _holds(dtype, _number(value)):
            continue
        if code == _SCALE:
            value = (value[0] * by_x, value[1] * by_y, *value[2:])
        elif code == _TIE_POINTS:
            offsets = (1 / by_x, 1 / by_y, 1.0, 1.0, 1.0, 1.0)
            value = tuple(v * offsets[i % 6] for i, v in enumerate(value))
        elif code == _TRANSFORMATION:
            factors = (by_x, by_y, 1.0, 1.0)
            value = tuple(v * factors[i % 4] for i, v in enumerate(value))
        count = 0 if kind == _ASCII else len(value) if isinstance(value, tuple) else 1
        tags.append((code, kind, count, value, True))
    return tags


def write(
    path: str | os.PathLike,
    array: np.ndarray,
    *,
    place: Place = Place(),  # noqa: B008 (frozen)
) -> None:
    """Writes [h, w, c] as .npy or, in the array's own type, as .tif.

    Args:
        path: Where; its suffix says which.
        array: Samples.
        place: Tags and compression of the TIFF that the array was made of.

    Raises:
        InputError: If a TIFF of several channels is wanted without tifffile.
    """
    path, contents = run_folder.place(path), io.BytesIO()
    if path.suffix == ".npy":
        np.save(contents, array)
    else:
        try:
            write_tiff(contents, array, shape=array.shape, dtype=array.dtype, place=place)
        except ImportError:
            raise InputError(
                f"{path} needs tifffile, which is not installed: pip install 'pix2pix-tf[tiff]'"
            ) from None
    path.write_bytes(contents.getvalue())


def write_tiff(
    file: Any,
    samples: np.ndarray | Iterator[np.ndarray],
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    place: Place = Place(),  # noqa: B008 (frozen)
    tile: int = 0,
) -> None:
    """Writes a TIFF, a BigTIFF if it may exceed 4 GiB.

    Args:
        file: Path of a local file, or an open one.
        samples: Array, or with `tile` the tiles [tile, tile, c] from left to right and top to
            bottom, [tile, tile] of one channel.
        shape: (h, w, c).
        dtype: NumPy's type of the samples.
        place: As of `write`.
        tile: Side of the tiles in pixels; 0 for strips.

    Raises:
        ImportError: If tifffile is not installed.
    """
    import tifffile

    channels = shape[-1]
    if isinstance(samples, np.ndarray) and channels == 1:
        samples = samples[..., 0]
    tifffile.imwrite(
        file,
        samples,
        shape=shape if channels > 1 else shape[:2],
        dtype=dtype,
        tile=(tile, tile) if tile else None,
        bigtiff=math.prod(shape) * np.dtype(dtype).itemsize > 2**32 - 2**25,
        photometric="rgb" if channels in (3, 4) else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        compression=place.compression,
        extratags=_scaled_tags(place, shape[0], shape[1], np.dtype(dtype)),
        metadata=None,
    )
