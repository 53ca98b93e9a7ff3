import numpy as np
import pytest
import safetensors.numpy
import torch_files
from support import GOLDENS

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.porting import torch_names
from pix2pix_tf.networks.factory import make_discriminator, make_generator

FOLDER = GOLDENS / "torch"


@pytest.fixture
def unet():
    network = make_generator("unet_128", ngf=3, norm="instance", dropout=False)
    network.build((None, 128, 128, 1))
    return network


@pytest.fixture
def state():
    return safetensors.numpy.load_file(FOLDER / "unet_128.safetensors")


def test_loaded_weights_are_exported_unchanged(unet, state):
    torch_names.load_state_dict(unet, state)
    again = torch_files.state_dict(unet)
    assert set(again) == set(state)
    for key, value in state.items():
        np.testing.assert_array_equal(again[key], value, err_msg=key)


@pytest.mark.parametrize("shape", [(3, 2, 4, 4), (3, 1, 16)])
def test_another_shape_is_named_and_nothing_is_loaded(unet, state, shape):
    before = [variable.numpy() for variable in unet.weights]
    state["model.model.0.weight"] = np.zeros(shape, np.float32)
    with pytest.raises(InputError, match=r"of shape \(3, 1, 4, 4\)\. Received: \(3, "):
        torch_names.load_state_dict(unet, state)
    for variable, value in zip(unet.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_dropout_moves_the_second_convolution_of_a_block():
    tables = []
    for dropout in (False, True):
        network = make_generator("resnet_6blocks", ngf=2, norm="instance", dropout=dropout)
        network.build((None, 16, 16, 3))
        tables.append(torch_names.torch_keys(network)["block_1/conv_2/conv2d/kernel"])
    assert tables == ["model.10.conv_block.5.weight", "model.10.conv_block.6.weight"]


@pytest.mark.parametrize("kind", ["basic", "n_layers", "pixel"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_no_two_weights_share_a_name(kind, norm):
    network = make_discriminator(kind, n_layers=5, ndf=2, norm=norm, bias=norm == "instance")
    network.build((None, 64, 64, 3))
    names = torch_names.torch_keys(network)
    assert len(set(names.values())) == len(names) == len(network.weights)
