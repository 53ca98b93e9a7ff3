"""`--mode test`: translates a folder of images with a run and measures the results."""

import itertools
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.program import Examples, Program
from pix2pix_tf.data import listing, nifti
from pix2pix_tf.errors import print_line
from pix2pix_tf.training import runtime


def test(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Translates the images in `config.input_dir`."""
    config, checkpoint = runs.use_run(config, explicit, program=program.name)
    config = runs.unpack(config, is_paired=program.is_paired)
    examples = program.test_examples(config, explicit)
    runs.prepare_results(config.output_dir)
    runs.announce(config, explicit)
    print("examples count =", *map(len, examples.values()))
    runtime.load_tensorflow()
    runtime.report_hardware(config.precision)
    print_line("wrote index at", translate(program, config, examples, checkpoint=checkpoint))
    return 0


def translate(
    program: Program,
    config: Any,
    examples: Mapping[str, Examples],
    *,
    checkpoint: Path,
    targets: Mapping[str, Examples] | None = None,
    context: Mapping[str, float] | None = None,
) -> os.PathLike[str]:
    """Translates every file; writes the images, metrics.json and the report.

    Args:
        program: The program.
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
    for row in translated(program, config, examples, checkpoint=checkpoint, targets=targets):
        print_line("evaluated image", row["name"])
        rows.append(row)
    return results.write_results(
        config.output_dir,
        rows,
        title=f"{program.title}: test of {Path(config.checkpoint).name}",
        options=runs.run_options(config, program=program.name),
        checkpoint=str(checkpoint),
        context=dict(context or {}),
    )


def translated(
    program: Program,
    config: Any,
    examples: Mapping[str, Examples],
    *,
    checkpoint: Path,
    targets: Mapping[str, Examples] | None = None,
) -> Iterator[Any]:
    """Translates every file and writes the images; see `translate`.

    Yields:
        The report's rows, with metrics, one by one.
    """
    from pix2pix_tf.evaluation import results
    from pix2pix_tf.inference import large_files

    runtime.prepare(seed=config.seed, deterministic=config.deterministic)
    translations = program.parts().translations(
        config, checkpoint, with_targets=targets is not None
    )
    volumes = nifti.Volumes()
    with runtime.terminable():
        for way, files in examples.items():
            chosen = list(zip(files, targets[way], strict=True)) if targets else files
            kinds = program.directions[way]
            names = iter([f"{kinds.prefix}{name}" for name in listing.names(chosen)])
            for found in translations[way](chosen):
                done = list(itertools.islice(names, len(found.depths)))
                rows = results.write_images(
                    config.output_dir, done, found.images, aspect_ratio=config.aspect_ratio
                )
                if isinstance(found.outputs[0], large_files.Result):
                    path = f"{run_folder.IMAGES}/{done[0]}-{kinds.output}.tif"
                    print_line(f"translated by windows: {path}; its PNG is a smaller copy")
                    found.outputs[0].save(run_folder.place(config.output_dir) / path)
                else:
                    results.write_exact(
                        config.output_dir,
                        done,
                        outputs=found.outputs,
                        views=found.images[kinds.output],
                        depths=found.depths,
                        sources=found.sources,
                        selection=config.sides[0].selection,
                        kind=kinds.output,
                        is_half=config.has_halves,
                        volumes=volumes,
                    )
                for index, row in enumerate(rows):
                    row["metrics"] = {
                        name: float(values[index]) for name, values in found.metrics.items()
                    }
                yield from rows
            volumes.close()
