"""Weights of other programs, in terms of ours."""

import dataclasses
from pathlib import Path

from pix2pix_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Imported:
    """What a source holds.

    Args:
        program: The program of ours that its networks belong to.
        options: The options of that program that the networks need.
        arrays: Dict from the names in a checkpoint of that program to arrays.
        training: Options that the source was trained with, where it tells.
        step: Number of updates that a training that goes on counts from.
        notes: What had to be assumed, as sentences for a person.
    """

    program: str
    options: dict
    arrays: dict
    training: dict = dataclasses.field(default_factory=dict)
    step: int = 0
    notes: tuple = ()


def channel_options(inputs, outputs):
    """pix2pix-tf's options for so many channels: of colour, of Lab, or of anything else."""
    if {inputs, outputs} == {1, 2}:
        direction = "AtoB" if inputs == 1 else "BtoA"
        return {"lab_colorization": True, "which_direction": direction}
    if (inputs, outputs) == (3, 3):
        return {}
    return {"input_channels": inputs, "output_channels": outputs}


def with_direction(options, told):
    """Adds pix2pix-tf's direction to options that lack it; returns (options, notes).

    Args:
        options: Dict of options.
        told: "AtoB", "BtoA" or None for unknown.
    """
    if "which_direction" in options:
        return options, ()
    notes = () if told else ("the source does not tell its direction: AtoB, or --direction BtoA",)
    return {**options, "which_direction": told or "AtoB"}, notes


def read(source, *, program=None, direction=None):
    """Reads weights of another program; which one is seen from the files.

    Args:
        source: A folder, or one file in it: a TensorFlow 1 checkpoint of
            affinelayer/pix2pix-tensorflow, a .pict file of its browser demo, or state dicts (.pth)
            of junyanz/pytorch-CycleGAN-and-pix2pix.
        program: "pix2pix-tf" or "cyclegan-tf" where the source does not tell, or None.
        direction: "AtoB" or "BtoA" where the source does not tell, or None.

    Returns:
        `Imported`.

    Raises:
        InputError: If there is no such source, or it is damaged, or its networks are others.
    """
    # Each reader loads what it needs and no more.
    from pix2pix_tf.porting import tf1, torch

    source = Path(source)
    if source.suffix == ".pict":
        return tf1.read_pict(_existing(source), direction=direction)
    if files := torch.find(source):
        return torch.read(files, program=program, direction=direction)
    if prefix := tf1.find(source):
        return tf1.read(prefix, direction=direction)
    raise InputError(
        "Expected a TensorFlow 1 checkpoint (NAME.index), PyTorch state dicts (NAME_net_G.pth) or "
        f"a .pict file. Received: {_existing(source)}, which holds none"
    )


def _existing(source):
    if not source.exists():
        raise InputError(f"Expected a file or folder to import. Received: {source}, which is none")
    return source
