"""`--mode evaluate`: measures a run on a folder of images, or compares two folders."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.program import Examples, Program
from pix2pix_tf.commands.test import translated
from pix2pix_tf.data import listing
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.training import runtime


def evaluate(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Measures images; writes copies of them, metrics.json and the report."""
    run_folder.local(config.output_dir, mode="evaluate")
    examples, checkpoint = None, None
    if config.checkpoint:
        config, checkpoint = runs.use_run(config, explicit, program=program.name)
        config = runs.unpack(config, is_paired=program.is_paired)
        examples = program.test_examples(config, explicit)
    runs.prepare_results(config.output_dir)
    runs.announce(config, explicit)
    runtime.load_tensorflow()
    # A comparison of folders has no network to compute.
    runtime.report_hardware(config.precision if config.checkpoint else "float32")

    from pix2pix_tf.evaluation import comparison

    scorer = comparison.Scorer(config.chosen_metrics, **config.scoring)
    if examples is None:
        compared, rows = _of_folders(program, config, scorer)
    else:
        compared, rows = _of_run(program, config, scorer, examples, checkpoint=checkpoint)
    measured = comparison.measure(
        scorer, compared, folder=config.output_dir, statistics=config.statistics
    )
    index = comparison.write(
        config.output_dir,
        rows,
        title=f"{program.title}: evaluation of {Path(config.checkpoint or config.input_dir).name}",
        options=runs.run_options(config, program=program.name),
        measured=measured,
        checkpoint=str(checkpoint) if checkpoint else None,
    )
    print_line("wrote index at", index)
    return 0


def _of_folders(program: Program, config: Any, scorer: Any) -> tuple[list, list]:
    """The comparison of two folders, or of the outputs and targets that test wrote."""
    from pix2pix_tf.evaluation import comparison

    if not config.input_dir:
        raise InputError("--mode evaluate needs --checkpoint or --input_dir")
    direction = program.directions[config.directions[0]]
    if not config.target_dir:
        compared = comparison.of_test(config.input_dir, config.output_dir)
    else:
        compared = comparison.of_folders(
            config.input_dir,
            config.target_dir,
            config.output_dir,
            kind=direction.output,
            pairs_wanted=scorer.wants_pairs,
            side=config.sides["AB".index(config.directions[0][-1])],
        )
    return [compared], [pair.row for pair in compared.pairs]


def _of_run(
    program: Program,
    config: Any,
    scorer: Any,
    examples: Mapping[str, Examples],
    *,
    checkpoint: Any,
) -> tuple[list, list]:
    """The comparisons of each direction and the report's rows."""
    from pix2pix_tf.evaluation import comparison, results

    if config.target_dir and len(examples) > 1:
        raise InputError(
            "--target_dir is the target set of one direction; set --direction to AtoB or BtoA"
        )
    sets = {way: program.target_files(config, way) for way in examples}
    targets = None
    if scorer.wants_pairs and not program.is_paired:
        targets = {way: _partners(files, sets[way]) for way, files in examples.items()}
    translated_rows = translated(program, config, examples, checkpoint=checkpoint, targets=targets)
    rows = list(
        results.progress(translated_rows, "translating", total=sum(map(len, examples.values())))
    )
    compared = []
    for way in examples:
        names = program.directions[way]
        side = config.sides["AB".index(way[-1])]
        # Sets are compared as images.
        are_images = sets[way] is None or side.channels in (1, 3, 4)
        compared.append(
            comparison.of_rows(
                rows,
                config.output_dir,
                output=names.output,
                target=names.target,
                targets=sets[way] if are_images else [],
                label=names.label,
                side=side,
            )
        )
    return compared, rows


def _partners(files: Examples, targets: Sequence[str] | None) -> list[str]:
    """For each file the target of the same name."""
    named = dict(zip(listing.names(targets), targets, strict=True)) if targets else {}
    names = listing.names(files)
    if lone := [name for name in names if name not in named]:
        raise InputError(
            "metrics of pairs need the same file names in both domains; in one only: "
            f"{', '.join(lone[:5])}. --metrics fid,kid compares sets"
        )
    return [named[name] for name in names]
