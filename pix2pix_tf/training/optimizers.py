"""Two optimizers as one, loss scaling in float16, and the gradients that they take."""

import re
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.training.checkpoints import LOSS_SCALE


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class LossScaling(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling, except that all replicas skip an update if it overflows on one.

    Keras expects gradients that replicas have already exchanged.

    Args:
        inner_optimizer: Optimizer that makes the updates and counts them.
    """

    def check_finite(self, grads: Sequence[tf.Tensor]) -> tf.Tensor:
        finite = tf.cast(super().check_finite(grads), tf.int32)
        context = tf.distribute.get_replica_context()
        agreed = context.all_reduce(tf.distribute.ReduceOp.SUM, finite)
        return agreed == context.num_replicas_in_sync


class OptimizerPair:
    """Two optimizers as one, for Keras and for callbacks that use `model.optimizer`.

    Duck-typed: not a `keras.optimizers.Optimizer`, which Keras would build with the variables of
    the whole model. Other attributes are delegated to the generators' optimizer.

    Args:
        generators: Optimizer of the generators.
        discriminators: Optimizer of the discriminators.
    """

    def __init__(
        self, generators: keras.optimizers.Optimizer, discriminators: keras.optimizers.Optimizer
    ) -> None:
        self.generators, self.discriminators = generators, discriminators

    @property
    def learning_rate(self) -> Any:
        """The generators' learning rate.

        Setting it changes that of the discriminators by the same factor.
        """
        return self.generators.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        gen, disc = (float(part.learning_rate) for part in (self.generators, self.discriminators))
        self.generators.learning_rate = value
        self.discriminators.learning_rate = value * (disc / gen if gen else 1.0)

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of both."""
        return [*self.generators.variables, *self.discriminators.variables]

    @property
    def built(self) -> bool:
        """Whether both have their variables."""
        return self.generators.built and self.discriminators.built

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Nothing to do: the model builds each with its own networks' variables."""

    def get_config(self) -> dict[str, Any]:
        """The settings of both."""
        pair = {"generators": self.generators, "discriminators": self.discriminators}
        return {name: part.get_config() for name, part in pair.items()}

    def __getattr__(self, name: str) -> Any:
        if name in ("generators", "discriminators"):
            raise AttributeError(name)
        return getattr(self.generators, name)


def clone_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Makes the discriminators' optimizer with the settings of the generators'."""
    config = optimizer.get_config()
    config["name"] = f"disc_{config['name'].removeprefix('gen_')}"
    return type(optimizer).from_config(config)


def with_loss_scaling(
    optimizer: keras.optimizers.Optimizer, *, always: bool = True
) -> keras.optimizers.Optimizer:
    """Makes an optimizer scale its losses.

    Args:
        optimizer: Keras optimizer.
        always: Whether to do so where it does not scale them already.

    Returns:
        `LossScaling`, or `optimizer` itself. The inner optimizer's variables keep their paths: any
        precision resumes from a checkpoint of any other.
    """
    is_scaling = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if isinstance(optimizer, LossScaling) or not (always or is_scaling):
        return optimizer
    inner = optimizer.inner_optimizer if is_scaling else optimizer
    return LossScaling(inner, name=f"{inner.name}_{LOSS_SCALE}")


# "_1" in "adam_1/iteration".
_NUMBER = re.compile(r"(?<=[a-z])_\d+(?=_|/|$)(?=[^/]*/)")


def optimizer_state(
    optimizer: keras.optimizers.Optimizer, *, prefix: str
) -> dict[str, keras.Variable]:
    """Returns the variables that training changes: not the learning rate, an option.

    Args:
        optimizer: Optimizer that is built.
        prefix: Start of all names, added to the paths that lack it. The number that Keras appends
            to the second optimizer of a kind is left out.

    Returns:
        Dict from names to variables.
    """
    state = {}
    for variable in optimizer.variables:
        if not variable.path.endswith("/learning_rate"):
            path = _NUMBER.sub("", variable.path)
            state[path if path.startswith(prefix) else f"{prefix}_{path}"] = variable
    return state


def gradients(
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: Sequence[keras.Variable],
    *,
    optimizer: keras.optimizers.Optimizer,
) -> list[tf.Tensor]:
    """Computes the gradients that an optimizer applies.

    Args:
        tape: Tape that recorded the loss.
        loss: Scalar.
        variables: List of variables; biases with `has_zero_gradient` get zeros.
        optimizer: Optimizer of these variables.

    Returns:
        List of float32 tensors: in float16 the gradients of the scaled loss, as `apply` takes
        them, some of which may overflow.
    """
    scale = optimizer.scale_loss(tf.ones([]))
    return [
        tf.zeros_like(gradient) if getattr(variable, "has_zero_gradient", False) else gradient
        for variable, gradient in zip(
            variables, tape.gradient(loss, variables, output_gradients=scale), strict=True
        )
    ]


def unscaled(
    gradients: list[tf.Tensor], *, optimizer: keras.optimizers.Optimizer
) -> list[tf.Tensor]:
    """Returns the gradients of the loss itself, from what `gradients` returned."""
    scale = optimizer.scale_loss(tf.ones([]))
    return [gradient / scale for gradient in gradients]


def gradients_to_check(
    gradients: list[tf.Tensor], *, optimizer: keras.optimizers.Optimizer
) -> list[tf.Tensor]:
    """Returns the gradients that must be finite for training to continue.

    Args:
        gradients: What `gradients` returned.
        optimizer: Its optimizer.

    Returns:
        The gradients; zeros in their place while there is a loss scale above 1, as an update that
        overflows is then skipped and the scale is halved.
    """
    if not isinstance(optimizer, LossScaling):
        return gradients
    may_overflow = optimizer.dynamic_scale > 1
    return [tf.where(may_overflow, tf.zeros_like(gradient), gradient) for gradient in gradients]
