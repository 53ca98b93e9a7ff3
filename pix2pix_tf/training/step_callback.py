"""Callbacks that count steps, and what they show of a batch."""

from collections.abc import Callable

import keras
import tensorflow as tf

Batch = tuple[tf.Tensor, tf.Tensor]
# A function of (batch, the tensors of `forward`) to a dict from tags to uint8 images [n, h, w, c].
ToImages = Callable[[Batch, dict[str, tf.Tensor]], dict[str, tf.Tensor]]
# What `callbacks.Speed` adds to the logs.
SPEED = "images_per_second"


class StepCallback(keras.callbacks.Callback):
    """Acts every `freq` steps and at the last one, in `on_step_begin` and `on_step_end`.

    Args:
        freq: Steps between two times; 0 for never. With `steps_per_execution` it only sees the
            last step of each execution.
        last_step: Step at which training ends, if that is known.

    Reference:
        pix2pix.py, should().
    """

    def __init__(self, freq: int = 1, *, last_step: int | None = None) -> None:
        super().__init__()
        self.freq, self.last_step = freq, last_step
        self.epoch, self._before = 1, 0

    def is_due(self, step: int) -> bool:
        """Whether it acts at `step`."""
        return self.freq > 0 and (step % self.freq == 0 or step == self.last_step)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch, self._before = epoch + 1, self.model.step

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        step = self._before + batch + self.model.steps_per_execution
        if self.is_due(step):
            self.on_step_begin(step)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self._before + batch + 1
        if self.is_due(step):
            self.on_step_end(step, logs or {})

    def on_step_begin(self, step: int) -> None:
        """Called before the update that makes `step`, counted from 1."""

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        """Called after it.

        Args:
            step: Number of updates made.
            logs: The losses of this step, and what callbacks before this one added.
        """
