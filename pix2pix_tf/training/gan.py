"""A generative adversarial network as a Keras model."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import distribution
from pix2pix_tf.training.optimizers import OptimizerPair, clone_optimizer, with_loss_scaling

# As Keras takes optimizers: an object, a name or a config.
Optimizer = Any


class GAN(keras.Model):
    """Generators and discriminators that train against each other, with one optimizer per side.

    A subclass passes its networks to this constructor and defines `call`, `network_shapes`,
    `default_optimizer`, `compute_gradients` and `measure`. `train_step` is Keras' usual one, with
    two optimizers.

    Args:
        generators: Models that translate images; the first one makes the outputs of `call`.
        discriminators: Models that classify images.
        kwargs: Arguments of `keras.Model`, such as `name`.

    Reference:
        Goodfellow et al. 2014 (arXiv:1406.2661).
    """

    # Names of the losses that `compute_gradients` returns, and of what `measure` returns.
    LOSSES: ClassVar[Sequence[str]] = ()
    MEASURES: ClassVar[Sequence[str]] = ()

    def __init__(
        self,
        *,
        generators: Sequence[keras.Model],
        discriminators: Sequence[keras.Model],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.generators, self.discriminators = list(generators), list(discriminators)
        names = dict.fromkeys([*self.LOSSES, *self.MEASURES])
        self._means = {name: keras.metrics.Mean(name=name) for name in names}
        # Keras optimizers, once the model is compiled.
        self.gen_optimizer: Any = None
        self.disc_optimizer: Any = None

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """The trainable variables of all generators."""
        return [v for network in self.generators for v in network.trainable_variables]

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """The trainable variables of all discriminators."""
        return [v for network in self.discriminators for v in network.trainable_variables]

    def network_shapes(self, input_shape: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
        """Returns the input shapes of `generators` and `discriminators`, in this order.

        Args:
            input_shape: Shape of the inputs of this model, (n, h, w, c).
        """
        raise NotImplementedError

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the optimizer that `compile` without arguments gives the generators."""
        raise NotImplementedError

    def compute_gradients(
        self, inputs: tf.Tensor, targets: tf.Tensor, *, update_pools: bool = False
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        """Computes the losses of a batch and the gradients of all networks.

        Args:
            inputs: float32 [n, h, w, c] in [-1, 1], this replica's share of the batch.
            targets: Likewise.
            update_pools: Whether pools of earlier images take the translated images in.

        Returns:
            (losses, tensors, generators' gradients, discriminators' gradients). The losses are
            scalars by the names in `LOSSES`, this replica's shares of means over the batch, see
            `losses.global_mean`. The tensors are images and logits by name. The gradients are in
            the order of `generator_variables` and `discriminator_variables`, and scaled as the
            optimizers expect, see `optimizers.gradients`.
        """
        raise NotImplementedError

    def measure(self, inputs: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        """Computes what `evaluate` reports of a batch, dropout off: scalars as the losses."""
        raise NotImplementedError

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        inputs, targets = self.unpack_images(data)
        losses, _, gen, disc = self.compute_gradients(inputs, targets, update_pools=True)
        self.gen_optimizer.apply(gen, self.generator_variables)
        self.disc_optimizer.apply(disc, self.discriminator_variables)
        losses = distribution.sum_of_shares(losses)
        self.on_update(losses, gen, disc)
        return self.track(losses, batch_size=tf.shape(inputs)[0])

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        inputs, targets = self.unpack_images(data)
        values = distribution.sum_of_shares(self.measure(inputs, targets))
        return self.track(values, batch_size=tf.shape(inputs)[0])

    def on_update(
        self, losses: dict[str, tf.Tensor], gen: list[tf.Tensor], disc: list[tf.Tensor]
    ) -> None:
        """Called in `train_step` after an update; does nothing here.

        Args:
            losses: Losses of the global batch before the update.
            gen: The generators' gradients on this replica.
            disc: The discriminators' gradients on this replica.
        """

    def track(self, values: dict[str, tf.Tensor], *, batch_size: tf.Tensor) -> dict[str, tf.Tensor]:
        """Adds the values of a batch to the means of the epoch, and returns them.

        Args:
            values: Scalars by the names in `LOSSES` or `MEASURES`, the same on every replica.
            batch_size: Number of images on this replica, an int scalar.
        """
        for name, value in values.items():
            self._means[name].update_state(value, sample_weight=batch_size)
        return values

    def unpack_images(self, data: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (inputs, targets), float32, from what Keras passes to `train_step`.

        Raises:
            InputError: If `data` is not a pair of batches of float images.
        """
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        name = type(self).__name__
        if sample_weight is not None:
            raise InputError(
                f"{name} weights all images equally and takes neither sample_weight nor "
                "class_weight"
            )
        if targets is None:
            raise InputError(
                f"{name} needs pairs of batches of images. Received one batch; pass (x, y), or a "
                "dataset of such."
            )
        pair = tf.convert_to_tensor(inputs), tf.convert_to_tensor(targets)
        for images in pair:
            if not images.dtype.is_floating:
                raise InputError(
                    f"Expected float images in [-1, 1] for {name}. Received: {images.dtype.name} "
                    "(uint8 images / 127.5 - 1 are)"
                )
        if not self.built:
            self.build((None, *pair[0].shape[1:]))
        return tf.cast(pair[0], tf.float32), tf.cast(pair[1], tf.float32)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean of each loss and measure over an epoch, weighted by the number of images."""
        return list(self._means.values())

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        # Training tracks the losses, evaluation the measures.
        return {m.name: m.result() for m in self.metrics if keras.ops.convert_to_numpy(m.count)}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        networks = [*self.generators, *self.discriminators]
        with tf.init_scope():
            shapes = self.network_shapes(tuple(input_shape))
            for network, shape in zip(networks, shapes, strict=True):
                if not network.built:
                    with root_name_scope(network):
                        network.build(shape)
            self.built = True
            self._build_optimizers()

    def _build_optimizers(self) -> None:
        if self.built and self.gen_optimizer is not None:
            gen, disc = self.generator_variables, self.discriminator_variables
            for optimizer, variables in ((self.gen_optimizer, gen), (self.disc_optimizer, disc)):
                for part in (getattr(optimizer, "inner_optimizer", optimizer), optimizer):
                    with root_name_scope(part):
                        part.build(variables)

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
            disc_optimizer: Optimizer of the discriminators; by default a copy of the generators'.
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
            disc_optimizer = clone_optimizer(gen)
        disc = keras.optimizers.get(disc_optimizer)
        is_float16 = any(network.compute_dtype == "float16" for network in self.generators)
        always = auto_scale_loss and is_float16
        gen, disc = (with_loss_scaling(part, always=always) for part in (gen, disc))
        # No optimizer for Keras itself: its default would be an RMSprop that nobody uses.
        super().compile(
            optimizer=None,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
        )
        self.gen_optimizer, self.disc_optimizer = gen, disc
        self.optimizer = OptimizerPair(gen, disc)
        self.auto_scale_loss = auto_scale_loss
        self._build_optimizers()

    def get_compile_config(self) -> dict[str, Any]:
        if not self.compiled:
            return {}
        return {
            "gen_optimizer": keras.saving.serialize_keras_object(self.gen_optimizer),
            "disc_optimizer": keras.saving.serialize_keras_object(self.disc_optimizer),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "auto_scale_loss": self.auto_scale_loss,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> "GAN":
        # Of its values only networks are serialized objects; others stay as they are.
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))


def root_name_scope(part: Any) -> keras.name_scope:
    """Scope in which the paths of a part's variables begin with its own name."""
    return keras.name_scope(part.name, caller=part, override_parent="")
