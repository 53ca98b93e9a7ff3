"""Signs that training goes wrong: each is told once, in one line, with a hint."""

import sys
import time

import tensorflow as tf
from tqdm import tqdm

from pix2pix_tf.training import distribution
from pix2pix_tf.training.loop import Watcher


class Alarm:
    """Tells once when something has been seen several times in a row.

    Args:
        patience: How many times.
        text: The line, a format string with `step`.
    """

    def __init__(self, patience, text):
        self._patience, self._text, self._seen = patience, text, 0

    def note(self, seen, *, step, **values):
        """Takes in whether it was seen at `step`; `values` are for the line."""
        if self._seen < self._patience:
            self._seen = self._seen + 1 if seen else 0
            if self._seen == self._patience:
                text = self._text.format(step=step, **values)
                # Above the live bar, if there is one.
                tqdm.write(f"warning: {text}", file=sys.stderr)


class VerdictCheck(Watcher):
    """Watches for discriminators that cannot tell, or tell all too well.

    Args:
        undecided: Dict from the names of the discriminators' losses to the loss of one that
            cannot tell; see `losses.undecided`.
        patience: Steps in a row.
    """

    frequency = 1
    # Of the undecided loss. A discriminator that learns differs more from image to image.
    TOLERANCE = 0.02

    def __init__(self, undecided, *, patience=200):
        self._levels, self._blind, self._certain = undecided, {}, {}
        for name in undecided:
            where = f"{name} has stayed at {{level}} for {patience} steps (step {{step}}): "
            self._blind[name] = Alarm(
                patience,
                where + "the discriminator cannot tell real from translated; a larger --ndf or "
                "--lr may help",
            )
            self._certain[name] = Alarm(
                patience,
                where + "the discriminator is certain and the generator learns nothing from it; "
                "a smaller --ndf or more images may help",
            )

    def after(self, step, losses):
        """Looks at the losses."""
        for name, level in self._levels.items():
            loss = float(losses[name])
            self._certain[name].note(loss < self.TOLERANCE * level, step=step, level=0)
            near = abs(loss - level) < self.TOLERANCE * level
            self._blind[name].note(near, step=step, level=f"{level:.3f}")


class OutputCheck(Watcher):
    """Watches what the generators make of the first two batches of one size in this process.

    Args:
        translate: Function of a batch to a dict from names to (inputs, outputs), float
            [n, h, w, c] in [-1, 1]; dropout is off.
        inversion: Whether outputs should have the colours of their inputs.
        frequency: Steps between two looks.
    """

    # Mean absolute differences in [-1, 1]: nothing at all; less than a step of 8 bits.
    STUCK, ALIKE = 1e-6, 1e-3
    # Correlation of inputs and outputs under which colours are taken for inverted.
    INVERTED = -0.5

    def __init__(self, translate, *, inversion=False, frequency=100):
        self.frequency = frequency
        self._translate = tf.function(translate, autograph=False, reduce_retracing=True)
        self._inversion = inversion
        self._batches, self._before, self._alarms = [], {}, {}

    def before(self, step, batch):
        """Keeps the first batch, and the next one with images of the same sizes.

        Of each, this machine's part is enough.
        """
        batch = distribution.local(batch)
        shapes = [[part.shape for part in kept] for kept in (*self._batches, batch)]
        if len(self._batches) < 2 and shapes[0] == shapes[-1]:
            self._batches.append(batch)

    def after(self, step, losses):
        """Translates them again and compares."""
        looks = [self._translate(batch) for batch in self._batches]
        for name in looks[0]:
            inputs, outputs = (tf.concat([look[name][i] for look in looks], 0) for i in (0, 1))
            alarms = self._alarms.setdefault(name, _output_alarms(name))
            if name in self._before and len(outputs) == len(self._before[name]):
                change = _difference(outputs, self._before[name])
                alarms["stuck"].note(change < self.STUCK, step=step)
            self._before[name] = outputs
            apart = _difference(inputs[0], inputs[-1]), _difference(outputs[0], outputs[-1])
            alike = apart[0] > 10 * self.ALIKE and apart[1] < self.ALIKE
            alarms["alike"].note(alike, step=step)
            if self._inversion:
                correlation = _correlation(inputs, outputs)
                alarms["inverted"].note(correlation < self.INVERTED, step=step)


def _output_alarms(name):
    return {
        "stuck": Alarm(
            3,
            f"the {name} no longer change (step {{step}}); is --lr too small, or the generator "
            "saturated by one too large?",
        ),
        "alike": Alarm(
            10,
            f"the {name} are the same whatever the input (step {{step}}); a smaller --lr or a "
            "larger batch may help, or starting afresh with another --seed",
        ),
        "inverted": Alarm(
            3,
            f"the {name} have inverted colours (step {{step}}); starting afresh with another "
            "--seed or with an identity loss helps",
        ),
    }


def _difference(a, b):
    return float(tf.reduce_mean(tf.abs(a - b)))


def _correlation(a, b):
    """Pearson's correlation of all elements; 0 where one of both is constant."""
    a, b = a - tf.reduce_mean(a), b - tf.reduce_mean(b)
    scale = tf.sqrt(tf.reduce_sum(a * a) * tf.reduce_sum(b * b))
    return float(tf.math.divide_no_nan(tf.reduce_sum(a * b), scale))


class Feed(Watcher):
    """The batches of training, and the time that training waits for them.

    Args:
        batches: Iterable of batches.
        frequency: Steps over which the share of waiting is taken.
    """

    # Share of the time that is spent waiting; prefetching makes it nearly nothing.
    TOO_LONG = 0.25

    def __init__(self, batches, *, frequency=50):
        self.frequency = frequency
        self._batches, self._waited, self._start = batches, 0.0, None
        self._alarm = Alarm(
            3,
            "training waits for images {share:.0%} of the time (step {step}): the input pipeline "
            "is slower; smaller images on disk, such as --scale_size, or a faster disk help",
        )

    def __iter__(self):
        """Starts over."""
        self._iterator = iter(self._batches)
        return self

    def __next__(self):
        """The next batch."""
        start = time.monotonic()
        batch = next(self._iterator)
        self._waited += time.monotonic() - start
        return batch

    def after(self, step, losses):
        """Looks at the share of waiting; the first steps, which trace graphs, do not count."""
        now = time.monotonic()
        if self._start is not None:
            share = self._waited / max(now - self._start, 1e-9)
            self._alarm.note(share > self.TOO_LONG, step=step, share=share)
        self._waited, self._start = 0.0, now
