"""pix2pix: a generator and a discriminator that train against each other."""

from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.data import sizes
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.factory import make_discriminator, make_generator
from pix2pix_tf.networks.layers import Network
from pix2pix_tf.training import losses
from pix2pix_tf.training.adam import FusedAdam
from pix2pix_tf.training.exact_fit import ExactFit
from pix2pix_tf.training.optimizers import gradients

# The losses' names, the same in dicts and log.csv, and in TensorBoard behind "losses/" (the
# reference's tags).
LOSSES = ("discriminator_loss", "generator_loss_GAN", "generator_loss_L1")


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class Pix2Pix(ExactFit):
    """Conditional GAN for image-to-image translation.

    Args:
        generator: Model from inputs [n, h, w, c] to outputs [n, h, w, c'] in [-1, 1]; its call
            takes `training` and `dropout_seeds`.
        discriminator: Model from pairs [n, h, w, c + c'] to logits; its call takes `training`.
        gan_weight: Weight of the GAN term in the generator's loss.
        l1_weight: Weight of the L1 term; Isola et al. 2017, section 4 (lambda = 100).
        gan_mode: "vanilla", "lsgan" or "wgangp".
        seed: Seed of dropout, an int.
        kwargs: Arguments of `ExactFit`, such as `ema_decay`, and of `keras.Model`.

    Reference:
        Isola et al. 2017 (arXiv:1611.07004); affinelayer/pix2pix-tensorflow.
    """

    LOSSES = LOSSES
    MEASURES = ("generator_loss_L1",)

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        gan_weight: float = 1.0,
        l1_weight: float = 100.0,
        gan_mode: str = "vanilla",
        seed: int = 0,
        name: str = "pix2pix",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            generators=[generator], discriminators=[discriminator], name=name, **kwargs
        )
        self.generator, self.discriminator = generator, discriminator
        self.gan_weight, self.l1_weight = gan_weight, l1_weight
        self.gan_mode, self.seed = gan_mode, seed

    def network_shapes(self, input_shape: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
        outputs = self.generator.compute_output_shape(input_shape)[-1]
        return [input_shape, (*input_shape[:-1], input_shape[-1] + outputs)]

    def default_optimizer(self) -> FusedAdam:
        return FusedAdam(0.0002, beta_1=0.5, name="gen_adam")

    def call(
        self,
        inputs: tf.Tensor,
        training: bool = False,
        dropout_seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return self.generator(inputs, training=training, dropout_seeds=dropout_seeds)

    def forward(
        self, inputs: tf.Tensor, targets: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """One pass through both networks.

        Args:
            inputs: Float [n, h, w, c] in [-1, 1].
            targets: Float [n, h, w, c'] in [-1, 1].

        Returns:
            (losses, tensors): dicts of scalars, and of "outputs" with the logits "predict_real"
            and "predict_fake".
        """
        seeds = layers.step_seeds(self.seed, self.gen_optimizer.iterations, inputs)
        outputs = self(inputs, training=True, dropout_seeds=seeds)
        real = self.discriminator(tf.concat([inputs, targets], 3), training=True)
        fake = self.discriminator(tf.concat([inputs, outputs], 3), training=True)
        terms = (
            losses.discriminator_loss(real, fake, mode=self.gan_mode),
            losses.generator_gan_loss(fake, mode=self.gan_mode),
            losses.l1_loss(targets, outputs),
        )
        values = dict(zip(LOSSES, terms, strict=True))
        return values, {"outputs": outputs, "predict_real": real, "predict_fake": fake}

    def compute_gradients(
        self, inputs: tf.Tensor, targets: tf.Tensor, *, update_pools: bool = False
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        # Both networks learn from one forward pass.
        with tf.GradientTape(persistent=True) as tape:
            values, tensors = self.forward(inputs, targets)
            gan = self.gan_weight * values["generator_loss_GAN"]
            gen_loss = gan + self.l1_weight * values["generator_loss_L1"]
        disc_loss = values["discriminator_loss"]
        gen, disc = self.generator_variables, self.discriminator_variables
        gen = gradients(tape, gen_loss, gen, optimizer=self.gen_optimizer)
        disc = gradients(tape, disc_loss, disc, optimizer=self.disc_optimizer)
        return values, tensors, gen, disc

    def measure(self, inputs: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"generator_loss_L1": losses.l1_loss(targets, self(inputs))}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "gan_weight": self.gan_weight,
            "l1_weight": self.l1_weight,
            "gan_mode": self.gan_mode,
            "seed": self.seed,
        }


def _generator(config: Pix2PixConfig) -> Network:
    return make_generator(
        config.netG,
        output_channels=config.channels[1],
        ngf=config.ngf,
        depth=sizes.halvings(config.crop_size),
        norm=config.norm,
        dropout=config.dropout,
        separable_conv=config.separable_conv,
        bottleneck_norm=config.bottleneck_norm,
        init_type=config.init_type,
        init_gain=config.init_gain,
        seed=config.seed,
        dtype=config.precision,
    )


def build_generator(config: Pix2PixConfig) -> Network:
    """Makes the generator that `config` (Pix2PixConfig) describes, with all its weights."""
    generator = _generator(config)
    generator.build((None, *sizes.sides(config.crop_size), config.channels[0]))
    return generator


def make_model(config: Pix2PixConfig) -> Pix2Pix:
    """Makes the model that `config` describes, without weights and optimizers yet."""
    discriminator = make_discriminator(
        config.netD,
        n_layers=config.n_layers_D,
        ndf=config.ndf,
        norm=config.norm,
        # The PyTorch code's generators come with its discriminator.
        bias=config.netG == "unet" or config.norm.startswith("instance"),
        init_type=config.init_type,
        init_gain=config.init_gain,
        # Another seed than the generator's.
        seed=None if config.seed is None else config.seed + 1,
        dtype=config.precision,
    )
    return Pix2Pix(
        generator=_generator(config),
        discriminator=discriminator,
        gan_weight=config.gan_weight,
        l1_weight=config.l1_weight,
        gan_mode=config.gan_mode,
        seed=config.seed or 0,
        ema_decay=config.ema_decay,
    )


def build(config: Pix2PixConfig) -> Pix2Pix:
    """Makes the compiled model that `config` describes.

    Args:
        config: `Pix2PixConfig`; equal seeds give equal weights.

    Returns:
        `Pix2Pix`, 57,190,084 parameters at the defaults.
    """
    model = make_model(config)
    model.build((None, *sizes.sides(config.crop_size), config.channels[0]))
    optimizer = FusedAdam(config.lr, beta_1=config.beta1, name="gen_adam")
    model.compile(optimizer, run_eagerly=config.run_eagerly)
    return model
