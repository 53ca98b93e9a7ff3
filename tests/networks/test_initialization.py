"""Initial kernels against the formulas of PyTorch's torch.nn.init."""

import keras
import numpy as np
import pytest

from cyclegan_tf import model as cyclegan
from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import model as pix2pix
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.networks.factory import make_discriminator, make_generator

GAIN = 0.5


def kernels(kind, *, seed=0):
    """Dict from paths to kernels in PyTorch's layout."""
    gain = 0.02 if kind == "normal" else GAIN
    shared = {"init_type": kind, "init_gain": gain, "seed": seed}
    networks = (
        make_generator("resnet_6blocks", ngf=16, **shared),
        make_discriminator("basic", ndf=16, **shared),
    )
    found = {}
    for network in networks:
        network.build((None, 64, 64, 3))
        for variable in network.trainable_variables:
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


@pytest.mark.parametrize("kind", ["normal", "orthogonal"])
def test_no_two_layers_are_alike_and_a_seed_gives_the_same(kind):
    first, again, other = kernels(kind), kernels(kind), kernels(kind, seed=1)
    for path in first:
        np.testing.assert_array_equal(first[path], again[path])
        assert not np.array_equal(first[path], other[path])
    blocks = [kernel for path, kernel in first.items() if "/block_" in path]
    assert len({kernel.tobytes() for kernel in blocks}) == len(blocks) == 12


def test_without_a_seed_the_weights_follow_keras_own():
    def drawn():
        keras.utils.set_random_seed(4)
        network = make_discriminator("basic", ndf=2)
        network.build((None, 32, 32, 3))
        return network.get_weights()

    for one, other in zip(drawn(), drawn(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_built_with_a_seed_is_the_same_every_time():
    sizes = {"ngf": 2, "ndf": 2, "input_dir": "in", "output_dir": "out"}

    def built(seed):
        return pix2pix.build(Pix2PixConfig(mode="train", seed=seed, **sizes)).get_weights()

    first, again, other = built(7), built(7), built(8)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first[0], other[0])
    small = {**sizes, "netG": "resnet_6blocks", "crop_size": 32, "load_size": 32}
    model = cyclegan.build(CycleGANConfig(mode="train", seed=7, **small), steps_per_epoch=1)
    kernels = {network.weights[0].numpy().tobytes() for network in (model.gen_ab, model.gen_ba)}
    assert len(kernels) == 2
