"""Those who watch training: the terminal, log.csv, TensorBoard, the report, the checkpoints."""

import csv
import io
import math
import sys
import time
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from pix2pix_tf import runs
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints
from pix2pix_tf.training.loop import Watcher


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
        log: `LossLog` that gets the losses themselves, or None.
    """

    frequency = 1

    def __init__(self, plan, averages, *, frequency, log=None):
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
            if self._log is not None:
                self._log.write(step, losses, rate=self.clock.rate(step))

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

    def close(self, step):
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


class LossLog:
    """log.csv: step, epoch, the losses of that step and images per second.

    Args:
        path: Path of the file; rows after `plan.first_step` are dropped, so a run that goes on
            from an earlier checkpoint leaves neither gap nor duplicate.
        plan: The loop's plan.
        names: The losses' names.
    """

    def __init__(self, path, plan, names):
        self._path, self._plan = Path(path), plan
        rows = [["step", "epoch", *names, "images_per_second"]]
        if plan.first_step and self._path.is_file():
            with self._path.open(newline="", encoding="utf-8") as file:
                old = list(csv.reader(file))[1:]
            rows += [row for row in old if row and int(row[0]) <= plan.first_step]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        runs.write_text(self._path, text.getvalue())

    def write(self, step, losses, *, rate):
        """Appends one row.

        Raises:
            InputError: If a loss is not finite: training has failed and would waste its time.
        """
        values = {name: float(value) for name, value in losses.items()}
        row = [step, self._plan.epoch(step), *map(repr, values.values()), f"{rate:.3f}"]
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(row)
        for name, value in values.items():
            if not math.isfinite(value):
                raise InputError(
                    f"Expected finite losses. Received: {name} {value} at step {step}; the last "
                    "checkpoint is kept, a smaller --lr may help"
                )


class Saver(Watcher):
    """Writes checkpoints, also when training ends early.

    Args:
        folder: Run folder.
        state: Dict from names to variables.
        frequency: Steps between checkpoints; 0 for none at all.
        keep: How many are kept.
        first_step: Step from which training goes on; it needs no checkpoint.
    """

    def __init__(self, folder, state, *, frequency, keep, first_step):
        self.frequency = frequency
        self._folder, self._state, self._keep, self._saved = folder, state, keep, first_step

    def after(self, step, losses):
        """Saves."""
        checkpoints.save(self._folder, step, self._state, keep=self._keep)
        self._saved = step

    def close(self, step):
        """Saves what was not saved yet."""
        if self.frequency and step > self._saved:
            self.after(step, {})


class Display(Watcher):
    """Shows the batches of training.

    Args:
        frequency: Steps between two of them.
        look: Function of a batch to a dict from tags to uint8 images [n, h, w, c].
        show: Function of (step, pictures) that writes them.
    """

    def __init__(self, *, frequency, look, show):
        self.frequency, self._look, self._show = frequency, tf.function(look), show

    def before(self, step, batch):
        """Translates the batch with the weights that the update of `step` starts from."""
        pictures = self._look(batch)
        self._show(step, {tag: images.numpy() for tag, images in pictures.items()})


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
        tf.profiler.experimental.start(self._folder)

    def after(self, step, losses):
        """Waits for the step to end and writes the profile."""
        for value in losses.values():
            value.numpy()
        tf.profiler.experimental.stop()
