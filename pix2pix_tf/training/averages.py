"""Moving averages of the losses, for display, and of the weights, for test and export."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from pix2pix_tf.training import checkpoints, distribution

# pix2pix.py: tf.train.ExponentialMovingAverage(decay=0.99).
DECAY = 0.99


class LossAverages(tf.Module):
    """Exponential moving averages of the losses.

    They start at zero, as in the reference. `result` corrects them for that by 1 - 0.99^n, so that
    early values are not too small; log.csv contains the losses themselves.

    Args:
        names: The losses' names.

    Reference:
        pix2pix.py, create_model(): ema.apply([discrim_loss, gen_loss_GAN, gen_loss_L1]). Kingma &
        Ba 2015 (arXiv:1412.6980), section 3, for the correction.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(name="averages")
        self.values = {name: distribution.variable(tf.constant(0.0), name) for name in names}

    @property
    def state(self) -> dict[str, tf.Variable]:
        """Dict from names to variables: the averages as the reference has them."""
        return {f"averages/{name}": average for name, average in self.values.items()}

    def update(self, losses: dict[str, tf.Tensor]) -> None:
        """Takes the losses of one step in: a dict of scalars."""
        for name, average in self.values.items():
            average.assign_sub((1 - DECAY) * (average - losses[name]))

    def result(self, step: int) -> dict[str, float]:
        """The corrected averages after `step` updates."""
        correction = 1 - DECAY ** max(step, 1)
        return {name: float(average.numpy()) / correction for name, average in self.values.items()}


class WeightAverages(tf.Module):
    """Exponential moving averages of weights; they start as the weights.

    Args:
        variables: Keras variables of the networks to average.
        decay: Share of the average that stays at each step, in (0, 1).

    Reference:
        Yazici et al. 2019 (arXiv:1806.04498), section 3: averaging the generator of a GAN.
    """

    def __init__(self, variables: Sequence[keras.Variable], decay: float) -> None:
        super().__init__(name="ema")
        self._decay, self._variables = decay, list(variables)
        self.values = [tf.Variable(variable, trainable=False) for variable in self._variables]

    @property
    def state(self) -> dict[str, tf.Variable]:
        """Dict from names, `checkpoints.averaged_name` of the variables' paths, to variables."""
        pairs = zip(self._variables, self.values, strict=True)
        return {checkpoints.averaged_name(variable.path): average for variable, average in pairs}

    def restart(self) -> None:
        """Sets the averages to the weights."""
        for variable, average in zip(self._variables, self.values, strict=True):
            average.assign(variable)

    def update(self) -> None:
        """Takes the weights after one step in; called on every replica, whose copies all follow."""

        def follow(average: tf.Variable, weight: tf.Tensor) -> None:
            average.assign_sub((1 - self._decay) * (average - weight))

        def merged(strategy: tf.distribute.Strategy) -> None:
            for variable, average in zip(self._variables, self.values, strict=True):
                strategy.extended.update(average, follow, args=(variable.value,))

        tf.distribute.get_replica_context().merge_call(merged)


class WeightAveraging(keras.callbacks.Callback):
    """Keeps moving averages of the generators' weights, see `WeightAverages`.

    They are part of the model's state from then on: of its checkpoints, where test and export
    prefer them, and of `model.save`.

    Args:
        decay: Share of the average that stays at each step, such as 0.999.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__()
        self.decay = decay

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        model.average_weights(self.decay)
