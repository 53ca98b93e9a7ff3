"""`--mode serve`: serves runs and SavedModels over HTTP, with a page to draw on."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_tf import optional
from pix2pix_tf.commands import runs
from pix2pix_tf.task import ConfigT, ModelT, Task
from pix2pix_tf.training import runtime

if TYPE_CHECKING:
    from pix2pix_tf.export.saved_model import ServedModel


def serve(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Serves models until SIGINT or SIGTERM; requests in flight are finished."""
    serve_places = optional.load("serve", "command:serve_places", needed_by="--mode serve")

    def prepare() -> None:
        runs.warn_without_effect(config, explicit)
        runtime.load_tensorflow()
        runtime.report_hardware(config.precision)

    def load_run(folder: Path) -> "dict[str, ServedModel]":
        run_config = dataclasses.replace(config, checkpoint=folder)
        run_config, checkpoint = runs.use_run(run_config, {"direction"}, program=task.name)
        served = task.load_served(run_config, checkpoint)
        return {direction: generator.served for direction, generator in served.items()}

    serve_places(
        str(config.checkpoint),
        load_run,
        prepare=prepare,
        address=(config.host, config.port),
        limits={
            "max_request_bytes": config.max_request_bytes,
            "max_pixels": config.max_pixels,
            "max_queue": config.max_queue,
            "max_batch": config.max_batch,
            "timeout": config.timeout,
        },
        origins=config.cors_origin.split(",") if config.cors_origin else [],
    )
    return 0
