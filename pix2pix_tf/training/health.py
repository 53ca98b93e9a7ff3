"""Callbacks that detect failing training; each triggers one warning with a hint."""

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Mapping

import tensorflow as tf
from tqdm import tqdm

from pix2pix_tf.training import distribution
from pix2pix_tf.training.step_callback import Batch, StepCallback


class WarnOnce:
    """Warns once when a condition has held several times in a row.

    Args:
        patience: How many times.
        text: The line, a format string with `step`.
    """

    def __init__(self, patience: int, text: str) -> None:
        self._patience, self._text, self._count = patience, text, 0

    def update(self, condition: bool, *, step: int, **values: object) -> None:
        """Takes in whether the condition holds at `step`; `values` are for the line."""
        if self._count < self._patience:
            self._count = self._count + 1 if condition else 0
            if self._count == self._patience and distribution.is_chief():
                text = self._text.format(step=step, **values)
                # Above the live bar, if there is one.
                tqdm.write(f"warning: {text}", file=sys.stderr)


class DiscriminatorCheck(StepCallback):
    """Warns of discriminators that have stalled or saturated.

    Args:
        chance_levels: Dict from the names of the discriminators' losses to the loss of one that
            predicts the same for all images; see `losses.chance_level`.
        patience: Steps in a row.
    """

    # Of the chance level. A discriminator that learns differs more from image to image.
    TOLERANCE = 0.02

    def __init__(self, chance_levels: Mapping[str, float], *, patience: int = 200) -> None:
        super().__init__(1)
        self._levels = chance_levels
        self._stalled: dict[str, WarnOnce] = {}
        self._saturated: dict[str, WarnOnce] = {}
        for name in chance_levels:
            start = f"{name} has stayed at {{level}} for {patience} steps (step {{step}}): "
            self._stalled[name] = WarnOnce(
                patience,
                start + "the discriminator cannot tell real from translated images; more filters "
                "(ndf) or a larger learning rate may help",
            )
            self._saturated[name] = WarnOnce(
                patience,
                start + "the discriminator is certain and the generator learns nothing from it; "
                "fewer filters (ndf) or more images may help",
            )

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        for name, level in self._levels.items():
            loss = logs[name]
            self._saturated[name].update(loss < self.TOLERANCE * level, step=step, level=0)
            at_chance = abs(loss - level) < self.TOLERANCE * level
            self._stalled[name].update(at_chance, step=step, level=f"{level:.3f}")


class OutputCheck(StepCallback):
    """Warns of outputs that stop changing, ignore the input or invert colours.

    Args:
        batches: Iterable of batches such as a dataset, of which the first few are used.
        translate: Function of a batch to a dict from names to (inputs, outputs), float
            [n, h, w, c] in [-1, 1]; dropout is off.
        inversion: Whether outputs should have the colours of their inputs.
        freq: Steps between two checks.
    """

    # Mean absolute differences in [-1, 1]: nothing at all; less than a step of 8 bits.
    NO_CHANGE, SMALL_CHANGE = 1e-6, 1e-3
    # Correlation of inputs and outputs below which colours count as inverted.
    INVERTED = -0.5
    # Batches searched for a second one of the size of the first.
    MAX_SEARCHED = 50

    def __init__(
        self,
        batches: Iterable[Batch],
        translate: Callable[[Batch], dict[str, tuple[tf.Tensor, tf.Tensor]]],
        *,
        inversion: bool = False,
        freq: int = 100,
    ) -> None:
        super().__init__(freq)
        self._batches, self._inversion = batches, inversion
        self._samples: list[Batch] = []
        self._translate = tf.function(translate, autograph=False, reduce_retracing=True)
        self._last: dict[str, tf.Tensor] = {}
        self._warnings: dict[str, dict[str, WarnOnce]] = {}

    def _sample_batches(self) -> list[Batch]:
        """The first batch, and the next one with images of the same sizes: this machine's part."""
        if not self._samples:
            for batch in itertools.islice(self._batches, self.MAX_SEARCHED):
                batch = distribution.local_shard(batch)
                first = self._samples[0] if self._samples else batch
                if [part.shape for part in batch] == [part.shape for part in first]:
                    self._samples.append(batch)
                if len(self._samples) == 2:
                    break
            self._batches = ()  # and with it what waits in its buffers
        return self._samples

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        results = [self._translate(batch) for batch in self._sample_batches()]
        for name in results[0]:
            inputs, outputs = (tf.concat([r[name][i] for r in results], 0) for i in (0, 1))
            warnings = self._warnings.setdefault(name, _output_warnings(name))
            if name in self._last:
                change = _difference(outputs, self._last[name])
                warnings["stuck"].update(change < self.NO_CHANGE, step=step)
            self._last[name] = outputs
            between_inputs = _difference(inputs[0], inputs[-1])
            between_outputs = _difference(outputs[0], outputs[-1])
            is_constant = between_outputs < self.SMALL_CHANGE < between_inputs / 10
            warnings["constant"].update(is_constant, step=step)
            if self._inversion:
                correlation = _correlation(inputs, outputs)
                warnings["inverted"].update(correlation < self.INVERTED, step=step)


def _output_warnings(name: str) -> dict[str, WarnOnce]:
    return {
        "stuck": WarnOnce(
            3,
            f"the {name} no longer change (step {{step}}); the learning rate may be too "
            "small, or so large that it saturated the generator",
        ),
        "constant": WarnOnce(
            10,
            f"the {name} are the same whatever the input (step {{step}}); a smaller learning "
            "rate, a larger batch or another seed may help",
        ),
        "inverted": WarnOnce(
            3,
            f"the {name} have inverted colours (step {{step}}); another seed or an "
            "identity loss helps",
        ),
    }


def _difference(a: tf.Tensor, b: tf.Tensor) -> float:
    return float(tf.reduce_mean(tf.abs(a - b)))


def _correlation(a: tf.Tensor, b: tf.Tensor) -> float:
    """Pearson's correlation of all elements; 0 where one of both is constant."""
    a, b = a - tf.reduce_mean(a), b - tf.reduce_mean(b)
    scale = tf.sqrt(tf.reduce_sum(a * a) * tf.reduce_sum(b * b))
    return float(tf.math.divide_no_nan(tf.reduce_sum(a * b), scale))


class WaitingCheck(StepCallback):
    """Warns if training waits for batches.

    Args:
        freq: Steps over which the share of waiting is taken.
    """

    # Share of the time that is spent waiting; prefetching makes it nearly nothing.
    TOO_LONG = 0.25

    def __init__(self, freq: int = 50) -> None:
        super().__init__(freq)
        self._waited = 0.0
        self._start: float | None = None
        self._warning = WarnOnce(
            3,
            "training waits for images {share:.0%} of the time (step {step}): the input pipeline "
            "is too slow; a cache, smaller image files or a faster disk help",
        )

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        now, waited = time.monotonic(), self.model.data_wait_seconds
        if self._start is not None:
            share = (waited - self._waited) / max(now - self._start, 1e-9)
            self._warning.update(share > self.TOO_LONG, step=step, share=share)
        self._waited, self._start = waited, now
