"""pix2pix: a generator, a discriminator and how they learn from each other."""

import keras
import tensorflow as tf

from pix2pix_tf.data import sizes
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.factory import make_discriminator, make_generator
from pix2pix_tf.training import checkpoints, losses
from pix2pix_tf.training.optimizers import gradients, judged, make_adam, trained

# The losses' names, the same in dicts, log.csv and TensorBoard (the reference's tags there).
LOSSES = ("discriminator_loss", "generator_loss_GAN", "generator_loss_L1")


class Pix2Pix(keras.Model):
    """Conditional GAN for image-to-image translation.

    Args:
        generator: Model from inputs [n, h, w, c] to outputs [n, h, w, c'] in [-1, 1]; its call
            takes `training` and `dropout_seeds`.
        discriminator: Model from pairs [n, h, w, c + c'] to logits; its call takes `training`.
        gan_weight: Weight of the GAN term in the generator's loss.
        l1_weight: Weight of the L1 term; Isola et al. 2017, section 4 (lambda = 100).
        gan_mode: "vanilla", "lsgan" or "wgangp".
        seed: Seed of dropout, an int.

    Reference:
        Isola et al. 2017 (arXiv:1611.07004); affinelayer/pix2pix-tensorflow.
    """

    def __init__(
        self,
        *,
        generator,
        discriminator,
        gan_weight=1.0,
        l1_weight=100.0,
        gan_mode="vanilla",
        seed=0,
        **kwargs,
    ):
        super().__init__(**{"name": "pix2pix", **kwargs})
        self.generator = generator
        self.discriminator = discriminator
        self.gan_weight, self.l1_weight = gan_weight, l1_weight
        self.gan_mode, self.seed = gan_mode, seed
        self.built = generator.built and discriminator.built

    def compile(self, gen_optimizer, disc_optimizer):
        """Sets one optimizer per network and creates their state.

        Args:
            gen_optimizer: Keras optimizer of the generator; its `iterations` count the steps.
            disc_optimizer: Keras optimizer of the discriminator.
        """
        # No optimizer for Keras itself: its default would be an RMSprop that nobody uses.
        super().compile(optimizer=None, jit_compile=False)
        self.gen_optimizer, self.disc_optimizer = gen_optimizer, disc_optimizer
        gen_optimizer.build(self.generator.trainable_variables)
        disc_optimizer.build(self.discriminator.trainable_variables)

    @property
    def state(self):
        """Everything that training changes: dict from names to variables."""
        optimizers = trained(self.gen_optimizer, self.disc_optimizer)
        return checkpoints.named([*self.variables, *optimizers])

    def call(self, inputs, training=False, dropout_seeds=None):
        """Translates `inputs` [n, h, w, c] in [-1, 1]; see the generator."""
        return self.generator(inputs, training=training, dropout_seeds=dropout_seeds)

    def forward(self, inputs, targets):
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

    def compute_gradients(self, inputs, targets):
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
        verdict = values["discriminator_loss"]
        gen, disc = self.generator.trainable_variables, self.discriminator.trainable_variables
        gen = gradients(tape, total, gen, optimizer=self.gen_optimizer)
        disc = gradients(tape, verdict, disc, optimizer=self.disc_optimizer)
        return values, tensors, gen, disc

    def update(self, data):
        """Updates both networks simultaneously with one batch of (inputs, targets).

        Returns:
            (the losses before the update, a dict of scalars; the gradients in the order of
            `trainable_variables`, see `optimizers.judged`).
        """
        values, _, gen, disc = self.compute_gradients(*data)
        self.gen_optimizer.apply(gen, self.generator.trainable_variables)
        self.disc_optimizer.apply(disc, self.discriminator.trainable_variables)
        gen = judged(gen, optimizer=self.gen_optimizer)
        disc = judged(disc, optimizer=self.disc_optimizer)
        return values, [*gen, *disc]

    def train_step(self, data):
        """Updates both networks; returns the losses before the update, a dict of scalars."""
        return losses.replica_means(self.update(data)[0])

    def test_step(self, data):
        """L1 of one batch of (inputs, targets), dropout off."""
        inputs, targets = data
        return losses.replica_means({"generator_loss_L1": losses.l1_loss(targets, self(inputs))})


def build_generator(config):
    """Makes the generator that `config` (Pix2PixConfig) describes, with all its weights."""
    inputs, outputs = config.channels
    generator = make_generator(
        config.netG,
        output_channels=outputs,
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
    generator.build((None, *sizes.sides(config.crop_size), inputs))
    return generator


def build(config):
    """Makes the compiled model that `config` describes.

    Args:
        config: `Pix2PixConfig`; `seed` may be None for 0.

    Returns:
        `Pix2Pix`, 57,190,084 parameters at the defaults.
    """
    generator = build_generator(config)
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
    discriminator.build((None, *sizes.sides(config.crop_size), sum(config.channels)))
    model = Pix2Pix(
        generator=generator,
        discriminator=discriminator,
        gan_weight=config.gan_weight,
        l1_weight=config.l1_weight,
        gan_mode=config.gan_mode,
        seed=config.seed or 0,
    )
    adam = {"learning_rate": config.lr, "beta_1": config.beta1, "precision": config.precision}
    model.compile(make_adam(name="gen_adam", **adam), make_adam(name="disc_adam", **adam))
    return model
