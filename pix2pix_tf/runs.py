"""The name of every file in a run folder, and the one way files are written: whole or not at all.

options.json       what made the run
checkpoints/       step-00005000.safetensors, the newest --keep_checkpoints
log.csv            one row per --progress_freq steps
tensorboard/       event files and profiles
cache/             decoded images of --cache disk
images/            NAME-inputs.png, NAME-outputs.png, NAME-targets.png
index.html         the report
metrics.json       test: L1, PSNR, SSIM, mean and per image
"""

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path

from pix2pix_tf.errors import InputError

OPTIONS = "options.json"
CHECKPOINTS = "checkpoints"
LOG = "log.csv"
CACHE = "cache"
TENSORBOARD = "tensorboard"
IMAGES = "images"
INDEX = "index.html"
METRICS = "metrics.json"

_CHECKPOINT_NAME = re.compile(r"step-(\d{8,})\.safetensors$")


def checkpoint_path(folder, step):
    """Path of the checkpoint of `step` (an int) in run folder `folder`."""
    return Path(folder) / CHECKPOINTS / f"step-{step:08d}.safetensors"


def checkpoint_step(path):
    """The step that a checkpoint's file name carries, or None for another file."""
    found = _CHECKPOINT_NAME.search(str(path))
    return int(found[1]) if found else None


def checkpoints(folder):
    """All checkpoints of a run folder, oldest first."""
    found = Path(folder, CHECKPOINTS).glob("step-*.safetensors")
    return sorted((p for p in found if checkpoint_step(p) is not None), key=checkpoint_step)


def locate(path):
    """Finds the run folder and the checkpoint that `--checkpoint` means.

    Args:
        path: A run folder (its newest checkpoint is taken) or one checkpoint file in it.

    Returns:
        (run folder, checkpoint file), both `Path`.

    Raises:
        InputError: If there is no run at that place.
    """
    path = Path(path)
    if path.is_file() and checkpoint_step(path) is not None:
        folder, found = path.resolve().parent.parent, [path]
    else:
        folder, found = path, checkpoints(path)
    if not found or not (folder / OPTIONS).is_file():
        raise InputError(
            f"Expected --checkpoint to name the output folder of a training run "
            f"({OPTIONS} and {CHECKPOINTS}/). Received: {path}"
        )
    return folder, found[-1]


@contextlib.contextmanager
def atomic(path):
    """Gives a temporary path beside `path`; renames it to `path` if the block succeeds.

    A reader sees the old file or the new one, never a part: the bytes are on the disk (fsync)
    before the name is.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Writes `text` as UTF-8 to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Writes `value` as the reference writes options.json: sorted keys, four spaces."""
    write_text(path, json.dumps(value, sort_keys=True, indent=4) + "\n")


def read_json(path):
    """Reads a JSON object; damage is one clear line.

    Raises:
        InputError: If the file is not a JSON object.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"Expected JSON in {path}. Received text that is not: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"Expected a JSON object in {path}. Received: {type(value).__name__}")
    return value


def prepare_folder(folder):
    """Creates `folder` and proves that files can be written there.

    Raises:
        InputError: If it cannot be created or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"Expected --output_dir to be a folder that can be written. "
            f"Received: {folder} ({error.strerror})"
        ) from None
