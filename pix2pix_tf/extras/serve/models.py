"""Models as the server sees them: named signatures, functions from arrays to arrays."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.serve.limits import RequestError
from pix2pix_tf.extras.serve.rest import Tensor
from pix2pix_tf.extras.serve.sources import Source

# Those of `saved_model.ServedModel`.
SIGNATURES = ("serving_default", "serve_image_bytes", "serve_base64")


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
    """
    signatures = {key: _signature(owner.signatures[key], ranged=ranged) for key in SIGNATURES}
    return Model(name, version, signatures, about, owner)


def load_saved_model(source: Source, *, about: dict[str, Any], ranged: bool) -> Model:
    """Loads an export. Only for folders that the person who starts the server names.

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
    missing = sorted(set(SIGNATURES) - set(loaded.signatures))
    if missing:
        raise InputError(
            "Expected a SavedModel that --mode export made, for inputs of 1, 3 or 4 channels. "
            f"Received: {source.path}, without the signature {missing[0]}"
        )
    return wrap(loaded, name=source.name, version=source.version, about=about, ranged=ranged)


def _signature(function: Any, *, ranged: bool) -> Signature:
    concrete = getattr(function, "get_concrete_function", lambda: function)()
    positional, named = concrete.structured_input_signature
    inputs = {spec.name: spec for spec in [*positional, *named.values()]}
    return Signature(
        {name: _tensor(spec) for name, spec in inputs.items()},
        {name: _tensor(spec) for name, spec in concrete.structured_outputs.items()},
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
            raise RequestError(503, "out of memory: send a smaller image") from None
        return {name: output.numpy() for name, output in outputs.items()}

    return call


def warm_up(model: Model) -> None:
    """Translates one image, so that the first request does not wait for TensorFlow."""
    contents = tf.io.encode_png(np.zeros((256, 256, 3), np.uint8)).numpy()
    model.signatures["serve_image_bytes"].call(input=np.array([contents], object))
