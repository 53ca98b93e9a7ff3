"""All of pix2pix in one file: networks, losses and training step in plain Keras.

    python examples/pix2pix_minimal.py --input_dir facades/train --direction BtoA

Only the images come from pix2pix_tf, whose `Pix2Pix` is this model with what long trainings need:
exact resuming, several devices, mixed precision. Isola et al. 2017 (arXiv:1611.07004).
"""

import argparse

import keras
import tensorflow as tf
from keras import layers

import pix2pix_tf

cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def make_generator(size: int, filters: int) -> keras.Model:
    """A U-Net: halves the image down to 1x1, doubles it again and joins maps of the same size."""
    widths = [filters * min(2**level, 8) for level in range(size.bit_length() - 1)]
    x, maps = keras.Input((size, size, 3)), []
    inputs = x
    for level, width in enumerate(widths):
        x = layers.Conv2D(width, 4, 2, "same")(layers.LeakyReLU(0.2)(x) if level else x)
        if 0 < level < len(widths) - 1:  # a 1x1 map minus its mean would be nothing
            x = layers.GroupNormalization(-1)(x)
        maps.append(x)
    for level in reversed(range(len(widths) - 1)):
        x = layers.Conv2DTranspose(widths[level], 4, 2, "same")(layers.ReLU()(x))
        x = layers.GroupNormalization(-1)(x)
        x = layers.Concatenate()([layers.Dropout(0.5 if level > 3 else 0)(x), maps[level]])
    x = layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(layers.ReLU()(x))
    return keras.Model(inputs, x)


def make_discriminator(size: int, filters: int) -> keras.Model:
    """A PatchGAN: one logit for each patch of 70x70 pixels, positive for real pairs."""
    x = inputs = keras.Input((size, size, 6))
    for level, stride in enumerate((2, 2, 2, 1)):
        x = layers.Conv2D(filters * 2**level, 4, stride, "same")(x)
        x = layers.LeakyReLU(0.2)(layers.GroupNormalization(-1)(x) if level else x)
    return keras.Model(inputs, layers.Conv2D(1, 4, padding="same")(x))


class Pix2Pix(keras.Model):
    """A generator and a discriminator that train against each other."""

    def __init__(self, generator: keras.Model, discriminator: keras.Model) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.gen_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.disc_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs, targets = data
        with tf.GradientTape(persistent=True) as tape:
            outputs = self.generator(inputs, training=True)
            real = self.discriminator(tf.concat([inputs, targets], 3), training=True)
            fake = self.discriminator(tf.concat([inputs, outputs], 3), training=True)
            ones, zeros = tf.ones_like(real), tf.zeros_like(real)
            disc_loss = cross_entropy(ones, real) + cross_entropy(zeros, fake)
            l1_loss = tf.reduce_mean(abs(targets - outputs))
            gen_loss = cross_entropy(ones, fake) + 100 * l1_loss
        gen, disc = self.generator.trainable_variables, self.discriminator.trainable_variables
        self.gen_optimizer.apply(tape.gradient(gen_loss, gen), gen)
        self.disc_optimizer.apply(tape.gradient(disc_loss, disc), disc)
        return {"discriminator": disc_loss, "generator": gen_loss, "L1": l1_loss}


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--input_dir", required=True, help="folder of side-by-side pairs")
parser.add_argument("--direction", default="AtoB", choices=("AtoB", "BtoA"))
parser.add_argument("--size", type=int, default=256, help="of the images, a power of two")
parser.add_argument("--filters", type=int, default=64, help="of the first convolutions")
parser.add_argument("--epochs", type=int, default=200)

if __name__ == "__main__":
    args = parser.parse_args()
    paths = pix2pix_tf.list_images(args.input_dir)
    sizes = {"crop_size": args.size, "scale_size": args.size * 9 // 8}
    data = pix2pix_tf.training_pairs(paths, direction=args.direction, **sizes)
    model = Pix2Pix(
        make_generator(args.size, args.filters), make_discriminator(args.size, args.filters)
    )
    model.compile()
    model.fit(data, steps_per_epoch=len(paths), epochs=args.epochs, shuffle=False)
    model.generator.save("generator.keras")
