"""Files made to harm: each parser answers with one line, at once and within its memory."""

import csv
import io
import json
import random
import re
import resource
import struct
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import png

from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import options, run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.data import decode, inspection
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import curves
from pix2pix_tf.training import checkpoints, logs

CONFIGS = (Pix2PixConfig, CycleGANConfig)
NAMES = sorted({name for config in CONFIGS for name in config.__dataclass_fields__})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([10**400, -1, 0, 2**63, 1e308, "\0", "AtoB", "unet", "train"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


# Of fewer pixels than the headers claim.
PIXELS = (b"IDAT", zlib.compress(bytes(3 * 1000)))


def picture(kind):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def claims(kind, side):
    """A small file of that kind which says that it is `side` pixels wide and high."""
    contents = bytearray(picture(kind))
    if kind == "JPEG":
        start = contents.index(b"\xff\xc0") + 5
        contents[start : start + 4] = struct.pack(">HH", side, side)
    elif kind == "GIF":
        contents[6:10] = struct.pack("<HH", side, side)
    else:
        contents[18:26] = struct.pack("<ii", side, side)
    return bytes(contents)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


BOMBS = {
    "png": png(100_000, 100_000, PIXELS),
    "png near 2**29": png(20_000, 20_000, PIXELS),
    "jpeg": claims("JPEG", 65_000),
    "gif": claims("GIF", 65_535),
    "bmp": claims("BMP", 100_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_images_that_claim_too_many_pixels_cost_no_memory(tmp_path, name):
    before = peak()
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 89478485 pixels"):
        decode.decode_unit(tf.constant(BOMBS[name]))
    path = tmp_path / f"x.{name[:3]}"
    path.write_bytes(BOMBS[name])
    with pytest.raises(InputError, match="Expected readable images. Received: .*x"):
        inspection.check_images([str(path)])
    assert peak() - before < 100_000  # kilobytes


def test_a_text_chunk_that_unfolds_to_a_gigabyte_is_refused_or_ignored(tmp_path):
    bomb = (b"zTXt", b"a\0\0" + zlib.compress(bytes(2**28), 9))
    path = tmp_path / "x.png"
    path.write_bytes(png(10, 10, bomb, PIXELS))
    before = peak()
    assert inspection.inspect_file(path).fault is not None
    assert peak() - before < 100_000


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_valid_images_are_decoded(kind):
    for function in (decode.decode_unit, tf.function(decode.decode_unit)):
        assert function(tf.constant(picture(kind))).shape == (24, 40, 3)


def test_a_top_down_bmp_is_decoded():
    contents = bytearray(picture("BMP"))
    contents[22:26] = struct.pack("<i", -24)
    assert decode.decode_unit(tf.constant(bytes(contents))).shape == (24, 40, 3)


@given(
    kind=st.sampled_from(["PNG", "JPEG"]), cut=st.integers(0, 4000), seed=st.integers(0, 2**31),
    flips=st.integers(0, 8), head=st.binary(max_size=8),
)  # fmt: skip
def test_any_bytes_are_an_image_or_a_reason(tmp_path, kind, cut, seed, flips, head):
    contents, draw = bytearray(picture(kind)), random.Random(seed)
    for _ in range(flips):
        contents[draw.randrange(len(contents))] = draw.randrange(256)
    contents = (head or bytes(contents[:8])) + bytes(contents[8 : len(contents) - cut])
    path = tmp_path / "x.png"
    path.write_bytes(contents)
    reason = inspection.inspect_file(path).fault
    assert reason is None or (reason and "\n" not in reason)
    try:
        decoded = decode.decode_unit(tf.constant(contents))
        assert decoded.dtype == tf.float32 and decoded.shape[-1] == 3
    except tf.errors.InvalidArgumentError:
        pass


@given(
    stored=st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=6),
    config_class=st.sampled_from(CONFIGS), resuming=st.booleans(),
)  # fmt: skip
def test_any_options_are_adopted_or_refused(tmp_path, stored, config_class, resuming):
    (tmp_path / run_folder.OPTIONS).write_text(json.dumps(stored), encoding="utf-8")
    config = config_class(mode="train", input_dir="in", output_dir="out")
    try:
        read = runs.stored_options(tmp_path, program="pix2pix-tf")
        found = options.inherit_options(config, {"mode"}, read, source=tmp_path, resuming=resuming)
    except InputError as error:
        assert "\n" not in str(error) and str(tmp_path) in str(error)
        return
    # What was adopted could have been typed.
    for name in config_class.__dataclass_fields__:
        value, default = getattr(found, name), getattr(config, name)
        assert value is None or default is None or isinstance(value, type(default))
    assert found.mode == "train" and (resuming or found.input_dir == Path("in"))


@given(contents=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_json_or_refused(tmp_path, contents):
    path = tmp_path / run_folder.OPTIONS
    path.write_bytes(contents)
    try:
        assert isinstance(run_folder.read_json(path), dict)
    except InputError as error:
        assert str(path) in str(error)


def test_a_large_file_is_not_read_as_options(tmp_path):
    path = tmp_path / run_folder.OPTIONS
    path.write_text('{"a": "' + "x" * 2_000_000 + '"}')
    with pytest.raises(InputError, match="at most 1000000 bytes"):
        run_folder.read_json(path)
    path.write_text('{"a": ' + "1" * 100_000 + "}")
    with pytest.raises(InputError, match="Expected|is not valid JSON"):
        stored = run_folder.read_json(path)
        config = Pix2PixConfig(mode="train", input_dir="in", output_dir="out")
        options.inherit_options(config, set(), {"ngf": stored["a"]}, source=tmp_path, resuming=True)


@given(
    words=st.lists(
        st.sampled_from([f"--{name}" for name in NAMES] + ["--", "-", "--no_flip", "--flip=x"])
        | st.text(st.characters(blacklist_characters="\0"), max_size=12),
        max_size=6,
    ),
    config_class=st.sampled_from(CONFIGS),
)
def test_any_words_are_a_command_or_one_line(words, config_class):
    try:
        config, typed = options.parse(config_class, words)
    except InputError as error:
        assert re.search("Expected|needs|exclusive|takes no", str(error))
        return
    assert typed <= config_class.__dataclass_fields__.keys()
    assert isinstance(config, config_class)


def state():
    return {"a": keras.Variable(np.ones((2, 3), "f4")), "n": keras.Variable(3)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoints.save(tmp_path_factory.mktemp("run"), 7, state(), keep=1)


def assert_refused_or_same(path):
    """A file is damaged, and said to be; or it holds what was saved."""
    found = state()
    for variable in found.values():
        variable.assign(variable * 0)
    fault = checkpoints.fault(path)
    assert fault is None or isinstance(fault, str)
    try:
        checkpoints.restore(path, found)
    except InputError as error:
        assert str(path) in str(error)
        return
    if fault is None:
        for name, variable in state().items():
            np.testing.assert_array_equal(found[name], variable)


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_no_changed_byte_of_a_checkpoint_goes_unnoticed(checkpoint, tmp_path, place, value):
    contents = bytearray(checkpoint.read_bytes())
    contents[place % len(contents)] ^= value
    path = tmp_path / checkpoint.name
    path.write_bytes(contents)
    assert_refused_or_same(path)


@given(contents=st.binary(max_size=300))
def test_any_bytes_are_no_checkpoint(tmp_path, contents):
    path = tmp_path / "step-00000001.safetensors"
    path.write_bytes(contents)
    assert_refused_or_same(path)


DTYPES = ["F32", "F64", "I64", "BF16", "F16", "BOOL", "U8", "F8_E4M3", "F8_E5M2", "X", 3, None]


@given(
    entry=st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(DTYPES),
            "shape": st.lists(st.integers(-1, 2**65), max_size=4) | st.just([2, 3]),
            "data_offsets": st.lists(st.integers(-1, 2**65), max_size=3) | st.just([0, 24]),
        }
    ),
    notes=VALUES | st.fixed_dictionaries({"step": VALUES, "crc32": VALUES}),
    length=st.integers(0, 2**64 - 1) | st.none(),
)
def test_any_header_is_refused_or_read(tmp_path, entry, notes, length):
    header = json.dumps({"a": entry, "__metadata__": {"pix2pix_tf": json.dumps(notes)}})
    head = struct.pack("<Q", len(header.encode()) if length is None else length)
    path = tmp_path / "best.safetensors"
    path.write_bytes(head + header.encode() + bytes(24))
    assert checkpoints.fault(path) is None or isinstance(checkpoints.fault(path), str)
    for read in (checkpoints.step_of, lambda path: checkpoints.restore(path, state())):
        try:
            read(path)
        except InputError as error:
            assert "\n" not in str(error)


def test_a_header_of_another_type_is_named(tmp_path):
    path = tmp_path / "step-00000001.safetensors"
    checkpoints.write(path, 1, {"a": tf.Variable([[True] * 3] * 2), "n": tf.Variable(3)})
    checkpoints.restore(path, {"a": tf.Variable([[False] * 3] * 2)})
    checkpoints.write(path, 1, {"a": tf.Variable(tf.zeros([2, 3], tf.complex64))})
    with pytest.raises(InputError, match="Expected a of type float32.*Received: complex64"):
        checkpoints.restore(path, {"a": state()["a"]})


LOGS = st.binary(max_size=300) | st.lists(
    st.sampled_from(["step", "1", "2.5", ",", "\n", '"', "nan", "x"]), max_size=60
).map(lambda parts: "".join(["step,loss\n", *parts]).encode())


@given(contents=LOGS)
def test_any_bytes_are_a_log(tmp_path, contents):
    path = tmp_path / run_folder.LOG
    path.write_bytes(contents)
    steps = [int(row["step"]) for row in logs.read_rows(path, last_step=10**9)]
    assert steps == sorted(set(steps))
    logs.StepLog(path, ["step", "loss"], first_step=5)
    with open(path, newline="", encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    assert [int(row["step"]) for row in kept] == [step for step in steps if step <= 5]


@settings(max_examples=8)
@given(contents=LOGS)
def test_any_bytes_are_drawn(tmp_path, contents):
    path = tmp_path / run_folder.LOG
    path.write_bytes(contents)
    assert curves.draw_curves(path, tmp_path / "curves.png").stat().st_size > 1000
