"""A trained run as a function from pictures to pictures."""

import numpy as np
import tensorflow as tf

from pix2pix_tf import options
from pix2pix_tf.commands import modes, runs
from pix2pix_tf.config import PROGRAM, Pix2PixConfig
from pix2pix_tf.data import images
from pix2pix_tf.errors import InputError


class Translator:
    """Translates pictures of any size with a generator.

    Args:
        config: `Pix2PixConfig` with the run's architecture.
        generator: The run's generator.
    """

    def __init__(self, config, generator):
        self.config, self.generator = config, generator
        self._translate = tf.function(modes.translator(config, generator), reduce_retracing=True)

    def __call__(self, pictures):
        """Translates one picture or a batch of one size; dropout is off.

        Args:
            pictures: uint8 array [h, w, c] or [n, h, w, c], c being the run's input channels.

        Returns:
            uint8 array of the same size.

        Raises:
            InputError: If the array is of another type or shape.
        """
        pictures = np.asarray(pictures)
        count = modes.picture_channels(self.config)
        shaped = pictures.ndim in (3, 4) and pictures.shape[-1] == count
        if pictures.dtype != np.uint8 or not shaped:
            raise InputError(
                f"Expected pictures as uint8 [h, w, {count}] or [n, h, w, {count}]. "
                f"Received: {pictures.dtype} {list(pictures.shape)}"
            )
        batch = pictures.reshape(-1, *pictures.shape[-3:])
        result = images.from_unit(self._translate(images.to_unit(batch)))
        return result.numpy().reshape(*pictures.shape[:-1], -1)


def load(checkpoint):
    """Loads a trained run.

    Args:
        checkpoint: Run folder, or one checkpoint file in it.

    Returns:
        `Translator`.

    Raises:
        InputError: If there is no run at that place, or its files are damaged.
    """
    folder, path = runs.find_checkpoint(checkpoint)
    stored = runs.stored_options(folder, program=PROGRAM)
    config = Pix2PixConfig(mode="export", output_dir=".", checkpoint=str(checkpoint))
    config = options.adopt(config, set(), stored, source=folder, resuming=False)
    return Translator(config, modes.load_generator(config, path))
