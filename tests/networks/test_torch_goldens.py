"""Every network of the PyTorch code: outputs and all gradients, from its own weights."""

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
from support import GOLDENS, tolerance

from pix2pix_tf.extras.porting import torch_names
from pix2pix_tf.networks.factory import make_discriminator, make_generator

FOLDER = GOLDENS / "torch"
# The width of every golden network.
WIDTH = 3


def generator(kind, channels, norm):
    # The goldens were made without dropout.
    return make_generator(kind, ngf=WIDTH, output_channels=channels, norm=norm, dropout=False)


def discriminator(kind, layers, norm):
    bias = norm == "instance"
    return make_discriminator(kind, n_layers=layers, ndf=WIDTH, norm=norm, bias=bias)


NETWORKS = {
    "resnet_9blocks": lambda: generator("resnet_9blocks", 3, "instance"),
    "resnet_6blocks": lambda: generator("resnet_6blocks", 1, "batch"),
    "unet_256": lambda: generator("unet_256", 3, "batch"),
    "unet_128": lambda: generator("unet_128", 3, "instance"),
    "disc_basic": lambda: discriminator("basic", 3, "batch"),
    "disc_n_layers5": lambda: discriminator("n_layers", 5, "instance"),
    "disc_pixel": lambda: discriminator("pixel", 1, "batch"),
}


# Largest difference of a gradient relative to its largest entry, measured as 7.4e-5 and 2.2e-3;
# 2.1e-5 for the others. The golden of unet_128 itself is that far from the same network in float64
# (from which ours differs by 9e-5): in PyTorch's float32 one ReLU's input rounds to the other side.
GRADIENT_TOLERANCE = {"unet_256": 1e-4, "unet_128": 2.5e-3}


@pytest.fixture(scope="module")
def golden():
    with np.load(FOLDER / "golden.npz") as file:
        return dict(file)


def test_every_golden_network_is_tested(golden):
    assert {key.split("/")[0] for key in golden} == {*NETWORKS, "cyclegan", "ganloss"}


@pytest.mark.usefixtures("cpu_kernels")
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_equal_pytorch(name, golden):
    network, inputs = NETWORKS[name](), golden[f"{name}/input_u8"].astype("float32") / 127.5 - 1
    network.build(inputs.shape)
    torch_names.load_state_dict(
        network, safetensors.numpy.load_file(FOLDER / f"{name}.safetensors")
    )

    expected = golden[f"{name}/output"]
    with tf.GradientTape() as tape:
        outputs = network(inputs, training=True)
    # Measured: at most 3.4e-6; PyTorch itself is 5.4e-6 away from the same network in float64.
    atol = tolerance(5e-6, without_onednn=2e-5)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=atol)

    # The golden gradients are those of mean(|outputs|). The signs are taken from the golden: of
    # 400,000 outputs one is so near to 0 that its sign is a matter of rounding.
    upstream = np.sign(expected) / expected.size
    table, prefix = torch_names.torch_keys(network), f"{name}/grad_mean_abs_output/"
    paths = torch_names.weights_by_path(network)
    gradients = tape.gradient(outputs, list(paths.values()), upstream)
    assert {prefix + key for key in table.values()} == {k for k in golden if k.startswith(prefix)}
    for path, gradient in zip(paths, gradients, strict=True):
        expected = golden[prefix + table[path]]
        gradient = torch_names.to_torch(network, path, gradient.numpy())
        # A bias in front of a normalisation has the gradient 0, of which both programs show
        # rounding errors of up to 4e-6.
        in_front_of_norm = path.endswith("bias") and np.abs(expected).max() < 3e-6
        relative = tolerance(GRADIENT_TOLERANCE.get(name, 3e-5), without_onednn=4e-2)
        atol = 5e-6 if in_front_of_norm else relative * np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=atol, err_msg=path)


@pytest.mark.parametrize("kind", ["resnet_9blocks", "unet_128"])
def test_inference_normalises_as_training_does_at_batch_size_one(kind):
    network = generator(kind, 3, "instance")
    network.build((None, 128, 128, 3))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 128, 128, 3)).astype("float32")
    together = network(images)
    for image, result in zip(images, together, strict=True):
        alone = network(image[None], training=True)[0]
        np.testing.assert_allclose(result, alone, atol=5e-6)
