"""The smoothed losses that the progress line and TensorBoard show."""

import tensorflow as tf

# pix2pix.py: tf.train.ExponentialMovingAverage(decay=0.99).
DECAY = 0.99


class LossAverages(tf.Module):
    """Exponential moving averages of the losses.

    They start at zero and are not corrected for it: as in the reference, what is shown grows into
    its true size over the first few hundred steps. log.csv holds the losses themselves.

    Args:
        names: The losses' names.

    Reference:
        pix2pix.py, create_model(): ema.apply([discrim_loss, gen_loss_GAN, gen_loss_L1]).
    """

    def __init__(self, names):
        super().__init__(name="averages")
        self.values = {name: tf.Variable(0.0, name=name) for name in names}

    @property
    def state(self):
        """Dict from names to variables."""
        return {f"averages/{name}": average for name, average in self.values.items()}

    def update(self, losses):
        """Takes the losses of one step in: a dict of scalars."""
        for name, average in self.values.items():
            average.assign_sub((1 - DECAY) * (average - losses[name]))

    def result(self):
        """The averages as a dict of floats."""
        return {name: float(average) for name, average in self.values.items()}
