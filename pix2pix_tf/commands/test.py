"""`--mode test`: translates a folder of images with a run and measures the results."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.data import listing
from pix2pix_tf.data.listing import Example
from pix2pix_tf.errors import print_line
from pix2pix_tf.task import ConfigT, ModelT, Task
from pix2pix_tf.training import runtime

if TYPE_CHECKING:
    from pix2pix_tf.evaluation.results import Row
    from pix2pix_tf.inference.files import TranslatedBatch


def test(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Translates the images in `config.input_dir`."""
    config, checkpoint = runs.use_run(config, explicit, program=task.name)
    config = task.unpack_data(config)
    examples = task.test_files(config, explicit)
    runs.prepare_results(config.output_folder)
    runs.print_options(config, explicit)
    print("examples count =", *map(len, examples.values()))
    runtime.load_tensorflow()
    runtime.report_hardware(config.precision)
    print_line("wrote index at", translate(task, config, examples, checkpoint=checkpoint))
    return 0


def translate(
    task: Task[ConfigT, ModelT],
    config: ConfigT,
    examples: Mapping[str, Sequence[Example]],
    *,
    checkpoint: Path,
    targets: Mapping[str, Sequence[Example]] | None = None,
    context: Mapping[str, float] | None = None,
) -> Path:
    """Translates every file; writes the images, metrics.json and the report.

    Args:
        task: The program.
        config: Its options, those of the run among them.
        examples: Dict from directions to the files to translate.
        checkpoint: Checkpoint file.
        targets: Dict like `examples` to the files of the targets, where they are not part of the
            examples and known.
        context: Other numbers to stand beside the results.

    Returns:
        Path of index.html.
    """
    from pix2pix_tf.evaluation import results

    rows = []
    for row in translate_rows(task, config, examples, checkpoint=checkpoint, targets=targets):
        print_line("evaluated image", row["name"])
        rows.append(row)
    return results.write_results(
        config.output_folder,
        rows,
        title=f"{task.title}: test of {config.run_path.name}",
        options=runs.run_options(config, program=task.name),
        checkpoint=checkpoint,
        context=dict(context or {}),
    )


def translate_rows(
    task: Task[ConfigT, ModelT],
    config: ConfigT,
    examples: Mapping[str, Sequence[Example]],
    *,
    checkpoint: Path,
    targets: Mapping[str, Sequence[Example]] | None = None,
) -> Iterator[Row]:
    """Translates every file and writes the images; see `translate`.

    Yields:
        The report's rows, with metrics, one by one.
    """
    runtime.prepare(seed=config.seed or 0, deterministic=config.deterministic)
    translators = task.load_translators(config, checkpoint, with_targets=targets is not None)
    is_stretched = config.aspect_ratio != 1
    with runtime.terminable():
        for direction, sources in examples.items():
            chosen = sources
            if targets is not None:
                chosen = list(zip(*map(listing.files, (sources, targets[direction])), strict=True))
            kinds = task.directions[direction]
            names = iter([f"{kinds.prefix}{name}" for name in listing.names(chosen)])
            for batch in translators[direction](chosen):
                batch_names = list(itertools.islice(names, len(batch.files)))
                rows, exact_files = _write_batch(config, batch, batch_names)
                if exact_files and is_stretched:
                    line = f"--aspect_ratio has no effect on {exact_files[0].name}, only on PNG"
                    print_line(f"warning: {line}", file=sys.stderr)
                    is_stretched = False  # once is enough
                yield from rows


def _write_batch(
    config: ConfigT, batch: TranslatedBatch, names: Sequence[str]
) -> tuple[list[Row], list[Path]]:
    """Writes the images of a batch.

    Returns:
        (the report's rows, with metrics; the files beside the PNGs).
    """
    from pix2pix_tf.evaluation import results

    folder = config.output_folder
    rows = results.write_images(folder, names, batch.images, aspect_ratio=config.aspect_ratio)
    exact_files: list[Path] = []
    for index, row in enumerate(rows):
        path = batch.save(index, folder / run_folder.IMAGES / f"{names[index]}-{batch.kind}")
        if path is not None:
            exact_files.append(path)
        if batch.is_large and path is not None:
            name = f"{run_folder.IMAGES}/{path.name}"
            print_line(f"translated by windows: {name}; its PNG is a smaller copy")
        row["metrics"] = {name: float(values[index]) for name, values in batch.metrics.items()}
    return rows, exact_files
