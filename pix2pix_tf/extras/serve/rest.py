"""TensorFlow Serving's REST format: from JSON to arrays and back. Needs no TensorFlow.

Reference:
    https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import binascii
import contextlib
import dataclasses
import gc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from pix2pix_tf.extras.serve.limits import Limits, RequestError, area, check_pixels

DEFAULT_SIGNATURE = "serving_default"
# Names of protobuf's DataType, for the metadata.
_DTYPES = {"float32": "DT_FLOAT", "string": "DT_STRING"}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """What a signature expects or makes: "float32" or "string", and a shape with None for any."""

    dtype: str
    shape: tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Call:
    """A parsed request: arrays by name for a signature, in row format or in column format."""

    signature: str
    inputs: dict[str, np.ndarray]
    rows: bool


def parse(body: bytes, signatures: Mapping[str, Any], limits: Limits) -> Call:
    """Reads the body of a `:predict` request.

    The number of images and their sizes are checked before lists become arrays.

    Args:
        body: Bytes.
        signatures: Dict from names to objects whose `inputs` is a dict from names to `Tensor`.
        limits: Bounds of the request.

    Returns:
        `Call`; its arrays are float32 or object arrays of bytes.

    Raises:
        RequestError: If the body is not such a request, or too large.
    """
    document = _document(body)
    name = document.get("signature_name", "") or DEFAULT_SIGNATURE
    if not isinstance(name, str) or name not in signatures:
        raise _unexpected(f"signature_name to be one of {', '.join(signatures)}", name)
    rows = "instances" in document
    if rows == ("inputs" in document):
        raise _unexpected('either "instances" or "inputs"', document)
    expected = signatures[name].inputs
    values = _columns(document["instances"], expected, limits) if rows else document["inputs"]
    if not rows and (not isinstance(values, dict) or _is_base64(values)):
        values = dict.fromkeys(_only(expected), values)
    if set(values) != set(expected):
        raise _unexpected(f"the inputs {', '.join(expected)}", ", ".join(values) or "none")
    arrays = {key: _array(values[key], expected[key], key, limits) for key in expected}
    return Call(name, arrays, rows)


def _document(body: bytes) -> dict[str, Any]:
    # Millions of lists would be searched for garbage again and again while they are made.
    collecting = gc.isenabled()
    gc.disable()
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not valid JSON: {error}") from None
    finally:
        if collecting:
            gc.enable()
    if not isinstance(document, dict):
        raise _unexpected("a JSON object", document)
    return document


def _columns(instances: Any, expected: Mapping[str, Tensor], limits: Limits) -> dict[str, Any]:
    """Turns a list of rows into a dict of columns."""
    if not isinstance(instances, list) or not instances:
        raise _unexpected('"instances" to be a list with at least one element', instances)
    check_pixels(len(instances) * area(1, 1), limits)
    named = [isinstance(row, dict) and not _is_base64(row) for row in instances]
    if not any(named):
        return dict.fromkeys(_only(expected), instances)
    for row, is_named in zip(instances, named, strict=True):
        if not is_named or set(row) != set(expected):
            raise _unexpected(f"every instance to have the keys {', '.join(expected)}", row)
    return {name: [row[name] for row in instances] for name in expected}


def _only(expected: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The names of a signature with a single input, whose value may stand without its name."""
    if len(expected) != 1:
        raise RequestError(400, f"Expected the inputs by name: {', '.join(expected)}")
    return expected


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _array(value: Any, tensor: Tensor, name: str, limits: Limits) -> np.ndarray:
    shape = _first_lengths(value, len(tensor.shape))
    fits = len(shape) == len(tensor.shape) and all(
        size > 0 and expected in (None, size)
        for size, expected in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        raise _unexpected(
            f"{name} of shape {shape_text(tensor.shape)} with at least one element",
            shape_text(shape),
        )
    height, width = shape[1:3] if len(shape) == 4 else (1, 1)
    check_pixels(shape[0] * area(width, height), limits)
    if tensor.dtype == "string":
        return _strings(value)
    array = np.empty(shape, np.float32)
    with np.errstate(over="ignore"):
        _copy_numbers(value, array, name)
    if not np.isfinite(array).all():
        raise RequestError(400, f"Expected {name} to be finite in float32")
    return array


def _first_lengths(value: Any, rank: int) -> list[int]:
    """The lengths of nested lists, each taken of the first; no more than `rank` and one more."""
    lengths: list[int] = []
    while isinstance(value, list) and len(lengths) <= rank:
        lengths.append(len(value))
        value = value[0] if value else None
    return lengths


def _copy_numbers(value: Any, array: np.ndarray, name: str) -> None:
    """Copies nested lists to an array, row by row: other threads can run in between."""
    row = None
    if isinstance(value, list) and len(value) == len(array):
        if array.ndim > 2:
            for item, part in zip(value, array, strict=True):
                _copy_numbers(item, part, name)
            return
        with contextlib.suppress(ValueError):  # lists of different lengths
            row = np.asarray(value)
    if row is None or row.shape != array.shape or row.dtype.kind not in "iuf":
        raise _unexpected(f"{name} to be lists of numbers of one length", value)
    array[...] = row


def _strings(value: list[Any]) -> np.ndarray:
    """An array of bytes of rank 1; no signature has strings of another rank."""
    array = np.empty(len(value), object)
    array[:] = [_bytes(item) for item in value]
    return array


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not _is_base64(value) or not isinstance(value["b64"], str):
        raise _unexpected('a string or {"b64": "..."}', value)
    text = value["b64"]
    try:
        # Padding may be left out, as in TensorFlow Serving.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, f"b64 is not valid base64: {error}") from None


def shape_text(shape: Sequence[int | None]) -> str:
    """[2, 256, 256, 3], with ? for a size that may be any."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _unexpected(expected: str, received: Any) -> RequestError:
    return RequestError(400, f"Expected {expected}. Received: {_glimpse(received)[:200]}")


def _glimpse(value: Any) -> str:
    """A JSON value in a few words: requests are long and may be deep."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with the keys {', '.join(value)}" if value else "an object without keys"
    return orjson.dumps(value).decode()


def respond(outputs: Mapping[str, np.ndarray], *, rows: bool) -> bytes:
    """Writes the answer to a `:predict` request.

    Args:
        outputs: Dict from names to arrays, float32 or object arrays of bytes.
        rows: Whether the request was in row format.

    Returns:
        JSON as bytes.
    """
    values = {name: _plain(array, name) for name, array in outputs.items()}
    answer: Any
    if len(values) == 1:
        (answer,) = values.values()
    elif rows:
        answer = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        answer = values
    return orjson.dumps({"predictions" if rows else "outputs": answer})


def _plain(array: np.ndarray, name: str) -> Any:
    if array.dtype != object:
        return orjson.Fragment(_dump_numbers(array))
    return [_text(item, binary=name.endswith("_bytes")) for item in array.tolist()]


def _dump_numbers(array: np.ndarray) -> bytes:
    """JSON of an array, row by row: other threads can run in between."""
    if array.ndim > 2:
        return b"[" + b",".join(map(_dump_numbers, array)) + b"]"
    return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)


def _text(item: bytes, *, binary: bool) -> str | dict[str, str]:
    """A string, or base64 where the name asks for it or the bytes are no text."""
    if not binary:
        with contextlib.suppress(UnicodeDecodeError):
            return item.decode("utf-8")
    return {"b64": base64.b64encode(item).decode()}


def status(version: str) -> dict[str, Any]:
    """The answer to a status request for a model of which `version` (a string) is loaded."""
    healthy = {"error_code": "OK", "error_message": ""}
    state = {"version": version, "state": "AVAILABLE", "status": healthy}
    return {"model_version_status": [state]}


def metadata(name: str, version: str, signatures: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a metadata request: every signature with its inputs and outputs."""
    definitions = {
        key: {
            "inputs": {name: _tensor_info(tensor) for name, tensor in signature.inputs.items()},
            "outputs": {name: _tensor_info(tensor) for name, tensor in signature.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }
        for key, signature in signatures.items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": version},
        "metadata": {"signature_def": {"signature_def": definitions}},
    }


def _tensor_info(tensor: Tensor) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in tensor.shape]
    shape = {"dim": sizes, "unknown_rank": False}
    return {"dtype": _DTYPES[tensor.dtype], "tensor_shape": shape, "name": ""}
