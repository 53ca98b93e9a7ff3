"""PIX2PIX_TF_CPU_KERNELS: the same outputs and gradients with our kernels and TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks.cpu import convolution, winograd
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.portable import portable_graph
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

# Wide enough that every kind of kernel is used: products, bands, wide kernels and Winograd's.
NETWORKS = {
    "unet": (lambda: UNet(ngf=64, depth=6, seed=1), (1, 64, 64, 3)),
    "resnet": (lambda: ResNet(ngf=64, blocks=1, seed=1), (1, 64, 64, 3)),
    "patchgan": (lambda: PatchGAN(ndf=64, seed=1), (1, 128, 128, 6)),
}
KERNELS = ((winograd, "convolve"), (winograd, "convolve_transpose"), (convolution, "_matrix"))


def outputs_and_gradients(network, images):
    # Without the biases whose gradient is 0 up to rounding.
    variables = [v for v in network.trainable_variables if not hasattr(v, "has_zero_gradient")]

    @tf.function(autograph=False)
    def compute(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = network(images, training=True)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, *tape.gradient(loss, [images, *variables])

    return compute(images)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_settings_give_the_same_outputs_and_gradients(name, monkeypatch):
    make, shape = NETWORKS[name]
    network, calls = make(), []
    network.build(shape)
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, shape), tf.float32)
    for module, kernel in KERNELS:
        original = getattr(module, kernel)
        monkeypatch.setattr(
            module, kernel, lambda *a, f=original, **k: calls.append(1) or f(*a, **k)
        )
    results = {}
    for setting in ("1", "0"):
        monkeypatch.setenv(convolution.SWITCH, setting)
        calls.clear()
        results[setting] = outputs_and_gradients(network, images)
        assert bool(calls) == (setting == "1")
    # Measured: 2.1e-5 of the norm.
    for ours, tensorflows in zip(results["1"], results["0"], strict=True):
        assert tf.norm(ours - tensorflows) <= 6e-5 * tf.norm(tensorflows)


def operations(network, shape):
    """The kinds of operations of a graph, inner functions included."""
    graph = tf.function(network).get_concrete_function(tf.TensorSpec(shape)).graph
    definition = graph.as_graph_def(add_shapes=False)
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    return {node.op for node in nodes}


def test_a_portable_graph_has_neither_windows_nor_float64(monkeypatch):
    monkeypatch.delenv(convolution.SWITCH, raising=False)
    make, shape = NETWORKS["unet"]
    network = make()
    network.build(shape)
    assert "ExtractImagePatches" in operations(network, shape)
    with portable_graph():
        assert not {"ExtractImagePatches", "MatMul", "BatchMatMulV2"} & operations(network, shape)
