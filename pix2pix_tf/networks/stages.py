"""Generators as lists of stages, which run on whole images or, in inference/, on windows."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from pix2pix_tf.networks import layers


@dataclasses.dataclass(frozen=True)
class Stage:
    """A level of a generator and the operations around it, in the order of the attributes.

    Maps are numbered: 0 is the image, `k` the result of stage `k`, counted from 1.

    Attributes:
        sources: Numbers of the maps that are concatenated and read.
        before: Elementwise function of what is read, or None.
        level: Convolution and normalisation.
        after: Elementwise function of the result, or None.
        dropout: Shift of the image's dropout seed, or None for a stage without dropout.
        add: Number of the map that is added to the result, or None.
    """

    sources: tuple[int, ...]
    level: layers.Level
    before: Callable[[tf.Tensor], tf.Tensor] | None = None
    after: Callable[[tf.Tensor], tf.Tensor] | None = None
    dropout: int | None = None
    add: int | None = None

    @property
    def reads(self) -> tuple[int, ...]:
        """Numbers of all maps that the stage needs."""
        return self.sources if self.add is None else (*self.sources, self.add)

    def merge_inputs(self, maps: Sequence[tf.Tensor]) -> tf.Tensor:
        """Joins the sources, [n, h, w, c] each, and applies `before`."""
        x = maps[0] if len(maps) == 1 else tf.concat(maps, 3)
        return x if self.before is None else self.before(x)

    def apply_tail(
        self, x: tf.Tensor, mask: tf.Tensor | None, added: tf.Tensor | None
    ) -> tf.Tensor:
        """Applies what follows the level to its result `x` [n, h, w, c].

        Args:
            x: The level's result.
            mask: Dropout mask, bool like `x`, or None.
            added: The map to add, like `x`, or None.

        Returns:
            Tensor like `x`.
        """
        x = x if self.after is None else self.after(x)
        x = x if mask is None else layers.apply_dropout(x, mask)
        return x if added is None else added + x

    def __call__(
        self,
        maps: Sequence[tf.Tensor | None],
        *,
        training: bool = False,
        dropout_seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Runs the stage on whole maps.

        Args:
            maps: Maps [n, h, w, c] by number; those that the stage does not read may be None.
            training: Whether normalisation uses the statistics of the batch.
            dropout_seeds: int64 [n, 2], one per image; None switches dropout off.

        Returns:
            Tensor [n, h', w', c'].
        """
        x = self.merge_inputs([maps[number] for number in self.sources])
        x = self.level(x, training=training)
        mask = None
        if self.dropout is not None and dropout_seeds is not None:
            mask = layers.dropout_mask(x, layers.offset_seeds(dropout_seeds, self.dropout))
        return self.apply_tail(x, mask, None if self.add is None else maps[self.add])


def last_readers(stages: Sequence[Stage]) -> dict[int, int]:
    """The number of the last stage that reads each map, by the map's number."""
    return {read: number for number, stage in enumerate(stages, 1) for read in stage.reads}


def run_stages(
    stages: Sequence[Stage],
    images: tf.Tensor,
    *,
    training: bool = False,
    dropout_seeds: tf.Tensor | None = None,
) -> tf.Tensor:
    """Runs all stages on whole images or maps.

    Args:
        stages: The stages of a generator, or of a part of one.
        images: [n, h, w, c].
        training: Whether normalisation uses the statistics of the batch.
        dropout_seeds: int64 [n, 2], one per image; None switches dropout off.

    Returns:
        [n, h', w', c'], the last stage's result.
    """
    maps, last = [images], last_readers(stages)
    for number, stage in enumerate(stages, 1):
        maps.append(stage(maps, training=training, dropout_seeds=dropout_seeds))
        # Executed eagerly, a map that nobody reads any more would keep its memory.
        maps = [None if last.get(read) == number else x for read, x in enumerate(maps)]
    return maps[-1]


def to_image(x: tf.Tensor) -> tf.Tensor:
    """The last map [n, h, w, c] as an image, float32 in [-1, 1]."""
    return tf.tanh(tf.cast(x, tf.float32))


class Generator(layers.Network):
    """A network from images to images that is a list of stages.

    Its `call` takes images [n, h, w, c] in [-1, 1], h and w multiples of `multiple`; `training`,
    whether normalisation uses the statistics of the batch; and `dropout_seeds`, int64 [n, 2], one
    seed per image, or None for no dropout. It returns float32 [n, h, w, output_channels] in
    [-1, 1].
    """

    output_channels: int

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in the order of their execution."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: layers.Shape) -> tuple[int | None, ...]:
        return (*input_shape[:3], self.output_channels)
