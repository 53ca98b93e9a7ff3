"""Models as the server sees them: named signatures, functions from arrays to arrays."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.serve.limits import RequestError
from pix2pix_tf.extras.serve.rest import DEFAULT_SIGNATURE, Tensor
from pix2pix_tf.extras.serve.sources import Source

# Dict from the names of `saved_model.ServedModel`'s signatures to their (inputs, outputs), each
# a dict from names to (type, rank).
_IMAGES, _STRINGS = ("float32", 4), ("string", 1)
SIGNATURES = {
    DEFAULT_SIGNATURE: ({"images": _IMAGES}, {"outputs": _IMAGES}),
    "serve_image_bytes": ({"input": _STRINGS}, {"output": _STRINGS}),
    "serve_base64": (
        {"input": _STRINGS, "key": _STRINGS},
        {"output": _STRINGS, "key": _STRINGS},
    ),
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a model: `inputs` and `outputs` are dicts from names to `rest.Tensor`.

    `ranged` if the samples of files have units: the run has a range of values.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    call: Callable[..., dict[str, np.ndarray]]
    ranged: bool


@dataclasses.dataclass(frozen=True)
class Model:
    """A loaded model.

    Args:
        name: Its name in addresses.
        version: A number, as a string.
        signatures: Dict from names to `Signature`.
        about: What the page shows of it, for JSON; see `page.describe`.
        keep: Objects that own the variables.
    """

    name: str
    version: str
    signatures: dict[str, Signature]
    about: dict[str, Any]
    keep: object = dataclasses.field(repr=False)


def wrap(
    owner: Any,
    *,
    name: str,
    version: str,
    about: dict[str, Any],
    ranged: bool,
) -> Model:
    """Makes a `Model` of a `ServedModel` or of a loaded SavedModel.

    Args:
        owner: The object with `signatures`.
        name: See `Model`.
        version: See `Model`.
        about: See `Model`.
        ranged: As of `Signature`.

    Returns:
        `Model`.

    Raises:
        InputError: If a signature is missing, or is not that of a `ServedModel`.
    """
    signatures = {}
    for key, expected in SIGNATURES.items():
        signature = _signature(owner.signatures.get(key), ranged=ranged)
        if signature is None or _types(signature) != expected:
            raise InputError(
                "Expected a SavedModel that --mode export made, for inputs of 1, 3 or 4 channels. "
                f"Received: one without the signature {key} of such a model"
            )
        signatures[key] = signature
    return Model(name, version, signatures, about, owner)


def _types(signature: Signature) -> tuple[dict[str, tuple[str, int]], ...]:
    return tuple(
        {name: (tensor.dtype, len(tensor.shape)) for name, tensor in tensors.items()}
        for tensors in (signature.inputs, signature.outputs)
    )


def load_saved_model(source: Source, *, about: dict[str, Any], ranged: bool) -> Model:
    """Loads an export, which can execute anything: only for folders that a person named.

    Args:
        source: `sources.Source`.
        about: See `Model`.
        ranged: As of `Signature`.

    Returns:
        `Model`.

    Raises:
        InputError: If it cannot be loaded, or is not an export of this program.
    """
    try:
        loaded = tf.saved_model.load(str(source.path))
    except Exception as error:  # of every kind, after the file that is damaged
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"Expected a SavedModel. Received: {source.path} ({line})") from None
    try:
        return wrap(loaded, name=source.name, version=source.version, about=about, ranged=ranged)
    except InputError as error:
        raise InputError(f"{error} ({source.path})") from None


def _signature(function: Any, *, ranged: bool) -> Signature | None:
    """A signature, or None if there is none or its shapes are unknown."""
    if function is None:
        return None
    concrete = getattr(function, "get_concrete_function", lambda: function)()
    positional, named = concrete.structured_input_signature
    inputs = {spec.name: spec for spec in [*positional, *named.values()]}
    outputs = concrete.structured_outputs
    if any(spec.shape.rank is None for spec in [*inputs.values(), *outputs.values()]):
        return None
    return Signature(
        {name: _tensor(spec) for name, spec in inputs.items()},
        {name: _tensor(spec) for name, spec in outputs.items()},
        _caller(concrete),
        ranged,
    )


def _tensor(spec: tf.TensorSpec) -> Tensor:
    return Tensor(spec.dtype.name, tuple(spec.shape.as_list()))


def _caller(concrete: Any) -> Callable[..., dict[str, np.ndarray]]:
    def call(**arrays: np.ndarray) -> dict[str, np.ndarray]:
        try:
            outputs = concrete(**{name: tf.constant(array) for name, array in arrays.items()})
        except tf.errors.InvalidArgumentError:
            # What passed the checks and cannot be used is a damaged image.
            raise RequestError(400, "the image is damaged") from None
        except tf.errors.ResourceExhaustedError:
            raise MemoryError from None
        return {name: output.numpy() for name, output in outputs.items()}

    return call


def warm_up(model: Model) -> None:
    """Calls every signature, so that no first request waits for TensorFlow."""
    contents = tf.io.encode_png(np.zeros((256, 256, 3), np.uint8))
    channels = model.signatures[DEFAULT_SIGNATURE].inputs["images"].shape[-1] or 3
    arrays = {
        DEFAULT_SIGNATURE: {"images": np.zeros((1, 256, 256, channels), np.float32)},
        "serve_image_bytes": {"input": np.array([contents.numpy()], object)},
        "serve_base64": {
            "input": np.array([tf.io.encode_base64(contents).numpy()], object),
            "key": np.array([b""], object),
        },
    }
    for key, inputs in arrays.items():
        model.signatures[key].call(**inputs)
