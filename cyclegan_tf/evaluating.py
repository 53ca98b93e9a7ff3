"""What `--mode evaluate` of cyclegan-tf does once TensorFlow is loaded."""

from pathlib import Path

from cyclegan_tf import modes
from cyclegan_tf.config import PROGRAM
from cyclegan_tf.modes import DIRECTIONS
from pix2pix_tf.commands import frame
from pix2pix_tf.data import listing
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import comparison, results


def evaluate(config, paths, *, checkpoint):
    """Measures pictures; writes copies of them, metrics.json and the report.

    Args:
        config: Resolved `CycleGANConfig`.
        paths: Dict from "AtoB" and "BtoA" to the files for the run to translate that way, or None
            without a run.
        checkpoint: Checkpoint file of the run, or None.

    Returns:
        Path of index.html.
    """
    scorer = comparison.Scorer(config.chosen_metrics, **config.scoring)
    if checkpoint:
        compared, rows = _of_run(config, scorer, paths, checkpoint=checkpoint)
    else:
        compared, rows = _of_folders(config, scorer)
    measured = comparison.measure(
        scorer, compared, folder=config.output_dir, statistics=config.statistics
    )
    return comparison.write(
        config.output_dir,
        rows,
        title=f"CycleGAN: evaluation of {Path(config.checkpoint or config.input_dir).name}",
        options=frame.run_options(config, program=PROGRAM),
        measured=measured,
        checkpoint=str(checkpoint) if checkpoint else None,
    )


def _of_folders(config, scorer):
    if not (config.target_dir and config.input_dir):
        raise InputError(
            "Expected --checkpoint, or --input_dir and --target_dir, with --mode evaluate. "
            "Received: neither"
        )
    fake = "fake_A" if config.direction == "BtoA" else "fake_B"
    compared, rows = comparison.of_folders(
        config.input_dir,
        config.target_dir,
        config.output_dir,
        kind=fake,
        pairs_wanted=scorer.wants_pairs,
    )
    return [compared], rows


def _of_run(config, scorer, paths, *, checkpoint):
    """The comparisons of each direction and the report's rows."""
    if config.target_dir and len(paths) > 1:
        raise InputError(
            "Expected one --direction with --target_dir, which is the true set of one. "
            "Received: both"
        )
    true = {way: _true_set(config, way) for way in paths}
    truths = None
    if scorer.wants_pairs:
        truths = {way: _partners(files, true[way]) for way, files in paths.items()}
    made = modes.results(config, paths, checkpoint=checkpoint, truths=truths)
    rows = list(results.progress(made, "translating", total=sum(map(len, paths.values()))))
    compared = []
    for way in paths:
        domain = DIRECTIONS[way][3]
        kinds = {"output": f"fake_{domain}", "target": f"true_{domain}"}
        # Sets of images are compared as pictures.
        seen = (
            true[way] if config.file_sides(DIRECTIONS[way][3])[0][0].channels in (1, 3, 4) else []
        )
        compared.append(
            comparison.of_rows(rows, config.output_dir, **kinds, targets=seen, label=f" {way}")
        )
    return compared, rows


def _true_set(config, direction):
    """The files of the domain that is translated to; none where its folder is not there."""
    domain = DIRECTIONS[direction][3]
    sides = config.file_sides(domain)
    if config.target_dir:
        return comparison.ground_truth(config.target_dir, sides=sides)
    folder = config.domains("test")["AB".index(domain)]
    return comparison.ground_truth(folder, sides=sides) if Path(folder).is_dir() else []


def _partners(files, true):
    """For each file the true one of the same name."""
    named = dict(zip(listing.names(true), true, strict=True))
    names = listing.names(files)
    if lone := [name for name in names if name not in named]:
        raise InputError(
            "Expected the same names in both domains for metrics of pairs. Received in one only: "
            f"{', '.join(lone[:5])}; --metrics fid,kid compares sets"
        )
    return [named[name] for name in names]
