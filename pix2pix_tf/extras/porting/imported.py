"""The result of an importer: weights of another program under this package's names."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Imported:
    """The contents of a source.

    Args:
        program: The program of ours that its networks belong to.
        options: The options of that program that the networks need.
        arrays: Dict from the names in a checkpoint of that program to arrays.
        training: Options that the source was trained with, as far as it names them.
        step: Number of updates that a resumed training counts from.
        notes: Assumptions that were made, as sentences.
    """

    program: str
    options: dict[str, Any]
    arrays: dict[str, np.ndarray]
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    step: int = 0
    notes: tuple[str, ...] = ()


def channel_options(inputs: int, outputs: int) -> dict[str, Any]:
    """pix2pix-tf's options for numbers of channels: of colour, of Lab, or of anything else."""
    if {inputs, outputs} == {1, 2}:
        direction = "AtoB" if inputs == 1 else "BtoA"
        return {"lab_colorization": True, "which_direction": direction}
    if (inputs, outputs) == (3, 3):
        return {}
    return {"input_channels": inputs, "output_channels": outputs}


def add_direction(
    options: dict[str, Any], direction: str | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Adds pix2pix-tf's direction to options that lack it; returns (options, notes).

    Args:
        options: Dict of options.
        direction: "AtoB", "BtoA" or None for unknown.
    """
    if "which_direction" in options:
        return options, ()
    note = "the direction is not in the source: assumed AtoB (--which_direction)"
    return {**options, "which_direction": direction or "AtoB"}, () if direction else (note,)
