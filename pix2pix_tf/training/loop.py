"""The training loop: one update per batch, and watchers that act at their own frequency."""

import dataclasses
import itertools

import tensorflow as tf

from pix2pix_tf.training.runtime import StopRequest


@dataclasses.dataclass(frozen=True)
class Plan:
    """Where training starts and ends, in steps.

    Attributes:
        first_step: Number of updates already made.
        last_step: Number of updates after which training ends, or None.
        steps_per_epoch: Updates per pass over the data.
        batch_size: Images per update.
    """

    first_step: int
    last_step: int | None
    steps_per_epoch: int
    batch_size: int

    def epoch(self, step):
        """The epoch that `step` (counted from 1) belongs to, counted from 1."""
        return -(-step // self.steps_per_epoch)

    def due(self, frequency, step):
        """Whether something of this frequency (0 for never) happens at `step`, or it is the last.

        Reference:
            pix2pix.py, should().
        """
        return frequency > 0 and (step % frequency == 0 or step == self.last_step)


class Watcher:
    """Looks at training every `frequency` steps."""

    frequency = 0

    def before(self, step, batch):
        """Called before the update that makes `step`."""

    def after(self, step, losses):
        """Called after it, with the losses of its forward pass, a dict of scalar tensors."""

    def close(self, step):
        """Called once when training ends, after `step` updates, however it ends."""


def make_update(model, averages):
    """Compiles one update.

    Args:
        model: Keras model with a `train_step` that returns a dict of scalars.
        averages: `LossAverages` that takes every step's losses in.

    Returns:
        Function of a batch that returns the losses.
    """
    strategy = tf.distribute.get_strategy()

    @tf.function
    def update(batch):
        shares = strategy.run(model.train_step, args=(batch,))
        # Every replica's share is already divided by the number of replicas.
        losses = {
            name: strategy.reduce(tf.distribute.ReduceOp.SUM, share, axis=None)
            for name, share in shares.items()
        }
        averages.update(losses)
        return losses

    return update


def train(model, batches, *, plan, averages, watchers):
    """Updates the model batch by batch until the plan ends or a signal asks to stop.

    Args:
        model: Compiled Keras model.
        batches: tf.data.Dataset that starts at the plan's first step and does not end.
        plan: `Plan`.
        averages: `LossAverages`.
        watchers: Sequence of `Watcher`.

    Returns:
        (number of updates made in all, the signal that ended training or None).
    """
    update, step = make_update(model, averages), plan.first_step
    iterator = iter(batches)
    with StopRequest() as stop:
        try:
            for number in itertools.count(step + 1):
                if stop.signal or (plan.last_step is not None and number > plan.last_step):
                    break
                batch = next(iterator)
                due = [watcher for watcher in watchers if plan.due(watcher.frequency, number)]
                for watcher in due:
                    watcher.before(number, batch)
                losses = update(batch)
                step = number
                for watcher in due:
                    watcher.after(number, losses)
        finally:
            for watcher in watchers:
                watcher.close(step)
    return step, stop.signal
