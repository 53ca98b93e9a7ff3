"""Initial kernels against the formulas of PyTorch's torch.nn.init."""

import keras
import numpy as np
import pytest

from pix2pix_tf.networks.factory import make_discriminator, make_generator
from pix2pix_tf.networks.initialization import initialize

GAIN = 0.5


def kernels(kind):
    """Dict from paths to (kernel as PyTorch lays it, transposed or not)."""
    keras.utils.set_random_seed(0)
    shared = {"init_gain": 0.02}
    networks = (
        make_generator("resnet_6blocks", ngf=16, **shared),
        make_discriminator("basic", ndf=16, **shared),
    )
    found = {}
    for network in networks:
        network.build((None, 64, 64, 3))
        for variable in initialize(network, kind, gain=GAIN).trainable_variables:
            if variable.path.endswith("kernel"):
                # [side, side, inputs, outputs] to [outputs, inputs, side, side], or to [inputs,
                # outputs, side, side] of a transposed convolution.
                found[variable.path] = variable.numpy().transpose(3, 2, 0, 1)
    return found


def fans(kernel):
    """torch.nn.init._calculate_fan_in_and_fan_out."""
    side = kernel.shape[2] * kernel.shape[3]
    return kernel.shape[1] * side, kernel.shape[0] * side


@pytest.mark.parametrize(
    ("kind", "deviation"),
    [
        ("normal", lambda fan_in, fan_out: 0.02),
        ("xavier", lambda fan_in, fan_out: GAIN * np.sqrt(2 / (fan_in + fan_out))),
        ("kaiming", lambda fan_in, fan_out: np.sqrt(2 / fan_in)),
    ],
)
def test_kernels_have_the_deviation_of_pytorchs(kind, deviation):
    found = kernels(kind)
    assert any("transpose" in path for path in found)
    for path, kernel in found.items():
        expected = deviation(*fans(kernel))
        # Five standard errors of a deviation, and of a mean.
        error = 5 / np.sqrt(2 * kernel.size)
        assert np.std(kernel) == pytest.approx(expected, rel=error), path
        assert abs(np.mean(kernel)) < 5 * expected / np.sqrt(kernel.size), path
        # A normal distribution that is not cut off.
        assert kernel.size < 20_000 or np.abs(kernel).max() > 3 * expected, path


def test_orthogonal_kernels_are_orthogonal():
    for path, kernel in kernels("orthogonal").items():
        flat = kernel.reshape(len(kernel), -1)
        flat = flat if flat.shape[0] <= flat.shape[1] else flat.T
        product = flat @ flat.T
        np.testing.assert_allclose(product, GAIN**2 * np.eye(len(flat)), atol=1e-5, err_msg=path)


@pytest.mark.parametrize("kind", ["xavier", "orthogonal"])
def test_no_two_layers_are_alike_and_a_seed_gives_the_same(kind):
    first, again = kernels(kind), kernels(kind)
    for path in first:
        np.testing.assert_array_equal(first[path], again[path])
    blocks = [kernel for path, kernel in first.items() if "/block_" in path]
    assert len({kernel.tobytes() for kernel in blocks}) == len(blocks) == 12
