"""`--mode export`: writes the generators of a run for another runtime."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import page, runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.training import runtime


def export(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Writes each generator in `config.export_format`; several into folders of their names.

    Args:
        program: The program.
        config: Its options.
        explicit: Names of the options that were given.

    Returns:
        The exit code.
    """
    config, checkpoint = runs.use_run(config, explicit, program=program.name)
    folder = run_folder.local(config.output_dir, flag="--output_dir", mode="export")
    with run_folder.locked(folder):
        runs.announce(config, explicit)
        runtime.load_tensorflow()
        served = program.served(config, checkpoint)
        if config.export_format == "web":
            print(_export_page(config, served, folder=folder))
            return 0

        from pix2pix_tf.export import formats

        for name, (generator, one) in served.items():
            exported = formats.export(
                generator,
                one,
                folder / name,
                export_format=config.export_format,
                quantize=config.stored_weights,
            )
            print(exported)
        made = runs.run_options(config, program=program.name)
        run_folder.write_json(folder / f"export_{run_folder.OPTIONS}", made)
    return 0


def _export_page(config: Any, served: Mapping[str, tuple[Any, Any]], *, folder: Path) -> Any:
    """Puts every generator on one page; returns `web.WebPage`."""
    from pix2pix_tf.export import web

    chosen = getattr(config, "direction", None)
    models = []
    for direction, (_, one) in served.items():
        about = page.describe_run(
            config.checkpoint, suffix=direction, direction=direction or chosen
        )
        models.append(web.PageModel(one, about))
    return web.export(
        models,
        folder,
        quantize=config.stored_weights,
        single_file=config.web_single_file,
        runtime=config.web_runtime,
    )
