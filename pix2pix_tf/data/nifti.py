"""NIfTI volumes: their axial slices as examples, and results as volumes of the same geometry.

A slice is named VOLUME#NUMBER, such as "t1.nii.gz#012". Whatever their axes in the file, slices
lie as in RAS+ coordinates: numbered from the feet up, anterior on top, the patient's left on the
left. Without TensorFlow; nibabel (extra [medical]) is imported when a volume is read.
"""

import collections
import gzip
import os
import re
import secrets
import threading
from typing import Any

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data.samples import picked
from pix2pix_tf.errors import InputError

SUFFIXES = (".nii", ".nii.gz")
# Of names of slices; also for TensorFlow.
PATTERN = r"(?is)(.+)(\.nii(?:\.gz)?)#([0-9]+)"
# In place of a file's bytes stands this and the slice's name. No file contains it.
MARK = b"\0slice " + secrets.token_bytes(16)
# Volumes in memory up to so many bytes.
_KEPT_BYTES = 2**29
_kept: collections.OrderedDict[tuple, np.ndarray] = collections.OrderedDict()
_lock = threading.Lock()


def is_volume(path: str | os.PathLike) -> bool:
    """Whether a file's name is that of a volume."""
    return str(path).lower().endswith(SUFFIXES)


def file_of(path: str | os.PathLike) -> str:
    """The volume of a slice; other paths as they are."""
    found = re.fullmatch(PATTERN, str(path))
    return found[1] + found[2] if found else str(path)


def stem(name: str) -> str:
    """A name without its suffix: "t1-012" of a slice; numbers such as those of UIDs stay.

    That of OME-TIFF is ".ome.tif".
    """
    found = re.fullmatch(PATTERN, name)
    root, suffix = os.path.splitext(name)
    if found:
        return f"{found[1]}-{found[3]}"
    return name if suffix[1:].isdecimal() else root.removesuffix(".ome")


def volume_name(name: str) -> str:
    """The name of a slice's result without the slice's number: "t1" of "t1-012"."""
    return re.sub(r"[-#][0-9]+~*$", "", name)


def is_slice(path: str | os.PathLike) -> bool:
    """Whether a path names a slice."""
    return re.fullmatch(PATTERN, str(path)) is not None


def _load(path: str | os.PathLike) -> Any:
    try:
        import nibabel
    except ImportError:
        raise InputError(
            f"{path} needs nibabel, which is not installed: pip install 'pix2pix-tf[medical]'"
        ) from None
    try:
        image = nibabel.load(path)
        if image.ndim not in (3, 4) or np.isnan(nibabel.io_orientation(image.affine)).any():
            raise ValueError(f"an array {list(image.shape)}, expected a volume with three axes")
    except Exception as error:  # of many kinds on damaged files
        reason = str(error).partition("\n")[0]
        raise InputError(f"Expected NIfTI volumes. Received: {path} ({reason})") from None
    return image


def slices(path: str | os.PathLike) -> list[str]:
    """The names of a volume's axial slices, from the feet up.

    Raises:
        InputError: If it cannot be read, or nibabel is not installed.
    """
    with run_folder.fetched(path) as local:
        count = _canonical_shape(_load(local))[2]
    width = len(str(count - 1))
    return [f"{path}#{number:0{width}d}" for number in range(count)]


def read(contents: bytes, *, series: int | None = None) -> np.ndarray:
    """The slice [h, w] that stands behind `MARK`, in the volume's units.

    Args:
        contents: `MARK` and the name of a slice.
        series: Number of the volume where the file contains several.

    Raises:
        ValueError: What is wrong, without the file's name.
    """
    path, _, number = os.fsdecode(contents.removeprefix(MARK)).rpartition("#")
    volume = _volume(path, series)
    if int(number) >= volume.shape[2]:
        raise ValueError(f"{volume.shape[2]} slices, expected more than {number}")
    return _turned(volume)[int(number)]


def _turned(volume: np.ndarray) -> np.ndarray:
    """Slices [z, h, w, ...] of a volume [x, y, z, ...] in RAS+, and the other way round."""
    return np.moveaxis(volume, (0, 1, 2), (2, 1, 0))[:, ::-1]


def _volume(path: str, series: int | None) -> np.ndarray:
    """The samples [x, y, z] in RAS+; some volumes stay in memory."""
    with run_folder.fetched(path) as local, _lock:
        state = local.stat()
        key = (path, state.st_mtime_ns, state.st_size, series)
        if key not in _kept:
            _kept[key] = _samples(_load(local), series)
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > _KEPT_BYTES:
            _kept.popitem(last=False)
        return _kept[key]


def _samples(image: Any, series: int | None) -> np.ndarray:
    import nibabel

    count = image.shape[3] if image.ndim == 4 else 1
    number = picked(series, count, things="volumes", flag="series") if count > 1 else 0
    array = np.asanyarray(image.dataobj if image.ndim == 3 else image.dataobj[..., number])
    if array.dtype == np.float64 and image.get_data_dtype() != np.float64:
        array = array.astype(np.float32)  # scaled integers
    array = nibabel.apply_orientation(array, nibabel.io_orientation(image.affine))
    return array.astype(array.dtype.newbyteorder("="), copy=False)


class Volumes:
    """Collects results slice by slice and writes whole volumes, each when the next one begins.

    A volume has the affine matrix and the header of its source; several channels are a fourth
    axis.
    """

    def __init__(self) -> None:
        self._path: Any = None
        self._source = ""
        self._array = np.zeros(0)

    def add(self, path: Any, source: str, array: np.ndarray) -> None:
        """Adds a slice.

        Args:
            path: Where the volume goes.
            source: Name of the slice that was translated.
            array: Result [h, w, c] of its size.
        """
        if path != self._path:
            self.close()
            with run_folder.fetched(file_of(source)) as local:
                shape = _canonical_shape(_load(local))
            kind = np.uint8 if array.dtype == bool else array.dtype
            self._array = np.zeros((*shape, array.shape[-1]), kind)
            self._path, self._source = path, file_of(source)
        _turned(self._array)[int(source.rpartition("#")[2])] = array

    def close(self) -> None:
        """Writes the last volume."""
        if self._path is None:
            return
        import nibabel
        from nibabel import orientations

        with run_folder.fetched(self._source) as local:
            image = _load(local)
            turn = orientations.ornt_transform(
                orientations.axcodes2ornt("RAS"), nibabel.io_orientation(image.affine)
            )
            array = orientations.apply_orientation(self._array, turn)
            array = array[..., 0] if array.shape[-1] == 1 else array
            header = image.header.copy()
            header.set_data_dtype(array.dtype)
            header["cal_min"] = header["cal_max"] = 0
            contents = type(image)(array, image.affine, header).to_bytes()
        with run_folder.atomic(self._path) as temporary:
            zipped = str(self._path).endswith(".gz")
            temporary.write_bytes(gzip.compress(contents, 6) if zipped else contents)
        self._path = None


def _canonical_shape(image: Any) -> tuple[int, ...]:
    import nibabel

    axes = nibabel.io_orientation(image.affine)[:, 0].astype(int)
    return tuple(image.shape[int(np.argmax(axes == axis))] for axis in range(3))
