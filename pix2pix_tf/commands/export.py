"""`--mode export`: writes the generators of a run for another runtime."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import optional, run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import print_line
from pix2pix_tf.training import runtime

# Images that `--quantize int8_calibrated` measures the activations on.
CALIBRATION = 64


def export(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Writes each generator in `config.export_format`; several into folders of their names."""
    config, checkpoint = runs.use_run(config, explicit, program=program.name)
    folder = run_folder.local(config.output_dir, mode="export")
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

        size = sizes.sides(config.image_size) if config.image_size else None
        own: dict[str, list[Any]] = {}
        if config.quantize == "int8_calibrated":
            own = _own_inputs(program, config)
        for way, (generator, model) in models.items():
            exported = formats.export(
                generator,
                model,
                folder / way if len(models) > 1 else folder,
                export_format=config.export_format,
                quantize=config.stored_weights,
                image_size=size,
                calibration=own.get(way, ()),
            )
            print_line(exported)
        options = runs.run_options(config, program=program.name)
        run_folder.write_json(folder / f"export_{run_folder.OPTIONS}", options)
    return 0


def _own_inputs(program: Program, config: Any) -> dict[str, list[Any]]:
    """Some inputs of a run for each direction, float32 [1, h, w, c] in [0, 1] of --image_size."""
    from pix2pix_tf.data import color, images, pipelines

    folder, _ = run_folder.locate(config.checkpoint)
    stored = runs.stored_options(folder, program=program.name)
    places = ("input_dir", "input_dir_A", "input_dir_B")
    changes = {name: stored[name] for name in places if stored.get(name)}
    if config.input_dir:
        changes = {"input_dir": config.input_dir}
    config = runs.unpack(dataclasses.replace(config, **changes), is_paired=program.is_paired)
    framing = dataclasses.replace(
        config.framing,
        preprocess="resize_and_crop",
        scale_size=config.image_size,
        crop_size=config.image_size,
    )
    found = {}
    for way, examples in program.test_examples(config, set()).items():
        chosen = examples[:: max(len(examples) // CALIBRATION, 1)][:CALIBRATION]
        reading = program.reading(config, way)
        found[way] = []
        for inputs, *targets in pipelines.test_pairs(chosen, reading=reading, framing=framing):
            unit = images.from_signed(inputs)
            if reading.lab:  # the model takes RGB
                halves = (inputs, *targets) if way == "AtoB" else (*targets, inputs)
                unit = color.join(*halves)
            found[way].append(unit.numpy())
    return found


def _export_page(config: Any, served: Mapping[str, tuple[Any, Any]], *, folder: Path) -> Any:
    """Puts every generator on one page; returns `web.WebPage`."""
    web = optional.load("web", "page", needed_by="--export_format web")
    describe_run = optional.load("serve", "page:describe_run", needed_by="--export_format web")
    models = []
    for way, (_, one) in served.items():
        suffix = way if len(served) > 1 else ""
        about = describe_run(config.checkpoint, suffix=suffix, direction=way)
        models.append(web.PageModel(one, about))
    return web.export_page(
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
        Dict from directions to (generator, its `ServedModel`).
    """
    from pix2pix_tf.export.saved_model import ServedModel

    found = program.parts().predictors(config, checkpoint, exported=config.mode != "serve")
    return {
        way: (
            found[way].generator,
            ServedModel(
                found[way].generator,
                found[way].unit,
                filetype=config.output_filetype,
                channels=found[way].channels,
                value_ranges=(found[way].sides[0].value_range, found[way].sides[1].value_range),
                target_type=found[way].target_type or "uint8",
            ),
        )
        for way in config.directions
    }
