"""Checkpoints and .pict files of affinelayer/pix2pix-tensorflow."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf import optional, run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.porting import tf1_names
from pix2pix_tf.extras.porting.imported import Imported, add_direction, channel_options

PROGRAM = "pix2pix-tf"
# Of the reference's options: what a resumed training takes. The variables show the rest, or it
# counts from another beginning, as --max_steps does.
_TRAINING = (
    "batch_size", "beta1", "display_freq", "flip", "gan_weight", "input_dir", "l1_weight", "lr",
    "progress_freq", "save_freq", "scale_size", "seed", "summary_freq", "trace_freq",
)  # fmt: skip


def find_checkpoint(source: Path) -> Path | None:
    """Finds a TensorFlow 1 checkpoint.

    Args:
        source: `Path` of a folder, of one of a checkpoint's files or their common prefix.

    Returns:
        The common prefix of the checkpoint's files as `Path`, or None. In a folder it is the one
        that the file `checkpoint` calls the latest, or that of the highest step.
    """
    if not source.is_dir():
        prefix = re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", str(source))
        return Path(prefix) if Path(f"{prefix}.index").is_file() else None
    prefixes = {path.stem: path.with_suffix("") for path in source.glob("*.index")}
    if (source / "checkpoint").is_file():
        text = (source / "checkpoint").read_text(encoding="utf-8", errors="replace")
        latest = re.search(r'^model_checkpoint_path: "(?:.*[/\\])?([^/\\"]+)"', text, re.MULTILINE)
        if latest and latest[1] in prefixes:
            return prefixes[latest[1]]
    return max(prefixes.values(), key=_step, default=None)


def _step(path: Path) -> tuple[int, str]:
    step = re.search(r"-(\d+)$", path.name)
    return (int(step[1]) if step else -1, path.name)


def read_checkpoint(prefix: Path, *, direction: str | None = None) -> Imported:
    """Reads a checkpoint with Adam's state, smoothed losses and step.

    Args:
        prefix: Common prefix of the checkpoint's files.
        direction: "AtoB" or "BtoA", or None for what options.json beside them says.

    Returns:
        `Imported`.

    Raises:
        InputError: If it is damaged or of another program.
    """
    stored = _stored_options(prefix.parent / run_folder.OPTIONS)
    direction = direction or stored.get("which_direction")
    arrays, step = {}, 0
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = reader.get_variable_to_shape_map()
        for name in names:
            if our_name := tf1_names.to_our_name(name):
                arrays[our_name] = reader.get_tensor(name)
        if "global_step" in names:
            step = int(reader.get_tensor("global_step"))
    except (tf.errors.OpError, LookupError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"the TensorFlow checkpoint {prefix} is damaged ({why})") from None
    old = any(tf1_names.to_current_name(name) != name for name in names)
    imported = _imported(arrays, prefix, old=old, direction=direction)
    if not any(name.startswith("gen_adam/") for name in arrays):
        # Without Adam's moments a late step's bias correction would make the first updates large.
        return imported
    counts = {f"{adam}/iteration": np.array(step) for adam in ("gen_adam", "disc_adam")}
    # test and export write their own options over those of training.
    trained = stored if stored.get("mode") == "train" else {}
    return dataclasses.replace(
        imported,
        arrays={**imported.arrays, **counts},
        training={name: trained[name] for name in _TRAINING if name in trained},
        step=step,
    )


def _stored_options(path: Path) -> dict[str, Any]:
    stored = run_folder.read_json(path) if path.is_file() else {}
    return {} if stored.get("which_direction") not in ("AtoB", "BtoA") else stored


def read_pict(path: Path, *, direction: str | None = None) -> Imported:
    """Reads a generator from a .pict file.

    Args:
        path: The file.
        direction: "AtoB" or "BtoA", or None for what the file's name or the export's options
            beside it name.

    Returns:
        `Imported`.

    Raises:
        InputError: If it is damaged.
    """
    read_file = optional.load("pict", "pict_file:read_pict", needed_by="a .pict file")
    stored = read_file(path)
    named = re.search(r"AtoB|BtoA", path.name)
    arrays = {tf1_names.to_current_name(name): array for name, array in stored.items()}
    exported = _stored_options(path.with_name(f"export_{run_folder.OPTIONS}"))
    direction = direction or (named[0] if named else exported.get("which_direction"))
    return _imported(arrays, path, old=set(arrays) != set(stored), direction=direction)


def _imported(
    arrays: dict[str, np.ndarray], source: Path, *, old: bool, direction: str | None
) -> Imported:
    arrays = tf1_names.add_missing_biases(arrays, old=old)
    options, notes = add_direction(_architecture(arrays, source), direction)
    return Imported(PROGRAM, options, arrays, notes=notes)


def _architecture(arrays: dict[str, np.ndarray], source: Path) -> dict[str, Any]:
    """The options of the networks, from the shapes of their weights."""

    def size(name: str, axis: int) -> int:
        if name not in arrays or arrays[name].ndim != 4:
            raise InputError(f"{source} has no {name}, which weights of pix2pix.py have")
        return arrays[name].shape[axis]

    separable = "generator/encoder_1/separable_conv2d/depthwise_kernel" in arrays
    if separable:
        encoder, decoder = (f"generator/{end}coder_1/separable_conv2d" for end in ("en", "de"))
        inputs = size(f"{encoder}/depthwise_kernel", 2)
        ngf, outputs = (size(f"{part}/pointwise_kernel", 3) for part in (encoder, decoder))
    else:
        inputs, ngf = (size("generator/encoder_1/conv2d/kernel", axis) for axis in (2, 3))
        outputs = size("generator/decoder_1/conv2d_transpose/kernel", 2)
    options = {
        "ngf": ngf,
        "separable_conv": separable,
        "bottleneck_norm": "generator/encoder_8/batch_normalization/gamma" in arrays,
        **channel_options(inputs, outputs),
    }
    if "discriminator/layer_1/conv2d/kernel" in arrays:
        options["ndf"] = size("discriminator/layer_1/conv2d/kernel", 3)
    return options
