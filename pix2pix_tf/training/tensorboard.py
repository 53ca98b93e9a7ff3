"""TensorBoard: the reference's scalars, images and histograms, in groups, losses first."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.histogram.metadata import create_summary_metadata

from pix2pix_tf.training import distribution
from pix2pix_tf.training.optimizers import unscaled
from pix2pix_tf.training.step_callback import SPEED, Batch, StepCallback, ToImages

PathLike = str | os.PathLike[str]
# TensorBoard shows groups of tags in the order of the alphabet: losses come first.
LOSSES, SAMPLES, RATE, GRADIENTS, WEIGHTS = (
    "losses", "samples", "speed", "weight_gradients", "weights",
)  # fmt: skip


@contextlib.contextmanager
def writing(folder: PathLike) -> Iterator[None]:
    """Turns TensorFlow's errors about files into an OSError that the command line shows."""
    try:
        yield
    except tf.errors.OpError as error:
        why = (error.message.splitlines() or ["an error"])[0].rpartition("}} ")[2]
        raise OSError(f"cannot write to {folder}: {why}") from None


def buckets(values: tf.Tensor) -> tf.Tensor:
    """What TensorBoard shows as a histogram.

    `tf.summary.histogram` makes 30 float64 numbers of each value on the way to the same: 8 s for
    all weights and gradients of pix2pix on two CPU cores, and this 0.3 s.

    Args:
        values: Float tensor of any shape, not empty; what is not finite counts as 0.

    Returns:
        float64 [30, 3]: left edge, right edge, how many, of buckets of equal width between the
        least and the greatest value.
    """
    return _buckets(tf.reshape(tf.cast(values, tf.float32), [-1]))


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False)
def _buckets(values: tf.Tensor, count: int = 30) -> tf.Tensor:
    values = tf.where(tf.math.is_finite(values), values, 0.0)
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    # The operation fails for a range without width.
    above = tf.where(high > low, high, low + 1 + tf.abs(low))
    counts = tf.histogram_fixed_width(values, [low, above], nbins=count)
    edges = tf.linspace(tf.cast(low, tf.float64), tf.cast(high, tf.float64), count + 1)
    return tf.stack([edges[:-1], edges[1:], tf.cast(counts, tf.float64)], axis=1)


class TensorBoard(StepCallback):
    """Writes losses, images and histograms of the weights and gradients.

    The losses are moving averages, see `averages.LossAverages`. A resumed run continues in
    a new file, before which TensorBoard drops what an interrupted process wrote after the
    checkpoint.

    Args:
        folder: TensorBoard folder.
        freq: Steps between two summaries; 0 for none.
        batch_at: Function of the number of updates made to the batch of the next one, for images
            and gradients; None for neither.
        images: Function of (batch, the tensors of `forward`) to a dict from tags to uint8 images.
        options: Options of the run, shown as a table, or None.
        last_step: See `StepCallback`.
    """

    def __init__(
        self,
        folder: PathLike,
        freq: int = 100,
        *,
        batch_at: Callable[[int], Batch] | None = None,
        images: ToImages | None = None,
        options: Mapping[str, object] | None = None,
        last_step: int | None = None,
    ) -> None:
        super().__init__(freq, last_step=last_step)
        self.folder, self.batch_at, self.images = str(folder), batch_at, images
        self.options = options or {}
        self._writer: tf.summary.SummaryWriter | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._first, self._is_graph_written = self.model.step, False

        def look(*batch: tf.Tensor) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
            """Images and gradients of the global batch."""
            _, tensors, gen, disc = self.model.compute_gradients(*batch)
            gen = unscaled(gen, optimizer=self.model.gen_optimizer)
            disc = unscaled(disc, optimizer=self.model.disc_optimizer)
            images = self.images(batch, tensors) if self.images is not None else {}
            return distribution.gather_images(images), distribution.all_reduce_sum([*gen, *disc])

        self._look: Any = distribution.on_every_replica(look)

    @contextlib.contextmanager
    def _at(self, step: int) -> Iterator[None]:
        """Makes `tf.summary` write to this run; what was written is in the file afterwards."""
        with writing(self.folder):
            if self._writer is None:
                _restart(self.folder, self._first + 1)
                self._writer = tf.summary.create_file_writer(self.folder)
                with self._writer.as_default(self._first):
                    self._write_options()
            with self._writer.as_default(step):
                yield
            self._writer.flush()

    def _write_options(self) -> None:
        rows = [f"| {name} | {value} |" for name, value in sorted(self.options.items())]
        if rows:
            tf.summary.text("options", "\n".join(["| option | value |", "|---|---|", *rows]))

    def write(
        self,
        step: int,
        *,
        scalars: Mapping[str, float] | None = None,
        images: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Writes scalars, and all images of some batches, under their tags.

        Raises:
            OSError: If they cannot be written.
        """
        with self._at(step):
            for tag, value in (scalars or {}).items():
                tf.summary.scalar(tag, value)
            for tag, batch in (images or {}).items():
                tf.summary.image(tag, batch, max_outputs=len(batch))

    def on_step_begin(self, step: int) -> None:
        if self.batch_at is None:
            return
        batch = self.batch_at(step - 1)
        images, gradients = self._look(*batch)
        if not distribution.is_chief():
            return
        variables = [*self.model.generator_variables, *self.model.discriminator_variables]
        with self._at(step):
            for tag, values in images.items():
                tf.summary.image(f"{SAMPLES}/{tag}", values)
            for variable, gradient in zip(variables, gradients, strict=True):
                for group, values in ((WEIGHTS, variable), (GRADIENTS, gradient)):
                    tf.summary.write(
                        f"{group}/{variable.path}",
                        buckets(values),
                        metadata=create_summary_metadata(None, None),
                    )
            if not self._is_graph_written:
                tf.summary.graph(self._look.get_concrete_function(*batch).graph.as_graph_def())
                self._is_graph_written = True

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if distribution.is_chief():
            averages = self.model.loss_averages.result(step)
            scalars = {f"{LOSSES}/{name}": value for name, value in averages.items()}
            if SPEED in logs:
                scalars[f"{RATE}/{SPEED}"] = logs[SPEED]
            self.write(step, scalars=scalars)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._writer is not None:
            with contextlib.suppress(tf.errors.OpError):
                self._writer.close()
            self._writer = None


def _restart(folder: str, step: int) -> None:
    """Makes TensorBoard drop what earlier files have from `step` on.

    It reads files in the order of their names, which begin with the time in seconds; this one's
    comes before that of a file that is made afterwards.
    """
    start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
    # The first start in a folder drops nothing yet, and this may be it.
    events = [{"file_version": "brain.Event:2"}, *[{"step": step, "session_log": start}] * 2]
    path = os.path.join(folder, f"events.out.tfevents.{int(time.time()):010d}.!start")
    tf.io.gfile.makedirs(folder)
    with tf.io.TFRecordWriter(path) as file:
        for event in events:
            event = tf.compat.v1.Event(wall_time=time.time(), **event)
            file.write(event.SerializeToString())


class Profile(StepCallback):
    """Profiles single steps for TensorBoard.

    Args:
        folder: TensorBoard folder.
        freq: Steps between two profiles; 0 for none.
        last_step: See `StepCallback`.
    """

    def __init__(self, folder: PathLike, freq: int = 0, *, last_step: int | None = None) -> None:
        super().__init__(freq, last_step=last_step)
        self.folder = str(folder)

    def on_step_begin(self, step: int) -> None:
        if distribution.is_chief():
            with writing(self.folder):
                tf.profiler.experimental.start(self.folder)

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        if distribution.is_chief():
            with writing(self.folder):
                tf.profiler.experimental.stop()
