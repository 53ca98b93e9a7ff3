"""The name of every file in a run folder, and the one way files are written: whole or not at all.

options.json       what made the run
checkpoints/       step-00005000.safetensors, the newest --keep_checkpoints; best.safetensors
log.csv            one row per --progress_freq steps
val.csv            one row per --val_freq steps
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
import shutil
import tempfile
from pathlib import Path

from pix2pix_tf.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

OPTIONS = "options.json"
CHECKPOINTS = "checkpoints"
BEST = "best.safetensors"
LOG = "log.csv"
CACHE = "cache"
VALIDATION = "val.csv"
TENSORBOARD = "tensorboard"
IMAGES = "images"
INDEX = "index.html"
METRICS = "metrics.json"

_PARTIAL = ".partial-"
# options.json holds some fifty short lines; what is larger than this is something else.
_JSON_SIZE = 1_000_000

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


def best_path(folder):
    """Path of the checkpoint that did best in validation."""
    return Path(folder) / CHECKPOINTS / BEST


def locate(path):
    """Finds the run folder and the checkpoints that `--checkpoint` may mean.

    Args:
        path: A run folder, or one checkpoint file in it.

    Returns:
        (run folder, checkpoint files): a `Path` and a list of them, the newest first.

    Raises:
        InputError: If there is no run at that place.
    """
    path = Path(path)
    if path.is_file() and (checkpoint_step(path) is not None or path.name == BEST):
        folder, found = path.resolve().parent.parent, [path]
    else:
        folder, found = path, checkpoints(path)[::-1]
    if not found or not (folder / OPTIONS).is_file():
        raise InputError(
            f"Expected --checkpoint to name the output folder of a training run "
            f"({OPTIONS} and {CHECKPOINTS}/). Received: {path}"
        )
    return folder, found


@contextlib.contextmanager
def locked(folder):
    """Creates `folder` and keeps it for this process; removes what a killed one left half-made.

    The lock is the system's: it ends with the process, however that ends.

    Raises:
        InputError: If the folder cannot be written, or another process holds it.
    """
    prepare_folder(folder)
    handle = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl:
            _lock(handle, folder)
        for place in (Path(folder), Path(folder, CHECKPOINTS), Path(folder, IMAGES)):
            for partial in place.glob(_PARTIAL + "*"):
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
        yield
    finally:
        if fcntl:
            os.close(handle)


def _lock(handle, folder):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"Expected --output_dir to be free. Received: {folder}, where another process trains "
            "or exports"
        ) from None
    except OSError:
        pass  # a file system without locks


@contextlib.contextmanager
def atomic(path, *, durable=True):
    """Gives a temporary path beside `path`; renames it to `path` if the block succeeds.

    A reader sees the old file or the new one, never a part.

    Args:
        path: The file to write.
        durable: Whether that also holds when the power fails: the bytes are on the disk (fsync)
            before the name is, and the name when the block ends.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if durable:
            sync(temporary)
        os.replace(temporary, path)
        if durable and os.name == "posix":
            sync(path.parent)
    except OSError as error:
        # A full disk shows in a write, which knows no name.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync(path):
    """Waits until a file, or the list of names in a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        with open(path, encoding="utf-8") as file:
            text = file.read(_JSON_SIZE + 1)
        if len(text) > _JSON_SIZE:
            raise ValueError(f"more than {_JSON_SIZE} characters")
        value = json.loads(text)
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
