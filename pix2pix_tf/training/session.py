"""One training run: state restored, watchers in place, the loop, and names for bad files."""

import dataclasses
import time
from collections.abc import Callable

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints, distribution, loop
from pix2pix_tf.training.averages import LossAverages, WeightAverages
from pix2pix_tf.training.health import Feed, OutputCheck, VerdictCheck
from pix2pix_tf.training.logs import StepLog
from pix2pix_tf.training.summaries import Events, Summaries, make_look
from pix2pix_tf.training.watchers import Companion, Display, Progress, Saver, Trace, Validation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a model and its program bring to a training run.

    Attributes:
        losses: Names of the losses, in the order of showing.
        pictures: Function of (batch, tensors of a forward pass) to a dict from tags to uint8
            images [n, h, w, c].
        show: Function of (step, pictures) that adds to the run's report.
        translate: Function of a batch to a dict from names to (inputs, outputs), see
            `health.OutputCheck`.
        inversion: Whether outputs should have the colours of their inputs.
        undecided: Dict from names of losses to levels, see `health.VerdictCheck`.
        averages: `WeightAverages`, or None.
        measure: Function of the step that measures other images, see `watchers.Validation`, or
            None.
        means: Names of what `measure` measures; the least of the first one is the best.
    """

    losses: tuple
    pictures: Callable
    show: Callable
    translate: Callable
    inversion: bool = False
    undecided: dict
    averages: WeightAverages | None = None
    measure: Callable | None = None
    means: tuple = ()


def train(model, batches, *, plan, hooks, folder, checkpoint, config):
    """Trains `model` and writes the run folder.

    Args:
        model: Compiled model with `state`, `forward`, `compute_gradients` and `update`.
        batches: Iterable that starts at the plan's first step and does not end, as of
            `distribution.distributed`.
        plan: `loop.Plan`.
        hooks: `Hooks`.
        folder: Run folder.
        checkpoint: File to go on from, or None.
        config: Frequencies: an object with `progress_freq`, `summary_freq`, `display_freq`,
            `trace_freq`, `save_freq`, `val_freq`, `keep_checkpoints` and `keep_every`.

    Returns:
        (number of updates made in all, the signal that ended training or None).
    """
    averages = LossAverages(hooks.losses)
    state = {**model.state, **averages.state}
    if checkpoint is not None:
        checkpoints.restore(checkpoint, state)
    if hooks.averages is not None:
        state |= _restored(hooks.averages, checkpoint)
    distribution.share(state)
    watchers = _watchers(
        model,
        plan=plan,
        hooks=hooks,
        folder=run_folder.place(folder),
        config=config,
        averages=averages,
        state=state,
    )
    feed = Feed(batches)
    return loop.train(
        model,
        feed,
        plan=plan,
        averages=[one for one in (averages, hooks.averages) if one is not None],
        watchers=[feed, *watchers],
    )


def _restored(averages, checkpoint):
    """Restores the averages of weights, or starts them where the weights are."""
    if checkpoint is not None and averages.state.keys() <= checkpoints.names(checkpoint):
        checkpoints.restore(checkpoint, averages.state)
    else:
        averages.restart()
        if checkpoint is not None:
            print("averaging of weights starts here")
    return averages.state


def _watchers(model, *, plan, hooks, folder, config, averages, state):
    """Everybody who watches; the one who saves comes last.

    Whatever the others write about a step is written when its checkpoint appears: a run killed at
    any moment goes on from a checkpoint, and writes again all that came after it. Of several
    workers only the chief writes.
    """
    look = make_look(model, hooks.pictures)
    display_look = Display.make_look(model, hooks.pictures)
    if not distribution.leads():
        return [
            Companion(frequency=config.summary_freq, look=look),
            Companion(frequency=config.display_freq, look=display_look),
        ]
    events = Events(folder / run_folder.TENSORBOARD, first_step=plan.first_step)
    columns = ["step", "epoch", *hooks.losses, "images_per_second"]
    logs = [StepLog(folder / run_folder.LOG, columns, first_step=plan.first_step)]
    progress = Progress(plan, averages, frequency=config.progress_freq, log=logs[0])
    watchers = [
        Trace(folder / run_folder.TENSORBOARD, frequency=config.trace_freq),
        Summaries(
            events,
            model=model,
            averages=averages,
            frequency=config.summary_freq,
            look=look,
            clock=progress.clock,
        ),
        Display(frequency=config.display_freq, look=display_look, show=hooks.show),
        progress,
        VerdictCheck(hooks.undecided),
        OutputCheck(hooks.translate, inversion=hooks.inversion),
    ]
    if hooks.measure is not None:
        columns = ["step", "epoch", *hooks.means]
        logs.append(StepLog(folder / run_folder.VALIDATION, columns, first_step=plan.first_step))
        watchers.append(
            Validation(
                run_folder.best_path(folder),
                state,
                frequency=config.val_freq,
                measure=hooks.measure,
                best_by=hooks.means[0],
                log=logs[1],
                plan=plan,
                events=events,
            )
        )
    saver = Saver(
        folder,
        state,
        frequency=config.save_freq,
        keep=config.keep_checkpoints,
        keep_every=config.keep_every,
        first_step=plan.first_step,
        logs=logs,
    )
    return [*watchers, saver]


def pipeline_rate(batches, batch_size, *, seconds=0.25):
    """Images per second that the pipeline makes when nothing else runs."""
    iterator = iter(batches)
    next(iterator)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        next(iterator)
        count += batch_size
    return count / (time.monotonic() - start)
