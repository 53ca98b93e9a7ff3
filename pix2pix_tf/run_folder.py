"""The name of every file in a run folder, and the one way files are written: whole or not at all.

A folder may be an address such as gs://bucket/run; see `place`.

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
from pathlib import Path

from pix2pix_tf.errors import InputError
from pix2pix_tf.remote import RemotePath, is_remote

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


def place(path):
    """`path` as a `Path`, or as a `RemotePath` if it is an address such as gs://bucket/run."""
    if isinstance(path, RemotePath):
        return path
    return RemotePath(path) if is_remote(path) else Path(path)


def local(path, *, flag, mode):
    """`path` as a `Path`.

    Raises:
        InputError: If it is an address; naming the flag and the mode that cannot use one.
    """
    if is_remote(path):
        raise InputError(
            f"Expected {flag} to be on this machine with --mode {mode}. Received: {path}"
        )
    return Path(path)


@contextlib.contextmanager
def fetched(path):
    """Gives a file as one on this machine, a `Path`: itself, or a copy until the block ends."""
    path = place(path)
    if isinstance(path, Path):
        yield path
        return
    with path.fetched() as copy:
        yield copy


def checkpoint_path(folder, step):
    """Path of the checkpoint of `step` (an int) in run folder `folder`."""
    return place(folder) / CHECKPOINTS / f"step-{step:08d}.safetensors"


def checkpoint_step(path):
    """The step that a checkpoint's file name carries, or None for another file."""
    found = _CHECKPOINT_NAME.search(str(path))
    return int(found[1]) if found else None


def checkpoints(folder):
    """All checkpoints of a run folder, oldest first."""
    found = (place(folder) / CHECKPOINTS).glob("step-*.safetensors")
    return sorted((p for p in found if checkpoint_step(p) is not None), key=checkpoint_step)


def best_path(folder):
    """Path of the checkpoint that did best in validation."""
    return place(folder) / CHECKPOINTS / BEST


def locate(path):
    """Finds the run folder and the checkpoints that `--checkpoint` may mean.

    Args:
        path: A run folder, or one checkpoint file in it.

    Returns:
        (run folder, checkpoint files): a path and a list of them, the newest first.

    Raises:
        InputError: If there is no run at that place.
    """
    path = place(path)
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

    The lock is the system's: it ends with the process, however that ends. Addresses have none.

    Raises:
        InputError: If the folder cannot be written, or another process holds it.
    """
    prepare_folder(folder)
    folder = place(folder)
    lockable = fcntl and isinstance(folder, Path)
    handle = os.open(folder, os.O_RDONLY) if lockable else None
    try:
        if lockable:
            _lock(handle, folder)
        for inside in (folder, folder / CHECKPOINTS, folder / IMAGES):
            for partial in inside.glob(_PARTIAL + "*"):
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
        yield
    finally:
        if lockable:
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
    path = place(path)
    on_disk = isinstance(path, Path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if durable:
            sync(temporary)
        os.replace(temporary, path) if on_disk else temporary.replace(path)
        if durable and on_disk and os.name == "posix":
            sync(path.parent)
    except OSError as error:
        # A full disk shows in a write, which knows no name.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync(path):
    """Waits until a file, or the list of names in a folder, is on the disk.

    What is at an address got there when it was closed.
    """
    if is_remote(path):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def shorten(path, size):
    """Cuts a file after `size` bytes."""
    if isinstance(path, Path):
        os.truncate(path, size)
        return
    with path.open("rb") as file:
        contents = file.read(size)
    with atomic(path) as temporary:
        temporary.write_bytes(contents)


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
        with place(path).open("rb") as file:
            contents = file.read(_JSON_SIZE + 1)
        if len(contents) > _JSON_SIZE:
            raise ValueError(f"more than {_JSON_SIZE} bytes")
        value = json.loads(contents.decode("utf-8"))
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
        place(folder).mkdir(parents=True, exist_ok=True)
        probe = place(folder) / f"{_PARTIAL}{os.getpid()}-probe"
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"Expected --output_dir to be a folder that can be written. "
            f"Received: {folder} ({error.strerror})"
        ) from None
