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
    """A model to serve: `path` is a run folder, a checkpoint file or a SavedModel's folder."""

    name: str
    path: Path
    version: str = "1"

    @property
    def saved_model(self) -> bool:
        """Whether it is a SavedModel."""
        return (self.path / SAVED_MODEL).is_file()


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
    found = []
    for place in filter(None, text.split(",")):
        name, equals, path = place.partition("=")
        if not equals or Path(place).exists():
            name, path = "", place
        found += _search(Path(path), name)
    for source in found:
        _check_name(source, [other.name for other in found])
    if not found:
        raise InputError("--mode serve needs --checkpoint with at least one run")
    return found


def _search(path: Path, name: str) -> list[Source]:
    if source := _single(path, name or _default_name(path)):
        return [source]
    inside = sorted(path.iterdir()) if path.is_dir() else []
    found = list(filter(None, (_single(folder, folder.name) for folder in inside)))
    for source in found:
        if not _is_name(source.name):
            print_line(f"warning: {source.path} is left out: its name cannot be a model's")
    found = [source for source in found if _is_name(source.name)]
    if name and len(found) == 1:
        found = [dataclasses.replace(found[0], name=name)]
    if not found or name and len(found) != 1:
        raise InputError(
            f"Expected --checkpoint to name run folders, SavedModels or a folder of them. "
            f"Received: {path}"
        )
    return found


def _default_name(path: Path) -> str:
    """The folder's name; for a checkpoint file that of its run."""
    folder = path.resolve()
    return folder.parent.parent.name if folder.is_file() else folder.name


def _single(path: Path, name: str) -> Source | None:
    """The model at `path` itself, or None."""
    if (path / SAVED_MODEL).is_file() or _is_run(path):
        return Source(name, path)
    versions = [p for p in path.glob("[0-9]*") if p.name.isdecimal()] if path.is_dir() else []
    versions = [p for p in versions if (p / SAVED_MODEL).is_file()]
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version.name))
    return Source(name, newest, str(int(newest.name)))


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
