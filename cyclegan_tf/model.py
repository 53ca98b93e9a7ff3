"""CycleGAN: two generators and two discriminators that train against each other."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.config import CycleGANConfig
from cyclegan_tf.image_pool import ImagePool
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import InputError
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.factory import make_discriminator, make_generator
from pix2pix_tf.networks.layers import Network
from pix2pix_tf.training import losses
from pix2pix_tf.training.adam import FusedAdam
from pix2pix_tf.training.exact_fit import ExactFit
from pix2pix_tf.training.optimizers import gradients
from pix2pix_tf.unpaired import learning_rate

# The losses' names, the same in dicts and log.csv, and in TensorBoard behind "losses/", and what
# the PyTorch code calls them. It names by generator: its D_A judges images of B, its idt_A is made
# from an image of B.
LOSSES = {
    "discriminator_loss_A": "D_B",
    "discriminator_loss_B": "D_A",
    "generator_loss_GAN_AB": "G_A",
    "generator_loss_GAN_BA": "G_B",
    "generator_loss_cycle_A": "cycle_A",
    "generator_loss_cycle_B": "cycle_B",
    "generator_loss_identity_A": "idt_B",
    "generator_loss_identity_B": "idt_A",
}
# PyTorch CycleGAN, backward_D_basic(); Zhu et al. 2017, section 7.1: "we divide the objective by
# 2 while optimizing D".
DISCRIMINATOR_WEIGHT = 0.5
NETWORKS = ("gen_ab", "gen_ba", "disc_a", "disc_b")


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CycleGAN(ExactFit):
    """Translation between two unpaired sets of images.

    Args:
        gen_ab: Model from images of A [n, h, w, c] to images of B, in [-1, 1]; its call takes
            `training` and `dropout_seeds`.
        gen_ba: The same from B to A.
        disc_a: Model from images of A to logits; its call takes `training`.
        disc_b: The same for B.
        gan_mode: "lsgan", "vanilla" or "wgangp".
        lambda_a: Weight of the cycle A to B to A; Zhu et al. 2017, section 4 (lambda = 10).
        lambda_b: Weight of the cycle B to A to B.
        lambda_identity: Weight of the identity terms relative to the cycles; 0 leaves them out.
        pool_size: Translated images per domain that are kept to train the discriminators with,
            which takes images of one size; 0 for none.
        batched: Give a network its batches in one call. Equal in value and faster for images of
            one size where every normalisation is that of an image; wrong with batch normalisation.
        seed: Seed of dropout and of the pools, an int.
        kwargs: Arguments of `ExactFit`, such as `ema_decay`, and of `keras.Model`.

    Reference:
        Zhu et al. 2017 (arXiv:1703.10593); junyanz/pytorch-CycleGAN-and-pix2pix,
        models/cycle_gan_model.py.
    """

    LOSSES = tuple(LOSSES)
    MEASURES = ("cycle_A", "cycle_B")

    def __init__(
        self,
        *,
        gen_ab: keras.Model,
        gen_ba: keras.Model,
        disc_a: keras.Model,
        disc_b: keras.Model,
        gan_mode: str = "lsgan",
        lambda_a: float = 10.0,
        lambda_b: float = 10.0,
        lambda_identity: float = 0.5,
        pool_size: int = 50,
        batched: bool = True,
        seed: int = 0,
        name: str = "cyclegan",
        **kwargs: Any,
    ) -> None:
        generators, discriminators = [gen_ab, gen_ba], [disc_a, disc_b]
        super().__init__(generators=generators, discriminators=discriminators, name=name, **kwargs)
        self.gen_ab, self.gen_ba, self.disc_a, self.disc_b = gen_ab, gen_ba, disc_a, disc_b
        self.gan_mode, self.lambda_a, self.lambda_b = gan_mode, lambda_a, lambda_b
        self.lambda_identity, self.batched, self.seed = lambda_identity, batched, seed
        self.pool_size = pool_size
        # `ImagePool`s, once the model is built.
        self.pool_a: Any = None
        self.pool_b: Any = None

    def network_shapes(self, input_shape: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
        of_a, channels = input_shape, self.gen_ab.compute_output_shape(input_shape)[-1]
        of_b = (*input_shape[:-1], channels)
        return [of_a, of_b, of_a, of_b]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.pool_size and None in input_shape[1:]:
            raise InputError(
                "Expected images of one known size for the image pool: build the model with it, or "
                f"set pool_size=0. Received: {tuple(input_shape)}"
            )
        super().build(input_shape)
        with tf.init_scope():
            of_a, of_b, *_ = self.network_shapes(tuple(input_shape))
            size, seed = self.pool_size, self.seed
            self.pool_a = ImagePool(size, of_a[1:], seed=seed, name="pool_a")
            self.pool_b = ImagePool(size, of_b[1:], seed=seed, name="pool_b")

    def default_optimizer(self) -> FusedAdam:
        return FusedAdam(0.0002, beta_1=0.5, torch_epsilon=True, name="gen_adam")

    @property
    def extra_state(self) -> dict[str, Any]:
        pools = [pool.state for pool in (self.pool_a, self.pool_b) if pool is not None]
        return {**super().extra_state, **{name: v for pool in pools for name, v in pool.items()}}

    def call(
        self,
        images: tf.Tensor,
        training: bool = False,
        dropout_seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return self.gen_ab(images, training=training, dropout_seeds=dropout_seeds)

    def forward(
        self, real_a: tf.Tensor, real_b: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """One pass through the generators, whose images the discriminators see.

        Args:
            real_a: Float [n, h, w, c] in [-1, 1].
            real_b: Float [n, h, w, c] in [-1, 1].

        Returns:
            (losses of the generators, images): dicts of weighted scalars, and of "fake_b",
            "rec_a", "identity_a", "fake_a", "rec_b", "identity_b", where identity_a is gen_ba of
            real_a; without identity loss it is real_a itself.
        """
        images = self._translate(real_a, real_b)
        to_b = self.disc_b(images["fake_b"], training=True)
        to_a = self.disc_a(images["fake_a"], training=True)
        terms = {
            "GAN_AB": losses.generator_gan_loss(to_b, mode=self.gan_mode),
            "GAN_BA": losses.generator_gan_loss(to_a, mode=self.gan_mode),
        }
        for side, real, weight in (("a", real_a, self.lambda_a), ("b", real_b, self.lambda_b)):
            cycle = losses.l1_loss(real, images[f"rec_{side}"])
            identity = losses.l1_loss(real, images[f"identity_{side}"])
            terms[f"cycle_{side.upper()}"] = weight * cycle
            terms[f"identity_{side.upper()}"] = weight * self.lambda_identity * identity
        return {f"generator_loss_{name}": value for name, value in terms.items()}, images

    def _translate(self, real_a: tf.Tensor, real_b: tf.Tensor) -> dict[str, tf.Tensor]:
        count = 2 if self.lambda_identity else 1
        fake_b, *same_b = self._generate(self.gen_ab, [real_a, real_b][:count], first_pass=0)
        fake_a, *same_a = self._generate(self.gen_ba, [real_b, real_a][:count], first_pass=2)
        return {
            "fake_b": fake_b,
            "rec_a": self._generate(self.gen_ba, [fake_b], first_pass=4)[0],
            "identity_a": same_a[0] if same_a else real_a,
            "fake_a": fake_a,
            "rec_b": self._generate(self.gen_ab, [fake_a], first_pass=5)[0],
            "identity_b": same_b[0] if same_b else real_b,
        }

    def _generate(
        self, generator: keras.Model, batches: Sequence[tf.Tensor], *, first_pass: int
    ) -> list[tf.Tensor]:
        """Calls a generator on each batch; no two passes of a step share dropout masks."""
        seeds = [
            layers.offset_seeds(
                layers.step_seeds(self.seed, self.gen_optimizer.iterations, batch),
                (first_pass + number) * layers.SEED_OFFSETS,
            )
            for number, batch in enumerate(batches)
        ]
        return self._each(generator, batches, dropout_seeds=seeds)

    def _each(
        self, network: keras.Model, batches: Sequence[tf.Tensor], **arguments: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Calls a network on each batch, all in one call if the numbers are the same."""
        if self.batched and len(batches) > 1:
            joined = {name: tf.concat(values, 0) for name, values in arguments.items()}
            results = network(tf.concat(batches, 0), training=True, **joined)
            return tf.split(results, len(batches))
        return [
            network(batch, training=True, **{name: part[i] for name, part in arguments.items()})
            for i, batch in enumerate(batches)
        ]

    def discriminate(
        self, reals: Sequence[tf.Tensor], fakes: Sequence[tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Losses of the discriminators.

        Args:
            reals: (images of A, images of B), float [n, h, w, c] in [-1, 1].
            fakes: Translated images, likewise.

        Returns:
            Dict of scalars.
        """
        values, networks = {}, (self.disc_a, self.disc_b)
        for side, network, *images in zip("AB", networks, reals, fakes, strict=True):
            logits = self._each(network, images)
            loss = losses.discriminator_loss(*logits, mode=self.gan_mode)
            values[f"discriminator_loss_{side}"] = DISCRIMINATOR_WEIGHT * loss
        return values

    def compute_gradients(
        self, real_a: tf.Tensor, real_b: tf.Tensor, *, update_pools: bool = False
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            values, images = self.forward(real_a, real_b)
            total = tf.add_n(list(values.values()))
        gen = gradients(tape, total, self.generator_variables, optimizer=self.gen_optimizer)
        # The generators' update changes nothing that the discriminators' gradients depend on: both
        # are computed from the images of one pass.
        fakes = (
            self.pool_a.query(images["fake_a"], update=update_pools),
            self.pool_b.query(images["fake_b"], update=update_pools),
        )
        with tf.GradientTape() as tape:
            disc_losses = self.discriminate((real_a, real_b), fakes)
            total = tf.add_n(list(disc_losses.values()))
        disc = gradients(tape, total, self.discriminator_variables, optimizer=self.disc_optimizer)
        values = {**disc_losses, **values}
        return {name: values[name] for name in LOSSES}, images, gen, disc

    def measure(self, inputs: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        # L1 of images of A and of B translated there and back, without lambda.
        return {
            "cycle_A": losses.l1_loss(inputs, self.gen_ba(self.gen_ab(inputs))),
            "cycle_B": losses.l1_loss(targets, self.gen_ab(self.gen_ba(targets))),
        }

    def get_config(self) -> dict[str, Any]:
        networks = {n: keras.saving.serialize_keras_object(getattr(self, n)) for n in NETWORKS}
        return {
            **super().get_config(),
            **networks,
            "gan_mode": self.gan_mode,
            "lambda_a": self.lambda_a,
            "lambda_b": self.lambda_b,
            "lambda_identity": self.lambda_identity,
            "pool_size": self.pool_size,
            "batched": self.batched,
            "seed": self.seed,
        }


def _network(config: CycleGANConfig, name: str) -> Network:
    # Each network has another seed.
    seed = None if config.seed is None else config.seed + NETWORKS.index(name)
    if name.startswith("gen"):
        return make_generator(
            config.netG,
            output_channels=config.channels[1 if name == "gen_ab" else 0],
            ngf=config.ngf,
            depth=sizes.halvings(config.crop_size),
            norm=config.norm,
            dropout=config.dropout,
            init_type=config.init_type,
            init_gain=config.init_gain,
            seed=seed,
            dtype=config.precision,
            name=name,
        )
    return make_discriminator(
        config.netD,
        n_layers=config.n_layers_D,
        ndf=config.ndf,
        norm=config.norm,
        bias=config.norm.startswith("instance"),
        init_type=config.init_type,
        init_gain=config.init_gain,
        seed=seed,
        dtype=config.precision,
        name=name,
    )


def build_generators(config: CycleGANConfig) -> dict[str, Network]:
    """Makes both generators that `config` describes, "gen_ab" and "gen_ba", with all weights."""
    generators = {name: _network(config, name) for name in ("gen_ab", "gen_ba")}
    for generator, channels in zip(generators.values(), config.channels, strict=True):
        generator.build((None, *sizes.sides(config.crop_size), channels))
    return generators


def make_model(config: CycleGANConfig) -> CycleGAN:
    """Makes the model that `config` describes, without weights and optimizers yet."""
    lambda_a, lambda_b = config.cycle_weights
    return CycleGAN(
        **{name: _network(config, name) for name in NETWORKS},
        gan_mode=config.gan_mode,
        lambda_a=lambda_a,
        lambda_b=lambda_b,
        lambda_identity=config.lambda_identity,
        pool_size=config.pool_size,
        batched="batch" not in config.norm and sizes.same_for_all(config.preprocess),
        seed=config.seed or 0,
        ema_decay=config.ema_decay,
    )


def build(config: CycleGANConfig, *, steps_per_epoch: int | None = None) -> CycleGAN:
    """Makes the compiled model that `config` describes.

    Args:
        config: `CycleGANConfig`; equal seeds give equal weights.
        steps_per_epoch: Updates per epoch, for the schedule of the learning rate; None for a
            constant rate.

    Returns:
        `CycleGAN`, 28,285,832 parameters at the defaults.
    """
    model = make_model(config)
    model.build((None, *sizes.sides(config.crop_size), config.channels[0]))
    rate = learning_rate(config, steps_per_epoch)
    optimizer = FusedAdam(rate, beta_1=config.beta1, torch_epsilon=True, name="gen_adam")
    model.compile(optimizer, run_eagerly=config.run_eagerly)
    return model
