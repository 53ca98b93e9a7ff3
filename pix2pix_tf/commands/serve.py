"""`--mode serve`: serves runs and SavedModels over HTTP, with a page to draw on."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import page, runs
from pix2pix_tf.commands.export import served
from pix2pix_tf.commands.program import Program
from pix2pix_tf.data.samples import AUTO
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.server import sources
from pix2pix_tf.training import runtime


def serve(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Serves models until SIGINT or SIGTERM; requests in flight are finished."""
    try:
        from pix2pix_tf.server import run
    except ImportError as error:
        raise InputError(
            f"--mode serve needs an extra: pip install 'pix2pix-tf[serve]' (no module {error.name})"
        ) from None
    found = sources.find(config.checkpoint)
    with run.listen(config.host, config.port) as listener:
        runs.warn_without_effect(config, explicit)
        runtime.load_tensorflow()
        runtime.report_hardware(config.precision)

        from pix2pix_tf.server import models
        from pix2pix_tf.server.limits import Limits

        loaded = []
        for source in found:
            for model in _load(program, config, source):
                models.warm_up(model)
                print_line(f"{model.name}: {source.path}")
                loaded.append(model)
        limits = Limits(
            max_request_bytes=config.max_request_bytes,
            max_pixels=config.max_pixels,
            max_queue=config.max_queue,
            max_batch=config.max_batch,
            timeout=config.timeout,
        )
        origins = config.cors_origin.split(",") if config.cors_origin else []
        run.run(loaded, limits=limits, origins=origins, listener=listener)
    return 0


def _load(program: Program, config: Any, source: sources.Source) -> list[Any]:
    """The server's models of one place: one, or one for each direction of a run."""
    from pix2pix_tf.export.saved_model import FILE_CHANNELS
    from pix2pix_tf.server import models

    if source.saved_model:
        path = Path(source.path) / f"export_{run_folder.OPTIONS}"
        stored = run_folder.read_json(path) if path.is_file() else {}
        about = page.describe(source.name, stored)
        return [models.load_saved_model(source, about=about, ranged=_has_range(stored))]
    one = dataclasses.replace(config, checkpoint=str(source.path))
    one, checkpoint = runs.use_run(one, {"direction"}, program=program.name)
    folder, _ = run_folder.locate(source.path)
    stored = run_folder.read_json(folder / run_folder.OPTIONS)
    models_of_run = served(program, one, checkpoint=checkpoint)
    found = []
    for way, (_, model) in models_of_run.items():
        if model.channels not in FILE_CHANNELS:
            raise InputError(
                "--mode serve needs models whose inputs have 1, 3 or 4 channels, as image files "
                f"have; {source.path} has {model.channels}"
            )
        name = f"{source.name}-{way}" if len(models_of_run) > 1 else source.name
        about = page.describe(name, stored, direction=way)
        wrapped = models.wrap(
            model, name=name, version=source.version, about=about, ranged=_has_range(stored)
        )
        found.append(wrapped)
    return found


def _has_range(options: Mapping[str, Any]) -> bool:
    names = ("value_range", "value_range_A", "value_range_B")
    return any(options.get(name) not in (None, AUTO) for name in names)
