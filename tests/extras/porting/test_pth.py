"""Reading PyTorch's files: true ones, and ones that want something."""

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy
import torch_files
from support import GOLDENS

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.porting import pth

FOLDER = GOLDENS / "torch"


@pytest.mark.parametrize("name", ["zip", "legacy", "bfloat16"])
def test_files_that_pytorch_wrote(name):
    # Written by PyTorch 2.13 from the same state dict; "legacy" holds Parameters.
    found = pth.read_state_dict(FOLDER / f"pixel_{name}.pth")
    expected = safetensors.numpy.load_file(FOLDER / "disc_pixel.safetensors")
    assert set(found) == set(expected)
    for key, value in expected.items():
        tolerance = 2**-8 if name == "bfloat16" else 0
        np.testing.assert_allclose(found[key].astype(value.dtype), value, rtol=tolerance)


def test_views_of_one_storage_and_other_types():
    found = pth.read_state_dict(FOLDER / "views.pth")
    base = np.arange(24.0).reshape(4, 6)
    expected = {"transposed": base.T, "part": base[1:, 2:4], "scalar": base[1, 1]}
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype == np.float64 and found[key].shape == np.shape(value)
    assert found["half"].dtype == np.float16 and found["integers"].dtype == np.int32
    np.testing.assert_array_equal(found["half"], base)


@pytest.mark.parametrize("legacy", [False, True])
def test_the_writer_of_these_tests_writes_what_pytorch_writes(tmp_path, legacy):
    arrays = {"a": np.float32([[1, 2], [3, 4]]), "b": np.int64([7]), "c": np.zeros((0, 3))}
    found = pth.read_state_dict(torch_files.write(tmp_path / "x.pth", arrays, legacy=legacy))
    assert list(found) == list(arrays)
    for key, value in arrays.items():
        np.testing.assert_array_equal(found[key], value)


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_executed(tmp_path, legacy):
    evil, path = pickle.dumps({"w": Command(tmp_path / "owned")}, 2), tmp_path / "x.pth"
    if legacy:
        path.write_bytes(evil)
    else:
        torch_files.zipped(path, evil, {})
    with pytest.raises(InputError, match=r"it refers to \w+\.mkdir"):
        pth.read_state_dict(path)
    assert not (tmp_path / "owned").exists()


def one(size=b"", stride=b"", *, offset=0, kind="FloatStorage", key="0"):
    """A pickle of one tensor with a storage of 4 numbers."""
    storage = b"(" + torch_files.text("storage") + f"ctorch\n{kind}\n".encode()
    storage += torch_files.text(key) + torch_files.text("cpu") + torch_files.integer(4) + b"tQ"
    body = storage + torch_files.integer(offset) + size + stride
    return torch_files.table({"w": b"ctorch._utils\n_rebuild_tensor_v2\n(" + body + b"tR"})


ROW = torch_files.whole(4), torch_files.whole(1)
PICKLES = {
    "reaches beyond": one(*ROW, offset=1),
    "before the start": one(*ROW, offset=-1),
    "negative stride": one(torch_files.whole(4), torch_files.whole(-1)),
    "negative size": one(torch_files.whole(-4), torch_files.whole(1)),
    "far apart": one(torch_files.whole(2), torch_files.whole(2**30)),
    "expanded": one(torch_files.whole(2**20, 2**10), torch_files.whole(0, 0)),
    "too many axes": one(torch_files.whole(*[1] * 100), torch_files.whole(*[1] * 100)),
    "other numbers of axes": one(torch_files.whole(2, 2), torch_files.whole(1)),
    "no storage of that name": one(*ROW, key="1"),
    "unknown type": one(*ROW, kind="QInt8Storage"),
    "outside": one(*ROW, key="../data.pkl"),
    "no tensor": torch_files.table({"w": torch_files.integer(3)}),
    "no names": b"}" + torch_files.integer(1) + one(*ROW) + b"s",
    "a list": b"]",
    "an empty dict": b"}",
    "a number as storage": b"}" + torch_files.text("w") + torch_files.integer(1) + b"Qs",
    "a memo that fills memory": b"}r\xff\xff\xff\xff",
    "text longer than the file": b"X\xff\xff\xff\x7fabc",
    "deep": b"(" * 10_000,
    "unfinished": b"}(",
    "state for a function": b"ctorch._utils\n_rebuild_tensor_v2\n}b",
}


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles_are_refused(tmp_path, name):
    path = tmp_path / "x.pth"
    torch_files.zipped(path, torch_files.pickled(PICKLES[name]), {"0": b"\0" * 16})
    with pytest.raises(InputError, match="Expected a state dict of PyTorch. Received: ") as caught:
        pth.read_state_dict(path)
    assert len(str(caught.value).splitlines()) == 1


def test_cut_and_changed_files_are_refused_or_read(tmp_path):
    path = tmp_path / "x.pth"
    rng = np.random.default_rng(0)
    for name in ("zip", "legacy"):
        contents = (FOLDER / f"pixel_{name}.pth").read_bytes()
        for cut in rng.integers(0, len(contents), 60):
            path.write_bytes(contents[:cut])
            with pytest.raises(InputError):
                pth.read_state_dict(path)
        for place in rng.integers(0, len(contents), 60):
            path.write_bytes(contents[:place] + b"\xa5" + contents[place + 1 :])
            try:
                pth.read_state_dict(path)
            except InputError as error:
                assert len(str(error).splitlines()) == 1


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\0" * 10**6)
    with pytest.raises(InputError, match="compressed"):
        pth.read_state_dict(path)
    torch_files.zipped(path, torch_files.pickled(one(*ROW)), {"0": b"\0" * 16})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("x/byteorder", "big")
    with pytest.raises(InputError, match="little-endian"):
        pth.read_state_dict(path)
    path.write_bytes(struct.pack("<I", 0) * 100)
    with pytest.raises(InputError, match="Received"):
        pth.read_state_dict(path)
    with pytest.raises(FileNotFoundError):
        pth.read_state_dict(tmp_path / "none.pth")
