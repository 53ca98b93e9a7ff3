"""`--mode evaluate`: measures a run on a folder of images, or compares two folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.test import translate_rows
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.data import listing
from pix2pix_tf.data.listing import Example
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.task import ConfigT, ModelT, Pix2PixTask, Task
from pix2pix_tf.training import runtime

if TYPE_CHECKING:  # TensorFlow is loaded once the input is checked
    from pix2pix_tf.evaluation.comparison import Comparison
    from pix2pix_tf.evaluation.results import Row
    from pix2pix_tf.evaluation.scoring import Scorer


def evaluate(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Measures images; writes copies of them, metrics.json and the report."""
    run_folder.local(config.output_folder, mode="evaluate")
    examples: dict[str, list[Example]] = {}
    checkpoint: Path | None = None
    if config.checkpoint:
        config, checkpoint = runs.use_run(config, explicit, program=task.name)
        config = task.unpack_data(config)
        examples = task.test_files(config, explicit)
    runs.prepare_results(config.output_folder)
    runs.print_options(config, explicit)
    runtime.load_tensorflow()
    # A comparison of folders has no network to compute.
    runtime.report_hardware(config.precision if config.checkpoint else "float32")

    from pix2pix_tf.evaluation import scoring

    recognise = _load_recogniser(config.recogniser) if config.recogniser else None
    scorer = scoring.Scorer(config.chosen_metrics, recognise=recognise, **config.scoring)
    if checkpoint is None:
        compared, rows = _of_folders(task, config, scorer)
    else:
        compared, rows = _of_run(task, config, scorer, examples, checkpoint=checkpoint)
    index = scoring.write(
        config.output_folder,
        rows,
        title=f"{task.title}: evaluation of {(config.checkpoint or config.input_folder).name}",
        options=runs.run_options(config, program=task.name),
        measured=scorer.measure(compared),
        checkpoint=checkpoint,
    )
    print_line("wrote index at", index)
    return 0


def _load_recogniser(run: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The generator of a run of pix2pix-tf, as a function of images [h, w, c] in [0, 1]."""
    import tensorflow as tf

    from pix2pix_tf.data.samples import with_channels

    task = Pix2PixTask()
    config = Pix2PixConfig(mode="export", output_dir=Path(), checkpoint=run)
    config, checkpoint = runs.use_run(config, {"direction"}, program=task.name)
    predictor = task.load_predictors(config, checkpoint)[config.directions[0]]
    translate = predictor.compiled(predictor.unit)

    def recognise(image: np.ndarray) -> np.ndarray:
        channels = with_channels(image, predictor.channels).clip(0, 1)
        return translate(tf.constant(channels[None])).numpy()[0]

    return recognise


def _of_folders(
    task: Task[ConfigT, ModelT], config: ConfigT, scorer: Scorer
) -> tuple[list[Comparison], list[Row]]:
    """The comparison of two folders, or of the outputs and targets that test wrote."""
    from pix2pix_tf.evaluation import comparison

    if not config.input_dir:
        raise InputError("--mode evaluate needs --checkpoint or --input_dir")
    direction = task.directions[config.directions[0]]
    if not config.target_dir:
        compared = comparison.from_test_folder(config.input_dir, config.output_folder)
    else:
        compared = comparison.from_folders(
            config.input_dir,
            config.target_dir,
            config.output_folder,
            kind=direction.output,
            pairing=scorer.pairing,
            side=config.sides["AB".index(config.directions[0][-1])],
        )
    return [compared], [pair.row for pair in compared.pairs]


def _of_run(
    task: Task[ConfigT, ModelT],
    config: ConfigT,
    scorer: Scorer,
    examples: Mapping[str, Sequence[Example]],
    *,
    checkpoint: Path,
) -> tuple[list[Comparison], list[Row]]:
    """The comparisons of each direction and the report's rows."""
    from pix2pix_tf.evaluation import comparison, results

    if config.target_dir and len(examples) > 1:
        raise InputError(
            "--target_dir is the target set of one direction; set --direction to AtoB or BtoA"
        )
    sets = {direction: task.target_files(config, direction) for direction in examples}
    targets = None
    if scorer.pairing is comparison.Pairing.REQUIRED and not task.is_paired:
        targets = {
            direction: _match_targets(files, sets[direction])
            for direction, files in examples.items()
        }
    translated = translate_rows(task, config, examples, checkpoint=checkpoint, targets=targets)
    rows = list(results.progress(translated, "translating", total=sum(map(len, examples.values()))))
    compared = []
    for direction in examples:
        names = task.directions[direction]
        side = config.sides["AB".index(direction[-1])]
        # Sets are compared as images.
        are_images = sets[direction] is None or side.channels in (1, 3, 4)
        compared.append(
            comparison.from_rows(
                rows,
                config.output_folder,
                input="inputs" if task.is_paired else f"real_{direction[0]}",
                output=names.output,
                target=names.target,
                targets=sets[direction] if are_images else [],
                label=names.label,
                side=side,
            )
        )
    return compared, rows


def _match_targets(files: Sequence[Example], targets: Sequence[str] | None) -> list[str]:
    """For each file the target of the same name."""
    named = dict(zip(listing.names(targets), targets, strict=True)) if targets else {}
    names = listing.names(files)
    if lone := [name for name in names if name not in named]:
        raise InputError(
            "metrics of pairs need the same file names in both domains; in one only: "
            f"{', '.join(lone[:5])}. --metrics fid,kid compares sets"
        )
    return [named[name] for name in names]
