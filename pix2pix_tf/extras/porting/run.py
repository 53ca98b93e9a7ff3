"""From imported weights to the options and the state of a run."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from pix2pix_tf import options
from pix2pix_tf.config import Config
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.extras.porting.imported import Imported

ConfigT = TypeVar("ConfigT", bound=Config)


def resolve_options(imported: Imported, config_class: type[ConfigT], folder: str) -> ConfigT:
    """Makes the options of an imported run.

    Args:
        imported: The contents of the source.
        config_class: The options of its program.
        folder: Folder of the run.

    Returns:
        A configuration. Options of training that the program lacks, or cannot have beside the
        others, are left out; the latter are printed.

    Raises:
        InputError: If the networks are not of that program.
    """
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    if unknown := set(imported.options) - set(fields):
        values = ", ".join(f"{name} {imported.options[name]}" for name in sorted(unknown))
        raise InputError(f"Expected networks of {imported.program}. Received: {values}")
    # The mode that requires the least.
    places = {"mode": "export", "checkpoint": folder, "output_dir": folder}
    training = {
        name: value
        for name, value in imported.training.items()
        if name not in imported.options and name in fields and options.has_type(fields[name], value)
    }
    return _add_options(config_class(**{**places, **imported.options}), training)


def _add_options(base: ConfigT, training: Mapping[str, Any]) -> ConfigT:
    """Adds options together, as one may need another, or else each that is possible."""
    try:
        return dataclasses.replace(base, **training)
    except InputError as error:
        if len(training) == 1:
            print_line(f"left out: how the source was trained: {error}")
            return base
    for name, value in training.items():
        base = _add_options(base, {name: value})
    return base


def assign_arrays(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Assigns imported arrays to the state of a model.

    Args:
        state: Dict from names to variables.
        arrays: Dict from names to arrays.

    Returns:
        Names of the networks, optimizers and averages that the source lacks.

    Raises:
        InputError: If a part of a network is missing, has another shape or is left over.
    """
    for name, array in arrays.items():
        if name not in state:
            raise InputError(f"Expected weights of the inferred networks. Received: {name} besides")
        if tuple(state[name].shape) != array.shape:
            raise InputError(
                f"Expected {name} of shape {tuple(state[name].shape)}. Received: {array.shape}"
            )
        state[name].assign(array)
    networks = {name.partition("/")[0] for name in arrays}
    missing = [name for name in state if name not in arrays]
    for name in missing:
        if name.partition("/")[0] in networks:
            raise InputError(f"the source has no {name}, which the network needs")
    return sorted({name.partition("/")[0] for name in missing})
