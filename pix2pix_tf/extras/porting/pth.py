"""Reads the tensors of a PyTorch file without PyTorch and without running anything in it.

A .pth file is a pickle, and a pickle is a program. Here it may build dicts of tensors and nothing
else: every other name in it is refused before it is looked up.

Reference:
    torch/serialization.py: the zip files since PyTorch 1.6, and the legacy format before.
"""

import collections
import dataclasses
import functools
import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from pix2pix_tf.errors import InputError

# torch/serialization.py: MAGIC_NUMBER and PROTOCOL_VERSION of the legacy format.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
# A state dict's pickle names each tensor in about 100 bytes; memo slots number its objects.
_LARGEST_PICKLE, _MOST_OBJECTS = 2**24, 2**20


@dataclasses.dataclass(frozen=True)
class _Storage:
    dtype: np.dtype
    key: str


@dataclasses.dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self, contents: Callable[[_Storage], bytes]) -> np.ndarray:
        """The tensor as an array of its own; `contents` maps keys to bytes."""
        values = np.frombuffer(contents(self.storage), self.storage.dtype)
        numbers = (self.offset, *self.size, *self.stride)
        if not all(type(n) is int and n >= 0 for n in numbers) or len(self.size) > 8:
            raise ValueError("a tensor of impossible shape")
        if len(self.size) != len(self.stride) or math.prod(self.size) > values.size:
            raise ValueError("a tensor larger than its storage")
        steps = zip(self.size, self.stride, strict=True)
        last = self.offset + sum((count - 1) * step for count, step in steps)
        if math.prod(self.size) and last >= values.size:
            raise ValueError("a tensor that reaches beyond its storage")
        strides = [step * values.itemsize for step in self.stride]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides)
        return np.array(view)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # A pickle can set attributes of what it gets: nothing here outlives the unpickler.
        def rebuild_tensor(*arguments: Any) -> _Tensor:
            storage, offset, size, stride = arguments[:4]
            if not isinstance(storage, _Storage):
                raise ValueError("a tensor without a storage")
            return _Tensor(storage, offset, tuple(size), tuple(stride))

        def rebuild_parameter(*arguments: Any) -> Any:
            return arguments[0]

        allowed = {
            "collections.OrderedDict": collections.OrderedDict,
            "torch._utils._rebuild_tensor_v2": rebuild_tensor,
            "torch._utils._rebuild_tensor": rebuild_tensor,
            "torch._utils._rebuild_parameter": rebuild_parameter,
            **{f"torch.{kind}": kind for kind in _DTYPES},
        }
        if f"{module}.{name}" not in allowed:
            raise ValueError(f"it refers to {module}.{name}, which no state dict needs")
        return allowed[f"{module}.{name}"]

    def persistent_load(self, identity: Any) -> _Storage:
        match identity:
            case ("storage", str(kind), key, *_) if kind in _DTYPES:
                return _Storage(_DTYPES[kind], str(key))
        raise ValueError("a reference to something else than a storage")


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a state dict.

    Args:
        path: File of torch.save, of the zip format or the legacy one.

    Returns:
        Dict from keys to arrays.

    Raises:
        InputError: If the file is damaged, contains anything but a dict of tensors, or asks for
            anything else to be loaded.
    """
    try:
        with open(path, "rb") as file:
            is_zip = zipfile.is_zipfile(file)
            file.seek(0)
            return _read_zip(file) if is_zip else _read_legacy(file)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle or zip file can raise nearly anything
        why = " ".join(str(error).split())
        raise InputError(f"Expected a state dict of PyTorch. Received: {path}: {why}") from None


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
        if "data.pkl" not in entries:
            raise ValueError("a zip file without a data.pkl")
        if any(e.compress_type != zipfile.ZIP_STORED for e in entries.values()):
            raise ValueError("a compressed zip file, which PyTorch does not write")
        if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
            raise ValueError("the numbers are not little-endian")
        if entries["data.pkl"].file_size > _LARGEST_PICKLE:
            raise ValueError("its data.pkl is larger than that of any state dict")

        @functools.lru_cache(maxsize=1)
        def contents(storage: _Storage) -> bytes:
            return archive.read(entries[f"data/{storage.key}"])

        state = _check_tensors(_load(io.BytesIO(archive.read(entries["data.pkl"]))))
        return {key: tensor.array(contents) for key, tensor in state.items()}


def _read_legacy(file: BinaryIO) -> dict[str, np.ndarray]:
    if _load(file) != _MAGIC or _load(file) != _PROTOCOL:
        raise ValueError("neither a zip file nor PyTorch's legacy format")
    _load(file)  # what the machine was like
    state, keys = _check_tensors(_load(file)), _load(file)
    sizes = {t.storage.key: t.storage.dtype.itemsize for t in state.values()}
    stored = {}
    for key in map(str, keys):
        length = int.from_bytes(file.read(8), "little") * sizes[key]
        stored[key] = file.read(length)
        if len(stored[key]) != length:
            raise ValueError("the file ends too early")
    return {key: tensor.array(lambda s: stored[s.key]) for key, tensor in state.items()}


def _load(file: BinaryIO) -> Any:
    """Loads one pickle; first it is scanned for numbers that would fill the memory."""
    start = file.tell()
    for opcode, argument, position in pickletools.genops(file):
        if "PUT" in opcode.name and int(argument or 0) > _MOST_OBJECTS:
            raise ValueError("a pickle with impossible numbers")
        if position is not None and position - start > _LARGEST_PICKLE:
            raise ValueError("a pickle larger than that of any state dict")
    file.seek(start)
    return _Unpickler(file, encoding="latin1").load()


def _check_tensors(state: Any) -> dict[str, _Tensor]:
    if not isinstance(state, dict) or not state:
        raise ValueError(f"it contains a {type(state).__name__}, not a dict of tensors")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, _Tensor):
            raise ValueError(f"{str(key)[:40]!r} is a {type(value).__name__}, not a tensor")
    return state
