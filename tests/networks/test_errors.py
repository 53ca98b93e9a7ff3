"""What a network cannot take is one line that names it."""

import keras
import numpy as np
import pytest

from pix2pix_tf.errors import InputError
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

SMALL = {
    "unet": (lambda: UNet(ngf=1, depth=3), "multiples of 8, at least 8 pixels"),
    "resnet": (lambda: ResNet(ngf=1, blocks=1), "multiples of 4, at least 8 pixels"),
    "patchgan": (lambda: PatchGAN(ndf=1), "sides are at least 24 pixels"),
}


def refusal(network, images):
    with pytest.raises(InputError) as error:
        network(images)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", SMALL)
def test_sizes_that_do_not_fit(name):
    make, expected = SMALL[name]
    network = make()
    assert expected in refusal(network, np.zeros((1, 4, 30, 3), np.float32))
    assert "Received: 4x30" in refusal(network, keras.Input((4, 30, 3)))
    # The least size that is named does work.
    least = network.minimum
    assert network(np.zeros((1, least, least, 3), np.float32)).shape[0] == 1


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_integers_are_refused(dtype):
    line = refusal(UNet(ngf=1, depth=2), np.zeros((1, 4, 4, 3), dtype))
    assert "Expected float images in [-1, 1]" in line and dtype in line


def test_arrays_of_doubles_are_taken():
    assert UNet(ngf=1, depth=2)(np.zeros((1, 4, 4, 3))).shape == (1, 4, 4, 3)


def test_other_shapes_are_refused():
    network = UNet(ngf=1, depth=2)
    assert "Received: [4, 4, 3]" in refusal(network, np.zeros((4, 4, 3), "f4"))
    network.build((None, 4, 4, 3))
    assert "Expected 3 channels" in refusal(network, np.zeros((1, 4, 4, 4), "f4"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: UNet(norm="layer"), "Expected norm to be one of batch, .* Received: 'layer'"),
        (
            lambda: ResNet(init_type="uniform"),
            "Expected init_type to be one of normal, .*'uniform'",
        ),
        (lambda: UNet(depth=0), "Expected depth to be at least 1. Received: 0"),
        (lambda: UNet(separable_conv=True, init_type="xavier"), "Expected init_type 'normal'"),
    ],
)
def test_arguments_that_do_not_exist(make, expected):
    with pytest.raises(InputError, match=expected):
        make()
