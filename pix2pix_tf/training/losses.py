"""Losses as pure functions of logits and images, averaged over the global batch."""

import math

import tensorflow as tf

from pix2pix_tf.training import distribution


def global_mean(values: tf.Tensor) -> tf.Tensor:
    """Mean over the global batch, of which each replica returns its share.

    The shares of all replicas add up to the mean, as gradients do. Every term of every loss goes
    through here.

    Args:
        values: Float tensor of any shape [n, ...]. If n is known before execution, every replica
            has as many images; else each may have another number, also none.

    Returns:
        float32 scalar.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    values = tf.cast(values, tf.float32)
    if replicas == 1 or (values.shape.rank is not None and values.shape[:1].is_fully_defined()):
        return tf.reduce_mean(values) / replicas
    count = distribution.all_reduce_sum(tf.size(values, tf.int64))
    return tf.reduce_sum(values) / tf.cast(count, tf.float32)


def gan_terms(logits: tf.Tensor, *, real: bool, mode: str = "vanilla") -> tf.Tensor:
    """The loss of each logit where "real" or "not real" is wanted.

    Args:
        logits: Any shape.
        real: Whether "real" is wanted.
        mode: "vanilla", -log of the probability, computed from logits and so finite where the
            sigmoid saturates; "lsgan", the squared distance to 1 or 0; "wgangp", the negative or
            the logit itself. As in the PyTorch code, "wgangp" comes without gradient penalty.

    Returns:
        Tensor like `logits`.

    Reference:
        Goodfellow et al. 2014, section 3; Mao et al. 2017 (arXiv:1611.04076); Arjovsky et al.
        2017 (arXiv:1701.07875); PyTorch CycleGAN, GANLoss.
    """
    if mode == "lsgan":
        return tf.square(logits - (1.0 if real else 0.0))
    signed = -logits if real else logits
    return tf.nn.softplus(signed) if mode == "vanilla" else signed


def discriminator_loss(real: tf.Tensor, fake: tf.Tensor, *, mode: str = "vanilla") -> tf.Tensor:
    """Loss of a discriminator; at the defaults -log D(real) - log(1 - D(fake)).

    Equal to the reference's mean(-(log(D(real) + 1e-12) + log(1 - D(fake) + 1e-12))) wherever
    that has a gradient.

    Args:
        real: Logits for real images or pairs, any shape.
        fake: Logits for translated ones, which may be of another size.
        mode: As of `gan_terms`.

    Returns:
        float32 scalar. 2 ln 2 for a "vanilla" discriminator that predicts 0 everywhere.
    """
    on_real = global_mean(gan_terms(real, real=True, mode=mode))
    return on_real + global_mean(gan_terms(fake, real=False, mode=mode))


def chance_level(*names: str, mode: str = "vanilla", weight: float = 1.0) -> dict[str, float]:
    """The losses of discriminators that predict the same for every image.

    Args:
        names: The names of their losses.
        mode: As of `gan_terms`.
        weight: Factor of those losses.

    Returns:
        Dict from names to losses: -2 log(1/2) for "vanilla", 1/4 + 1/4 for "lsgan"; empty for
        "wgangp", whose logits have no middle.
    """
    level = {"vanilla": 2 * math.log(2), "lsgan": 0.5}.get(mode)
    return {} if level is None else dict.fromkeys(names, weight * level)


def generator_gan_loss(fake: tf.Tensor, *, mode: str = "vanilla") -> tf.Tensor:
    """Non-saturating loss of the generator, at the defaults -log D(fake).

    Args:
        fake: Logits for translated images or pairs, any shape.
        mode: As of `gan_terms`.

    Returns:
        float32 scalar.

    Reference:
        Goodfellow et al. 2014, section 3; pix2pix.py, gen_loss_GAN.
    """
    return global_mean(gan_terms(fake, real=True, mode=mode))


def l1_loss(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference over all elements of images in [-1, 1]."""
    return global_mean(tf.abs(targets - outputs))
