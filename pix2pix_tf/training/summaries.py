"""TensorBoard: the reference's scalars, images and histograms under its names."""

import tensorflow as tf

from pix2pix_tf.training.loop import Watcher


class Summaries(Watcher):
    """Writes event files.

    Args:
        folder: TensorBoard folder.
        model: Model whose `compute_gradients` returns losses, tensors and then the gradients of
            its networks, in the order of `trainable_variables`.
        averages: `LossAverages` to write as scalars.
        frequency: Steps between summaries.
        pictures: Function of (batch, tensors) to a dict from tags to uint8 images [n, h, w, c].
        clock: `Clock` for images per second.
    """

    def __init__(self, folder, *, model, averages, frequency, pictures, clock):
        self.frequency = frequency
        self._model, self._averages, self._pictures, self._clock = model, averages, pictures, clock
        self._writer = tf.summary.create_file_writer(str(folder)) if frequency else None
        self._look = tf.function(self._compute)
        self._graph_written = False

    def _compute(self, batch):
        _, tensors, *gradients = self._model.compute_gradients(*batch)
        return self._pictures(batch, tensors), [one for part in gradients for one in part]

    def before(self, step, batch):
        """Writes images, and histograms of the weights and gradients of this step's update."""
        pictures, gradients = self._look(batch)
        with self._writer.as_default(step):
            for tag, images in pictures.items():
                tf.summary.image(tag, images)
            for variable, gradient in zip(self._model.trainable_variables, gradients, strict=True):
                tf.summary.histogram(f"{variable.path}/values", variable)
                tf.summary.histogram(f"{variable.path}/gradients", gradient)
            if not self._graph_written:
                tf.summary.graph(self._look.get_concrete_function(batch).graph.as_graph_def())
                self._graph_written = True

    def after(self, step, losses):
        """Writes the scalars."""
        with self._writer.as_default(step):
            for name, value in self._averages.result().items():
                tf.summary.scalar(name, value)
            tf.summary.scalar("images_per_second", self._clock.rate(step))
        self._writer.flush()

    def close(self, step):
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()
