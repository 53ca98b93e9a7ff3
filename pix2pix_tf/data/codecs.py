"""Files as arrays of their own type, and arrays as files; without TensorFlow."""

import dataclasses
import io
import math
import os
import struct
import zlib
from typing import IO, Any

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from pix2pix_tf import run_folder
from pix2pix_tf.data import dicom, nifti, tiff
from pix2pix_tf.data.samples import (
    TOO_LARGE,
    WHOLE,
    Depth,
    Samples,
    Selection,
    Side,
    check_size,
    full_range,
    marked,
    resampled,
    upright,
    without_missing,
)
from pix2pix_tf.errors import InputError

SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".ppm", ".pgm", ".webp"),
    *(".tif", ".tiff", ".npy", dicom.SUFFIX, *nifti.SUFFIXES),
)
JPEG_MARK, PNG_MARK, NPY_MARK = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"
# Interlaced PNGs: first column and row, and steps between columns and rows, of each of 7 passes.
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
# Where a PNG says how many bits a sample has: signature, length, IHDR, width, height.
PNG_DEPTH_AT = 24
# libjpeg warns of these and fills in grey; what it says of stray bytes does no harm.
_JPEG_DAMAGE = ("Corrupt JPEG data: premature", "Corrupt JPEG data: bad", "Premature end")


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
        raise ValueError(TOO_LARGE) from None
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
    if tiff.is_tiff(contents):
        return _read_tiff(contents, selection)
    if contents.startswith(nifti.MARK):
        return Samples(nifti.read(contents, series=selection.series))
    if dicom.is_dicom(contents):
        return dicom.read(contents, plane=selection.plane)
    if contents.startswith(JPEG_MARK):
        _check_jpeg(contents)
    samples = _read_pillow(contents)
    if contents.startswith(PNG_MARK):
        _check_png(contents)
    return samples


def _check_jpeg(contents: bytes) -> None:
    """Raises an error for truncated JPEG data, of which libjpeg only warns."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(contents, strict=False)
        check_size(width, height)
        simplejpeg.decode_jpeg(contents, "GRAY", strict=True)
    except ValueError as error:
        if str(error).startswith(_JPEG_DAMAGE) or str(error) == TOO_LARGE:
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
    check_size(width, height)
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
        check_size(*opened.size)
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
        array = upright(png_decode(contents), opened.getexif().get(tiff.ORIENTATION, 1))
    return Samples(array, has_alpha=array.shape[-1] in (2, 4))


def _read_tiff(contents: bytes, selection: Selection) -> Samples:
    """Uncommon colour spaces, and all TIFFs without tifffile, go through Pillow."""
    try:
        import tifffile  # noqa: F401
    except ImportError:
        return _tiff_without_tifffile(contents)
    found = tiff.read(contents, selection)
    return _read_pillow(contents) if found is None else found


def _tiff_without_tifffile(contents: bytes) -> Samples:
    hint = "pip install 'pix2pix-tf[tiff]' reads more TIFFs"
    try:
        with Image.open(io.BytesIO(contents)) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError(f"{image.n_frames} pages; {hint}")
        return _read_pillow(contents)
    except OSError as error:
        raise ValueError(f"{error}; {hint}") from None


def load_unit(contents: bytes, side: Side = Side()) -> np.ndarray:  # noqa: B008
    """Decodes bytes to float32 [h, w, channels] in [0, 1]."""
    return side.to_unit(load(contents, side.selection))


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
        if tiff.is_tiff(head):
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
    if selection.nodata is None and not tiff.is_tiff(contents):
        return array
    samples = load(contents, selection)
    if samples.missing is None:
        return array
    missing = samples.missing[:, : samples.missing.shape[1] // (1 + is_half)]
    height, width = array.shape[:2]
    rows = (np.arange(height) + 0.5) * missing.shape[0] / height
    columns = (np.arange(width) + 0.5) * missing.shape[1] / width
    there = missing[rows.astype(int)][:, columns.astype(int)]
    return marked(array, there, samples.nodata)


def geometry(path: str | os.PathLike) -> str:
    """The suffix of results that keep the geometry of a file: of DICOM and NIfTI, else ""."""
    if nifti.is_slice(path):
        return ".nii.gz" if nifti.file_of(path).lower().endswith(".gz") else ".nii"
    with run_folder.place(path).open("rb") as file:
        return dicom.SUFFIX if dicom.is_dicom(file.read(dicom.HEAD)) else ""


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
    array = marked(array, samples.missing, samples.nodata)
    if nifti.is_slice(source):
        volumes.add(path, str(source), array)
        return
    encoded = dicom.write(array, contents, plane=selection.plane, missing=samples.missing)
    with run_folder.atomic(path) as temporary:
        temporary.write_bytes(encoded)


def write(
    path: str | os.PathLike,
    array: np.ndarray,
    *,
    place: tiff.Place = tiff.Place(),  # noqa: B008 (frozen)
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
            tiff.write(contents, array, shape=array.shape, dtype=array.dtype, place=place)
        except ImportError:
            raise InputError(
                f"{path} needs tifffile, which is not installed: pip install 'pix2pix-tf[tiff]'"
            ) from None
    path.write_bytes(contents.getvalue())
