"""TensorFlow Serving's REST format: from JSON to arrays and back. Needs no TensorFlow.

Reference:
    https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import binascii
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from pix2pix_tf.extras.serve.limits import RequestError

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


def parse(body: bytes, signatures: Mapping[str, Any]) -> Call:
    """Reads the body of a `:predict` request.

    Args:
        body: Bytes.
        signatures: Dict from names to objects whose `inputs` is a dict from names to `Tensor`.

    Returns:
        `Call`; its arrays are float32 or object arrays of bytes.

    Raises:
        RequestError: If the body is not such a request.
    """
    document = _document(body)
    name = document.get("signature_name", "") or DEFAULT_SIGNATURE
    if not isinstance(name, str) or name not in signatures:
        raise _unexpected(f"signature_name to be one of {', '.join(signatures)}", name)
    rows = "instances" in document
    if rows == ("inputs" in document):
        raise _unexpected('either "instances" or "inputs"', document)
    expected = signatures[name].inputs
    values = _columns(document["instances"], expected) if rows else document["inputs"]
    if not rows and (not isinstance(values, dict) or _is_base64(values)):
        values = dict.fromkeys(_only(expected), values)
    if set(values) != set(expected):
        raise _unexpected(f"the inputs {', '.join(expected)}", ", ".join(values) or "none")
    return Call(name, {key: _array(values[key], expected[key], key) for key in expected}, rows)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise _unexpected("a JSON object", document)
    return document


def _columns(instances: Any, expected: Mapping[str, Tensor]) -> dict[str, Any]:
    """Turns a list of rows into a dict of columns."""
    if not isinstance(instances, list) or not instances:
        raise _unexpected('"instances" to be a list with at least one element', instances)
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


def _array(value: Any, tensor: Tensor, name: str) -> np.ndarray:
    array = _strings(value) if tensor.dtype == "string" else _numbers(value, name)
    known = tensor.shape
    fits = array.ndim == len(known) and all(
        size > 0 and wanted in (None, size) for size, wanted in zip(array.shape, known, strict=True)
    )
    if not fits:
        raise _unexpected(
            f"{name} of shape {shape_text(known)} with at least one element",
            shape_text(array.shape),
        )
    return array


def _numbers(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
        kind = array.dtype.kind
    except ValueError:  # lists of different lengths, or nested too deeply
        kind = "ragged lists"
    if kind not in "iuf":
        raise _unexpected(f"{name} to be lists of numbers of one length", value)
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise RequestError(400, f"Expected {name} to be finite in float32")
    return array


def _strings(value: Any) -> np.ndarray:
    """An array of bytes of rank 0 or 1; no signature has strings of a higher rank."""
    if not isinstance(value, list):
        return np.array(_bytes(value), object)
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
    if len(values) == 1:
        (answer,) = values.values()
    elif rows:
        answer = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        answer = values
    document = {"predictions" if rows else "outputs": answer}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(array: np.ndarray, name: str) -> Any:
    if array.dtype != object:
        return np.ascontiguousarray(array)
    return [_text(item, binary=name.endswith("_bytes")) for item in array.tolist()]


def _text(item: bytes, *, binary: bool) -> str | dict[str, str]:
    """A string, or base64 where the name asks for it or the bytes are no text."""
    if not binary:
        with contextlib.suppress(UnicodeDecodeError):
            return item.decode("utf-8")
    return {"b64": base64.b64encode(item).decode()}


def status(version: str) -> dict[str, Any]:
    """The answer to a status request for a model of which `version` (a string) is loaded."""
    healthy = {"error_code": "OK", "error_message": ""}
    found = {"version": version, "state": "AVAILABLE", "status": healthy}
    return {"model_version_status": [found]}


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
