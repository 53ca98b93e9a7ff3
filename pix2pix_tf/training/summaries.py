"""TensorBoard: the reference's scalars, images and histograms under its names."""

import contextlib
import struct

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorboard.plugins.histogram.metadata import create_summary_metadata

from pix2pix_tf import run_folder
from pix2pix_tf.training import distribution
from pix2pix_tf.training.loop import Watcher


@contextlib.contextmanager
def writing(folder):
    """Turns TensorFlow's errors about files into an OSError that the command line shows."""
    try:
        yield
    except tf.errors.OpError as error:
        why = (error.message.splitlines() or ["an error"])[0].rpartition("}} ")[2]
        raise OSError(f"Expected to write to {folder}. Received: {why}") from None


class Events:
    """The event files of a run, as if it had never been interrupted.

    Args:
        folder: TensorBoard folder.
        first_step: Events after this step are removed: training that goes on writes them again.
    """

    def __init__(self, folder, *, first_step):
        self._folder, self._writer = run_folder.place(folder), None
        for path in sorted(self._folder.glob("events.out.tfevents.*")):
            cut(path, last_step=first_step)

    @contextlib.contextmanager
    def at(self, step):
        """Makes `tf.summary` write to this run; what was written is in the file afterwards.

        Raises:
            OSError: If it cannot be written.
        """
        with writing(self._folder):
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self._folder))
            with self._writer.as_default(step):
                yield
            self._writer.flush()

    def close(self):
        """Closes the event file."""
        if self._writer is not None:
            with contextlib.suppress(tf.errors.OpError):
                self._writer.close()


def cut(path, *, last_step):
    """Cuts an event file before its first event after `last_step`, or its first torn one.

    A file of which nothing but its heading would be left is removed.
    """
    end, count = 0, 0
    with path.open("rb") as file:
        for event in _events(file):
            if event.step > last_step:
                break
            end, count = file.tell(), count + 1
        file.seek(0, 2)
        size = file.tell()
    if count <= 1:
        path.unlink()
    elif end < size:
        run_folder.shorten(path, end)


def _events(file):
    """Yields the events of a file up to the end or to the first damaged one.

    A record is the length of its data (8 bytes), a checksum of that (4), the data, a checksum (4).
    """
    while len(head := file.read(12)) == 12:
        (length,) = struct.unpack("<Q", head[:8])
        data = file.read(min(length, 2**31))
        if len(data) < length or len(file.read(4)) < 4:
            return
        try:
            yield tf.compat.v1.Event.FromString(data)
        except DecodeError:
            return


def make_look(model, pictures):
    """Compiles what `Summaries` shows of a batch; all workers call it together.

    Args:
        model: Model whose `compute_gradients` returns losses, tensors and then the gradients of
            its networks, in the order of `trainable_variables`.
        pictures: Function of (batch, tensors) to a dict from tags to uint8 images [n, h, w, c].

    Returns:
        tf.function of a batch to (pictures, gradients), both of the global batch.
    """

    def replica(*batch):
        _, tensors, *gradients = model.compute_gradients(*batch)
        shown = tf.nest.map_structure(distribution.joined, pictures(batch, tensors))
        return shown, distribution.total([one for part in gradients for one in part])

    return tf.function(
        lambda batch: distribution.on_replicas(replica, *batch),
        autograph=False,
        reduce_retracing=True,
    )


def buckets(values):
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
def _buckets(values, count=30):
    values = tf.where(tf.math.is_finite(values), values, 0.0)
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    # The operation refuses a range without width.
    above = tf.where(high > low, high, low + 1 + tf.abs(low))
    counts = tf.histogram_fixed_width(values, [low, above], nbins=count)
    edges = tf.linspace(tf.cast(low, tf.float64), tf.cast(high, tf.float64), count + 1)
    return tf.stack([edges[:-1], edges[1:], tf.cast(counts, tf.float64)], axis=1)


class Summaries(Watcher):
    """Writes event files.

    Args:
        events: `Events`.
        model: Model whose weights are shown.
        averages: `LossAverages` to write as scalars.
        frequency: Steps between summaries.
        look: What `make_look` made.
        clock: `Clock` for images per second.
    """

    def __init__(self, events, *, model, averages, frequency, look, clock):
        self.frequency, self._events = frequency, events
        self._model, self._averages, self._look, self._clock = model, averages, look, clock
        self._graph_written = False

    def before(self, step, batch):
        """Writes images, and histograms of the weights and gradients of this step's update."""
        pictures, gradients = self._look(batch)
        with self._events.at(step):
            for tag, images in pictures.items():
                tf.summary.image(tag, images)
            for variable, gradient in zip(self._model.trainable_variables, gradients, strict=True):
                for name, values in (("values", variable), ("gradients", gradient)):
                    tf.summary.write(
                        f"{variable.path}/{name}",
                        buckets(values),
                        metadata=create_summary_metadata(None, None),
                    )
            if not self._graph_written:
                tf.summary.graph(self._look.get_concrete_function(batch).graph.as_graph_def())
                self._graph_written = True

    def after(self, step, losses):
        """Writes the scalars."""
        with self._events.at(step):
            for name, value in self._averages.result().items():
                tf.summary.scalar(name, value)
            # Unknown in the first step after a start: a zero would be a dent in the curve.
            if rate := self._clock.rate(step):
                tf.summary.scalar("images_per_second", rate)

    def close(self, step, *, whole):
        """Closes the event file."""
        self._events.close()
