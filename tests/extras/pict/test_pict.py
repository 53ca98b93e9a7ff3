"""The .pict files: what any reader of the format finds in them, and what ours refuses."""

import json
import struct

import numpy as np
import pytest

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.pict import pict_file
from pix2pix_tf.networks.factory import make_generator


def arrays_of(**options):
    generator = make_generator("unet", ngf=2, **options)
    generator.build((None, 256, 256, 3))
    return {variable.path: variable.numpy() for variable in generator.variables}


@pytest.fixture(scope="module")
def arrays():
    return arrays_of()


@pytest.fixture
def file(tmp_path, arrays):
    path = tmp_path / "facades_BtoA.pict"
    pict_file.write_pict(path, arrays)
    return path


def blocks(contents):
    while contents:
        (length,) = struct.unpack(">I", contents[:4])
        yield contents[4 : 4 + length]
        contents = contents[4 + length :]


def test_three_blocks_as_the_browser_reads_them(file, arrays):
    index, book, codes = blocks(file.read_bytes())
    entries = json.loads(index)
    assert [entry["name"] for entry in entries] == sorted(arrays)
    assert [set(entry) for entry in entries] == [{"name", "shape"}] * len(arrays)
    assert entries[-1]["name"] == "generator/encoder_8/conv2d/kernel"
    book = np.frombuffer(book, "<f4")
    assert book.size == 256 and np.all(np.diff(book) > 0)
    start = 0
    for entry in entries:
        weights = arrays[entry["name"]]
        assert entry["shape"] == list(weights.shape)
        code = np.frombuffer(codes, np.uint8, weights.size, start)
        start += weights.size
        distances = np.abs(weights.reshape(-1, 1) - book)
        found = np.abs(weights.ravel() - book[code])
        np.testing.assert_allclose(found, distances.min(1), rtol=1e-5, atol=1e-8)
    assert start == len(codes)


def test_the_code_book_is_finest_around_zero():
    weights = np.concatenate([[-2.0, 1.0], np.zeros(10)]).astype(np.float32)
    book = pict_file.code_book(weights)
    gaps = np.diff(book)
    assert book[0] == pytest.approx(-2, abs=0.05) and book[-1] == pytest.approx(1, abs=0.03)
    assert gaps[0] / gaps.min() > 100
    # mu-law: the middle of the range of 255 and 1 is where log(1 + 255 x) is half of log(256).
    symmetric = pict_file.code_book(np.array([-1, 1], np.float32))
    quarter = (np.sqrt(256) - 1) / 255
    assert np.interp(192, np.arange(256) + 0.5, symmetric) == pytest.approx(quarter, rel=1e-3)


def test_reading_gives_the_weights_back(file, arrays):
    found = pict_file.read_pict(file)
    book = np.frombuffer(list(blocks(file.read_bytes()))[1], "<f4")
    assert list(found) == sorted(arrays)
    for name, weights in found.items():
        inside = np.clip(arrays[name], book[0], book[-1])
        np.testing.assert_array_less(np.abs(weights - inside), np.diff(book).max())
        assert np.isin(weights, book).all()


def test_constant_weights_survive(tmp_path):
    zeros = {name: np.zeros_like(array) for name, array in arrays_of().items()}
    pict_file.write_pict(tmp_path / "zeros.pict", zeros)
    assert all(not array.any() for array in pict_file.read_pict(tmp_path / "zeros.pict").values())


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"separable_conv": True}, "--separable_conv"),
        ({"bottleneck_norm": False}, "--nobottleneck_norm"),
        ({"norm": "none"}, "--norm instance or none;"),
        ({"output_channels": 1}, "--input_channels or --output"),
    ],
)
def test_other_networks_are_refused(tmp_path, options, option):
    with pytest.raises(InputError, match=option):
        pict_file.write_pict(tmp_path / "x.pict", arrays_of(**options))
    assert not list(tmp_path.iterdir())


def rebuilt(contents, *, index=None, book=None, codes=None):
    parts = list(blocks(contents))
    for number, part in enumerate((index, book, codes)):
        parts[number] = parts[number] if part is None else part
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def named(name, shape=(1,)):
    return json.dumps([{"name": name, "shape": shape}]).encode()


KERNEL = "generator/encoder_1/conv2d/kernel"
DAMAGES = {
    "empty": lambda contents: b"",
    "three bytes": lambda contents: contents[:3],
    "only a length": lambda contents: b"\xff\xff\xff\xff",
    "cut": lambda contents: contents[:-1],
    "longer": lambda contents: contents + b"\0",
    "no JSON": lambda contents: rebuilt(contents, index=b"{"),
    "no UTF-8": lambda contents: rebuilt(contents, index=b"\xff"),
    "deep JSON": lambda contents: rebuilt(contents, index=b"[" * 100_000),
    "an object": lambda contents: rebuilt(contents, index=b"{}"),
    "no variables": lambda contents: rebuilt(contents, index=b"[]"),
    "numbers": lambda contents: rebuilt(contents, index=b"[1]"),
    "a path as name": lambda contents: rebuilt(contents, index=named("../../etc/passwd")),
    "another network": lambda contents: rebuilt(
        contents, index=named("discriminator/layer_1/conv2d/bias")
    ),
    "a name with a tail": lambda contents: rebuilt(contents, index=named(KERNEL + "\n")),
    "a negative size": lambda contents: rebuilt(contents, index=named(KERNEL, [-1, 1, 1, 1])),
    "a true size": lambda contents: rebuilt(contents, index=named(KERNEL, [True])),
    "a huge size": lambda contents: rebuilt(contents, index=named(KERNEL, [10**18])),
    "huge sizes": lambda contents: rebuilt(contents, index=named(KERNEL, [60_000] * 4)),
    "a fraction": lambda contents: rebuilt(contents, index=named(KERNEL, [1.0])),
    "no shape": lambda contents: rebuilt(contents, index=named(KERNEL, None)),
    "twice": lambda contents: rebuilt(
        contents, index=json.dumps(2 * json.loads(named(KERNEL))).encode(), codes=b"\0\0"
    ),
    "a short code book": lambda contents: rebuilt(contents, book=b"\0" * 1020),
    "not finite": lambda contents: rebuilt(contents, book=np.full(256, np.nan, "<f4").tobytes()),
    "too few weights": lambda contents: rebuilt(contents, codes=b"\0"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_hostile_files_are_refused_in_one_line(file, damage):
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    with pytest.raises(InputError, match="Expected a .pict file. Received: ") as caught:
        pict_file.read_pict(file)
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 400
