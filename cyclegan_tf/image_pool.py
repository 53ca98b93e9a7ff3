"""A history of translated images to train the discriminators with."""

from collections.abc import Sequence

import tensorflow as tf

from pix2pix_tf.training import distribution


class ImagePool:
    """Stores translated images and gives back old ones in exchange for half of the new ones.

    The first `size` images are stored and returned. From then on an image is returned as it is
    with probability 1/2, or else takes the place of a stored one, which is returned. The draws
    are a function of the seed and of how many images have passed, and everything is in
    variables, so a pool works inside tf.function and its state can be stored.

    Under a distribution strategy all replicas hold the same pool, which sees the images of the
    global batch in their order: the same results as with one replica.

    Args:
        size: Number of images that are kept; 0 for none: every image is returned as it is.
        shape: Shape of an image, (h, w, c); unknown only if `size` is 0.
        seed: The run's seed, an int.
        name: Name of the pool; pools of different names draw differently.

    Reference:
        Shrivastava et al. 2017 (arXiv:1612.07828), section 2.3; Zhu et al. 2017
        (arXiv:1703.10593), section 4; PyTorch CycleGAN, util/image_pool.py.
    """

    def __init__(self, size: int, shape: Sequence[int | None], *, seed: int, name: str) -> None:
        self.size, self._seed, self._name = size, seed, name
        if size:
            self._images = distribution.variable(tf.zeros([size, *shape]), f"{name}_images")
            self._seen = distribution.variable(tf.zeros([], tf.int64), f"{name}_seen")

    @property
    def state(self) -> dict[str, tf.Variable]:
        """Dict from names to variables."""
        if not self.size:
            return {}
        return {f"{self._name}/images": self._images, f"{self._name}/seen": self._seen}

    def query(self, images: tf.Tensor, *, update: bool = True) -> tf.Tensor:
        """Exchanges images one by one.

        Args:
            images: Float [n, h, w, c].
            update: Whether the pool changes; if not, it returns what it would return.

        Returns:
            Tensor like `images`, without gradient.
        """
        images = tf.stop_gradient(images)
        if not self.size:
            return images
        context, count = tf.distribute.get_replica_context(), images.shape[0]
        if context.num_replicas_in_sync > 1:
            images = context.all_gather(images, axis=0)
        if count is None:
            # One by one as well: what comes back depends on what went in before.
            count, everyone = tf.shape(images)[0], tf.shape(images, tf.int64)[0]
            count //= context.num_replicas_in_sync
            results = tf.map_fn(
                lambda one: self._exchange(one[0], self._seen + one[1], update=update),
                (images, tf.range(everyone)),
                fn_output_signature=images.dtype,
                parallel_iterations=1,
            )
        else:
            everyone = count * context.num_replicas_in_sync
            results = tf.stack(
                [
                    self._exchange(image, self._seen + index, update=update)
                    for index, image in enumerate(tf.unstack(images, everyone))
                ]
            )
        if update:
            self._seen.assign_add(everyone)
        first = context.replica_id_in_sync_group * count
        return results[first : first + count]

    def _exchange(self, image: tf.Tensor, number: tf.Tensor, *, update: bool) -> tf.Tensor:
        """The image that comes back for the `number`-th one, counted from 0."""
        stream = sum(map(ord, self._name))
        seed = tf.stack([tf.constant(self._seed, tf.int64), number])
        seed = tf.random.experimental.stateless_fold_in(seed, stream)
        draws = tf.random.stateless_uniform([2], seed, alg="philox")
        full, size = number >= self.size, tf.cast(self.size, tf.float32)
        slot = tf.where(full, tf.cast(draws[1] * size, tf.int64), number)
        # Out of range only without an update while the pool fills.
        slot = tf.minimum(slot, self.size - 1)
        stored = tf.gather(self._images, slot)
        old = full & (draws[0] > 0.5)
        if update:
            new = tf.where(full & ~old, stored, image)
            self._images.scatter_update(tf.IndexedSlices(new[None], slot[None]))
        return tf.where(old, stored, image)
