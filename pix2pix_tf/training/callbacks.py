"""Keras callbacks for GANs, used by the programs and for your own `fit`.

All of them count steps from the start of the run (`GAN.step`), across `fit` calls and resumes. In
a list of callbacks `Speed` comes before those that show it and `Checkpoints` last: what the others
write about a step is there before its checkpoint is, so a run killed at any moment resumes from a
checkpoint and writes again all that came after it. Of several workers only the chief writes.
"""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints, distribution
from pix2pix_tf.training.averages import WeightAveraging
from pix2pix_tf.training.health import DiscriminatorCheck, OutputCheck, WaitingCheck
from pix2pix_tf.training.logs import StepLog
from pix2pix_tf.training.runtime import EXIT_CODES
from pix2pix_tf.training.step_callback import SPEED, Batch, StepCallback, ToImages
from pix2pix_tf.training.tensorboard import Profile, TensorBoard

__all__ = [
    "Checkpoints",
    "DiscriminatorCheck",
    "FiniteCheck",
    "Images",
    "Log",
    "OutputCheck",
    "Profile",
    "Progress",
    "Speed",
    "StepCallback",
    "StopAtStep",
    "TensorBoard",
    "Validation",
    "WaitingCheck",
    "WeightAveraging",
]
PathLike = str | os.PathLike[str]


class FiniteCheck(StepCallback):
    """Ends training in the step in which a loss or a gradient is not finite.

    Raises:
        InputError: Naming it and the step.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.model.reset_finite_check()

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if nonfinite := self.model.first_nonfinite():
            name, step = nonfinite
            # Gradients are not in the logs.
            value = logs.get(name, 0.0)
            text = "not finite" if math.isfinite(value) else value
            raise InputError(
                f"Training diverged: {name} is {text} at step {step}. The last checkpoint is "
                "kept; a smaller learning rate may help"
            )


class Speed(keras.callbacks.Callback):
    """Adds "images_per_second" to the logs, for the callbacks after it.

    The first step of `fit` traces the graph and would spoil the rate: it counts only while there
    is no other.

    Args:
        batch_size: Images per step.
    """

    def __init__(self, batch_size: int = 1) -> None:
        super().__init__()
        self.batch_size = batch_size

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._start, self._steps = time.monotonic(), -1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        now, self._steps = time.monotonic(), self._steps + 1
        steps = max(self._steps, 1) * self.model.steps_per_execution
        if logs is not None:
            logs[SPEED] = steps * self.batch_size / max(now - self._start, 1e-9)
        if self._steps == 0:
            self._start = now


class Log(StepCallback):
    """Writes the losses of a step, as they are, to a CSV file such as a run's log.csv.

    Args:
        path: The file. A run that is resumed keeps its rows up to where it resumes.
        losses: Their names, the columns after "step" and "epoch".
        freq: Steps between two rows.
        last_step: See `StepCallback`.
    """

    def __init__(
        self, path: PathLike, losses: Sequence[str], freq: int = 50, *, last_step: int | None = None
    ) -> None:
        super().__init__(freq, last_step=last_step)
        self.path, self.losses = run_folder.as_path(path), losses

    def on_train_begin(self, logs: dict | None = None) -> None:
        if distribution.is_chief():
            columns = ["step", "epoch", *self.losses, SPEED]
            self._log = StepLog(self.path, columns, first_step=self.model.step)

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if distribution.is_chief():
            row = {"step": str(step), "epoch": str(self.epoch)}
            row |= {name: repr(logs[name]) for name in self.losses if name in logs}
            self._log.write(row | {SPEED: rounded(logs.get(SPEED, 0.0))})


class Progress(StepCallback):
    """Shows where training is: a live bar on a terminal, the reference's lines elsewhere.

    The losses shown are moving averages, see `averages.LossAverages`.

    Args:
        names: Dict from short names to losses, for the bar; the lines have all losses in full.
        freq: Steps between two lines.
        last_step: Step at which training ends, or None.
        steps_per_epoch: Updates per pass over the data.
        batch_size: Images per step.
    """

    def __init__(
        self,
        names: dict[str, str],
        freq: int = 50,
        *,
        last_step: int | None = None,
        steps_per_epoch: int,
        batch_size: int = 1,
    ) -> None:
        super().__init__(1, last_step=last_step)
        self.names, self.every = names, freq
        self.steps_per_epoch, self.batch_size = steps_per_epoch, batch_size
        self._bar: tqdm | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not distribution.is_chief():
            return
        print("building the graph: the first step takes longer", flush=True)
        if sys.stdout.isatty():
            self._bar = tqdm(
                total=self.last_step,
                initial=self.model.step,
                file=sys.stdout,
                dynamic_ncols=True,
                bar_format="{n_fmt}/{total_fmt} {bar} {remaining} {postfix}",
            )

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if not distribution.is_chief():
            return
        is_shown = self.every and (step % self.every == 0 or step == self.last_step)
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
        if not is_shown:
            return
        losses, rate = self.model.loss_averages.result(step), logs.get(SPEED, 0.0)
        if self._bar is not None:
            texts = [f"{short} {losses[name]:.3g}" for short, name in self.names.items()]
            self._bar.set_postfix_str(f"{' '.join(texts)} ep {self.epoch} {speed(rate)}")
            return
        in_epoch = (step - 1) % self.steps_per_epoch + 1
        left = "-"
        if rate and self.last_step is not None:
            left = f"{round((self.last_step - step) * self.batch_size / rate / 60)}m"
        print(
            f"progress  epoch {self.epoch}  step {in_epoch}  {speed(rate, batch=self.batch_size)}"
            f"  remaining {left}"
        )
        for name, value in losses.items():
            print(name, value)
        sys.stdout.flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._bar is not None:
            self._bar.close()


def rounded(value: float) -> str:
    """A positive number with three significant digits, without an exponent."""
    if not value or not math.isfinite(value):
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def speed(rate: float, *, batch: int = 1) -> str:
    """Images per second in words; seconds per step where that is less than one."""
    if 0 < rate < 1:
        return f"sec/step {rounded(batch / rate)}"
    return f"image/sec {rounded(rate)}"


class Images(StepCallback):
    """Shows batches of training, with the weights that the step's update starts from.

    Args:
        batch_at: Function of the number of updates made to the batch of the next one.
        images: Function of (batch, the tensors of `forward`) to a dict from tags to uint8 images.
        show: Function of (step, dict from tags to uint8 arrays [n, h, w, c]) that writes them.
        freq: Steps between two of them.
        last_step: See `StepCallback`.
    """

    def __init__(
        self,
        batch_at: Callable[[int], Batch],
        images: ToImages,
        show: Callable[[int, dict[str, np.ndarray]], None],
        freq: int = 1000,
        *,
        last_step: int | None = None,
    ) -> None:
        super().__init__(freq, last_step=last_step)
        self.batch_at, self.images, self.show = batch_at, images, show

    def on_train_begin(self, logs: dict | None = None) -> None:

        def look(*batch: tf.Tensor) -> dict[str, tf.Tensor]:
            _, tensors = self.model.forward(*batch)
            return distribution.gather_images(self.images(batch, tensors))

        self._look = distribution.on_every_replica(look)

    def on_step_begin(self, step: int) -> None:
        images = self._look(*self.batch_at(step - 1))
        if distribution.is_chief():
            self.show(step, {tag: batch.numpy() for tag, batch in images.items()})


class Checkpoints(StepCallback):
    """Saves everything that training changes: networks, optimizers, pools, averages.

    It also saves when training ends, early or not, unless an update was broken off or a loss or
    gradient is not finite. Comes last in a list of callbacks.

    Args:
        folder: Run folder; the files are in its folder "checkpoints".
        save_freq: Steps between checkpoints; 0 for none at all.
        keep: How many are kept.
        keep_every: Checkpoints of the multiples of this step stay as well; 0 for none.
        last_step: See `StepCallback`.
    """

    def __init__(
        self,
        folder: PathLike,
        save_freq: int = 5000,
        *,
        keep: int = 3,
        keep_every: int = 0,
        last_step: int | None = None,
    ) -> None:
        super().__init__(save_freq, last_step=last_step)
        self.folder, self.keep, self.keep_every = run_folder.as_path(folder), keep, keep_every
        self._saved: int | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._saved = self.model.step
        if self.freq and distribution.is_chief():
            (self.folder / run_folder.CHECKPOINTS).mkdir(parents=True, exist_ok=True)

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        self._save(step)

    def on_train_end(self, logs: dict | None = None) -> None:
        step = self.model.step
        is_new = self._saved is not None and step > self._saved
        if self.freq and is_new and not self.model.in_update:
            self._save(step)

    def _save(self, step: int) -> None:
        if not distribution.is_chief() or self.model.first_nonfinite():
            return
        # The rows of its steps must be on the disk before the checkpoint is.
        for name in (run_folder.LOG, run_folder.VALIDATION):
            path = self.folder / name
            if path.is_file():
                run_folder.sync(path)
        checkpoints.save(
            self.folder, step, self.model.state, keep=self.keep, keep_every=self.keep_every
        )
        self._saved = step


class Validation(StepCallback):
    """Measures other images while training, and keeps the best checkpoint.

    Args:
        folder: Run folder, which gets val.csv and checkpoints/best.safetensors.
        measure: Function of the step to (dict from names to means, dict from tags to uint8 images
            [n, h, w, c]).
        means: Names of the means; the least of the first one is the best.
        freq: Steps between two measurements.
        tensorboard: `TensorBoard` that shows them as well, or None.
        last_step: See `StepCallback`.
    """

    def __init__(
        self,
        folder: PathLike,
        measure: Callable[[int], tuple[dict[str, float], dict[str, np.ndarray]]],
        means: Sequence[str],
        freq: int = 1000,
        *,
        tensorboard: TensorBoard | None = None,
        last_step: int | None = None,
    ) -> None:
        super().__init__(freq, last_step=last_step)
        self.folder, self.measure, self.means = run_folder.as_path(folder), measure, means
        self.tensorboard = tensorboard

    def on_train_begin(self, logs: dict | None = None) -> None:
        if distribution.is_chief():
            self._path = run_folder.best_path(self.folder)
            self._best = _noted(self._path, self.means[0])
            self._log = StepLog(
                self.folder / run_folder.VALIDATION,
                ["step", "epoch", *self.means],
                first_step=self.model.step,
            )

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if not distribution.is_chief():
            return
        means, images = self.measure(step)
        text = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        tqdm.write(f"validation  step {step}  {text}")
        sys.stdout.flush()
        row = {"step": str(step), "epoch": str(self.epoch)}
        self._log.write(row | {name: repr(value) for name, value in means.items()})
        if self.tensorboard is not None:
            self.tensorboard.write(
                step,
                scalars={f"validation/{name}": value for name, value in means.items()},
                images={f"validation/{tag}": batch for tag, batch in images.items()},
            )
        best_by = self.means[0]
        if means[best_by] < self._best:
            self._best = means[best_by]
            checkpoints.write(self._path, step, self.model.state, notes={best_by: self._best})


def _noted(path: Any, name: str) -> float:
    """The number that a checkpoint file carries; infinity if it is missing or damaged."""
    if not path.is_file() or checkpoints.fault(path):
        return math.inf
    value = checkpoints.notes(path).get(name)
    return value if isinstance(value, float) else math.inf


class StopAtStep(StepCallback):
    """Ends training after the last step, or after the step in which SIGINT or SIGTERM came.

    A second SIGINT interrupts at once. Several workers end together. Outside of the main thread
    Python gives nobody signals, and only the last step ends training.

    Args:
        last_step: Step at which training ends, or None.

    Attributes:
        signal: The signal that ended training, or None.
    """

    def __init__(self, last_step: int | None = None) -> None:
        super().__init__(1, last_step=last_step)
        self.signal: signal.Signals | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.signal = None
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in EXIT_CODES}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if distribution.any_worker_stops(self.signal is not None):
            self.signal = self.signal or signal.SIGTERM
            self.model.stop_training = True
        if step == self.last_step:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


# Its name in 0.2.
Stop = StopAtStep
