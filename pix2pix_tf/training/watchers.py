"""Those who watch training: the terminal, log.csv, the checkpoints, validation, the report."""

import math
import sys
import time

import tensorflow as tf
from tqdm import tqdm

from pix2pix_tf.training import checkpoints, distribution
from pix2pix_tf.training.loop import Watcher
from pix2pix_tf.training.summaries import writing


class Clock:
    """Images per second and minutes left, from the end of the first step on.

    The first step traces the graph and would spoil the rate.
    """

    def __init__(self, plan):
        self._plan, self._start, self._first = plan, None, None

    def tick(self, step):
        """Notes the end of a step."""
        if self._start is None:
            self._start, self._first = time.monotonic(), step

    def rate(self, step):
        """Images per second up to the end of `step`; 0 until the second step has ended."""
        if self._start is None or step <= self._first:
            return 0.0
        elapsed = time.monotonic() - self._start
        return (step - self._first) * self._plan.batch_size / max(elapsed, 1e-9)

    def minutes_left(self, step):
        """Minutes until the plan's last step, or None if unknown."""
        rate = self.rate(step)
        if not rate or self._plan.last_step is None:
            return None
        return (self._plan.last_step - step) * self._plan.batch_size / rate / 60


class Progress(Watcher):
    """The reference's progress lines, or a live bar on a terminal, and the rows of log.csv.

    Args:
        plan: The loop's plan.
        averages: `LossAverages` to show.
        frequency: Steps between lines and rows.
        log: `StepLog` that gets the losses themselves.
    """

    frequency = 1

    def __init__(self, plan, averages, *, frequency, log):
        self._plan, self._averages, self._every, self._log = plan, averages, frequency, log
        self.clock = Clock(plan)
        self._bar = None
        if sys.stdout.isatty():
            total = plan.last_step
            self._bar = tqdm(total=total, initial=plan.first_step, unit="step", file=sys.stdout)

    def after(self, step, losses):
        """Moves the bar; at its frequency shows and logs the losses."""
        self.clock.tick(step)
        if self._bar is not None:
            self._bar.update()
        if self._plan.due(self._every, step):
            self._show(step)
            row = {"step": str(step), "epoch": str(self._plan.epoch(step))}
            row |= {name: repr(float(value)) for name, value in losses.items()}
            self._log.write(row | {"images_per_second": f"{self.clock.rate(step):.3f}"})

    def _show(self, step):
        averages = self._averages.result()
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in averages.items()})
            return
        epoch, rate = self._plan.epoch(step), self.clock.rate(step)
        in_epoch = (step - 1) % self._plan.steps_per_epoch + 1
        left = self.clock.minutes_left(step)
        left = "-" if left is None else f"{round(left)}m"
        print(f"progress  epoch {epoch}  step {in_epoch}  image/sec {rate:0.1f}  remaining {left}")
        for name, value in averages.items():
            print(name, value)
        sys.stdout.flush()

    def close(self, step, *, whole):
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


class Saver(Watcher):
    """Writes checkpoints, also when training ends early with a whole state.

    Args:
        folder: Run folder.
        state: Dict from names to variables.
        frequency: Steps between checkpoints; 0 for none at all.
        keep: How many are kept.
        keep_every: Checkpoints of the multiples of this step stay as well; 0 for none.
        first_step: Step from which training goes on; it needs no checkpoint.
        logs: `StepLog`s whose rows must be on the disk before the checkpoint is.
    """

    def __init__(self, folder, state, *, frequency, keep, keep_every, first_step, logs):
        self.frequency = frequency
        self._folder, self._state, self._saved, self._logs = folder, state, first_step, logs
        self._kept = {"keep": keep, "keep_every": keep_every}

    def after(self, step, losses):
        """Saves."""
        for log in self._logs:
            log.sync()
        checkpoints.save(self._folder, step, self._state, **self._kept)
        self._saved = step

    def close(self, step, *, whole):
        """Saves what was not saved yet."""
        if whole and self.frequency and step > self._saved:
            self.after(step, {})


class Validation(Watcher):
    """Measures other images while training, and keeps the checkpoint that does best.

    Args:
        path: File of the best checkpoint.
        state: Dict from names to variables, for that file.
        frequency: Steps between measurements; 0 for none.
        measure: Function of the step to (dict from names to means, dict from tags to uint8 images
            [n, h, w, c]).
        best_by: Name of the mean of which the least is the best.
        log: `StepLog` for the means.
        plan: The loop's plan.
        events: `Events` for the means and the images.
    """

    def __init__(self, path, state, *, frequency, measure, best_by, log, plan, events):
        self.frequency = frequency
        self._path, self._state = path, state
        self._measure, self._best_by = measure, best_by
        self._least = _noted(self._path, best_by)
        self._log, self._plan, self._events = log, plan, events

    def after(self, step, losses):
        """Measures."""
        means, pictures = self._measure(step)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        tqdm.write(f"validation  step {step}  {shown}")
        sys.stdout.flush()
        row = {"step": str(step), "epoch": str(self._plan.epoch(step))}
        self._log.write(row | {name: repr(value) for name, value in means.items()})
        with self._events.at(step):
            for name, value in means.items():
                tf.summary.scalar(f"validation/{name}", value)
            for tag, images in pictures.items():
                tf.summary.image(f"validation/{tag}", images, max_outputs=len(images))
        if means[self._best_by] < self._least:
            self._least = means[self._best_by]
            notes = {self._best_by: self._least}
            checkpoints.write(self._path, step, self._state, notes=notes)


def _noted(path, name):
    """The number that a checkpoint file carries; infinity if it is missing or damaged."""
    if not path.is_file() or checkpoints.fault(path):
        return math.inf
    value = checkpoints.notes(path).get(name)
    return value if isinstance(value, float) else math.inf


class Display(Watcher):
    """Shows the batches of training.

    Args:
        frequency: Steps between two of them.
        look: What `make_look` made.
        show: Function of (step, pictures) that writes them.
    """

    def __init__(self, *, frequency, look, show):
        self.frequency, self._look, self._show = frequency, look, show

    @staticmethod
    def make_look(model, pictures):
        """Compiles what is shown of a batch; all workers call it together.

        Args:
            model: Model whose `forward` returns losses and tensors.
            pictures: Function of (batch, tensors) to a dict from tags to uint8 images.

        Returns:
            tf.function of a batch to a dict from tags to uint8 images [n, h, w, c].
        """

        def replica(*batch):
            shown = pictures(batch, model.forward(*batch)[1])
            return tf.nest.map_structure(distribution.joined, shown)

        return tf.function(
            lambda batch: distribution.on_replicas(replica, *batch),
            autograph=False,
            reduce_retracing=True,
        )

    def before(self, step, batch):
        """Translates the batch with the weights that the update of `step` starts from."""
        pictures = self._look(batch)
        self._show(step, {tag: images.numpy() for tag, images in pictures.items()})


class Companion(Watcher):
    """Computes what the chief shows, on a worker that shows nothing: all exchange for it.

    Args:
        frequency: As of the chief's watcher.
        look: The same function as the chief's.
    """

    def __init__(self, *, frequency, look):
        self.frequency, self._look = frequency, look

    def before(self, step, batch):
        """Takes part."""
        self._look(batch)


class Trace(Watcher):
    """Profiles one step for TensorBoard.

    Args:
        folder: TensorBoard folder.
        frequency: Steps between profiles.
    """

    def __init__(self, folder, *, frequency):
        self._folder, self.frequency = str(folder), frequency

    def before(self, step, batch):
        """Starts the profiler."""
        with writing(self._folder):
            tf.profiler.experimental.start(self._folder)

    def after(self, step, losses):
        """Waits for the step to end and writes the profile."""
        for value in losses.values():
            value.numpy()
        with writing(self._folder):
            tf.profiler.experimental.stop()
