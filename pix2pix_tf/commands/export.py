"""`--mode export`: writes the generators of a run for another runtime."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from pix2pix_tf import optional, run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import print_line
from pix2pix_tf.task import ConfigT, ModelT, ServedGenerator, Task
from pix2pix_tf.training import runtime

# Images that `--quantize int8_calibrated` measures the activations on.
CALIBRATION = 64


def export(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Writes each generator in `config.export_format`; several into folders of their names."""
    config, checkpoint = runs.use_run(config, explicit, program=task.name)
    folder = run_folder.local(config.output_folder, mode="export")
    runs.refuse_run_folder(config.output_folder)
    with run_folder.locked(folder):
        runs.print_options(config, explicit)
        runtime.load_tensorflow()
        runtime.report_hardware(config.precision)
        generators = task.load_served(config, checkpoint)
        if config.export_format == "web":
            _export_page(config, generators, folder)
        else:
            _export_files(task, config, generators, folder)
    return 0


def _export_files(
    task: Task[ConfigT, ModelT],
    config: ConfigT,
    generators: Mapping[str, ServedGenerator],
    folder: Path,
) -> None:
    """Writes every generator, and export_options.json beside them."""
    from pix2pix_tf.export import formats

    calibrated = config.quantize == "int8_calibrated"
    images = _calibration_images(task, config) if calibrated else {}
    for direction, (network, served) in generators.items():
        exported = formats.export_generator(
            network,
            served,
            folder / direction if len(generators) > 1 else folder,
            export_format=config.export_format,
            quantize=config.stored_weights,
            image_size=sizes.sides(config.image_size) if config.image_size else None,
            calibration=images.get(direction, ()),
        )
        print_line(exported)
    run, _ = run_folder.locate(config.run_path)
    palettes = run_folder.read_data(run).get("palettes", {})
    options = {**runs.run_options(config, program=task.name), "palettes": palettes}
    run_folder.write_json(folder / f"export_{run_folder.OPTIONS}", options)


def _calibration_images(
    task: Task[ConfigT, ModelT], config: ConfigT
) -> dict[str, list[np.ndarray]]:
    """Some inputs of a run for each direction, float32 [1, h, w, c] in [0, 1] of --image_size."""
    from pix2pix_tf.data import color, images, pipelines

    folder, _ = run_folder.locate(config.run_path)
    stored = runs.stored_options(folder, program=task.name)
    places = ("input_dir", "input_dir_A", "input_dir_B")
    changes = {name: stored[name] for name in places if stored.get(name)}
    if config.input_dir:
        changes = {"input_dir": config.input_dir}
    config = task.unpack_data(dataclasses.replace(config, **changes))
    size = config.image_size or config.crop_size
    framing = dataclasses.replace(
        config.framing, preprocess="resize_and_crop", scale_size=size, crop_size=size
    )
    batches: dict[str, list[np.ndarray]] = {}
    for direction, examples in task.test_files(config).items():
        chosen = examples[:: max(len(examples) // CALIBRATION, 1)][:CALIBRATION]
        reading = task.test_format(config, direction)
        batches[direction] = []
        for inputs, *targets in pipelines.test_pairs(chosen, reading=reading, framing=framing):
            unit = images.from_signed(inputs)
            if reading.lab:  # the model takes RGB
                halves = (inputs, *targets) if direction == "AtoB" else (*targets, inputs)
                unit = color.join(*halves)
            batches[direction].append(unit.numpy())
    return batches


def _export_page(config: ConfigT, generators: Mapping[str, ServedGenerator], folder: Path) -> None:
    """Puts every generator on one page."""
    web = optional.load("web", "page", needed_by="--export_format web")
    describe_run = optional.load("serve", "page:describe_run", needed_by="--export_format web")
    models = []
    for direction, generator in generators.items():
        suffix = direction if len(generators) > 1 else ""
        description = describe_run(config.run_path, suffix=suffix, direction=direction)
        models.append(web.PageModel(generator.served, description))
    page = web.export_page(
        models,
        folder,
        quantize=config.stored_weights,
        single_file=config.web_single_file,
        runtime_dir=config.web_runtime,
    )
    print_line(page)
