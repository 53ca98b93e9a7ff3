"""NIfTI volumes: their axial slices as images, and results as volumes of the same geometry.

Whatever their axes in the file, slices lie as in RAS+ coordinates: numbered from inferior to
superior, anterior on top, the patient's left on the left.
"""

import gzip
import io
import re
import struct
import threading
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel import orientations

from pix2pix_tf import run_folder
from pix2pix_tf.data.image_file import Container, ImageFile
from pix2pix_tf.data.samples import (
    PlaneSelection,
    Samples,
    fill_missing,
    resize_bilinear,
    resolve_index,
)
from pix2pix_tf.errors import InputError

_GZIP_MARK, _NIFTI2_HEADER = b"\x1f\x8b", 540
# Deflate stores no more than this many bytes in one.
_LARGEST_RATIO = 1032


class Volume(Container):
    """A volume with three or four axes; with four `--series` chooses one of the volumes.

    The header is read at once, the samples when the first slice is asked for. Results are
    collected slice by slice and written with the affine matrix and the header of the source;
    several channels become a fourth axis.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        contents = path.read_bytes()
        self._size = len(contents)
        try:
            self._image: Any = _read(contents)
        except Exception as error:  # of many kinds on damaged files
            reason = str(error).partition("\n")[0]
            raise InputError(f"Expected NIfTI volumes. Received: {path} ({reason})") from None
        self.header, self.affine = self._image.header, self._image.affine
        self._kind = type(self._image)
        self._samples: tuple[int, np.ndarray] | None = None
        self._target: Any = None
        self._results = np.zeros(0)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self._size if self._samples is None else self._samples[1].nbytes

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes x, y and z of RAS+."""
        axes = nibabel.io_orientation(self.affine)[:, 0].astype(int)
        return tuple(
            self.header.get_data_shape()[int(np.argmax(axes == axis))] for axis in range(3)
        )

    def __len__(self) -> int:
        return self.shape[2]

    def image(self, path: str, index: int, selection: PlaneSelection) -> "NiftiSlice":
        """One of the axial slices."""
        return NiftiSlice(self, path, index, selection)

    def slice(self, index: int, series: int | None) -> np.ndarray:
        """The samples [h, w] of a slice."""
        if index >= len(self):
            raise ValueError(f"{len(self)} slices, expected more than {index}")
        shape = self.header.get_data_shape()
        count = shape[3] if len(shape) == 4 else 1
        volume = resolve_index(series, count, things="volumes", flag="series") if count > 1 else 0
        with self._lock:
            if self._samples is None or self._samples[0] != volume:
                self._samples = volume, self._decode(volume)
            return _slices(self._samples[1])[index]

    def _decode(self, volume: int) -> np.ndarray:
        """The samples [x, y, z] in RAS+ of one of the volumes, in its units."""
        data = self._image.dataobj
        array = np.asanyarray(data if len(data.shape) == 3 else data[..., volume])
        if array.dtype == np.float64 and self.header.get_data_dtype() != np.float64:
            array = array.astype(np.float32)  # scaled integers
        return nibabel.apply_orientation(array, nibabel.io_orientation(self.affine))

    def add_result(self, target: Any, index: int, array: np.ndarray) -> None:
        """Collects the result [h, w, c] of a slice for the file `target`."""
        if self._target is None:
            kind = np.uint8 if array.dtype == bool else array.dtype
            self._results = np.zeros((*self.shape, array.shape[-1]), kind)
            self._target = target
        _slices(self._results)[index] = array

    def finish(self) -> None:
        """Writes the results."""
        if self._target is None:
            return
        turn = orientations.ornt_transform(
            orientations.axcodes2ornt("RAS"), nibabel.io_orientation(self.affine)
        )
        array = orientations.apply_orientation(self._results, turn)
        array = array[..., 0] if array.shape[-1] == 1 else array
        header = self.header.copy()
        header.set_data_dtype(array.dtype)
        header["cal_min"] = header["cal_max"] = 0
        contents = self._kind(array, self.affine, header).to_bytes()
        is_zipped = str(self._target).lower().endswith(".gz")
        with run_folder.atomic(self._target) as temporary:
            temporary.write_bytes(gzip.compress(contents, 6) if is_zipped else contents)
        self._target, self._results = None, np.zeros(0)


class NiftiSlice(ImageFile):
    """An axial slice of a volume, in the volume's units."""

    suffix = ".nii"
    native_suffixes = (".nii", ".nii.gz")

    def __init__(self, volume: Volume, path: str, index: int, selection: PlaneSelection) -> None:
        self.path, self.selection, self.contents = path, selection, b""
        self.container: Volume = volume
        self._index = index

    def decode(self) -> Samples:
        """The slice [h, w]."""
        return Samples(self.container.slice(self._index, self.selection.series))

    def native_suffix(self, result: np.ndarray) -> str | None:
        """The volume's suffix."""
        return ".nii.gz" if self.container.path.name.lower().endswith(".gz") else ".nii"

    def save_like(self, result: Any, stem: Path, *, half: int | None = None, **options: Any) -> Any:
        """Collects a result for a volume, whose name lacks the number: "t1" of "t1-012"."""
        if half is None:
            stem = stem.with_name(re.sub(r"[-#][0-9]+~*(-\w+)$", r"\1", stem.name))
        return super().save_like(result, stem, half=half, **options)

    def write(self, path: Path, result: Any, *, half: int | None = None) -> Any:
        """Collects a result for a volume, which `Volume.finish` writes."""
        if not str(path).lower().endswith(self.native_suffixes):
            return super().write(path, result, half=half)
        samples = self.samples()
        array = resize_bilinear(result, *samples.array.shape[:2])
        array = fill_missing(array, samples.missing, samples.nodata)
        self.container.add_result(path, self._index, array)
        return path


def _read(contents: bytes) -> Any:
    """The image of a file, whose samples are not decoded yet."""
    is_zipped = contents.startswith(_GZIP_MARK)
    stream: Any = io.BytesIO(contents)
    stream = gzip.GzipFile(fileobj=stream) if is_zipped else stream
    start = stream.read(4).ljust(4, b"\0")
    stream.seek(0)
    is_second = _NIFTI2_HEADER in (*struct.unpack("<i", start), *struct.unpack(">i", start))
    kind = nibabel.Nifti2Image if is_second else nibabel.Nifti1Image
    image = kind.from_stream(stream)
    shape = image.header.get_data_shape()
    if len(shape) not in (3, 4) or np.isnan(nibabel.io_orientation(image.affine)).any():
        raise ValueError(f"an array {list(shape)}, expected a volume with three axes")
    size = int(np.prod(shape, dtype=object)) * image.header.get_data_dtype().itemsize
    if size > len(contents) * (_LARGEST_RATIO if is_zipped else 1):
        raise ValueError(f"the file ends before the {list(shape)} values of its array")
    return image


def _slices(volume: np.ndarray) -> np.ndarray:
    """Slices [z, h, w, ...] of a volume [x, y, z, ...] in RAS+, and the other way round."""
    return np.moveaxis(volume, (0, 1, 2), (2, 1, 0))[:, ::-1]
