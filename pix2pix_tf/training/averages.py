"""Moving averages: of the losses, which are shown, and of weights, which test and export use."""

import tensorflow as tf

from pix2pix_tf.training import checkpoints

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


class WeightAverages(tf.Module):
    """Exponential moving averages of weights; they start as the weights.

    Args:
        variables: Variables of the networks to average.
        decay: Share of the average that stays at each step, in (0, 1).

    Reference:
        Yazici et al. 2019 (arXiv:1806.04498), section 3: averaging the generator of a GAN.
    """

    def __init__(self, variables, decay):
        super().__init__(name="ema")
        self._decay, self._variables = decay, list(variables)
        self.values = [tf.Variable(variable, trainable=False) for variable in self._variables]

    @property
    def state(self):
        """Dict from names, `checkpoints.averaged_name` of the variables' paths, to variables."""
        pairs = zip(self._variables, self.values, strict=True)
        return {checkpoints.averaged_name(variable.path): average for variable, average in pairs}

    def restart(self):
        """Sets the averages to the weights."""
        for variable, average in zip(self._variables, self.values, strict=True):
            average.assign(variable)

    def update(self, losses):
        """Takes the weights after one step in."""
        for variable, average in zip(self._variables, self.values, strict=True):
            average.assign_sub((1 - self._decay) * (average - variable))
