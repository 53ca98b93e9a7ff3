"""Limits on requests, and the errors beyond them."""

import contextlib
import dataclasses
import io
import itertools

import numpy as np
from PIL import Image

from pix2pix_tf.data import image_file
from pix2pix_tf.data.samples import from_unit, to_unit
from pix2pix_tf.errors import InputError

# What TensorFlow decodes; other formats that training reads become PNG here.
_DECODED = ("JPEG", "PNG", "GIF", "BMP")
_FORMATS = (*_DECODED, "WEBP", "TIFF", "PPM")
# The largest multiple that a generator needs, see `translate`: a U-Net of eight levels.
_MULTIPLE = 256
# A JPEG of a few hundred scans costs as much as a few hundred images; ordinary progressive ones
# have about ten. Inside the coded data FF is always followed by another byte.
_START_OF_SCAN, _MAX_SCANS = b"\xff\xda", 100


class RequestError(Exception):
    """A request that cannot be served; becomes the status and the message of the answer.

    Args:
        status: HTTP status, an int from 400.
        message: One line: what was expected and what was received.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of the server.

    Args:
        max_request_bytes: Longest body.
        max_pixels: `area` of the images of one request, and of one call of a model.
        max_queue: Requests that are waiting or translated at a time.
        max_batch: Rows of one call of a model.
        timeout: Seconds to read a request, and again to answer it.
    """

    max_request_bytes: int
    max_pixels: int
    max_queue: int
    max_batch: int
    timeout: float


def area(width: int, height: int) -> int:
    """Pixels that an image costs: `translate` pads its sides to multiples of 256."""
    width, height = (-(-side // _MULTIPLE) * _MULTIPLE for side in (width, height))
    return width * height


def check_pixels(pixels: int, limits: Limits) -> None:
    """Raises an error for more than `limits.max_pixels` pixels (an int)."""
    if pixels > limits.max_pixels:
        raise RequestError(
            413,
            f"Expected at most {limits.max_pixels} pixels in a request, sides rounded up to "
            f"multiples of {_MULTIPLE}. Received: {pixels}",
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that there is no memory left, be it for a thread's stack."""
    return isinstance(error, MemoryError) or "can't start new thread" in str(error)


def check_file(contents: bytes, limits: Limits, *, ranged: bool = False) -> tuple[int, bytes]:
    """Looks at the header of an image file, so that a small file cannot become a huge image.

    Args:
        contents: Bytes of the file.
        limits: `Limits`.
        ranged: Whether samples have units, which a PNG has to keep.

    Returns:
        (the `area` that it claims to have, bytes to decode): the file itself, but a PNG of WebP,
        TIFF and PPM, which TensorFlow does not decode, and of a GIF's first image, because
        TensorFlow's decoder unpacks all of them to return that.

    Raises:
        RequestError: If it is no image file, or too large.
    """
    try:
        with Image.open(io.BytesIO(contents), formats=_FORMATS) as image:
            pixels = area(image.width, image.height)
            check_pixels(pixels, limits)
            if image.format == "TIFF":
                _check_pages(image, limits)
            if image.format == "GIF":
                contents = _first_image(image)
            elif image.format not in _DECODED:
                pixels, contents = _as_png(contents, limits, ranged=ranged)
    except (RequestError, MemoryError):
        raise
    except InputError as error:
        raise RequestError(400, str(error)) from None
    except Image.DecompressionBombError as error:
        raise RequestError(413, f"the image is too large: {error}") from None
    except Exception:  # Pillow's readers raise many kinds on damaged headers
        raise RequestError(
            400, f"Expected an image file ({', '.join(_FORMATS)}). Received: {_glimpse(contents)}"
        ) from None
    if contents.startswith(b"\xff\xd8") and contents.count(_START_OF_SCAN) > _MAX_SCANS:
        raise RequestError(400, f"Expected a JPEG of at most {_MAX_SCANS} scans")
    return pixels, contents


def _first_image(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _check_pages(image: Image.Image, limits: Limits) -> None:
    """Refuses more pixels in all pages of a TIFF: readers may decode any of them, or all."""
    pixels = 0
    with contextlib.suppress(EOFError):
        for page in itertools.count():
            image.seek(page)
            pixels += area(*image.size)
            check_pixels(pixels, limits)


def _as_png(contents: bytes, limits: Limits, *, ranged: bool) -> tuple[int, bytes]:
    """What training reads of a file, as a PNG of 8 or 16 bits, and its `area`.

    Its size is checked again: that may be another than the head of the file claims.
    """
    from pix2pix_tf.data import images

    array = image_file.from_bytes(contents).samples().array
    pixels = area(*array.shape[1::-1])
    check_pixels(pixels, limits)
    if array.shape[-1] not in (1, 3, 4):
        raise InputError(f"Expected 1, 3 or 4 channels. Received: {array.shape[-1]}")
    if array.dtype not in (np.uint8, np.uint16):
        if ranged:
            raise InputError(
                "Expected samples of 8 or 16 bits without sign, since the model has a range of "
                f"values. Received: {array.dtype}"
            )
        array = from_unit(to_unit(array), np.uint16)
    return pixels, images.encode(array).numpy()


def _glimpse(contents: bytes) -> str:
    return f"{len(contents)} bytes that start with {contents[:8]!r}" if contents else "nothing"
