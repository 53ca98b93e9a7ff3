"""Checkpoints: the whole state of a run in one safetensors file.

The format holds arrays and names, nothing that could be executed, and is read by TensorFlow,
PyTorch and numpy programs alike. A file appears whole or not at all.
"""

import numpy as np
import safetensors
import safetensors.numpy

from pix2pix_tf import runs
from pix2pix_tf.errors import InputError

# In the names of what only a run in float16 has: any precision goes on from any checkpoint.
LOSS_SCALE = "loss_scale"


def named(variables):
    """Dict from the path of each variable to the variable.

    Raises:
        ValueError: If two variables share a path.
    """
    found = {variable.path: variable for variable in variables}
    if len(found) != len(variables):
        raise ValueError("Expected variables with different paths")
    return found


def save(folder, step, state, *, keep):
    """Writes the checkpoint of `step` and removes the oldest beyond `keep`.

    Args:
        folder: Run folder.
        step: Number of updates made, an int.
        state: Dict from names to variables.
        keep: How many checkpoints stay.

    Returns:
        Path of the file.

    Raises:
        OSError: If it cannot be written; earlier checkpoints are untouched.
    """
    path = runs.checkpoint_path(folder, step)
    arrays = {name: np.atleast_1d(variable.numpy()) for name, variable in state.items()}
    with runs.atomic(path) as temporary:
        # Serialised in memory: writing the bytes ourselves turns a full disk into an OSError.
        temporary.write_bytes(safetensors.numpy.save(arrays, metadata={"step": str(step)}))
    for old in runs.checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def restore(path, state):
    """Assigns a checkpoint's values to variables.

    Args:
        path: Checkpoint file.
        state: Dict from names to variables; it may be a part of what the file holds.

    Raises:
        InputError: If the file is damaged, or lacks a variable other than a loss scale, or holds
            it in another shape.
    """
    try:
        with safetensors.safe_open(path, "numpy") as file:
            held = set(file.keys())
            for name, variable in state.items():
                if name not in held:
                    if LOSS_SCALE in name:
                        continue
                    raise InputError(f"Expected {name} in {path}. Received: a file without it")
                _assign(variable, file.get_tensor(name), name=name, path=path)
    except safetensors.SafetensorError as error:
        raise InputError(
            f"Expected a whole checkpoint. Received: {path}, damaged ({error})"
        ) from None


def _assign(variable, value, *, name, path):
    shape = tuple(variable.shape)
    if value.size != int(np.prod(shape)) or (shape and value.shape != shape):
        raise InputError(f"Expected {name} of shape {shape} in {path}. Received: {value.shape}")
    variable.assign(value.reshape(shape))
