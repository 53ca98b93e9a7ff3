"""The Keras model that pix2pix and CycleGAN share."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import checkpoints, distribution, finite, losses
from pix2pix_tf.training.averages import LossAverages, WeightAverages
from pix2pix_tf.training.optimizers import (
    OptimizerPair,
    another,
    checked_gradients,
    scaled,
    trained,
)

# What `compile` takes as an optimizer: a Keras optimizer, its name, or its config.
Optimizer = Any


class GAN(keras.Model):
    """A Keras model of generators and discriminators, with one optimizer for either side.

    A subclass names its parts and losses in the class attributes, and defines `call`, `update`
    and `measure`. This class does the rest of what Keras expects: means over an epoch, saving and
    loading, one `optimizer`, one clear error for data that does not fit.

    Args:
        ema_decay: Share of the moving average of the generators' weights that stays at each step,
            in (0, 1); 0 for no average. See `callbacks.WeightAverages`.

    Attributes:
        updating: Whether an update is under way, or was broken off.
        seconds_waited: Time that training has spent waiting for batches.
    """

    GENERATORS: ClassVar[Sequence[str]] = ()
    DISCRIMINATORS: ClassVar[Sequence[str]] = ()
    # Names of what `update` and `measure` return, in the order of showing.
    LOSSES: ClassVar[Sequence[str]] = ()
    MEASURES: ClassVar[Sequence[str]] = ()
    # Names of the constructor's other arguments, which are attributes as well.
    SETTINGS: ClassVar[Sequence[str]] = ()

    def __init__(self, *, ema_decay: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss_averages = LossAverages(self.LOSSES)
        self.ema_decay = ema_decay
        self.weight_averages: WeightAverages | None = None
        self._step = distribution.variable(tf.constant(0, tf.int64))
        # Which loss or gradient was the first that is not finite, and at which step.
        self._broken = distribution.variable(tf.constant([-1, 0], tf.int64))
        self.updating, self.seconds_waited = False, 0.0
        names = dict.fromkeys([*self.LOSSES, *self.MEASURES])
        self._means = {name: keras.metrics.Mean(name=name) for name in names}
        # Keras optimizers, once the model is compiled.
        self.gen_optimizer: Any = None
        self.disc_optimizer: Any = None
        self.train_function: Callable[[Iterator], dict] | None = None

    @property
    def step(self) -> int:
        """Number of updates made since the start of the run."""
        return int(self._step.numpy())

    @step.setter
    def step(self, value: int) -> None:
        self._step.assign(value)

    # Parts.

    @property
    def generators(self) -> list[keras.Model]:
        """The generators; the first one makes the outputs of `call`."""
        return [getattr(self, name) for name in self.GENERATORS]

    @property
    def discriminators(self) -> list[keras.Model]:
        """The discriminators."""
        return [getattr(self, name) for name in self.DISCRIMINATORS]

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """The trainable variables of all generators."""
        return [v for network in self.generators for v in network.trainable_variables]

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """The trainable variables of all discriminators."""
        return [v for network in self.discriminators for v in network.trainable_variables]

    def network_shapes(self, input_shape: tuple[int | None, ...]) -> dict[str, tuple]:
        """The input shape of every network, for inputs of this model of `input_shape`."""
        raise NotImplementedError

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates all variables.

        Args:
            input_shape: Shape of the inputs, (n, h, w, c).
        """
        with tf.init_scope():
            for name, shape in self.network_shapes(tuple(input_shape)).items():
                network = getattr(self, name)
                if not network.built:
                    with _at_the_root(network):
                        network.build(shape)
            self.built = True
            self._build_optimizers()
            self._build_averages()

    def _build_optimizers(self) -> None:
        if self.built and self.gen_optimizer is not None:
            gen, disc = self.generator_variables, self.discriminator_variables
            for optimizer, variables in ((self.gen_optimizer, gen), (self.disc_optimizer, disc)):
                for part in (getattr(optimizer, "inner_optimizer", optimizer), optimizer):
                    with _at_the_root(part):
                        part.build(variables)

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

    def compile(
        self,
        gen_optimizer: Optimizer | None = None,
        disc_optimizer: Optimizer | None = None,
        *,
        optimizer: Optimizer | None = None,
        jit_compile: bool | str = False,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets the optimizers and how updates are executed. The losses are the model's own.

        Args:
            gen_optimizer: Optimizer of the generators, as Keras takes it: an object, a name or a
                config; by default Adam with the settings of the paper. Its `iterations` count the
                updates.
            disc_optimizer: Optimizer of the discriminators; by default another one like that of
                the generators.
            optimizer: The same as `gen_optimizer`, under Keras' name.
            jit_compile: Compile updates with XLA.
            run_eagerly: Do not compile updates into graphs.
            steps_per_execution: Updates per call from Python; callbacks see the last one of each.
            auto_scale_loss: Scale the losses where the networks compute in float16.

        Raises:
            InputError: If both `optimizer` and `gen_optimizer` are given.
        """
        if optimizer is not None and gen_optimizer is not None:
            raise InputError("compile takes optimizer or gen_optimizer, not both")
        gen_optimizer = gen_optimizer if optimizer is None else optimizer
        if gen_optimizer is None:
            gen_optimizer = self.default_optimizer()
        gen = keras.optimizers.get(gen_optimizer)
        if disc_optimizer is None or disc_optimizer is gen_optimizer:
            disc_optimizer = another(gen)
        is_scaled = auto_scale_loss and self.generators[0].compute_dtype == "float16"
        pair = [
            scaled(keras.optimizers.get(one), always=is_scaled) for one in (gen, disc_optimizer)
        ]
        # No optimizer for Keras itself: its default would be an RMSprop that nobody uses.
        super().compile(
            optimizer=None,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
        )
        self.gen_optimizer, self.disc_optimizer = pair
        self.optimizer = OptimizerPair(*pair)
        self._build_optimizers()

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer that `compile` without arguments gives the generators."""
        raise NotImplementedError

    def update(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[dict[str, tf.Tensor], list]:
        """Updates all networks with one batch.

        Returns:
            (the losses before the update, a dict of scalars that are this replica's shares of
            means over the global batch; what `apply_gradients` returned).
        """
        raise NotImplementedError

    def measure(self, inputs: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `evaluate` reports of one batch, dropout off; shares as those of `update`."""
        raise NotImplementedError

    def apply_gradients(self, gen: list[tf.Tensor], disc: list[tf.Tensor]) -> list[tf.Tensor]:
        """Updates the generators and the discriminators.

        Args:
            gen: Gradients in the order of `generator_variables`.
            disc: Gradients in the order of `discriminator_variables`.

        Returns:
            Those gradients that must be finite, in the order of both; see
            `optimizers.checked_gradients`.
        """
        self.gen_optimizer.apply(gen, self.generator_variables)
        self.disc_optimizer.apply(disc, self.discriminator_variables)
        gen = checked_gradients(gen, optimizer=self.gen_optimizer)
        return [*gen, *checked_gradients(disc, optimizer=self.disc_optimizer)]

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Updates all networks with (inputs, targets); called on every replica.

        Returns:
            Losses of the global batch before the update, a dict of scalars: those of this step
            alone. Their means over an epoch are in `metrics`.
        """
        batch = self._images(data)
        values, gradients = self.update(batch)
        # Every replica's share of a loss is already divided by the number of replicas, and the
        # sum of a scalar is itself: the losses need no exchange of their own.
        sums = distribution.all_reduce_sum(finite.sums([*values.values(), *gradients]))
        values = dict(zip(values, tf.unstack(sums[: len(values)]), strict=True))
        self._step.assign_add(1)
        found = tf.stack([finite.first_broken(sums), tf.convert_to_tensor(self._step)])
        self._broken.assign(tf.where(self._broken[0] < 0, found, self._broken))
        self.loss_averages.update(values)
        if self.weight_averages is not None:
            self.weight_averages.update()
        self._track(values, count=tf.shape(batch[0])[0])
        return values

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Measures (inputs, targets), dropout off; called on every replica.

        Returns:
            Dict of scalars: means over this replica's share.
        """
        batch = self._images(data)
        values = losses.replica_means(self.measure(*batch))
        self._track(values, count=tf.shape(batch[0])[0])
        return values

    def _images(self, data: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """The (inputs, targets) of what Keras calls data."""
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise InputError(
                f"{type(self).__name__} weights all images equally and takes neither "
                "sample_weight nor class_weight"
            )
        if targets is None:
            raise InputError(
                f"{type(self).__name__} needs pairs of batches of images. Received one batch; "
                "pass (x, y), or a dataset of such."
            )
        pair = tf.convert_to_tensor(inputs), tf.convert_to_tensor(targets)
        for images in pair:
            if not images.dtype.is_floating:
                raise InputError(
                    f"{type(self).__name__} takes float images in [-1, 1]; got "
                    f"{images.dtype.name} (uint8 images / 127.5 - 1 are)"
                )
        if not self.built:
            self.build((None, *pair[0].shape[1:]))
        return tf.cast(pair[0], tf.float32), tf.cast(pair[1], tf.float32)

    def make_train_function(self, force: bool = False) -> None:
        """As Keras' own, but the batch is fetched before the update and not within it.

        An error of the pipeline then leaves a whole state, and waiting can be told from computing.
        With several steps per execution it is Keras' own.
        """
        if self.train_function is not None and not force:
            return
        if self.steps_per_execution > 1:
            super().make_train_function(force)
            return

        def on_replicas(batch: Any) -> dict:
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

        def train_function(iterator: Iterator) -> dict:
            start = time.monotonic()
            batch = next(iterator)
            self.seconds_waited += time.monotonic() - start
            self.updating = True
            values = on_replicas(batch)
            self.updating = False
            return values

        self.train_function = train_function

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        # Under a strategy Keras reduces a whole batch over all workers first, which fails on
        # several of them, and which a model that is built does not need.
        if not self.built:
            super()._maybe_symbolic_build(*args, **kwargs)

    # Means over epochs.

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean per loss and measure, weighted by the number of images."""
        return list(self._means.values())

    def _track(self, values: dict[str, tf.Tensor], *, count: tf.Tensor) -> None:
        count = tf.cast(count, tf.float32)
        for name, value in values.items():
            # As `update_state`, which takes many more operations for a scalar. A replica
            # may get no image of the last batch, and then has no mean.
            self._means[name].total.assign_add(tf.math.multiply_no_nan(value, count))
            self._means[name].count.assign_add(count)

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Means since the last reset, of what was tracked: losses in training, else measures."""
        return {m.name: m.result() for m in self.metrics if keras.ops.convert_to_numpy(m.count)}

    def first_broken(self) -> tuple[str, int] | None:
        """The first loss or gradient that is not finite, and the step of it; or None."""
        index, step = self._broken.numpy()
        if index < 0:
            return None
        variables = [*self.generator_variables, *self.discriminator_variables]
        names = [*self.LOSSES, *(f"the gradient of {variable.path}" for variable in variables)]
        return names[index], int(step)

    def forget_broken(self) -> None:
        """Starts looking for a loss or gradient that is not finite."""
        self._broken.assign([-1, 0])

    # State.

    @property
    def state(self) -> dict[str, Any]:
        """Everything that training changes: dict from names to variables."""
        optimizers = {}
        for prefix, optimizer in (("gen", self.gen_optimizer), ("disc", self.disc_optimizer)):
            if optimizer is not None:
                optimizers |= trained(optimizer, prefix=prefix)
        return {**checkpoints.named(self.variables), **optimizers, **self.own_state}

    @property
    def own_state(self) -> dict[str, Any]:
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
        state, averages = self.state, self.weight_averages
        averaged = averages.state if averages is not None else {}
        if missing := averaged.keys() - checkpoints.names(path):
            state = {name: variable for name, variable in state.items() if name not in missing}
        checkpoints.restore(path, state)
        if missing and averages is not None:
            averages.restart()
            print("averaging of weights starts here")
        self.step = checkpoints.step_of(path)
        self.forget_broken()
        return self.step

    def save_own_variables(self, store: Any) -> None:
        """Saves what is neither a layer's nor an optimizer's; Keras calls it."""
        for name, variable in {**self.own_state, "step": self._step}.items():
            store[name.replace("/", ":")] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved; Keras calls it."""
        for name, variable in {**self.own_state, "step": self._step}.items():
            variable.assign(np.reshape(store[name.replace("/", ":")], variable.shape))

    def export(self, *args: Any, **kwargs: Any) -> None:
        """As Keras' own, which asks for a model that was called: `fit` calls the networks."""
        shape = self.get_build_config()["input_shape"]
        if None not in shape[1:]:
            self(tf.zeros((1, *shape[1:])))
        super().export(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Settings from which the model can be made again."""
        parts = [*self.GENERATORS, *self.DISCRIMINATORS]
        networks = {n: keras.saving.serialize_keras_object(getattr(self, n)) for n in parts}
        settings = {name: getattr(self, name) for name in (*self.SETTINGS, "ema_decay", "name")}
        return {**networks, **settings}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> "GAN":
        """Makes the model that `get_config` described."""
        parts = {name: config[name] for name in (*cls.GENERATORS, *cls.DISCRIMINATORS)}
        networks = {
            name: keras.saving.deserialize_keras_object(part, custom_objects=custom_objects)
            for name, part in parts.items()
        }
        return cls(**{**config, **networks})

    def get_compile_config(self) -> dict[str, Any]:
        """Settings of `compile`, serialized."""
        if not self.compiled:
            return {}
        return {
            "gen_optimizer": keras.saving.serialize_keras_object(self.gen_optimizer),
            "disc_optimizer": keras.saving.serialize_keras_object(self.disc_optimizer),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model as `get_compile_config` described."""
        self.compile(**keras.saving.deserialize_keras_object(config))


def _at_the_root(part: Any) -> keras.name_scope:
    """Scope in which the paths of a part's variables begin with its own name."""
    return keras.name_scope(part.name, caller=part, override_parent="")
