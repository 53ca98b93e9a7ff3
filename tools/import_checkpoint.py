"""Makes a run folder of weights that another program trained.

Usage: python tools/import_checkpoint.py --source DIR_OR_FILE --output_dir RUN [flags]

The source is one of
- a TensorFlow 1 checkpoint of affinelayer/pix2pix-tensorflow (its folder, or model-N.index), with
  Adam's state, so that training can be resumed;
- state dicts of junyanz/pytorch-CycleGAN-and-pix2pix (their folder, or latest_net_G.pth and the
  like; other networks of the same epoch beside it are imported as well);
- a .pict file of the reference's browser demo: its generator alone.

The architecture is inferred from the weights. RUN is then a run like any other: test it, export
it, or resume it with --mode train --checkpoint RUN. Nothing in a source is executed.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _cli
import numpy as np
from absl import flags

import cyclegan_tf
import pix2pix_tf
from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.porting.imported import Imported
from pix2pix_tf.training import runtime

FLAGS = flags.FlagValues()
flags.DEFINE_string("source", None, "what to import", flag_values=FLAGS)
flags.DEFINE_string("output_dir", None, "the run folder to make", flag_values=FLAGS)
flags.DEFINE_enum(
    "program",
    None,
    ["pix2pix-tf", "cyclegan-tf"],
    "which program the run is for; needed only for a generator without a discriminator",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "direction",
    None,
    ["AtoB", "BtoA"],
    "direction that the generator was trained in; needed only if the source does not name it",
    flag_values=FLAGS,
)


def configured(imported: Imported, folder: str) -> Any:
    """The configuration of the imported run; training options that we lack are left out."""
    is_paired = imported.program == "pix2pix-tf"
    config_class: Any = Pix2PixConfig if is_paired else CycleGANConfig
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    if unknown := set(imported.options) - set(fields):
        values = ", ".join(f"{name} {imported.options[name]}" for name in sorted(unknown))
        raise InputError(f"Expected networks of {imported.program}. Received: {values}")
    # The mode that asks for the least.
    place = {"mode": "export", "checkpoint": str(folder), "output_dir": str(folder)}
    config = config_class(**place, **imported.options)
    training = {
        name: value
        for name, value in imported.training.items()
        if name not in imported.options and name in fields and of_type(value, fields[name].type)
    }
    config = adopted(config, training)
    seed = runtime.draw_seed() if config.seed is None else config.seed
    return dataclasses.replace(config, seed=seed)


def adopted(config: Any, training: Mapping[str, Any]) -> Any:
    """Takes the options that are possible; together, as one may need another, or else each."""
    try:
        return dataclasses.replace(config, **training)
    except InputError as error:
        if len(training) == 1:
            print(f"left out: how the source was trained: {error}")
            return config
    for name, value in training.items():
        config = adopted(config, {name: value})
    return config


def of_type(value: object, kind: Any) -> bool:
    """Whether a value read from a file has the type of an option, `int` or `int | None`."""
    kinds = typing.get_args(kind) or (kind,)
    return type(value) in kinds or (type(value) is int and float in kinds)


def built(config: Any, program: str) -> dict[str, Any]:
    """The state of a model of `config`: dict from names to variables."""
    if program == "pix2pix-tf":
        return pix2pix_tf.build(config).state
    return cyclegan_tf.build(config, steps_per_epoch=1).state


def assign(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Assigns what was imported; returns the names of the state that it lacks.

    Raises:
        InputError: If a part of the networks is missing, has another shape or is left over.
    """
    for name, array in arrays.items():
        if name not in state:
            raise InputError(f"Expected weights of the inferred networks. Received: {name} besides")
        if tuple(state[name].shape) != array.shape:
            raise InputError(
                f"Expected {name} of shape {tuple(state[name].shape)}. Received: {array.shape}"
            )
        state[name].assign(array)
    return [name for name in state if name not in arrays]


def check_whole(missing: list[str], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Raises an error for an incomplete network; returns the names of absent networks."""
    networks = {name.partition("/")[0] for name in arrays}
    for name in missing:
        if name.partition("/")[0] in networks:
            raise InputError(f"the source has no {name}, which the network needs")
    return sorted({name.partition("/")[0] for name in missing})


def main() -> None:
    """Imports what the flags name."""
    folder = FLAGS.output_dir
    if run_folder.checkpoints(folder):
        raise InputError(f"--output_dir {folder} already contains a run; choose another")
    runtime.load_tensorflow()
    from pix2pix_tf.extras.porting import reader
    from pix2pix_tf.training import checkpoints

    imported = reader.read(FLAGS.source, program=FLAGS.program, direction=FLAGS.direction)
    config = configured(imported, folder)
    state = built(config, imported.program)
    fresh = check_whole(assign(state, imported.arrays), imported.arrays)
    run_folder.prepare_folder(folder)
    options = runs.run_options(config, program=imported.program)
    options |= {"mode": "train", "checkpoint": None}
    run_folder.write_json(Path(folder) / run_folder.OPTIONS, options)
    path = checkpoints.save(folder, imported.step, state, keep=1)
    for name, value in sorted(imported.options.items()):
        print(name, "=", value)
    if fresh:
        print("not in the source, starts afresh:", ", ".join(fresh))
    for note in imported.notes:
        print("note:", note)
    print(f"imported as a run of {imported.program}: {path}")


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["source", "output_dir"])
