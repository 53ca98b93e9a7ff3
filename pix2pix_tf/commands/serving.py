"""What `--mode serve` does once TensorFlow is loaded: from run folders to a server."""

from pathlib import Path

from pix2pix_tf import run_folder
from pix2pix_tf.commands import modes, page
from pix2pix_tf.errors import InputError
from pix2pix_tf.export.saved_model import FILE_CHANNELS, ServedModel
from pix2pix_tf.server import models, run
from pix2pix_tf.server.limits import Limits


def serve(config, sources, *, listener):
    """Serves models until SIGINT or SIGTERM; requests in flight are finished.

    Args:
        config: `Pix2PixConfig`.
        sources: List of `server.sources.Source`.
        listener: Socket bound to the address.
    """
    loaded = []
    for source in sources:
        loaded.append(_load(config, source))
        models.warm_up(loaded[-1])
        print(f"{source.name}: {source.path}")
    limits = Limits(
        max_request_bytes=config.max_request_bytes,
        max_pixels=config.max_pixels,
        max_queue=config.max_queue,
        max_batch=config.max_batch,
        timeout=config.timeout,
    )
    origins = config.cors_origin.split(",") if config.cors_origin else []
    run.run(loaded, limits=limits, origins=origins, listener=listener)


def _load(config, source):
    if source.saved_model:
        return models.load_saved_model(
            source, about=page.describe(source.name, _stored(source.path))
        )
    translate = modes.load(source.path, tile=config.tile)
    if translate.channels not in FILE_CHANNELS:
        raise InputError(
            "Expected a run whose inputs have 1, 3 or 4 channels, as the files that are sent. "
            f"Received: {source.path} with {translate.channels}"
        )
    served = ServedModel(
        translate.generator,
        translate.unit,
        filetype=config.output_filetype,
        channels=translate.channels,
    )
    folder, _ = run_folder.locate(source.path)
    about = page.describe(source.name, run_folder.read_json(folder / run_folder.OPTIONS))
    return models.wrap(served, name=source.name, version=source.version, about=about)


def _stored(folder):
    path = Path(folder) / f"export_{run_folder.OPTIONS}"
    return run_folder.read_json(path) if path.is_file() else {}
