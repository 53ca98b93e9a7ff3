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
from pix2pix_tf.training.gan import GAN
from pix2pix_tf.training.optimizers import FusedAdam, gradients

# The losses' names, the same in dicts and log.csv, and in TensorBoard behind "losses/" (the
# reference's tags).
LOSSES = ("discriminator_loss", "generator_loss_GAN", "generator_loss_L1")


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class Pix2Pix(GAN):
    """Conditional GAN for image-to-image translation.

    Args:
        generator: Model from inputs [n, h, w, c] to outputs [n, h, w, c'] in [-1, 1]; its call
            takes `training` and `dropout_seeds`.
        discriminator: Model from pairs [n, h, w, c + c'] to logits; its call takes `training`.
        gan_weight: Weight of the GAN term in the generator's loss.
        l1_weight: Weight of the L1 term; Isola et al. 2017, section 4 (lambda = 100).
        gan_mode: "vanilla", "lsgan" or "wgangp".
        seed: Seed of dropout, an int.
        ema_decay: See `GAN`.

    Reference:
        Isola et al. 2017 (arXiv:1611.07004); affinelayer/pix2pix-tensorflow.
    """

    GENERATORS = ("generator",)
    DISCRIMINATORS = ("discriminator",)
    LOSSES = LOSSES
    MEASURES = ("generator_loss_L1",)
    SETTINGS = ("gan_weight", "l1_weight", "gan_mode", "seed")

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        gan_weight: float = 1.0,
        l1_weight: float = 100.0,
        gan_mode: str = "vanilla",
        seed: int = 0,
        ema_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(ema_decay=ema_decay, **{"name": "pix2pix", **kwargs})
        self.generator = generator
        self.discriminator = discriminator
        self.gan_weight, self.l1_weight = gan_weight, l1_weight
        self.gan_mode, self.seed = gan_mode, seed

    def network_shapes(self, input_shape: tuple[int | None, ...]) -> dict[str, tuple]:
        """The input shape of every network, for inputs of this model of `input_shape`."""
        outputs = self.generator.compute_output_shape(input_shape)[-1]
        pair = (*input_shape[:-1], input_shape[-1] + outputs)
        return {"generator": input_shape, "discriminator": pair}

    def default_optimizer(self) -> FusedAdam:
        """Adam as in the reference."""
        return FusedAdam(0.0002, beta_1=0.5, name="gen_adam")

    def call(
        self,
        inputs: tf.Tensor,
        training: bool = False,
        dropout_seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Translates `inputs` [n, h, w, c] in [-1, 1]; see the generator."""
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
        self, inputs: tf.Tensor, targets: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        """Losses and the gradients of both networks, all from one forward pass.

        Args:
            inputs: Float [n, h, w, c] in [-1, 1].
            targets: Float [n, h, w, c'] in [-1, 1].

        Returns:
            (losses, tensors, generator's gradients, discriminator's gradients); the gradients in
            the order of each network's `trainable_variables`.
        """
        with tf.GradientTape(persistent=True) as tape:
            values, tensors = self.forward(inputs, targets)
            gan = self.gan_weight * values["generator_loss_GAN"]
            total = gan + self.l1_weight * values["generator_loss_L1"]
        loss = values["discriminator_loss"]
        gen, disc = self.generator_variables, self.discriminator_variables
        gen = gradients(tape, total, gen, optimizer=self.gen_optimizer)
        disc = gradients(tape, loss, disc, optimizer=self.disc_optimizer)
        return values, tensors, gen, disc

    def update(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[dict[str, tf.Tensor], list]:
        """Updates both networks simultaneously with one batch of (inputs, targets); see `GAN`."""
        values, _, gen, disc = self.compute_gradients(*batch)
        return values, self.apply_gradients(gen, disc)

    def measure(self, inputs: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        """L1 of one batch, dropout off."""
        return {"generator_loss_L1": losses.l1_loss(targets, self(inputs))}


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


def describe(config: Pix2PixConfig) -> Pix2Pix:
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
    model = describe(config)
    model.build((None, *sizes.sides(config.crop_size), config.channels[0]))
    optimizer = FusedAdam(config.lr, beta_1=config.beta1, name="gen_adam")
    model.compile(optimizer, run_eagerly=config.run_eagerly)
    return model
