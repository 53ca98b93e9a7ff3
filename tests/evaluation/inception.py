"""The InceptionV3 of 2015-12-05 and KID once more, to compare the library's with."""

import functools
import importlib.util
import subprocess
import sys

import numpy as np
import tensorflow as tf

HAS_TORCH = all(map(importlib.util.find_spec, ("torch", "torchmetrics", "torch_fidelity")))
FIVE_BY_FIVE = (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5))
DOUBLE = (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3))


def seven(name, count, middle):
    """Convolutions of a 7x7 branch, in turn along a row and a column, the last one wider."""
    kernels = {"branch7x7_": (1, (1, 7), (7, 1)), "branch7x7dbl_": (1, *(((7, 1), (1, 7)) * 2))}
    numbered = list(enumerate(kernels[name], start=1))
    return [(f"{name}{n}", count if n == len(numbered) else middle, k) for n, k in numbered]


class Inception:
    """Draws its weights as it meets them, named as in torch-fidelity's file."""

    def __init__(self):
        self.weights, self._random = {}, np.random.default_rng(0)

    def _weight(self, name, shape, low, high):
        if name not in self.weights:
            self.weights[name] = self._random.uniform(low, high, shape).astype(np.float32)
        return self.weights[name]

    def conv(self, x, name, count, kernel, stride=1, padding="SAME"):
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        shape = (count, x.shape[-1], height, width)
        bound = np.sqrt(6 / np.prod(shape[1:]))  # keeps the size of the activations
        weight = self._weight(f"{name}.conv.weight", shape, -bound, bound)
        x = tf.nn.conv2d(x, weight.transpose(2, 3, 1, 0), stride, padding)
        scale = self._weight(f"{name}.bn.weight", count, 0.5, 1.5)
        offset = self._weight(f"{name}.bn.bias", count, -0.3, 0.3)
        mean = self._weight(f"{name}.bn.running_mean", count, -0.3, 0.3)
        variance = self._weight(f"{name}.bn.running_var", count, 0.5, 1.5)
        self.weights[f"{name}.bn.num_batches_tracked"] = np.array(1)
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3))

    def chain(self, x, name, convolutions):
        for part, count, kernel in convolutions:
            x = self.conv(x, f"{name}.{part}", count, kernel)
        return x

    def mixed(self, x, name, branches, *, pooled, pool=tf.nn.avg_pool2d):
        parts = [self.chain(x, name, branch) for branch in branches]
        pooled = self.conv(pool(x, 3, 1, "SAME"), f"{name}.branch_pool", pooled, 1)
        return tf.concat([*parts, pooled], -1)

    def halved(self, x, name, branches):
        """Every branch ends in a 3x3 convolution of stride 2."""
        parts = [
            self.conv(self.chain(x, name, first), f"{name}.{part}", count, 3, 2, "VALID")
            for *first, (part, count) in branches
        ]
        return tf.concat([*parts, tf.nn.max_pool2d(x, 3, 2, "VALID")], -1)

    def wide(self, x, name, pool):
        """The last two blocks, whose branches fork into a row and a column."""
        parts = [self.conv(x, f"{name}.branch1x1", 320, 1)]
        for branch, first in (
            ("branch3x3_2", [("branch3x3_1", 384, 1)]),
            ("branch3x3dbl_3", [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3)]),
        ):
            y = self.chain(x, name, first)
            parts.append(self.conv(y, f"{name}.{branch}a", 384, (1, 3)))
            parts.append(self.conv(y, f"{name}.{branch}b", 384, (3, 1)))
        parts.append(self.conv(pool(x, 3, 1, "SAME"), f"{name}.branch_pool", 192, 1))
        return tf.concat(parts, -1)

    def __call__(self, images):
        """Features [n, 2048] of uint8 images [n, h, w, 3]."""
        x = tf.compat.v1.image.resize_bilinear(tf.cast(images, tf.float32), [299, 299])
        x = (x - 128) / 128
        x = self.conv(x, "Conv2d_1a_3x3", 32, 3, 2, "VALID")
        x = self.conv(x, "Conv2d_2a_3x3", 32, 3, padding="VALID")
        x = tf.nn.max_pool2d(self.conv(x, "Conv2d_2b_3x3", 64, 3), 3, 2, "VALID")
        x = self.conv(x, "Conv2d_3b_1x1", 80, 1)
        x = tf.nn.max_pool2d(self.conv(x, "Conv2d_4a_3x3", 192, 3, padding="VALID"), 3, 2, "VALID")
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            double = [*DOUBLE, ("branch3x3dbl_3", 96, 3)]
            branches = [[("branch1x1", 64, 1)], FIVE_BY_FIVE, double]
            x = self.mixed(x, name, branches, pooled=pooled)
        x = self.halved(x, "Mixed_6a", [[("branch3x3", 384)], [*DOUBLE, ("branch3x3dbl_3", 96)]])
        for name, middle in zip("bcde", (128, 160, 160, 192), strict=True):
            sevens = [seven(branch, 192, middle) for branch in ("branch7x7_", "branch7x7dbl_")]
            x = self.mixed(x, f"Mixed_6{name}", [[("branch1x1", 192, 1)], *sevens], pooled=192)
        narrow = [("branch3x3_1", 192, 1), ("branch3x3_2", 320)]
        long = [(f"branch7x7x3_{n}", 192, k) for n, k in ((1, 1), (2, (1, 7)), (3, (7, 1)))]
        x = self.halved(x, "Mixed_7a", [narrow, [*long, ("branch7x7x3_4", 192)]])
        x = self.wide(x, "Mixed_7b", tf.nn.avg_pool2d)
        x = self.wide(x, "Mixed_7c", tf.nn.max_pool2d)
        self._weight("fc.weight", (1008, 2048), -0.1, 0.1)
        self._weight("fc.bias", 1008, -0.1, 0.1)
        return tf.reduce_mean(x, [1, 2]).numpy()


@functools.cache
def network():
    """The network with its seeded weights drawn."""
    inception = Inception()
    inception(np.zeros((1, 8, 8, 3), np.uint8))
    return inception


def write_weights(path):
    """Writes those weights in the form of torch-fidelity's file."""
    arrays = path.with_suffix(".npz")
    np.savez(arrays, **network().weights)
    code = (
        "import sys, numpy, torch\n"
        "weights = numpy.load(sys.argv[1])\n"
        "torch.save({name: torch.from_numpy(weights[name]) for name in weights}, sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, arrays, path], check=True)
    arrays.unlink()
    return path


def squared_mmd(x, y):
    """The unbiased squared MMD with the kernel (x.y / d + 1)^3, pair by pair."""

    def kernel(a, b):
        return (np.dot(a.astype(float), b) / len(a) + 1) ** 3

    m = len(x)
    others = [(i, j) for i in range(m) for j in range(m) if i != j]
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in others) / len(others)
    return within - 2 * np.mean([kernel(a, b) for a in x for b in y])
