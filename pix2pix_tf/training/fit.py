"""`Model.fit` for a run that starts, stops and resumes at any step."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from pix2pix_tf.training import distribution


def fit(
    model: keras.Model,
    batches: Callable[[int], Iterable],
    *,
    first_step: int,
    last_step: int | None,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> int:
    """Trains from one step to another.

    An epoch of Keras has a fixed number of steps. Training that resumes within one therefore takes
    two calls of `Model.fit`, one for the rest of that epoch; callbacks see one training.

    Args:
        model: Compiled `gan.GAN` whose state is that of `first_step`.
        batches: Function of the number of updates made to the endless batches that follow, as of
            `distribution.distribute_batches`.
        first_step: Number of updates already made.
        last_step: Number of updates after which training ends, or None.
        steps_per_epoch: Updates per pass over the data.
        callbacks: They end training, by `model.stop_training`, if `last_step` is not the end of an
            epoch. If training ends by an error, they get their `on_train_end` nevertheless.

    Returns:
        Number of updates made in all.
    """
    distribution.broadcast_state(model.state)
    model.step = first_step
    epochs = 2**62 if last_step is None else -(-last_step // steps_per_epoch)
    training = _OneTraining(
        callbacks, add_history=True, model=model, epochs=epochs, steps=steps_per_epoch
    )
    begun, past = divmod(first_step, steps_per_epoch)
    parts = [(begun, min(begun + 1, epochs), steps_per_epoch - past)] if past else []
    parts.append((begun + bool(past), epochs, steps_per_epoch))
    with training:
        for first_epoch, end, steps in parts:
            if first_epoch < end and not (training.is_begun and model.stop_training):
                training.is_begun = True
                model.fit(
                    batches(model.step),
                    initial_epoch=first_epoch,
                    epochs=end,
                    steps_per_epoch=steps,
                    shuffle=False,
                    verbose=0,
                    callbacks=training,
                )
    return model.step


class _OneTraining(keras.callbacks.CallbackList):
    """Callbacks for which training begins once and ends once, however many calls of `fit` it takes.

    Used as a context: training ends with it, also by an error.
    """

    is_begun = False

    def __enter__(self) -> None:
        super().on_train_begin()

    def __exit__(self, *error: Any) -> None:
        with contextlib.ExitStack() as ending:
            # Also those behind one that fails.
            for callback in reversed(self.callbacks):
                ending.callback(callback.on_train_end)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Has happened."""

    def on_train_end(self, logs: dict | None = None) -> None:
        """Will happen."""
