"""Checkpoints: the whole state of a run in one safetensors file.

The format contains arrays and names, nothing that could be executed, and is read by TensorFlow,
PyTorch and numpy programs alike. A file appears whole or not at all.
"""

import contextlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

# Beginning of the names of moving averages.
AVERAGED = "ema/"
# Names and variables, of Keras or of TensorFlow.
State = dict[str, Any]
# In the names of what only a run in float16 has: any precision resumes from any checkpoint.
LOSS_SCALE = "loss_scale"
_ABOUT, _SUMS = "pix2pix_tf", "crc32"
# NumPy has no type for some of the format's: an AttributeError or a TypeError.
_DAMAGE = (safetensors.SafetensorError, AttributeError, TypeError)


def named(variables: Sequence[Any]) -> State:
    """Dict from the path of each variable to the variable.

    Raises:
        ValueError: If two variables share a path.
    """
    by_path = {variable.path: variable for variable in variables}
    if len(by_path) != len(variables):
        raise ValueError("Expected variables with different paths")
    return by_path


def save(folder: Path, step: int, state: State, *, keep: int, keep_every: int = 0) -> Path:
    """Writes the checkpoint of `step` and removes the oldest beyond `keep`.

    Args:
        folder: Run folder.
        step: Number of updates made, an int.
        state: Dict from names to variables.
        keep: How many checkpoints stay.
        keep_every: Checkpoints of the multiples of this step stay as well; 0 for none.

    Returns:
        Path of the file.

    Raises:
        OSError: If it cannot be written; earlier checkpoints are untouched.
    """
    path = run_folder.checkpoint_path(folder, step)
    write(path, step, state)
    passing = [
        old
        for old in run_folder.checkpoints(folder)
        if not keep_every or (run_folder.checkpoint_step(old) or 0) % keep_every
    ]
    for old in passing[:-keep]:
        old.unlink()
    return path


def write(
    path: Path,
    step: int,
    state: State,
    *,
    notes: Mapping[str, float] | None = None,
) -> None:
    """Writes one checkpoint file, whole or not at all, with a checksum of each array.

    Args:
        path: The file.
        step: Number of updates made, an int.
        state: Dict from names to variables.
        notes: Dict from names to numbers that the file carries as well, or None.
    """
    arrays = {name: np.atleast_1d(variable.numpy()) for name, variable in state.items()}
    sums = {name: _checksum(array) for name, array in arrays.items()}
    # Under one name: the format keeps several in an order of its own choice.
    about = json.dumps({"step": step, **(notes or {}), _SUMS: sums})
    with run_folder.atomic(path) as temporary:
        # Serialised in memory: writing the bytes ourselves turns a full disk into an OSError.
        temporary.write_bytes(safetensors.numpy.save(arrays, metadata={_ABOUT: about}))


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8))


def notes(path: Path) -> dict[str, Any]:
    """What a checkpoint file carries besides arrays, a dict; empty if another program wrote it.

    Raises:
        InputError: If the file is damaged.
    """
    with _opened(path) as file:
        return _notes(file)


def _notes(file: Any) -> dict[str, Any]:
    try:
        notes = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
        return {**notes}
    except (ValueError, RecursionError) as error:
        raise TypeError(f"its notes cannot be read: {error}") from None


def names(path: Path) -> set[str]:
    """The names of the arrays in a checkpoint file, a set.

    Raises:
        InputError: If the file is damaged.
    """
    with _opened(path) as file:
        return set(file.keys())


def step_of(path: Path) -> int:
    """Number of updates behind a checkpoint file.

    Raises:
        InputError: If neither its name nor the file says so.
    """
    if (step := run_folder.checkpoint_step(path)) is not None:
        return step
    step = notes(path).get("step")
    if type(step) is not int or not 0 <= step < 2**53:
        raise InputError(f"Expected a step number in {path}. Received: {str(step)[:40]}")
    return step


def fault(path: Path) -> str | None:
    """The damage in a checkpoint file, or None; reads all of it.

    Files without checksums, as other programs write them, are only opened.
    """
    try:
        with run_folder.fetched(path) as local, safetensors.safe_open(local, "numpy") as file:
            sums = {**_notes(file).get(_SUMS, {})}
            for name, expected in sums.items():
                if _checksum(file.get_tensor(name)) != expected:
                    return f"the checksum of {name} differs"
    except _DAMAGE as error:
        return str(error)
    return None


def restore(path: Path, state: State) -> None:
    """Assigns a checkpoint's values to variables.

    Args:
        path: Checkpoint file.
        state: Dict from names to variables; it may be a part of the contents of the file.

    Raises:
        InputError: If the file is damaged, or lacks a variable other than a loss scale, or holds
            it in another shape or with values that are not finite.
    """
    with _opened(path) as file:
        names_in_file = set(file.keys())
        for name, variable in state.items():
            if name in names_in_file:
                _assign(variable, file.get_tensor(name), name=name, path=path)
            elif LOSS_SCALE not in name:
                raise InputError(f"{path} has no variable {name}")


def averaged_name(path: str) -> str:
    """The name in a checkpoint of the moving average of the variable whose path is `path`."""
    return AVERAGED + path


def has_averages(path: Path) -> bool:
    """Whether a checkpoint file contains moving averages of weights."""
    return any(name.startswith(AVERAGED) for name in names(path))


def restore_weights(path: Path, variables: Sequence[Any], *, averaged: bool) -> None:
    """Assigns a checkpoint's weights to the variables of a network.

    Args:
        path: Checkpoint file.
        variables: The network's variables.
        averaged: Whether to take the moving averages of the weights if the file contains them.

    Raises:
        InputError: As `restore`.
    """
    state = named(variables)
    averages = {averaged_name(name): variable for name, variable in state.items()}
    restore(path, averages if averaged and averages.keys() <= names(path) else state)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a checkpoint file; whatever is wrong with it becomes one line."""
    try:
        with run_folder.fetched(path) as local, safetensors.safe_open(local, "numpy") as file:
            yield file
    except _DAMAGE as error:
        raise InputError(f"the checkpoint {path} is damaged ({error})") from None


def _assign(variable: Any, value: np.ndarray, *, name: str, path: Path) -> None:
    if not np.isfinite(value).all():
        raise InputError(f"{name} in {path} has values that are not finite")
    shape = tuple(variable.shape)
    if value.size != int(np.prod(shape)) or (shape and value.shape != shape):
        raise InputError(f"Expected {name} of shape {shape} in {path}. Received: {value.shape}")
    # Keras names its types, TensorFlow has objects for them.
    wanted = np.dtype(getattr(variable.dtype, "as_numpy_dtype", variable.dtype))
    if not np.can_cast(value.dtype, wanted, "same_kind"):
        raise InputError(f"Expected {name} of type {wanted} in {path}. Received: {value.dtype}")
    variable.assign(value.reshape(shape).astype(wanted))
