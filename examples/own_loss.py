"""Trains pix2pix with a loss of your own, which compares edges.

    python examples/own_loss.py --input_dir photos/train

The L1 loss compares pixels and blurs what it is unsure of. Comparing the differences between
neighbouring pixels as well makes a blurred edge cost more (Mathieu et al. 2015, arXiv:1511.05440).
"""

import argparse
from typing import Any

import keras
import tensorflow as tf

import pix2pix_tf


def edge_loss(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the images' gradients.

    Args:
        targets: Float [n, h, w, c] in [-1, 1].
        outputs: Likewise.

    Returns:
        Scalar.
    """
    pairs = zip(tf.image.image_gradients(targets), tf.image.image_gradients(outputs), strict=True)
    return tf.add_n([tf.reduce_mean(abs(target - output)) for target, output in pairs])


@keras.saving.register_keras_serializable(package="examples")
class EdgePix2Pix(pix2pix_tf.Pix2Pix):
    """`Pix2Pix` whose L1 loss contains the loss of edges.

    Args:
        edge_weight: Weight of the edges, relative to L1.
    """

    def __init__(self, *, edge_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.edge_weight = edge_weight

    def forward(
        self, inputs: tf.Tensor, targets: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        losses, tensors = super().forward(inputs, targets)
        losses["generator_loss_L1"] += self.edge_weight * edge_loss(targets, tensors["outputs"])
        return losses, tensors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "edge_weight": self.edge_weight}


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--input_dir", required=True, help="folder of side-by-side pairs")
parser.add_argument("--size", type=int, default=256, help="of the random crops, in pixels")
parser.add_argument("--ngf", type=int, default=64, help="filters of both networks")
parser.add_argument("--epochs", type=int, default=200)

if __name__ == "__main__":
    args = parser.parse_args()
    paths = pix2pix_tf.list_images(args.input_dir)
    data = pix2pix_tf.training_pairs(paths, crop_size=args.size, scale_size=args.size * 9 // 8)
    model = EdgePix2Pix(
        generator=pix2pix_tf.UNet(ngf=args.ngf, depth=args.size.bit_length() - 1),
        discriminator=pix2pix_tf.PatchGAN(ndf=args.ngf),
    )
    model.compile()
    model.fit(data, steps_per_epoch=len(paths), epochs=args.epochs, shuffle=False)
    model.save("own_loss.keras")
