"""Image files as arrays: what TensorFlow does not read, and what its PNG cannot hold.

Integer samples of every width use the whole range of their type; float samples run from LOW to
HIGH of --value_range. Both become [0, 1] and the networks' [-1, 1].
"""

import dataclasses
import io
import math
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp"),
    *(".tif", ".tiff", ".npy"),
)
JPEG_MARK, PNG_MARK, NPY_MARK = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Where a PNG says how many bits a sample has: signature, length, IHDR, width, height.
PNG_DEPTH_AT = 24
# Rec. ITU-R BT.601, as Pillow converts colour to grey.
LUMINANCE = (0.299, 0.587, 0.114)
# What Pillow opens without a warning (a quarter of a gigabyte in RGB): 9459 x 9459.
MAX_PIXELS = 1024**3 // 4 // 3
_ORIENTATION = 274  # the TIFF tag, which EXIF shares


@dataclasses.dataclass(frozen=True)
class Depth:
    """How a file stores its samples.

    Attributes:
        dtype: NumPy's name of the type.
        suffix: ".png", ".tif" or ".npy": in what results of this depth are written.
    """

    dtype: str = "uint8"
    suffix: str = ".png"

    def fits_png(self, channels):
        """Whether a PNG holds such samples in so many channels."""
        return self.dtype in ("uint8", "uint16") and channels in (1, 3, 4)


def parse_range(text):
    """The (low, high) of "LOW,HIGH", the float samples that stand for black and white.

    Raises:
        InputError: If `text` is not two rising numbers.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high < float("inf"):
        raise InputError(f"Expected --value_range LOW,HIGH such as 0,1. Received: {text}")
    return low, high


def read(contents):
    """Decodes a file's bytes.

    The orientation that EXIF or TIFF tags tell is applied; palettes become RGB or RGBA, CMYK and
    other colour spaces RGB.

    Args:
        contents: bytes of an .npy, TIFF or any image that Pillow reads.

    Returns:
        Array [h, w, c] of the file's own type.

    Raises:
        ValueError: Saying what is wrong, without the file's name.
    """
    try:
        if contents.startswith(NPY_MARK):
            array = _read_npy(contents)
        elif contents.startswith(TIFF_MARKS):
            array = _read_tiff(contents)
        else:
            array = _read_pillow(contents)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(_TOO_LARGE) from None
    except ValueError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        named = str(error).split(" <_io")[0].split(" '")[0]
        unknown = "identify" in named or not contents
        raise ValueError("not an image of a known format" if unknown else named) from None
    except Exception as error:  # what parsers meet in damaged files, they do not all foresee
        named = str(error).partition("\n")[0]
        raise ValueError(f"damaged ({type(error).__name__}: {named})") from None
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or not array.size or array.dtype.kind not in "uifb":
        raise ValueError(
            f"an array {list(array.shape)} of {array.dtype}, expected numbers [height, width, "
            "channels]"
        )
    return array


_TOO_LARGE = f"it claims more than {MAX_PIXELS} pixels"


def _check_size(width, height):
    if width * height > MAX_PIXELS:
        raise ValueError(_TOO_LARGE)


def _read_npy(contents):
    """Loads an array, if there is as much of it as its head claims."""
    file = io.BytesIO(contents)
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0}
    shape, _, dtype = read.get(version, np.lib.format.read_array_header_2_0)(file)
    if dtype.itemsize * math.prod(shape) > len(contents) - file.tell():
        raise ValueError(f"the file ends before the {list(shape)} values of its array")
    return np.load(io.BytesIO(contents), allow_pickle=False)


def _read_pillow(contents):
    with Image.open(io.BytesIO(contents)) as opened:
        _check_size(*opened.size)
        image = ImageOps.exif_transpose(opened)
        mode = image.mode
        if mode in ("P", "PA"):
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        elif mode == "1":
            image = image.convert("L")
        elif mode == "I":  # Pillow before 11 reads 16-bit grey so.
            return np.asarray(image).astype(np.uint16)
        elif mode not in ("L", "LA", "RGB", "RGBA", "F") and not mode.startswith("I;16"):
            image = image.convert("RGB")
        array = np.asarray(image)
        return array.astype(np.uint16) if mode.startswith("I;16") else array


def _read_tiff(contents):
    """The first page; uncommon colour spaces, and all without tifffile, go through Pillow."""
    try:
        import tifffile
    except ImportError:
        return _tiff_without_tifffile(contents)
    with tifffile.TiffFile(io.BytesIO(contents)) as file:
        page = file.pages.first
        _check_size(int(page.imagewidth), int(page.imagelength))  # damaged ones are tuples or bytes
        if page.photometric.name not in ("MINISBLACK", "RGB") or page.dtype is None:
            return _read_pillow(contents)
        array = page.asarray()
        array = np.moveaxis(array, 0, -1) if page.axes.startswith("S") else array
        tag = page.tags.get(_ORIENTATION)
    return upright(array, int(tag.value) if tag else 1)


def _tiff_without_tifffile(contents):
    try:
        return _read_pillow(contents)
    except OSError as error:
        raise ValueError(f"{error}; pip install 'pix2pix-tf[tiff]' reads more TIFFs") from None


def upright(array, orientation):
    """Turns [h, w, c] as an EXIF orientation of 1 to 8 says."""
    if orientation >= 5:
        array = np.swapaxes(array, 0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array[::-1] if orientation in (3, 4, 7, 8) else array


def to_unit(array, value_range=(0.0, 1.0)):
    """Samples of any type to float32 in [0, 1]; floats outside of `value_range` lie outside."""
    if array.dtype.kind == "b":
        return array.astype(np.float32)
    if array.dtype.kind == "f":
        low, high = value_range
        return ((array - low) / (high - low)).astype(np.float32)
    limits = np.iinfo(array.dtype)
    if limits.max < 2**16 and limits.min == 0:  # as TensorFlow converts
        return array.astype(np.float32) * np.float32(1 / limits.max)
    wide = array.astype(np.float64) - limits.min
    return (wide / (float(limits.max) - limits.min)).astype(np.float32)


def from_unit(unit, dtype, value_range=(0.0, 1.0)):
    """Float in [0, 1] to samples of `dtype`: the inverse of `to_unit`; integers are rounded."""
    unit, dtype = np.asarray(unit), np.dtype(dtype)
    if dtype.kind == "b":
        return unit >= 0.5
    if dtype.kind == "f":
        low, high = value_range
        return (unit * (high - low) + low).astype(dtype)
    if dtype == np.uint8:  # as TensorFlow and the reference round: down, from 255.5
        return np.clip(unit * np.float32(255.5), 0, 255).astype(dtype)
    limits = np.iinfo(dtype)
    span = float(limits.max) - limits.min
    wide = np.round(np.clip(unit, 0, 1).astype(np.float64) * span) + limits.min
    return np.clip(wide, limits.min, limits.max).astype(dtype)


def converts(found, wanted):
    """Whether `with_channels` makes `wanted` channels of `found`."""
    return found == wanted or (found <= 4 and wanted in (1, 3, 4))


def with_channels(unit, count):
    """Gives [h, w, c] in [0, 1] another number of channels.

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
    if count == 1:
        return colour @ np.array(LUMINANCE, np.float32)[:, None]
    colour = np.repeat(colour, 3, -1) if colour.shape[-1] == 1 else colour
    return colour if count == 3 else np.concatenate([colour, np.ones_like(colour[..., :1])], -1)


def load_unit(contents, *, channels, value_range=(0.0, 1.0)):
    """Decodes bytes to float32 [h, w, channels] in [0, 1]; see `read`, `with_channels`."""
    return with_channels(to_unit(read(contents), value_range), channels)


def depth(path):
    """Reads from a file's head how it stores its samples.

    Returns:
        `Depth`; 8 bits for what cannot be read.
    """
    with run_folder.place(path).open("rb") as file:
        head = file.read(PNG_DEPTH_AT + 1)
        file.seek(0)
        if head.startswith(PNG_MARK):
            return Depth("uint16" if head[PNG_DEPTH_AT:] == b"\x10" else "uint8")
        if head.startswith(NPY_MARK):
            with run_folder.fetched(path) as local:
                array = np.load(local, mmap_mode="r", allow_pickle=False)
                return Depth(array.dtype.name, ".npy")
        if head.startswith(TIFF_MARKS):
            return Depth(read(file.read()).dtype.name, ".tif")
    return Depth()


def write(path, array):
    """Writes [h, w, c] as .npy or, in the array's own type, as .tif.

    Raises:
        InputError: If a TIFF of several channels is wanted without tifffile.
    """
    path, contents = run_folder.place(path), io.BytesIO()
    if path.suffix == ".npy":
        np.save(contents, array)
        path.write_bytes(contents.getvalue())
        return
    try:
        import tifffile
    except ImportError:
        raise InputError(
            f"Expected tifffile, to write {path}. Received: it is not installed; "
            "pip install 'pix2pix-tf[tiff]'"
        ) from None
    kind = "rgb" if array.shape[-1] in (3, 4) else "minisblack"
    single = array[..., 0] if array.shape[-1] == 1 else array
    tifffile.imwrite(contents, single, photometric=kind, planarconfig="contig", metadata=None)
    path.write_bytes(contents.getvalue())
