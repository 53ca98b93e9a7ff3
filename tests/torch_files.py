"""Writes state dicts as torch.save does, opcode by opcode, so that no PyTorch is needed."""

import io
import struct
import zipfile

import numpy as np

from pix2pix_tf.extras.porting import torch_names

KINDS = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}


def text(string):
    coded = string.encode()
    return b"X" + struct.pack("<I", len(coded)) + coded


def integer(value):
    return b"J" + struct.pack("<i", value)


def whole(*values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def tensor(key, array, *, legacy=False):
    """The opcodes of one contiguous tensor whose storage is called `key`."""
    strides = [stride // array.itemsize for stride in array.strides]
    storage = b"(" + text("storage") + f"ctorch\n{KINDS[array.dtype.name]}\n".encode()
    storage += text(key) + text("cpu") + integer(array.size) + (b"N" if legacy else b"") + b"tQ"
    rest = integer(0) + whole(*array.shape) + whole(*strides) + b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def pickled(body):
    return b"\x80\x02" + body + b"."


def table(entries):
    """The opcodes of an OrderedDict."""
    pairs = b"".join(text(key) + value for key, value in entries.items())
    return b"ccollections\nOrderedDict\n)R(" + pairs + b"u"


def zipped(path, contents, storages):
    """Writes PyTorch's zip format: the pickle `contents` and the bytes of each storage."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", contents)
        archive.writestr(f"{path.stem}/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"{path.stem}/data/{key}", data)


def write(path, arrays, *, legacy=False):
    """Writes `arrays`, a dict from keys to numpy arrays, as a state dict."""
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    numbers = {key: str(number) for number, key in enumerate(arrays)}
    entries = {key: tensor(numbers[key], array, legacy=legacy) for key, array in arrays.items()}
    storages = {numbers[key]: array.tobytes() for key, array in arrays.items()}
    if not legacy:
        zipped(path, pickled(table(entries)), storages)
        return path
    out = io.BytesIO()
    magic = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    out.write(pickled(b"\x8a\x0a" + magic) + pickled(integer(1001)) + pickled(b"}"))
    out.write(pickled(table(entries)))
    out.write(pickled(b"(" + b"".join(text(number) for number in storages) + b"l"))
    for key, data in zip(arrays, storages.values(), strict=True):
        out.write(struct.pack("<q", arrays[key].size) + data)
    path.write_bytes(out.getvalue())
    return path


def state_dict(network):
    """A network's weights as the PyTorch code keeps them: dict from its keys to numpy arrays."""
    table = torch_names.torch_keys(network)
    return {
        table[path]: torch_names.to_torch(network, path, variable.numpy())
        for path, variable in torch_names.weights_by_path(network).items()
    }
