"""Runs in Python: `load` and `save_run` of pix2pix-tf, and what other programs share of them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.model import Pix2Pix
from pix2pix_tf.task import ConfigT, ModelT, Pix2PixTask, Task
from pix2pix_tf.training import checkpoints
from pix2pix_tf.training.gan import GAN

# Settings that may differ between equal networks: how they compute, and how they began.
_IGNORED_KEYS = ("batched", "dtype", "init_gain", "init_type", "seed", "trainable")
# Differences that one error names.
_NAMED = 3


def load(run: str | os.PathLike[str], *, tile: int = 0) -> Predictor:
    """Loads the generator of a trained run.

    Args:
        run: Run folder, or one checkpoint file in it.
        tile: Side in pixels of the tiles in which larger images are translated; 0 for whole
            images.

    Returns:
        `Predictor`: translates image arrays, or files.

    Raises:
        InputError: If there is no run of pix2pix-tf at that place, or its files are damaged.
    """
    path = run_folder.as_run_path(run)
    config = Pix2PixConfig(mode="export", output_dir=Path(), checkpoint=path, tile=tile)
    return load_predictor(Pix2PixTask(), config)


def save_run(model: Pix2Pix, config: Pix2PixConfig, folder: str | os.PathLike[str]) -> None:
    """Writes a run folder of a model that was trained with `fit`.

    Test, export, serve, `load` and `--resume` accept it as a run of pix2pix-tf. Saving a later step
    to the same folder adds a checkpoint.

    Args:
        model: A built and compiled `Pix2Pix`.
        config: `Pix2PixConfig` that describes the model; its options of training and of data are
            those that resuming goes by.
        folder: Run folder.

    Raises:
        InputError: If `config` describes another model, the model is not built and compiled, or
            the folder contains a later step.
    """
    save_task_run(Pix2PixTask(), model, config, folder)


def load_predictor(task: Task[ConfigT, ModelT], config: ConfigT) -> Predictor:
    """Loads the generator of the run in `config.checkpoint`, for the first of its directions."""
    config, checkpoint = runs.use_run(config, {"direction"}, program=task.name)
    return task.load_predictors(config, checkpoint)[config.directions[0]]


def save_task_run(
    task: Task[ConfigT, ModelT],
    model: ModelT,
    config: ConfigT,
    folder: str | os.PathLike[str],
) -> None:
    """As `save_run`, of any program."""
    _check_model(model, task.describe_model(config), channels=config.channels[0])
    folder, step = run_folder.as_path(folder), int(model.step)
    saved = run_folder.checkpoints(folder)
    if saved and (run_folder.checkpoint_step(saved[-1]) or 0) > step:
        raise InputError(
            f"{folder} contains a run at step {run_folder.checkpoint_step(saved[-1])}, and the "
            f"model is at step {step}: save it to another folder"
        )
    stored = runs.run_options(config, program=task.name)
    stored |= {"mode": "train", "output_dir": str(folder), "seed": model.seed}
    with run_folder.locked(folder):
        run_folder.write_json(folder / run_folder.OPTIONS, stored)
        checkpoints.save(folder, step, model.state, keep=config.keep_checkpoints)


def _check_model(model: GAN, described: GAN, *, channels: int) -> None:
    """Raises an error for a model that is not built, or not the one that a config describes."""
    if not isinstance(model, type(described)):
        raise InputError(
            f"Expected a {type(described).__name__}, which config describes. Received: a "
            f"{type(model).__name__}"
        )
    if not model.built or model.gen_optimizer is None:
        raise InputError("the model has no weights or optimizers yet: compile it and fit it first")
    actual, expected = _flatten(model.get_config()), _flatten(described.get_config())
    lines = [
        f"{key} is {actual.get(key)}, in config {expected.get(key)}"
        for key in sorted({*actual, *expected})
        if actual.get(key) != expected.get(key)
    ]
    if (received := model.generators[0].input_channels) != channels:
        lines.append(f"the inputs have {received} channels, in config {channels}")
    if lines:
        more = " ..." if len(lines) > _NAMED else ""
        raise InputError(f"config describes another model: {'; '.join(lines[:_NAMED])}{more}")


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings of a model and of its networks, by names such as generator.ngf."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and "class_name" in value:
            flat[f"{prefix}{key}"] = value["class_name"]
            flat |= _flatten(value["config"], f"{prefix}{key}.")
        elif key not in _IGNORED_KEYS and f"{prefix}{key}" != "name":
            flat[f"{prefix}{key}"] = value
    return flat
