"""Trains pix2pix with a generator of your own: a Keras model from images to images.

    python examples/own_generator.py --input_dir photos/train

A generator maps [n, h, w, c] in [-1, 1] to [n, h, w, c'] in [-1, 1]. Its `call` takes `training`
and `dropout_seeds`, which this one ignores.
"""

import argparse
from typing import Any

import keras
import tensorflow as tf
from keras import layers

import pix2pix_tf


@keras.saving.register_keras_serializable(package="examples")
class DilatedResNet(keras.Model):
    """Residual blocks that see 1, 2, 4, ... pixels far, at full resolution.

    Args:
        filters: Channels of every hidden map.
        blocks: Number of residual blocks; the last one dilates by 2 ** (blocks - 1) pixels.
    """

    def __init__(self, filters: int = 32, blocks: int = 6, **kwargs: Any) -> None:
        inputs = keras.Input((None, None, 3))
        x = layers.Conv2D(filters, 3, padding="same")(inputs)
        for number in range(blocks):
            y = layers.Conv2D(filters, 3, dilation_rate=2**number, padding="same")(x)
            # One group per channel: each image is normalised by its own statistics.
            x = layers.Add()([x, layers.ReLU()(layers.GroupNormalization(-1)(y))])
        outputs = layers.Conv2D(3, 3, padding="same", activation="tanh")(x)
        super().__init__(inputs, outputs, **kwargs)
        self.filters, self.blocks = filters, blocks

    def call(
        self, images: tf.Tensor, training: bool = False, dropout_seeds: tf.Tensor | None = None
    ) -> tf.Tensor:
        return super().call(images, training=training)

    def get_config(self) -> dict:
        return {"name": self.name, "filters": self.filters, "blocks": self.blocks}


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--input_dir", required=True, help="folder of side-by-side pairs")
parser.add_argument("--size", type=int, default=256, help="of the random crops, in pixels")
parser.add_argument("--filters", type=int, default=32, help="of every hidden map")
parser.add_argument("--epochs", type=int, default=200)

if __name__ == "__main__":
    args = parser.parse_args()
    paths = pix2pix_tf.list_images(args.input_dir)
    data = pix2pix_tf.training_pairs(paths, crop_size=args.size, scale_size=args.size * 9 // 8)
    model = pix2pix_tf.Pix2Pix(
        generator=DilatedResNet(args.filters), discriminator=pix2pix_tf.PatchGAN(ndf=args.filters)
    )
    model.compile()
    model.fit(data, steps_per_epoch=len(paths), epochs=args.epochs, shuffle=False)
    model.save("own_generator.keras")
    # A program that loads the file has to import the class first.
    model = keras.models.load_model("own_generator.keras")
    print("translated", model.predict(data.take(1), verbose=0).shape)
