"""Convolutions with fewer multiplications, as matrix products: Winograd's minimal filtering.

A tile of a map and the kernel are evaluated as polynomials at a few points, multiplied point by
point, and the result's tile is interpolated: for 4x4 results of a 3x3 kernel 36 multiplications
instead of 144. Evaluation and interpolation are linear and the same for every channel, so both are
products with constant matrices, for all tiles of a row or column at once.

The points are pairs a, -a, 1/a, -1/a, which round least. In float32 results and gradients are 1e-6
of their norm from the exact ones; TensorFlow's own 2e-7 to 8e-7, as processors go.

Reference:
    Lavin and Gray 2016 (arXiv:1509.09308), section 4; Barabasz et al. 2018 (arXiv:1803.10986),
    section 5, on the points.
"""

import functools

import numpy as np
import tensorflow as tf

# Finite points by the side of the kernel; infinity is one more. A tile is as long as there are
# points: longer ones save more products and round more.
_LONG = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
POINTS = {2: (0, 1, -1), 3: _LONG, 4: _LONG}


def convolve(x: tf.Tensor, kernel: tf.Tensor, *, strides: int = 1) -> tf.Tensor:
    """The convolution without padding.

    Args:
        x: float32 [n, h, w, c] of a known shape; with stride 2 both sides are even.
        kernel: [side, side, c, filters]; the side is 3 or 4 with stride 1, 4 with stride 2.
        strides: 1 or 2.

    Returns:
        [n, (h - side) // strides + 1, (w - side) // strides + 1, filters].
    """
    if strides == 2:
        x, kernel = tf.nn.space_to_depth(x, 2), _without_stride(kernel)
    n, height, width, _ = x.shape
    rows, columns = _axis(height, kernel.shape[0]), _axis(width, kernel.shape[0])
    products = tf.matmul(_points(x, rows[0], columns[0]), _kernel_points(kernel))
    return _map(products, n, rows[1], columns[1])


def convolve_transpose(y: tf.Tensor, kernel: tf.Tensor, *, strides: int = 1) -> tf.Tensor:
    """The transposed convolution without cropping: the adjoint of `convolve`.

    Args:
        y: float32 [n, h, w, filters] of a known shape.
        kernel: See `convolve`.
        strides: 1 or 2.

    Returns:
        [n, strides (h - 1) + side, strides (w - 1) + side, c].
    """
    if strides == 2:
        return tf.nn.depth_to_space(convolve_transpose(y, _without_stride(kernel)), 2)
    n, height, width, _ = y.shape
    side = kernel.shape[0]
    rows, columns = _axis(height + side - 1, side), _axis(width + side - 1, side)
    kernel_points = _kernel_points(kernel)
    products = tf.matmul(_points(y, rows[1], columns[1]), kernel_points, transpose_b=True)
    return _map(products, n, rows[0], columns[0])


def _without_stride(kernel: tf.Tensor) -> tf.Tensor:
    """A 4x4 kernel with stride 2 as one of 2x2 for the four pixels that share a place."""
    c, filters = kernel.shape[2:]
    phases = tf.transpose(tf.reshape(kernel, (2, 2, 2, 2, c, filters)), (0, 2, 1, 3, 4, 5))
    return tf.reshape(phases, (2, 2, 4 * c, filters))


def _points(x: tf.Tensor, rows: np.ndarray, columns: np.ndarray) -> tf.Tensor:
    """The tiles of `x` [n, h, w, c], evaluated: [points, tiles, c]."""
    n, h, w, c = x.shape
    tile, tiles, _ = rows.shape
    v = tf.matmul(rows.reshape(-1, h), tf.reshape(x, (n, h, w * c)))
    v = tf.transpose(tf.reshape(v, (n, tile, tiles, w, c)), (1, 3, 0, 2, 4))
    v = tf.matmul(columns.reshape(-1, w), tf.reshape(v, (tile, w, n * tiles * c)))
    return tf.reshape(v, (tile * tile, -1, c))


def _map(v: tf.Tensor, n: int, rows: np.ndarray, columns: np.ndarray) -> tf.Tensor:
    """The adjoint of `_points`: from [points, tiles, c] to [n, h, w, c]."""
    (tile, tiles, h), w, c = rows.shape, columns.shape[-1], v.shape[-1]
    v = tf.reshape(v, (tile, -1, n * tiles * c))
    x = tf.matmul(columns.reshape(-1, w), v, transpose_a=True)
    x = tf.transpose(tf.reshape(x, (tile, w, n, tiles, c)), (2, 0, 3, 1, 4))
    x = tf.matmul(rows.reshape(-1, h), tf.reshape(x, (n, tile * tiles, w * c)), transpose_a=True)
    return tf.reshape(x, (n, h, w, c))


def _kernel_points(kernel: tf.Tensor) -> tf.Tensor:
    """A kernel [side, side, c, filters], evaluated: [points, c, filters]."""
    side, _, c, filters = kernel.shape
    matrix = _transforms(side)[1]
    both = np.kron(matrix, matrix).astype(np.float32)
    return tf.reshape(tf.matmul(both, tf.reshape(kernel, (side * side, -1))), (-1, c, filters))


@functools.lru_cache
def _axis(length: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Along one axis: the evaluation of all tiles, and the adjoint of the interpolation.

    Returns:
        float32 [points, tiles, length] and [points, tiles, length - side + 1].
    """
    input_transform, _, output_transform = _transforms(side)
    points, step = output_transform.shape
    results = length - side + 1
    tiles = -(-results // step)
    both = []
    for matrix, size in ((input_transform, length), (output_transform, results)):
        # The last tile may be cut: what it lacks belongs to no result.
        whole = np.zeros((points, tiles, step * tiles + points), np.float32)
        for at in range(tiles):
            whole[:, at, at * step : at * step + matrix.shape[1]] = matrix
        both.append(np.ascontiguousarray(whole[:, :, :size]))
    return both[0], both[1]


@functools.lru_cache
def _transforms(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices of one dimension, after Toom and Cook: a tile, the kernel, and a tile of results.

    With the transforms I of the input, K of the kernel and O of the output, results are
    O.T @ ((I @ tile) * (K @ weights)).

    Returns:
        float64 [points, points], [points, side] and [points, points - side + 1].
    """
    finite = np.array(POINTS[side])
    points = len(finite) + 1
    input_transform, last = np.zeros((points, points)), np.eye(points)[-1:]
    others = [np.delete(finite, at) for at in range(len(finite))]
    for at, rest in enumerate(others):
        input_transform[at, :-1] = np.poly(rest)[::-1]
    input_transform[-1] = np.poly(finite)[::-1]
    scale = np.array([np.prod(point - rest) for point, rest in zip(finite, others, strict=True)])
    powers = np.vander(finite, points, increasing=True)
    kernel_transform = np.concatenate([powers[:, :side] / scale[:, None], last[:, -side:]])
    output_transform = np.concatenate([powers[:, : points - side + 1], last[:, side - 1 :]])
    return input_transform, kernel_transform, output_transform
