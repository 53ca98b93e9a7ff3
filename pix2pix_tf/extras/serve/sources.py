"""Finds the runs and SavedModels that `--checkpoint` of `--mode serve` names."""

import dataclasses
import re
from pathlib import Path

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError, print_line

SAVED_MODEL = "saved_model.pb"
# Names stand in addresses, percent-encoded; these paths of the server are no models.
_NAME, _TAKEN = re.compile(r"[^\s/:\\?#%=,]+"), ("v1", "page", "health", "", ".", "..")


@dataclasses.dataclass(frozen=True)
class Source:
    """A model to serve.

    Attributes:
        name: Its name in addresses.
        path: A run folder, a checkpoint file or a SavedModel's folder.
        is_saved_model: Whether it is a SavedModel. A run never is: what else is in its folder may
            be of somebody else, or older than its checkpoints.
        version: A number, as a string.
        is_named: Whether a person named it, rather than a folder around it.
    """

    name: str
    path: Path
    is_saved_model: bool = False
    version: str = "1"
    is_named: bool = True


def find(text: str) -> list[Source]:
    """Finds the models in a list of places.

    Args:
        text: PATH or NAME=PATH, several separated by commas. A path is a run folder, a checkpoint
            file, a SavedModel's folder, TensorFlow Serving's layout of one (NAME/VERSION/, the
            highest version is taken), or a folder of any of these.

    Returns:
        List of `Source` with different names.

    Raises:
        InputError: If a place contains no model, or two have the same name.
    """
    sources = []
    for place in filter(None, text.split(",")):
        name, equals, path = place.partition("=")
        if not equals or Path(place).exists():
            name, path = "", place
        sources += _search(run_folder.as_run_path(path), name)
    for source in sources:
        _check_name(source, [other.name for other in sources])
    if not sources:
        raise InputError("--mode serve needs --checkpoint with at least one run")
    return sources


def _search(path: Path, name: str) -> list[Source]:
    if source := _single(path, name or _default_name(path)):
        return [source]
    folders = sorted(path.iterdir()) if path.is_dir() else []
    sources = [source for folder in folders if (source := _single(folder, folder.name))]
    for source in sources:
        if not _is_name(source.name):
            print_line(f"warning: {source.path} is left out: its name cannot be a model's")
    sources = [s for s in sources if _is_name(s.name)]
    if name and len(sources) == 1:
        return [dataclasses.replace(sources[0], name=name)]
    if not sources or name:
        raise InputError(
            f"Expected --checkpoint to name run folders, SavedModels or a folder of them. "
            f"Received: {path}"
        )
    return [dataclasses.replace(source, is_named=False) for source in sources]


def _default_name(path: Path) -> str:
    """The folder's name; for a checkpoint file that of its run."""
    folder = path.resolve()
    return folder.parent.parent.name if folder.is_file() else folder.name


def _single(path: Path, name: str) -> Source | None:
    """The model at `path` itself, or None."""
    if _is_run(path):
        return Source(name, path)
    if (path / SAVED_MODEL).is_file():
        return Source(name, path, is_saved_model=True)
    versions = [p for p in path.glob("[0-9]*") if p.name.isdecimal()] if path.is_dir() else []
    versions = [p for p in versions if (p / SAVED_MODEL).is_file()]
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version.name))
    return Source(name, newest, is_saved_model=True, version=str(int(newest.name)))


def _is_run(path: Path) -> bool:
    try:
        run_folder.locate(path)
    except InputError:
        return False
    return True


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name.isprintable() and name not in _TAKEN


def _check_name(source: Source, names: list[str]) -> None:
    if not _is_name(source.name):
        raise InputError(
            "Expected a model's name without spaces, '/', ':', '?', '#', '%' and '='. Received: "
            f"{source.name}; give another as NAME={source.path}"
        )
    if names.count(source.name) > 1:
        raise InputError(
            f"Expected models with different names. Received: {source.name} twice; give others as "
            f"NAME={source.path}"
        )
