"""From `--checkpoint` to a running server."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2pix_tf import run_folder
from pix2pix_tf.data.samples import AUTO
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.extras.serve import page, run, sources
from pix2pix_tf.extras.serve.limits import Limits

if TYPE_CHECKING:  # it loads TensorFlow, and the address is taken before that
    from pix2pix_tf.export.saved_model import ServedModel
    from pix2pix_tf.extras.serve.models import Model

LoadRun = Callable[[Path], "Mapping[str, ServedModel]"]


def serve_places(
    places: str,
    load_run: LoadRun,
    *,
    prepare: Callable[[], None],
    address: tuple[str, int],
    limits: Mapping[str, Any],
    origins: Sequence[str],
) -> None:
    """Serves models until SIGINT or SIGTERM.

    Args:
        places: See `sources.find`.
        load_run: Function of a run's folder, or of a checkpoint file in it, to its models by
            direction.
        prepare: Called once the address is taken, before anything is loaded.
        address: (host, port) to listen on.
        limits: Arguments of `Limits`.
        origins: Origins allowed by CORS.

    Raises:
        InputError: If the address is taken, or a place has no model that can be served.
    """
    model_sources = sources.find(places)
    with run.listen(*address) as listener:
        prepare()
        models = _load_all(model_sources, load_run)
        run.run(models, limits=Limits(**limits), origins=origins, listener=listener)


def _load_all(model_sources: Sequence[sources.Source], load_run: LoadRun) -> "list[Model]":
    """Loads and calls every model; a folder's model that cannot be used is left out."""
    from pix2pix_tf.extras.serve import models

    loaded: list[Model] = []
    for number, source in enumerate(model_sources, 1):
        try:
            new = _load(source, load_run)
            for model in new:
                models.warm_up(model)
        except InputError as error:
            if source.is_named or (number == len(model_sources) and not loaded):
                raise
            print_line(f"warning: {source.path} is left out: {error}", file=sys.stderr)
            continue
        kind = "run"
        if source.is_saved_model:
            kind = "SavedModel, which can execute anything that its author wanted"
        for model in new:
            print_line(f"{model.name}: {source.path} ({kind})")
        loaded += new
    return loaded


def _load(source: sources.Source, load_run: LoadRun) -> "list[Model]":
    """The server's models of one place: one, or one for each direction of a run."""
    from pix2pix_tf.export.saved_model import FILE_CHANNELS
    from pix2pix_tf.extras.serve import models

    if source.is_saved_model:
        path = source.path / f"export_{run_folder.OPTIONS}"
        stored = run_folder.read_json(path) if path.is_file() else {}
        about = page.describe(source.name, stored)
        return [models.load_saved_model(source, about=about, ranged=_has_range(stored))]
    folder, _ = run_folder.locate(source.path)
    stored = run_folder.read_description(folder)
    served = load_run(source.path)
    loaded = []
    for direction, model in served.items():
        if model.channels not in FILE_CHANNELS:
            raise InputError(
                "--mode serve needs models whose inputs have 1, 3 or 4 channels, as image files "
                f"have; {source.path} has {model.channels}"
            )
        name = f"{source.name}-{direction}" if len(served) > 1 else source.name
        about = page.describe(name, stored, direction=direction)
        loaded.append(
            models.wrap(
                model, name=name, version=source.version, about=about, ranged=_has_range(stored)
            )
        )
    return loaded


def _has_range(options: Mapping[str, Any]) -> bool:
    names = ("value_range", "value_range_A", "value_range_B")
    return any(options.get(name) not in (None, AUTO) for name in names)
