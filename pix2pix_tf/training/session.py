"""One training run: state restored, watchers in place, the loop, and names for bad files."""

import contextlib
from pathlib import Path

import tensorflow as tf

from pix2pix_tf import runs
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints, loop
from pix2pix_tf.training.averages import LossAverages
from pix2pix_tf.training.summaries import Summaries
from pix2pix_tf.training.watchers import Display, LossLog, Progress, Saver, Trace


def train(model, batches, *, plan, losses, folder, checkpoint, pictures, show, config):
    """Trains `model` and writes the run folder.

    Args:
        model: Compiled model with `state`, `forward`, `compute_gradients` and `train_step`.
        batches: tf.data.Dataset that starts at the plan's first step and does not end.
        plan: `loop.Plan`.
        losses: Names of the losses, in the order of showing.
        folder: Run folder.
        checkpoint: File to go on from, or None.
        pictures: Function of (batch, tensors of a forward pass) to a dict from tags to uint8
            images [n, h, w, c].
        show: Function of (step, pictures) that adds to the run's report.
        config: Frequencies: an object with `progress_freq`, `summary_freq`, `display_freq`,
            `trace_freq`, `save_freq` and `keep_checkpoints`.

    Returns:
        (number of updates made in all, the signal that ended training or None).
    """
    averages = LossAverages(losses)
    state = {**model.state, **averages.state}
    if checkpoint is not None:
        checkpoints.restore(checkpoint, state)
    events = Path(folder) / runs.TENSORBOARD
    progress = Progress(
        plan,
        averages,
        frequency=config.progress_freq,
        log=LossLog(Path(folder) / runs.LOG, plan, losses),
    )

    def look(batch):
        return pictures(batch, model.forward(*batch)[1])

    summaries = Summaries(
        events,
        model=model,
        averages=averages,
        frequency=config.summary_freq,
        pictures=pictures,
        clock=progress.clock,
    )
    saver = Saver(
        folder,
        state,
        frequency=config.save_freq,
        keep=config.keep_checkpoints,
        first_step=plan.first_step,
    )
    watchers = [
        Trace(events, frequency=config.trace_freq),
        summaries,
        Display(frequency=config.display_freq, look=look, show=show),
        saver,
        progress,
    ]
    return loop.train(model, batches, plan=plan, averages=averages, watchers=watchers)


@contextlib.contextmanager
def decode_errors_named(paths, decode):
    """Turns TensorFlow's error about a file that it cannot decode into one that names the file.

    The quick check before training reads only heads and tails; damage in the middle shows here.

    Args:
        paths: Files.
        decode: Function of a file's bytes that raises a TensorFlow error, or a ValueError.

    Raises:
        InputError: Naming the file.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError):
        for path in paths:
            try:
                decode(tf.io.read_file(path))
            except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError, ValueError) as error:
                text = error.message if isinstance(error, tf.errors.OpError) else str(error)
                why = text.splitlines()[0].rpartition("}} ")[2]
                raise InputError(f"Expected readable images. Received: {path} ({why})") from None
        raise
