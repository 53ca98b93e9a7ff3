"""Trains pix2pix with a callback of your own, which saves translations after each epoch.

    python examples/own_callback.py --input_dir photos/train --val_dir photos/val

Any Keras callback works; those of pix2pix_tf.callbacks are what the commands train with.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import pix2pix_tf


class SaveSamples(keras.callbacks.Callback):
    """Saves inputs, outputs and targets of the same pairs side by side, one PNG an epoch.

    Args:
        pairs: (inputs, targets), float [n, h, w, 3] in [-1, 1].
        folder: Where epoch-0001.png and the following go.
    """

    def __init__(self, pairs: tuple[tf.Tensor, tf.Tensor], folder: str) -> None:
        super().__init__()
        self.inputs, self.targets = pairs
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        outputs = self.model.predict(self.inputs, verbose=0)
        rows = np.concatenate([self.inputs, outputs, self.targets], axis=2)
        pixels = (np.concatenate(rows, axis=0) + 1) * 127.5
        keras.utils.save_img(self.folder / f"epoch-{epoch + 1:04}.png", pixels, scale=False)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--input_dir", required=True, help="folder of side-by-side pairs")
parser.add_argument("--val_dir", required=True, help="folder of pairs not to train on")
parser.add_argument("--size", type=int, default=256, help="of the images, in pixels")
parser.add_argument("--ngf", type=int, default=64, help="filters of both networks")
parser.add_argument("--epochs", type=int, default=200)

if __name__ == "__main__":
    args = parser.parse_args()
    paths = pix2pix_tf.list_images(args.input_dir)
    val_paths = pix2pix_tf.list_images(args.val_dir)
    data = pix2pix_tf.training_pairs(paths, crop_size=args.size, scale_size=args.size * 9 // 8)
    # Without a margin to crop and without mirroring the images stay as they are.
    still = {"crop_size": args.size, "scale_size": args.size, "flip": False}
    val_data = pix2pix_tf.training_pairs(val_paths, **still).take(len(val_paths))
    pairs = next(iter(pix2pix_tf.training_pairs(val_paths, batch_size=4, **still)))

    model = pix2pix_tf.build(
        pix2pix_tf.Pix2PixConfig(ngf=args.ngf, ndf=args.ngf, crop_size=args.size)
    )
    model.fit(
        data,
        steps_per_epoch=len(paths),
        epochs=args.epochs,
        shuffle=False,
        validation_data=val_data,
        callbacks=[
            SaveSamples(pairs, "samples"),
            keras.callbacks.EarlyStopping("val_generator_loss_L1", mode="min", patience=20),
        ],
    )
