"""What `--mode evaluate` of pix2pix-tf does once TensorFlow is loaded."""

from pathlib import Path

from pix2pix_tf.commands import frame, modes
from pix2pix_tf.config import PROGRAM
from pix2pix_tf.evaluation import comparison, results


def evaluate(config, paths, *, checkpoint):
    """Measures pictures; writes copies of them, metrics.json and the report.

    Args:
        config: Resolved `Pix2PixConfig`.
        paths: Image files for the run to translate, or None without a run.
        checkpoint: Checkpoint file of the run, or None.

    Returns:
        Path of index.html.
    """
    scorer = comparison.Scorer(config.chosen_metrics, **config.scoring)
    compared, rows = _compared(config, scorer, paths, checkpoint=checkpoint)
    measured = comparison.measure(
        scorer, [compared], folder=config.output_dir, statistics=config.statistics
    )
    return comparison.write(
        config.output_dir,
        rows,
        title=f"pix2pix: evaluation of {Path(config.checkpoint or config.input_dir).name}",
        options=frame.run_options(config, program=PROGRAM),
        measured=measured,
        checkpoint=str(checkpoint) if checkpoint else None,
    )


def _compared(config, scorer, paths, *, checkpoint):
    """The `Comparison` and the report's rows."""
    if checkpoint:
        true = comparison.ground_truth(config.target_dir) if config.target_dir else None
        made = modes.results(config, paths, checkpoint=checkpoint)
        rows = list(results.progress(made, "translating", total=len(paths)))
        kinds = {"output": "outputs", "target": "targets"}
        return comparison.of_rows(rows, config.output_dir, **kinds, targets=true), rows
    if config.target_dir:
        return comparison.of_folders(
            config.input_dir,
            config.target_dir,
            config.output_dir,
            kind="outputs",
            pairs_wanted=scorer.wants_pairs,
        )
    return comparison.of_test(config.input_dir, config.output_dir)
