"""What training needs beyond Keras' promises: exact resumes, whole states, finite values."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.training import checkpoints, distribution
from pix2pix_tf.training.averages import LossAverages, WeightAverages
from pix2pix_tf.training.gan import GAN
from pix2pix_tf.training.optimizers import gradients_to_check, optimizer_state


class ExactFit(GAN):
    """A `GAN` that resumes exactly and never saves a broken state.

    It fetches batches outside of the graph, so that an error of the input pipeline leaves a whole
    state; looks for the first loss or gradient that is not finite; counts steps across calls of
    `fit`; and gives `state`, all variables that training changes, to checkpoints and to Keras'
    saving. Private methods of Keras are overridden here and nowhere else.

    Args:
        ema_decay: Decay of the moving average of the generators' weights, in (0, 1); 0 for no
            average. See `averages.WeightAverages`.
        kwargs: Arguments of `GAN`.

    Attributes:
        in_update: True during an update; stays True if it was interrupted.
        data_wait_seconds: Time that training has spent waiting for batches.
    """

    def __init__(self, *, ema_decay: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss_averages = LossAverages(self.LOSSES)
        self.ema_decay = ema_decay
        self.weight_averages: WeightAverages | None = None
        self._step = distribution.variable(tf.constant(0, tf.int64))
        # Index of the first loss or gradient that is not finite, or -1, and the step.
        self._nonfinite = distribution.variable(tf.constant([-1, 0], tf.int64))
        self.in_update, self.data_wait_seconds = False, 0.0
        self.train_function: Callable[[Iterator], dict] | None = None

    @property
    def step(self) -> int:
        """Number of updates made since the start of the run."""
        return int(self._step.numpy())

    @step.setter
    def step(self, value: int) -> None:
        self._step.assign(value)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        with tf.init_scope():
            self._build_averages()

    def average_weights(self, decay: float) -> None:
        """Keeps moving averages of the generators' weights from now on; 0 for none.

        Args:
            decay: Share of the average that stays at each step, in (0, 1).
        """
        if decay != self.ema_decay:
            self.ema_decay, self.weight_averages = decay, None
            self._build_averages()
            # The update is traced again, now with the averages.
            self.train_function = None

    def _build_averages(self) -> None:
        if self.built and self.ema_decay:
            variables = [v for network in self.generators for v in network.variables]
            with self.distribute_strategy.scope():
                self.weight_averages = WeightAverages(variables, self.ema_decay)

    # Training.

    def on_update(
        self, losses: dict[str, tf.Tensor], gen: list[tf.Tensor], disc: list[tf.Tensor]
    ) -> None:
        checked = [
            *gradients_to_check(gen, optimizer=self.gen_optimizer),
            *gradients_to_check(disc, optimizer=self.disc_optimizer),
        ]
        sums = tf.concat(
            [tf.stack(list(losses.values())), distribution.all_reduce_sum(sums_of(checked))], 0
        )
        self._step.assign_add(1)
        first = tf.stack([index_of_nonfinite(sums), tf.convert_to_tensor(self._step)])
        self._nonfinite.assign(tf.where(self._nonfinite[0] < 0, first, self._nonfinite))
        self.loss_averages.update(losses)
        if self.weight_averages is not None:
            self.weight_averages.update()

    def first_nonfinite(self) -> tuple[str, int] | None:
        """Returns the first loss or gradient that is not finite, and its step; or None."""
        index, step = self._nonfinite.numpy()
        if index < 0:
            return None
        variables = [*self.generator_variables, *self.discriminator_variables]
        names = [*self.LOSSES, *(f"the gradient of {variable.path}" for variable in variables)]
        return names[index], int(step)

    def reset_finite_check(self) -> None:
        """Starts looking for a loss or gradient that is not finite."""
        self._nonfinite.assign([-1, 0])

    def make_train_function(self, force: bool = False) -> None:
        # As Keras' own, but the batch is fetched before the update and not within it. An error of
        # the pipeline then leaves a whole state, and waiting can be told from computing.
        if self.train_function is not None and not force:
            return
        if self.steps_per_execution > 1:
            super().make_train_function(force)
            return

        def on_replicas(batch: Any) -> dict[str, tf.Tensor]:
            strategy = self.distribute_strategy
            values = strategy.run(self.train_step, args=(batch,))
            # The same on every replica: no need to exchange it once more, as Keras does.
            return {n: strategy.experimental_local_results(v)[0] for n, v in values.items()}

        if not self.run_eagerly:
            # Nothing in it branches on a tensor in Python; looking for it would double the
            # start-up time. Images of several sizes have one graph, not one each.
            on_replicas = tf.function(
                on_replicas, autograph=False, reduce_retracing=True, jit_compile=self.jit_compile
            )

        def train_function(iterator: Iterator) -> dict[str, tf.Tensor]:
            start = time.monotonic()
            batch = next(iterator)
            self.data_wait_seconds += time.monotonic() - start
            self.in_update = True
            values = on_replicas(batch)
            self.in_update = False
            return values

        self.train_function = train_function

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        # Under a strategy Keras reduces a whole batch over all workers first, which fails on
        # several of them, and which a model that is built does not need.
        if not self.built:
            super()._maybe_symbolic_build(*args, **kwargs)

    # State.

    @property
    def state(self) -> dict[str, Any]:
        """Everything that training changes: dict from names to variables."""
        optimizers = {}
        for prefix, optimizer in (("gen", self.gen_optimizer), ("disc", self.disc_optimizer)):
            if optimizer is not None:
                optimizers |= optimizer_state(optimizer, prefix=prefix)
        return {**checkpoints.named(self.variables), **optimizers, **self.extra_state}

    @property
    def extra_state(self) -> dict[str, Any]:
        """The part of `state` that is neither a network's nor an optimizer's."""
        averages = self.weight_averages.state if self.weight_averages is not None else {}
        return {**self.loss_averages.state, **averages}

    def load_checkpoint(self, path: str | Path) -> int:
        """Restores everything from a checkpoint of a run.

        Args:
            path: Checkpoint file. Moving averages of weights start at the weights if it has none.

        Returns:
            Number of updates made.

        Raises:
            InputError: If the file is damaged or of another model.
        """
        path = run_folder.as_path(path)
        state, averages = self.state, self.weight_averages
        averaged = averages.state if averages is not None else {}
        if missing := averaged.keys() - checkpoints.names(path):
            state = {name: variable for name, variable in state.items() if name not in missing}
        checkpoints.restore(path, state)
        if missing and averages is not None:
            averages.restart()
            print("averaging of weights starts here")
        self.step = checkpoints.step_of(path)
        self.reset_finite_check()
        return self.step

    def save_own_variables(self, store: Any) -> None:
        for name, variable in {**self.extra_state, "step": self._step}.items():
            store[name.replace("/", ":")] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        for name, variable in {**self.extra_state, "step": self._step}.items():
            variable.assign(np.reshape(store[name.replace("/", ":")], variable.shape))

    def get_config(self) -> dict[str, Any]:
        return {"ema_decay": self.ema_decay, "name": self.name}

    def export(self, *args: Any, **kwargs: Any) -> None:
        # Keras asks for a model that was called, and `fit` calls the networks.
        shape = self.get_build_config()["input_shape"]
        if None not in shape[1:]:
            self(tf.zeros((1, *shape[1:])))
        super().export(*args, **kwargs)


def sums_of(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sums the elements of each tensor: finite only where the tensor is, whatever its size.

    One pass over memory without a temporary; all of the gradients of 57 million parameters take
    about 1 % of a step on two CPU cores. Only elements near 1e38 would overflow.

    Args:
        tensors: Float tensors of any shape.

    Returns:
        float32 [number of tensors].
    """
    return tf.stack([tf.reduce_sum(tf.cast(tensor, tf.float32)) for tensor in tensors])


def index_of_nonfinite(sums: tf.Tensor) -> tf.Tensor:
    """Returns the index of the first of the numbers that is not finite, or -1; int64."""
    is_nonfinite = ~tf.math.is_finite(sums)
    return tf.where(tf.reduce_any(is_nonfinite), tf.argmax(is_nonfinite), tf.constant(-1, tf.int64))
