"""TensorFlow Serving's JSON, without a server."""

import base64
import json
import string
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix2pix_tf.extras.serve import rest
from pix2pix_tf.extras.serve.limits import Limits, RequestError
from pix2pix_tf.extras.serve.rest import Tensor

FLOATS, STRINGS = Tensor("float32", (None, None, None, 3)), Tensor("string", (None,))
SIGNATURES = {
    "serving_default": SimpleNamespace(inputs={"images": FLOATS}, outputs={"outputs": FLOATS}),
    "serve_image_bytes": SimpleNamespace(inputs={"input": STRINGS}, outputs={"output": STRINGS}),
    "serve_base64": SimpleNamespace(
        inputs={"input": STRINGS, "key": STRINGS}, outputs={"output": STRINGS, "key": STRINGS}
    ),
}


LIMITS = Limits(max_request_bytes=2**24, max_pixels=2**22, max_queue=64, max_batch=8, timeout=60)


def parse(document):
    return rest.parse(json.dumps(document).encode(), SIGNATURES, LIMITS)


def test_no_signature_name_is_the_default_one():
    for extra in ({}, {"signature_name": ""}, {"signature_name": "serving_default"}):
        call = parse({"instances": [[[[1, 2, 3]]]], **extra})
        assert call.signature == "serving_default" and call.rows
        assert call.inputs["images"].dtype == np.float32
        assert call.inputs["images"].tolist() == [[[[1, 2, 3]]]]


def test_strings_are_text_or_base64():
    call = parse({"signature_name": "serve_image_bytes", "instances": ["ä", {"b64": "/+8="}]})
    assert call.inputs["input"].tolist() == ["ä".encode(), b"\xff\xef"]
    bare = parse({"signature_name": "serve_image_bytes", "instances": [{"b64": "/+8"}]})
    assert bare.inputs["input"].tolist() == [b"\xff\xef"]  # without padding


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [[[[0] * 3] * 20_000] * 20]},
        {"instances": [[[[0] * 3]]] * 65},
        {"inputs": [[[[0] * 3]]] * 65},
        {"signature_name": "serve_image_bytes", "instances": [{"b64": ""}] * 65},
        {"signature_name": "serve_base64", "instances": [{"input": "", "key": ""}] * 65},
        {"signature_name": "serve_base64", "inputs": {"input": [""] * 65, "key": [""] * 65}},
    ],
)
def test_pixels_are_counted_before_lists_become_arrays(document):
    with pytest.raises(RequestError, match="Expected at most 4194304 pixels") as caught:
        parse(document)
    assert caught.value.status == 413


def test_ragged_lists_are_refused_at_any_depth():
    images = [[[[0, 0, 0]] * 4] * 4] * 2
    assert parse({"inputs": images}).inputs["images"].shape == (2, 4, 4, 3)
    for place in ((1,), (1, 3), (1, 3, 3), (1, 3, 3, 2)):
        for wrong in ([], [[0, 0, 0]] * 3, 0.5, "a", None, True, [0, 0], {}):
            document = json.loads(json.dumps(images))
            part = document
            for index in place[:-1]:
                part = part[index]
            part[place[-1]] = wrong
            if (len(place), wrong) in ((4, 0.5), (4, True)):
                continue
            with pytest.raises(RequestError, match="lists of numbers of one length"):
                parse({"inputs": document})


def test_several_inputs_are_given_by_name():
    row = {"input": "a", "key": "b"}
    call = parse({"signature_name": "serve_base64", "instances": [row, row]})
    assert call.inputs["key"].tolist() == [b"b", b"b"]
    column = {"input": ["a", "a"], "key": ["b", "b"]}
    assert not parse({"signature_name": "serve_base64", "inputs": column}).rows
    for wrong in ({"input": "a"}, {**row, "more": "c"}, "a"):
        with pytest.raises(RequestError, match="key"):
            parse({"signature_name": "serve_base64", "instances": [row, wrong]})


def test_answers_are_rows_or_columns():
    one = {"outputs": np.zeros((2, 1, 1, 3), np.float32)}
    assert json.loads(rest.respond(one, rows=True)) == {"predictions": [[[[0] * 3]]] * 2}
    assert json.loads(rest.respond(one, rows=False)) == {"outputs": [[[[0] * 3]]] * 2}
    two = {"output": np.array([b"x"], object), "key": np.array([b"\xff"], object)}
    shown = {"output": "x", "key": {"b64": "/w=="}}
    assert json.loads(rest.respond(two, rows=True)) == {"predictions": [shown]}
    columns = {name: [value] for name, value in shown.items()}
    assert json.loads(rest.respond(two, rows=False)) == {"outputs": columns}
    named = {"png_bytes": np.array([b"x"], object)}  # TensorFlow Serving's rule for names
    assert json.loads(rest.respond(named, rows=True)) == {"predictions": [{"b64": "eA=="}]}


def refused_or_right(body):
    """Either a call with arrays as the signature wants them, or one line of refusal."""
    try:
        call = rest.parse(body, SIGNATURES, LIMITS)
    except RequestError as error:
        assert error.status == 400
        assert str(error) and len(str(error)) < 600
        return
    expected = SIGNATURES[call.signature].inputs
    assert set(call.inputs) == set(expected)
    for name, array in call.inputs.items():
        assert array.ndim == len(expected[name].shape) and array.size
        if expected[name] is FLOATS:
            assert array.dtype == np.float32 and np.isfinite(array).all() and array.shape[-1] == 3
        else:
            assert all(isinstance(item, bytes) for item in array.tolist())


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.builds(lambda b: {"b64": base64.b64encode(b).decode()}, st.binary()),
    st.builds(lambda t: {"b64": t}, st.text()),
)  # fmt: skip
KEYS = st.sampled_from(["images", "input", "key", "b64", "outputs"]) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
NUMBERS = st.lists(st.lists(st.lists(st.lists(st.floats(width=32) | st.integers(), min_size=2,
                   max_size=4), max_size=3), max_size=3), max_size=3)  # fmt: skip
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(sorted(SIGNATURES)) | VALUES,
        "instances": NUMBERS | VALUES,
        "inputs": NUMBERS | st.dictionaries(KEYS, NUMBERS | VALUES, max_size=3) | VALUES,
    },
)


@given(REQUESTS)
def test_any_json_is_parsed_or_refused(document):
    refused_or_right(json.dumps(document).encode())


@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_any_bytes_are_parsed_or_refused(body):
    refused_or_right(body)


@given(
    st.lists(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=6),
    st.booleans(),
)
def test_numbers_arrive_exactly_and_come_back_exactly(row, rows):
    document = {"instances" if rows else "inputs": [[row]]}
    call = parse(document)
    expected = np.array([[row]], np.float32)
    np.testing.assert_array_equal(call.inputs["images"], expected)
    answer = json.loads(rest.respond({"outputs": call.inputs["images"]}, rows=rows))
    (values,) = answer.values()
    np.testing.assert_array_equal(np.array(values, np.float32), expected)
