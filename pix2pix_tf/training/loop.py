"""The training loop: one update per batch, and watchers that act at their own frequency."""

import contextlib
import dataclasses
import itertools
import signal

import tensorflow as tf

from pix2pix_tf.training import distribution, finite
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

    def close(self, step, *, whole):
        """Called once when training ends, after `step` updates, however it ends.

        Args:
            step: Number of updates made.
            whole: Whether the state is that of `step`: not if an update failed or was broken off.
        """


def make_update(model, averages):
    """Compiles one update.

    Args:
        model: Keras model with an `update` that returns a dict of scalars and the gradients.
        averages: Those who follow every step; their `update` takes its losses.

    Returns:
        Function of a batch that returns (losses, `finite.sums` of losses and gradients).
    """

    def replica(batch):
        losses, gradients = model.update(batch)
        # Every replica's share of a loss is already divided by the number of replicas, and the
        # sum of a scalar is itself: the losses need no exchange of their own.
        sums = distribution.total(finite.sums([*losses.values(), *gradients]))
        return dict(zip(losses, tf.unstack(sums[: len(losses)]), strict=True)), sums

    # Nothing here branches on a tensor in Python; looking for it would double the start-up time.
    # Images of several sizes have one graph, not one each.
    @tf.function(autograph=False, reduce_retracing=True)
    def update(batch):
        losses, sums = distribution.on_replicas(replica, batch)
        for average in averages:
            average.update(losses)
        return losses, sums

    return update


def train(model, batches, *, plan, averages, watchers):
    """Updates the model batch by batch until the plan ends or a signal asks to stop.

    Args:
        model: Compiled Keras model.
        batches: Iterable that starts at the plan's first step and does not end.
        plan: `Plan`.
        averages: Those who follow every step; their `update` takes its losses.
        watchers: Sequence of `Watcher`.

    Returns:
        (number of updates made in all, the signal that ended training or None).

    Raises:
        InputError: If a loss or a gradient is not finite.
    """
    update, step, whole = make_update(model, averages), plan.first_step, True
    iterator, agreed = iter(batches), distribution.agreement()
    with StopRequest() as stop:
        try:
            for number in itertools.count(step + 1):
                stopped = agreed(stop.signal)
                if stopped or (plan.last_step is not None and number > plan.last_step):
                    break
                batch = next(iterator)
                due = [watcher for watcher in watchers if plan.due(watcher.frequency, number)]
                for watcher in due:
                    watcher.before(number, batch)
                whole = False
                losses, sums = update(batch)
                finite.refuse_broken(sums, number, losses=losses, model=model)
                step, whole = number, True
                for watcher in due:
                    watcher.after(number, losses)
        finally:
            with contextlib.ExitStack() as closing:
                for watcher in watchers:
                    closing.callback(watcher.close, step, whole=whole)
    return step, stop.signal or (signal.SIGTERM if stopped else None)
