"""The PatchGAN discriminator."""

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.networks.patchgan import PatchGAN


@pytest.mark.parametrize(("n_layers", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_each_logit_depends_on_a_patch_of_known_size(n_layers, patch):
    """Reads the receptive field off the gradient: Isola et al. 2017, appendix 6.1.2."""
    network = PatchGAN(ndf=2, n_layers=n_layers)
    network.build((None, 256, 256, 6))
    for level in network.levels:
        level.norm = None
        level.convolution.kernel.assign(tf.ones_like(level.convolution.kernel))
    x = tf.ones([1, 256, 256, 6])
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = network(x)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.abs(tape.gradient(middle, x)[0, :, :, 0]).sum(1)
    assert (seen > 0).sum() == patch
