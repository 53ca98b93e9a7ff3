"""`--mode export`: writes the generators of a run for another runtime."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, page, runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.errors import print_line
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
    if config.export_format == "web":
        runs.refuse_run_folder(config.output_dir)
    with run_folder.locked(folder):
        runs.announce(config, explicit)
        runtime.load_tensorflow()
        runtime.report_hardware(config.precision)
        models = served(program, config, checkpoint=checkpoint)
        if config.export_format == "web":
            print_line(_export_page(config, models, folder=folder))
            return 0

        from pix2pix_tf.export import formats

        for name, (generator, model) in models.items():
            exported = formats.export(
                generator,
                model,
                folder / name,
                export_format=config.export_format,
                quantize=config.stored_weights,
            )
            print_line(exported)
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


def served(program: Program, config: Any, *, checkpoint: Path) -> dict[str, tuple[Any, Any]]:
    """The generators of a run as exports and servers use them.

    Args:
        program: The program.
        config: Its options, those of the run among them.
        checkpoint: Checkpoint file.

    Returns:
        Dict from directions, or from "" where there is one only, to (generator, its
        `ServedModel`).
    """
    from pix2pix_tf.export.saved_model import ServedModel

    types, ways = datasets.types(config.checkpoint), config.directions
    found = program.predictors(config, checkpoint, exported=config.mode != "serve")
    return {
        way if len(ways) > 1 else "": (
            found[way].generator,
            ServedModel(
                found[way].generator,
                found[way].unit,
                filetype=config.output_filetype,
                channels=found[way].channels,
                value_ranges=(found[way].sides[0].value_range, found[way].sides[1].value_range),
                target_type=types.get(way[-1], "uint8"),
            ),
        )
        for way in ways
    }
