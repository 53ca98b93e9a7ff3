"""Names of the files in a run folder, and atomic writes.

A folder may be at an address such as gs://bucket/run; see `as_path`.

options.json       what made the run
data.json          the types of the files it was trained on, the palettes of label maps
checkpoints/       step-00005000.safetensors, the newest --keep_checkpoints; best.safetensors
log.csv            one row per --progress_freq steps
val.csv            one row per --val_freq steps
tensorboard/       event files and profiles
cache/             decoded images of --cache disk
images/            NAME-inputs.png, NAME-outputs.png, NAME-targets.png
index.html         the report
metrics.json       test: L1, PSNR, SSIM, mean and per image
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pix2pix_tf.errors import InputError, OptionError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

OPTIONS = "options.json"
DATA = "data.json"
CHECKPOINTS = "checkpoints"
BEST = "best.safetensors"
LOG = "log.csv"
CACHE = "cache"
VALIDATION = "val.csv"
TENSORBOARD = "tensorboard"
IMAGES = "images"
INDEX = "index.html"
METRICS = "metrics.json"

# A single letter would be a drive of Windows.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

# The run in the package: drawn facades.
PRETRAINED = "facades"
SHIPPED = Path(__file__).with_name("pretrained") / PRETRAINED

_PARTIAL = ".partial-"
# options.json contains some fifty short lines; what is larger than this is something else.
MAX_TEXT_BYTES = 1_000_000

_CHECKPOINT_NAME = re.compile(r"step-(\d{8,})\.safetensors$")


def is_remote(path: object) -> bool:
    """Whether `path` is an address such as gs://bucket/run."""
    return _ADDRESS.match(str(path)) is not None


def as_path(path: str | os.PathLike[str]) -> Path:
    """`path` as a `Path`, or as an `epath.Path` if it is an address such as gs://bucket/run.

    Only options and public functions call this: below them, paths are of this type. TensorFlow is
    loaded when a file at an address is first used.

    Raises:
        InputError: If nothing here can open files at such an address.
    """
    if not is_remote(path):
        return Path(path)
    from etils import epath

    if isinstance(path, epath.Path):
        return cast(Path, path)  # it has the same methods
    scheme = str(path).partition("://")[0]
    try:
        _check_scheme(scheme)
        return cast(Path, epath.Path(str(path)))
    except KeyError:
        raise InputError(
            "Expected an address such as gs://bucket/folder, or with the package tensorflow-io "
            f"s3:// or az://. Received: {scheme}://..."
        ) from None


def as_run_path(run: str | os.PathLike[str]) -> Path:
    """`as_path`, where "facades" is the run in the package unless a run here has that name."""
    if run == PRETRAINED and not Path(PRETRAINED, OPTIONS).is_file():
        return SHIPPED
    return as_path(run)


@functools.cache
def _check_scheme(scheme: str) -> None:
    """Raises KeyError if TensorFlow has no file system for a scheme."""
    if scheme == "gs":
        return
    import tensorflow as tf

    if scheme not in tf.io.gfile.get_registered_schemes():
        with contextlib.suppress(ImportError):
            import tensorflow_io  # noqa: F401  # registers s3 and az
    if scheme not in tf.io.gfile.get_registered_schemes():
        raise KeyError(scheme)


def local(output_dir: Path, *, mode: str) -> Path:
    """Returns `output_dir` unless it is an address.

    Raises:
        InputError: If it is one; names the mode that cannot use it.
    """
    if is_remote(output_dir):
        raise OptionError(
            f"Expected {{output_dir}} to be on this machine with {{mode}} {mode}. Received: {{}}",
            output_dir,
        )
    return output_dir


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths are the same folder; addresses are compared as text."""
    if is_remote(one) or is_remote(other):
        return one == other
    return one.resolve() == other.resolve()


@contextlib.contextmanager
def fetched(path: Path) -> Iterator[Path]:
    """A local copy of a file for the duration of the block, or the file itself if it is local."""
    import tempfile

    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


def checkpoint_path(folder: Path, step: int) -> Path:
    """Path of the checkpoint of `step` in run folder `folder`."""
    return folder / CHECKPOINTS / f"step-{step:08d}.safetensors"


def checkpoint_step(path: Path) -> int | None:
    """The step that a checkpoint's file name carries, or None for another file."""
    match = _CHECKPOINT_NAME.search(str(path))
    return int(match[1]) if match else None


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints of a run folder, oldest first."""
    files = (folder / CHECKPOINTS).glob("step-*.safetensors")
    steps = {path: step for path in files if (step := checkpoint_step(path)) is not None}
    return sorted(steps, key=steps.__getitem__)


def best_path(folder: Path) -> Path:
    """Path of the best checkpoint in validation."""
    return folder / CHECKPOINTS / BEST


def locate(path: Path, *, option: str = "checkpoint") -> tuple[Path, list[Path]]:
    """Finds the run folder and the checkpoints that `--checkpoint` may mean.

    Args:
        path: A run folder, or one checkpoint file in it.
        option: The option that an error names.

    Returns:
        (run folder, checkpoint files): a path and a list of them, the newest first.

    Raises:
        InputError: If there is no run at that place.
    """
    if path.is_file() and (checkpoint_step(path) is not None or path.name == BEST):
        whole = path if is_remote(path) else path.resolve()
        folder, found = whole.parent.parent, [path]
    else:
        folder, found = path, checkpoints(path)[::-1]
    if not found or not (folder / OPTIONS).is_file():
        raise OptionError(
            f"Expected {{{option}}} to name the output folder of a training run "
            f"({OPTIONS} and {CHECKPOINTS}/). Received: {{}}",
            path,
        )
    return folder, found


def read_data(folder: Path) -> dict[str, Any]:
    """What a run stored of its data in data.json: dicts by domain, "A" and "B".

    Returns:
        Dict with "types", NumPy's names of the types of the files, and of label maps "palettes",
        as --label_palette takes them; without what the run did not store.
    """
    path = folder / DATA
    data = read_json(path) if path.is_file() else {}
    for name in ("types", "palettes"):
        values = data.get(name, {})
        if not (isinstance(values, dict) and all(isinstance(v, str) for v in values.values())):
            raise InputError(f"Expected {name} in {path} to be texts by domain")
    return data


def read_description(folder: Path) -> dict[str, Any]:
    """What the page shows a run by: options.json, with the "palettes" of data.json."""
    return {**read_json(folder / OPTIONS), "palettes": read_data(folder).get("palettes", {})}


def update_data(folder: Path, **values: object) -> None:
    """Adds to data.json, see `read_data`."""
    write_json(folder / DATA, {**read_data(folder), **values})


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Creates `folder` and locks it for this process; removes unfinished files of a killed one.

    The lock is the system's: it ends with the process, however that ends. Addresses have none. A
    folder that is created here and still empty after an error is removed again.

    Raises:
        InputError: If the folder cannot be written, or another process has locked it.
    """
    is_local = not is_remote(folder)
    is_new = is_local and not folder.exists()
    prepare_folder(folder)
    handle = os.open(folder, os.O_RDONLY) if fcntl and is_local else None
    try:
        if handle is not None:
            _lock(handle, folder)
        for inside in (folder, folder / CHECKPOINTS, folder / IMAGES):
            for partial in inside.glob(_PARTIAL + "*"):
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
        yield
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # something was written
                os.rmdir(folder)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OptionError(
            "{output_dir} {} is in use: another process trains or exports there", folder
        ) from None
    except OSError:
        pass  # a file system without locks


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path`; renames it to `path` if the block succeeds.

    A reader sees the old file or the new one, never a part.

    Args:
        path: The file to write.
        durable: Whether that is also true when the power fails: the bytes are on the disk (fsync)
            before the name is, and the name when the block ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
        if durable and os.name == "posix":
            sync(path.parent)
    except OSError as error:
        # A full disk shows in a write, which knows no name.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file, or the list of names in a folder, is on the disk.

    A file at an address is stored when it is closed.
    """
    if is_remote(path):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Writes `value` as the reference writes options.json: sorted keys, four spaces."""
    write_text(path, json.dumps(value, sort_keys=True, indent=4) + "\n")


def check_regular(path: Path) -> None:
    """Raises an error for a folder, and for a pipe or device, which might never end.

    Raises:
        InputError: If it is none of a file and an address.
    """
    if not is_remote(path) and not stat.S_ISREG(path.stat().st_mode):
        kind = "a folder" if path.is_dir() else "a pipe or device"
        raise InputError(f"Expected {path} to be a file. Received: {kind}")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Reads a file that anybody may have written.

    Args:
        path: The file.
        max_bytes: Most bytes that it may have.

    Returns:
        Its contents.

    Raises:
        InputError: If it is larger, or not a regular file.
    """
    check_regular(path)
    with path.open("rb") as file:
        contents = file.read(max_bytes + 1)
    if len(contents) > max_bytes:
        raise InputError(f"Expected {path} to have at most {max_bytes} bytes. Received: more")
    return contents


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; damage is one clear line.

    Raises:
        InputError: If the file is not a JSON object.
    """
    contents = read_bytes(path, MAX_TEXT_BYTES)
    try:
        value = json.loads(contents.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"Expected a JSON object in {path}. Received: {type(value).__name__}")
    return value


def prepare_folder(folder: Path) -> None:
    """Creates `folder` and makes sure that files can be written there.

    Raises:
        InputError: If it cannot be created or written.
    """
    # TensorFlow's errors about files at addresses have no base class of Python's own.
    expected = Exception if is_remote(folder) else OSError
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"{_PARTIAL}{os.getpid()}-probe"
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)
    except expected as error:
        raise OptionError(
            "Expected {output_dir} to be a folder that can be written. Received: {} ({})",
            folder,
            reason(error),
        ) from None


def reason(error: BaseException) -> str:
    """Why a file could not be used, in one line: of an OSError or an error of TensorFlow."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
    return next(iter(text.strip().splitlines()), type(error).__name__)
