"""From files to pairs of input and target."""

import dataclasses

import tensorflow as tf

from pix2pix_tf.data import decode, images, resize


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reader:
    """How the examples of a data set become pairs.

    An example is a file, or with `dataset_mode` "folders" two of them, A and B.

    Args:
        dataset_mode: "aligned" for A and B side by side in one file, "folders" for a file each,
            "single" for inputs without targets.
        direction: "AtoB" or "BtoA".
        lab: Split single images into lightness (A) and colour (B).
        channels: Channels of (inputs, targets); any number, see `decode.read`.
        value_range: The (low, high) float samples that stand for -1 and 1.
    """

    dataset_mode: str = "aligned"
    direction: str = "AtoB"
    lab: bool = False
    channels: tuple = (3, 3)
    value_range: tuple = (0.0, 1.0)

    @property
    def decoded_channels(self):
        """The channels of each image that `decode` gives."""
        channels = self.channels if self.direction == "AtoB" else self.channels[::-1]
        if self.lab:
            return (3,)
        if self.dataset_mode == "single":
            return (self.channels[0],)
        # Halves of one file that differ in their channels are decoded one by one.
        alike = self.dataset_mode == "aligned" and channels[0] == channels[1]
        return channels[:1] if alike else channels

    def decode(self, example):
        """Reads an example.

        Args:
            example: String scalar, a path, or string [2] with `dataset_mode` "folders".

        Returns:
            Tuple of float32 [h, w, c] in [0, 1], as many as `decoded_channels`.
        """
        counts = self.decoded_channels
        paths = tf.unstack(example) if self.dataset_mode == "folders" else [example] * len(counts)
        return tuple(
            decode.read(tf.io.read_file(path), channels=count, value_range=self.value_range)
            for path, count in zip(paths, counts, strict=True)
        )

    def assemble(self, decoded, *, alike):
        """Makes a pair of what `decode` gives.

        Args:
            decoded: Tuple of float32 [h, w, c] in [0, 1].
            alike: Whether target and input get the same size.

        Returns:
            Tuple (input, target), or (input,), float32 [h, w, c] in [-1, 1].
        """
        if self.dataset_mode == "single":
            return (images.to_signed(decoded[0]),)
        if self.lab:
            pair = images.split_lab(decoded[0])
        elif self.dataset_mode == "folders":
            pair = tuple(map(images.to_signed, decoded))
        else:
            pair = images.split_pair(decoded[0])[0], images.split_pair(decoded[-1])[1]
        pair = pair if self.direction == "AtoB" else pair[::-1]
        return (pair[0], resize.same_size(*pair)) if alike else pair

    def attempt(self, contents):
        """Decodes the bytes of one file; raises what a damaged one raises."""
        for count in self.decoded_channels:
            decode.read(contents, channels=count, value_range=self.value_range)
