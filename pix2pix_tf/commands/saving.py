"""Run folders of models that were trained from Python."""

import os
from collections.abc import Mapping
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints
from pix2pix_tf.training.gan import GAN

# What differs between networks of one architecture: how they compute, and how they began.
_FREE = ("batched", "dtype", "init_gain", "init_type", "seed", "trainable")
# Errors name so many differences.
_NAMED = 3


def save_run(
    model: GAN, config: Any, folder: str | os.PathLike[str], *, program: str, expected: GAN
) -> None:
    """Writes the run folder of a model, as the train command does.

    Args:
        model: A built and compiled model, with any number of updates made.
        config: Configuration that describes the model; its training options are what
            resuming the run goes by.
        folder: Run folder, new or of an earlier step of the same model.
        program: Name of the program's command.
        expected: The model that `config` describes; it need not be built.

    Raises:
        InputError: If `config` describes another model, the model is not built and compiled, or
            the folder contains a later step or cannot be written.
    """
    _check(model, expected, channels=config.channels[0])
    folder, step = run_folder.place(folder), int(model.step)
    saved = run_folder.checkpoints(folder)
    if saved and (run_folder.checkpoint_step(saved[-1]) or 0) > step:
        raise InputError(
            f"{folder} contains a run at step {run_folder.checkpoint_step(saved[-1])}, and the "
            f"model is at step {step}: save it to another folder"
        )
    options = runs.run_options(config, program=program)
    options |= {"mode": "train", "output_dir": str(folder), "seed": model.seed}
    with run_folder.locked(folder):
        run_folder.write_json(folder / run_folder.OPTIONS, options)
        checkpoints.save(folder, step, model.state, keep=config.keep_checkpoints)


def _check(model: GAN, expected: GAN, *, channels: int) -> None:
    if not isinstance(model, type(expected)):
        raise InputError(
            f"config describes a {type(expected).__name__}; got a {type(model).__name__}"
        )
    if not model.built or model.gen_optimizer is None:
        raise InputError("the model has no weights or optimizers yet: compile it and fit it first")
    actual, described = _flat(model.get_config()), _flat(expected.get_config())
    found = [key for key in sorted({*actual, *described}) if actual.get(key) != described.get(key)]
    lines = [f"{key} is {actual.get(key)}, in config {described.get(key)}" for key in found]
    if (received := model.generators[0].input_channels) != channels:
        lines.append(f"the inputs have {received} channels, in config {channels}")
    if lines:
        more = " ..." if len(lines) > _NAMED else ""
        raise InputError(f"config describes another model: {'; '.join(lines[:_NAMED])}{more}")


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings of a model and of its networks, by names such as generator.ngf."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and "class_name" in value:
            found[f"{prefix}{key}"] = value["class_name"]
            found |= _flat(value["config"], f"{prefix}{key}.")
        elif key not in _FREE and f"{prefix}{key}" != "name":
            found[f"{prefix}{key}"] = value
    return found
