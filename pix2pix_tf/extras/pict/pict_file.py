"""The .pict files of the reference's browser demo, which Unity and ml5 programs read as well.

Three blocks, each after its length as a big-endian uint32:
1. JSON: [{"name": ..., "shape": [...]}, ...] in the order of the names;
2. 256 float32, little-endian: the code book;
3. one byte per weight, in the order of the first block: its nearest entry of the code book.

Reference:
    affinelayer/pix2pix-tensorflow, server/tools/export-checkpoint.py.
"""

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

ENTRIES = 256
# pix2pix.py: levels of the U-Net.
_DEPTH = 8
# export-checkpoint.py: the strength of the companding (mu-law, ITU-T G.711).
_MU = 255.0
_NAME = re.compile(
    r"generator/(en|de)coder_[1-8]/(conv2d(_transpose)?/(kernel|bias)|(conv|deconv)/filter|"
    r"batch_normalization/(gamma|beta)|batchnorm/(scale|offset))"
)
# The widest real network has 54 million weights and 58 variables.
_LARGEST_INDEX, _LARGEST_FILE = 2**20, 2**30


def write_pict(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes weights to a .pict file, whole or not at all.

    Args:
        path: The file.
        arrays: Dict from the reference's names to float32 arrays.

    Raises:
        InputError: If readers of .pict files cannot compute that generator; the message names the
            option of the model that the format cannot hold.
    """
    if option := _foreign({name: array.shape for name, array in arrays.items()}):
        raise InputError(
            f"A .pict file cannot hold a model with {option}; the format is for the generator of "
            "pix2pix.py: --netG unet --norm batch at 256 pixels, RGB to RGB"
        )
    names = sorted(arrays)
    index = [{"name": name, "shape": list(arrays[name].shape)} for name in names]
    weights = np.concatenate([arrays[name].ravel() for name in names]).astype(np.float32)
    book = code_book(weights)
    # Between two neighbouring entries the nearest one changes in the middle.
    codes = np.searchsorted((book[1:] + book[:-1]) / 2, weights).astype(np.uint8)
    blocks = json.dumps(index).encode(), book.astype("<f4").tobytes(), codes.tobytes()
    with run_folder.atomic(path) as temporary:
        temporary.write_bytes(b"".join(struct.pack(">I", len(b)) + b for b in blocks))


def _foreign(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The option by which a generator differs from that of pix2pix.py."""
    other = set(shapes) ^ set(_names())
    bottleneck = f"generator/encoder_{_DEPTH}/batch_normalization/"
    if any("separable_conv2d" in name for name in shapes):
        return "--separable_conv"
    if other and all(name.startswith(bottleneck) for name in other):
        # With one value per channel their normalisation gives its offset, whatever the weights.
        return "--nobottleneck_norm, whose bottleneck the readers would normalise away"
    if other and not any("batch_normalization" in name for name in shapes):
        return "--norm instance or none"
    if other:
        return f"another --netG or size (it differs in {min(other)})"
    ends = "encoder_1/conv2d/kernel", "decoder_1/conv2d_transpose/kernel"
    if any(shapes[f"generator/{end}"][2] != 3 for end in ends):
        return "other --input_channels or --output_channels than 3"
    return None


def _names() -> Iterator[str]:
    for part, layer in (("encoder", "conv2d"), ("decoder", "conv2d_transpose")):
        for level in range(1, _DEPTH + 1):
            yield from (f"generator/{part}_{level}/{layer}/{last}" for last in ("kernel", "bias"))
            if level > 1:
                norm = f"generator/{part}_{level}/batch_normalization"
                yield from (f"{norm}/{last}" for last in ("gamma", "beta"))


def code_book(weights: np.ndarray) -> np.ndarray:
    """256 ascending values, denser near 0: centres of equal bins over the companded range.

    Args:
        weights: float32 array.

    Returns:
        float32 [256].
    """
    largest = float(np.abs(weights).max()) or 1.0
    ends = np.array([weights.min(), weights.max()], np.float64) / largest
    low, high = np.sign(ends) * np.log1p(_MU * np.abs(ends)) / math.log1p(_MU)
    centres = low + (np.arange(ENTRIES) + 0.5) * (high - low) / ENTRIES
    expanded = np.sign(centres) * np.expm1(np.abs(centres) * math.log1p(_MU)) / _MU
    return (expanded * largest).astype(np.float32)


def read_pict(path: Path) -> dict[str, np.ndarray]:
    """Reads a .pict file.

    Args:
        path: The file.

    Returns:
        Dict from names to float32 arrays.

    Raises:
        InputError: If the file is damaged, too large or not what it says.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is larger than any such file")
        index, book, codes = _blocks(path.read_bytes())
        shapes = _shapes(index)
        if len(book) != 4 * ENTRIES:
            raise ValueError(f"its code book has {len(book)} bytes instead of {4 * ENTRIES}")
        if len(codes) != (count := sum(map(math.prod, shapes.values()))):
            raise ValueError(f"it contains {len(codes)} weights instead of {count}")
        values = np.frombuffer(book, "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("its code book contains numbers that are not finite")
    except (ValueError, RecursionError) as error:
        raise InputError(f"Expected a .pict file. Received: {path}: {error}") from None
    weights, start = values[np.frombuffer(codes, np.uint8)], 0
    arrays = {}
    for name, shape in shapes.items():
        arrays[name] = weights[start : start + math.prod(shape)].reshape(shape)
        start += math.prod(shape)
    return arrays


def _blocks(contents: bytes) -> list[bytes]:
    blocks, at = [], 0
    for number in (1, 2, 3):
        if len(contents) < at + 4:
            raise ValueError(f"it ends before block {number} of 3")
        (length,) = struct.unpack_from(">I", contents, at)
        at += 4 + length
        if at > len(contents):
            raise ValueError(f"block {number} of 3 is {at - len(contents)} bytes short")
        blocks.append(contents[at - length : at])
    if at != len(contents):
        raise ValueError(f"{len(contents) - at} bytes follow its last block")
    return blocks


def _shapes(index: bytes) -> dict[str, tuple[int, ...]]:
    if len(index) > _LARGEST_INDEX:
        raise ValueError("its index is impossibly long")
    shapes: dict[str, tuple[int, ...]] = {}
    entries = json.loads(index.decode("utf-8"))
    if not isinstance(entries, list) or not entries:
        raise ValueError("its index is not a list of variables")
    for entry in entries:
        name, shape = _entry(entry)
        if name in shapes:
            raise ValueError(f"its index names {name} twice")
        shapes[name] = shape
    return shapes


def _entry(entry: Any) -> tuple[str, tuple[int, ...]]:
    match entry:
        case {"name": str(name), "shape": [*shape]} if _NAME.fullmatch(name):
            sizes = [size for size in shape if type(size) is int and 0 < size <= 2**16]
            if sizes == shape and len(shape) in (1, 4):
                return name, tuple(shape)
    raise ValueError(f"its index contains {str(entry)[:80]!r}, not a variable of the generator")
