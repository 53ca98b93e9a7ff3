"""Losses as pure functions of logits and images, averaged over the global batch."""

import tensorflow as tf


def global_mean(values):
    """Mean over this replica's share, divided by the number of replicas.

    The sum over replicas, which is how gradients are combined, is then the mean over the global
    batch. Every term of every loss goes through here.

    Args:
        values: Float tensor of any shape; every replica has the same shape.

    Returns:
        float32 scalar.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    mean = tf.reduce_mean(tf.cast(values, tf.float32))
    return mean if replicas == 1 else mean / replicas


def discriminator_loss(real, fake):
    """Loss of the discriminator: -log D(real) - log(1 - D(fake)).

    Computed from logits: equal to the reference's mean(-(log(D(real) + 1e-12) + log(1 - D(fake) +
    1e-12))) wherever that has a gradient, and finite where it saturates.

    Args:
        real: Logits for real pairs, any shape.
        fake: Logits for translated pairs.

    Returns:
        float32 scalar. 2 ln 2 when the discriminator cannot tell.
    """
    return global_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))


def generator_gan_loss(fake):
    """Non-saturating loss of the generator, -log D(fake), from logits.

    Reference:
        Goodfellow et al. 2014, section 3; pix2pix.py, gen_loss_GAN.
    """
    return global_mean(tf.nn.softplus(-fake))


def l1_loss(targets, outputs):
    """Mean absolute difference over all elements of images in [-1, 1]."""
    return global_mean(tf.abs(targets - outputs))
