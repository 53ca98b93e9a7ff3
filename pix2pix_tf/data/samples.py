"""Samples of files and the way to [0, 1] and back; without TensorFlow.

A file's samples become [0, 1] through a range of values: LOW,HIGH of --value_range, or the whole
range of an integer type, or floats as they are. `from_unit` is the way back.
"""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from PIL import Image

from pix2pix_tf.errors import OptionError

# The samples that become 0 and 1; None for the whole range of an integer, and for floats 0 and 1.
Range = tuple[float, float] | None
# What stands for None in the options.
AUTO = "auto"
# Rec. ITU-R BT.601, as Pillow converts colour to grey.
LUMINANCE = (0.299, 0.587, 0.114)
# What Pillow opens without a warning (a quarter of a gigabyte in RGB): 9459 x 9459.
MAX_PIXELS = 1024**3 // 4 // 3
TOO_LARGE = f"it claims more than {MAX_PIXELS} pixels"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlaneSelection:
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
WHOLE = PlaneSelection()


@dataclasses.dataclass(frozen=True)
class Samples:
    """A decoded file.

    Attributes:
        array: [h, w, c] of the file's own type.
        missing: bool [h, w], pixels without data; None if there are none.
        has_alpha: Whether the last channel is transparency.
        nodata: The sample that stands for missing pixels, of several the file's own, or None.
    """

    array: np.ndarray
    missing: np.ndarray | None = None
    has_alpha: bool = False
    nodata: float | None = None


def resolve_index(index: int | None, count: int, *, things: str, flag: str) -> int:
    """Index of the chosen one of `count` things, or of the only one.

    Raises:
        ValueError: If there are several and none is chosen, or fewer.
    """
    if index is None and count > 1:
        raise ValueError(f"{count} {things}; --{flag} 0 to {count - 1} picks one")
    if (index or 0) >= count:
        raise ValueError(f"--{flag} {index}, expected 0 to {count - 1}")
    return index or 0


def add_missing(samples: Samples, nodata: float | None) -> Samples:
    """Adds to `missing` the pixels whose every channel is `nodata`; the first becomes `nodata`."""
    if nodata is None:
        return samples
    array = samples.array
    if samples.nodata is None:
        samples = dataclasses.replace(samples, nodata=nodata)
    if math.isnan(nodata) and array.dtype.kind != "f":
        return samples
    same = np.isnan(array) if math.isnan(nodata) else array == nodata
    missing = same.all(-1) if samples.missing is None else same.all(-1) | samples.missing
    return dataclasses.replace(samples, missing=missing if missing.any() else None)


def fill_missing(array: np.ndarray, missing: np.ndarray | None, value: float | None) -> np.ndarray:
    """Sets missing pixels of [h, w, c] to a value, if the type can hold it.

    Args:
        array: Samples.
        missing: bool [h', w'], of any size: the nearest pixel counts; or None.
        value: Sample of missing pixels, or None.
    """
    if missing is None or value is None or not dtype_holds(array.dtype, value):
        return array
    if missing.shape != array.shape[:2]:
        rows, columns = (
            ((np.arange(size) + 0.5) * old / size).astype(int)
            for size, old in zip(array.shape, missing.shape, strict=False)
        )
        missing = missing[rows][:, columns]
    return np.where(missing[..., None], np.array(value).astype(array.dtype), array)


def dtype_holds(dtype: np.dtype, value: float | None) -> bool:
    """Whether samples of a type can have a value."""
    if value is None or dtype.kind == "f":
        return True
    if dtype.kind == "b":
        return value in (0, 1)
    return value.is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def check_size(width: int, height: int) -> None:
    """Raises an error for an image of more than MAX_PIXELS pixels."""
    if width * height > MAX_PIXELS:
        raise ValueError(TOO_LARGE)


def apply_orientation(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turns [h, w, c] upright, given its EXIF orientation, 1 to 8."""
    if orientation >= 5:
        array = np.swapaxes(array, 0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array[::-1] if orientation in (3, 4, 7, 8) else array


def resize_bilinear(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes [h, w, c] of any type."""
    if array.shape[:2] == (height, width):
        return array
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(array.astype(np.float32), -1, 0)
    ]
    resized = np.stack(planes, -1)
    return (resized if array.dtype.kind == "f" else np.round(resized)).astype(array.dtype)


def parse_range(text: str, *, option: str = "value_range") -> Range:
    """The (low, high) of "LOW,HIGH", the samples that become black and white; None of "auto".

    Raises:
        OptionError: If `text` is not two rising numbers.
    """
    if text == AUTO:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not -math.inf < low < high < math.inf:
        raise OptionError(f"Expected {{{option}}} LOW,HIGH such as 0,1. Received: {{}}", text)
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


def can_convert_channels(count: int, wanted: int) -> bool:
    """Whether `with_channels` makes `wanted` channels of `count`."""
    return count == wanted or (count <= 4 and wanted in (1, 3, 4))


def with_channels(unit: np.ndarray, count: int) -> np.ndarray:
    """Converts [h, w, c] in [0, 1] to another number of channels.

    One to four channels are grey, grey and alpha, RGB, RGBA: alpha is dropped or added opaque,
    grey is widened, colour becomes luminance. Any other number has to be right already.

    Raises:
        ValueError: If it is not.
    """
    received = unit.shape[-1]
    if received == count:
        return unit
    if not can_convert_channels(received, count):
        raise ValueError(f"{received} channels, expected {count}")
    has_alpha = received in (2, 4)
    colour = unit[..., :-1] if has_alpha else unit
    alpha = unit[..., -1:] if has_alpha else np.ones_like(unit[..., :1])
    if count == 1:
        return colour if received == 2 else colour @ np.array(LUMINANCE, np.float32)[:, None]
    colour = np.repeat(colour, 3, -1) if colour.shape[-1] == 1 else colour
    return colour if count == 3 else np.concatenate([colour, alpha], -1)


def visible_channels(batch: Any) -> Any:
    """The channels of an array or tensor [..., c] that can be displayed: 1, 3 or 4 of them."""
    count = batch.shape[-1]
    return batch if count in (1, 3, 4) else batch[..., : 3 if count > 4 else 1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DomainSpec:
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
    selection: PlaneSelection = WHOLE
    palette: tuple[tuple[int, int, int], ...] | None = None
    one_hot: bool = False

    @property
    def is_labelled(self) -> bool:
        """Whether grey integer files contain label ids."""
        return self.palette is not None or self.one_hot

    @property
    def is_plain(self) -> bool:
        """Whether TensorFlow reads usual files as this side needs them."""
        special = self.is_labelled or self.selection.nodata is not None
        return not special and self.channels in (1, 3, 4)

    def has_labels(self, channels: int, dtype: np.dtype) -> bool:
        """Whether files of so many channels and such a type contain label ids."""
        return self.is_labelled and channels == 1 and dtype.kind in "uib"

    def to_unit(self, samples: Samples) -> np.ndarray:
        """Converts a decoded file to float32 [h, w, channels] in [0, 1]; missing pixels are 0.

        Raises:
            ValueError: If the file has other channels, or ids without a label.
        """
        array = samples.array
        if self.value_range is None and samples.missing is not None and array.dtype.kind == "f":
            array = np.where(samples.missing[..., None], 0, array)
        if self.has_labels(array.shape[-1], array.dtype):
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


@dataclasses.dataclass(frozen=True)
class StoredType:
    """How a file stores its samples.

    Attributes:
        dtype: NumPy's name of the type.
        suffix: Of the files in which results of this type are stored; ".png" where a PNG is one.
    """

    dtype: str = "uint8"
    suffix: str = ".png"
