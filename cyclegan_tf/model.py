"""CycleGAN: two generators, two discriminators and how they learn from each other."""

import keras
import tensorflow as tf

from cyclegan_tf.image_pool import ImagePool
from pix2pix_tf.data import sizes
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.factory import make_discriminator, make_generator
from pix2pix_tf.training import checkpoints, losses
from pix2pix_tf.training.optimizers import gradients, judged, make_adam, trained
from pix2pix_tf.training.schedules import EpochSchedule

# The losses' names, the same in dicts, log.csv and TensorBoard, and what the PyTorch code calls
# them. It names by generator: its D_A judges images of B, its idt_A is made from an image of B.
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
SCHEDULE = ("n_epochs", "n_epochs_decay", "lr_decay_iters")


class CycleGAN(keras.Model):
    """Translation between two sets of images that are not paired.

    Args:
        gen_ab: Model from images of A [n, h, w, c] to images of B, in [-1, 1]; its call takes
            `training` and `dropout_seeds`.
        gen_ba: The same from B to A.
        disc_a: Model from images of A to logits; its call takes `training`.
        disc_b: The same for B.
        pools: (pool of translated images of A, of B), as `ImagePool`.
        gan_mode: "lsgan", "vanilla" or "wgangp".
        lambda_a: Weight of the cycle A to B to A; Zhu et al. 2017, section 4 (lambda = 10).
        lambda_b: Weight of the cycle B to A to B.
        lambda_identity: Weight of the identity terms relative to the cycles; 0 leaves them out.
        batched: Give a network its batches in one call. Equal in value and faster for images of
            one size where every normalisation is that of an image; wrong with batch normalisation.
        seed: Seed of dropout, an int.

    Reference:
        Zhu et al. 2017 (arXiv:1703.10593); junyanz/pytorch-CycleGAN-and-pix2pix,
        models/cycle_gan_model.py.
    """

    def __init__(
        self,
        *,
        gen_ab,
        gen_ba,
        disc_a,
        disc_b,
        pools,
        gan_mode="lsgan",
        lambda_a=10.0,
        lambda_b=10.0,
        lambda_identity=0.5,
        batched=True,
        seed=0,
        **kwargs,
    ):
        super().__init__(**{"name": "cyclegan", **kwargs})
        self.gen_ab, self.gen_ba, self.disc_a, self.disc_b = gen_ab, gen_ba, disc_a, disc_b
        self.pool_a, self.pool_b = pools
        self.gan_mode, self.lambda_a, self.lambda_b = gan_mode, lambda_a, lambda_b
        self.lambda_identity, self.batched, self.seed = lambda_identity, batched, seed
        self.built = True

    def compile(self, gen_optimizer, disc_optimizer):
        """Sets one optimizer for both generators, one for both discriminators.

        Args:
            gen_optimizer: Keras optimizer; its `iterations` count the steps.
            disc_optimizer: Keras optimizer.
        """
        # No optimizer for Keras itself: its default would be an RMSprop that nobody uses.
        super().compile(optimizer=None, jit_compile=False)
        self.gen_optimizer, self.disc_optimizer = gen_optimizer, disc_optimizer
        gen_optimizer.build(self.generator_variables)
        disc_optimizer.build(self.discriminator_variables)

    @property
    def generator_variables(self):
        """The trainable variables of both generators."""
        return [*self.gen_ab.trainable_variables, *self.gen_ba.trainable_variables]

    @property
    def discriminator_variables(self):
        """The trainable variables of both discriminators."""
        return [*self.disc_a.trainable_variables, *self.disc_b.trainable_variables]

    @property
    def state(self):
        """Everything that training changes: dict from names to variables."""
        optimizers = trained(self.gen_optimizer, self.disc_optimizer)
        pools = {**self.pool_a.state, **self.pool_b.state}
        return {**checkpoints.named([*self.variables, *optimizers]), **pools}

    def call(self, images, training=False, dropout_seeds=None):
        """Translates images of A [n, h, w, c] in [-1, 1] to B; `gen_ba` is the way back."""
        return self.gen_ab(images, training=training, dropout_seeds=dropout_seeds)

    def forward(self, real_a, real_b):
        """One pass through the generators, judged by the discriminators.

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

    def _translate(self, real_a, real_b):
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

    def _generate(self, generator, batches, *, first_pass):
        """Calls a generator on each batch; no two passes of a step share dropout masks."""
        seeds = [
            layers.shifted(
                layers.step_seeds(self.seed, self.gen_optimizer.iterations, batch),
                (first_pass + number) * layers.SEED_SHIFTS,
            )
            for number, batch in enumerate(batches)
        ]
        return self._each(generator, batches, dropout_seeds=seeds)

    def _each(self, network, batches, **arguments):
        """Calls a network on each batch, all in one call if the numbers are the same."""
        if self.batched and len(batches) > 1:
            joined = {name: tf.concat(values, 0) for name, values in arguments.items()}
            results = network(tf.concat(batches, 0), training=True, **joined)
            return tf.split(results, len(batches))
        return [
            network(batch, training=True, **{name: part[i] for name, part in arguments.items()})
            for i, batch in enumerate(batches)
        ]

    def judge(self, reals, fakes):
        """Losses of the discriminators.

        Args:
            reals: (images of A, images of B), float [n, h, w, c] in [-1, 1].
            fakes: Translated images, likewise.

        Returns:
            Dict of scalars.
        """
        values, networks = {}, (self.disc_a, self.disc_b)
        for side, network, *images in zip("AB", networks, reals, fakes, strict=True):
            verdicts = self._each(network, images)
            loss = losses.discriminator_loss(*verdicts, mode=self.gan_mode)
            values[f"discriminator_loss_{side}"] = DISCRIMINATOR_WEIGHT * loss
        return values

    def compute_gradients(self, real_a, real_b, *, remember=False):
        """Losses and the gradients of all networks.

        Args:
            real_a: Float [n, h, w, c] in [-1, 1].
            real_b: Likewise.
            remember: Whether the pools take the translated images in.

        Returns:
            (losses, images, generators' gradients, discriminators' gradients); the gradients in
            the order of `generator_variables` and `discriminator_variables`.
        """
        with tf.GradientTape() as tape:
            values, images = self.forward(real_a, real_b)
            total = tf.add_n(list(values.values()))
        gen = gradients(tape, total, self.generator_variables, optimizer=self.gen_optimizer)
        fakes = (
            self.pool_a.query(images["fake_a"], remember=remember),
            self.pool_b.query(images["fake_b"], remember=remember),
        )
        with tf.GradientTape() as tape:
            verdicts = self.judge((real_a, real_b), fakes)
            total = tf.add_n(list(verdicts.values()))
        disc = gradients(tape, total, self.discriminator_variables, optimizer=self.disc_optimizer)
        values = {**verdicts, **values}
        return {name: values[name] for name in LOSSES}, images, gen, disc

    def update(self, data):
        """Updates the generators, then the discriminators, with one batch of (real_a, real_b).

        The generators' update changes nothing that the discriminators' gradients depend on: both
        are computed from the images of one pass.

        Returns:
            (the losses before the update, a dict of scalars; the gradients in the order of
            `trainable_variables`, see `optimizers.judged`).
        """
        values, _, gen, disc = self.compute_gradients(*data, remember=True)
        self.gen_optimizer.apply(gen, self.generator_variables)
        self.disc_optimizer.apply(disc, self.discriminator_variables)
        gen = judged(gen, optimizer=self.gen_optimizer)
        disc = judged(disc, optimizer=self.disc_optimizer)
        return values, [*gen, *disc]

    def train_step(self, data):
        """Updates all networks; returns the losses before the update, a dict of scalars."""
        return losses.replica_means(self.update(data)[0])

    def test_step(self, data):
        """How far from the original one batch of (real_a, real_b) comes back, dropout off."""
        real_a, real_b = data
        cycle_a = losses.l1_loss(real_a, self.gen_ba(self.gen_ab(real_a)))
        cycle_b = losses.l1_loss(real_b, self.gen_ab(self.gen_ba(real_b)))
        return losses.replica_means({"cycle_A": cycle_a, "cycle_B": cycle_b})


def build_network(config, name):
    """Makes one network of `NETWORKS` that `config` describes, with all its weights."""
    a, b = config.channels
    ends = {"gen_ab": (a, b), "gen_ba": (b, a), "disc_a": (a, 1), "disc_b": (b, 1)}
    inputs, outputs = ends[name]
    # Each network has another seed.
    seed = None if config.seed is None else config.seed + NETWORKS.index(name)
    shared = {"norm": config.norm, "init_type": config.init_type, "init_gain": config.init_gain}
    shared |= {"seed": seed, "dtype": config.precision, "name": name}
    if name.startswith("gen"):
        shared |= {"depth": sizes.halvings(config.crop_size), "dropout": config.dropout}
        shared |= {"output_channels": outputs, "ngf": config.ngf}
        network = make_generator(config.netG, **shared)
    else:
        shared |= {"n_layers": config.n_layers_D, "bias": config.norm.startswith("instance")}
        network = make_discriminator(config.netD, ndf=config.ndf, **shared)
    network.build((None, *sizes.sides(config.crop_size), inputs))
    return network


def build(config, *, steps_per_epoch):
    """Makes the compiled model that `config` describes.

    Args:
        config: `CycleGANConfig`; `seed` may be None for 0.
        steps_per_epoch: Updates per epoch, for the learning rate.

    Returns:
        `CycleGAN`, 28,285,832 parameters at the defaults.
    """
    seed, size = config.seed or 0, sizes.sides(config.crop_size)
    lambda_a, lambda_b = config.cycle_weights
    model = CycleGAN(
        **{name: build_network(config, name) for name in NETWORKS},
        pools=[
            ImagePool(config.pool_size, (*size, count), seed=seed, name=f"pool_{side}")
            for side, count in zip("ab", config.channels, strict=True)
        ],
        gan_mode=config.gan_mode,
        lambda_a=lambda_a,
        lambda_b=lambda_b,
        lambda_identity=config.lambda_identity,
        batched="batch" not in config.norm and sizes.same_for_all(config.preprocess),
        seed=seed,
    )
    rate = EpochSchedule(
        config.lr,
        policy=config.lr_policy,
        steps_per_epoch=steps_per_epoch,
        **{name: getattr(config, name) for name in SCHEDULE},
    )
    adam = {"learning_rate": rate, "beta_1": config.beta1, "precision": config.precision}
    adam["torch_epsilon"] = True
    model.compile(make_adam(name="gen_adam", **adam), make_adam(name="disc_adam", **adam))
    return model
