"""Mixed precision: float32 at the edges, loss scaling for both optimizers, free checkpoints."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import model as cyclegan
from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import model as pix2pix
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet
from pix2pix_tf.training import callbacks, checkpoints
from pix2pix_tf.training.adam import FusedAdam
from pix2pix_tf.training.optimizers import LossScaling, unscaled

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
COMMON = {"mode": "train", "input_dir": "in", "output_dir": "out", "seed": 1, "ngf": 4, "ndf": 4}


def build_pix2pix(precision):
    """By the command line's options: a U-Net of eight levels."""
    keras.utils.set_random_seed(2)
    return pix2pix.build(Pix2PixConfig(**COMMON, precision=precision))


def build_tiny(precision):
    keras.utils.set_random_seed(2)
    parts = {"generator": UNet(depth=3, ngf=4, dtype=precision)}
    parts["discriminator"] = PatchGAN(n_layers=1, ndf=4, dtype=precision)
    return compiled(pix2pix.Pix2Pix(**parts))


def build_cyclegan(precision):
    keras.utils.set_random_seed(2)
    parts = {
        name: ResNet(blocks=1, ngf=4, dtype=precision, name=name) for name in ("gen_ab", "gen_ba")
    } | {
        name: PatchGAN(n_layers=2, ndf=4, norm="instance", dtype=precision, name=name)
        for name in ("disc_a", "disc_b")
    }
    return compiled(cyclegan.CycleGAN(**parts, pool_size=0))


def compiled(model):
    model.compile()
    model.build((None, 32, 32, 3))
    return model


def batch(size=256):
    draw = np.random.default_rng(3).uniform(-1, 1, (2, 1, size, size, 3))
    return tuple(tf.constant(draw, tf.float32))


CASES = {"pix2pix": (build_pix2pix, 256), "cyclegan": (build_cyclegan, 32)}


@pytest.fixture(
    scope="module", params=["pix2pix", pytest.param("cyclegan", marks=pytest.mark.slow)]
)
def reference(request):
    """A builder, a batch and the first gradients in float32."""
    build, size = CASES[request.param]
    model, data = build("float32"), batch(size)
    return build, data, tf.function(model.compute_gradients, autograph=False)(*data)


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_losses_outputs_and_gradients_are_float32_and_close(reference, policy):
    build, data, (values, _, *gradients) = reference
    model = build(policy)
    assert {variable.dtype for variable in model.variables} == {"float32"}
    assert model(data[0]).dtype == tf.float32
    if policy == "mixed_float16":
        # What training would find after a few skipped updates.
        for optimizer in (model.gen_optimizer, model.disc_optimizer):
            optimizer.dynamic_scale.assign(256)
    found, _, *mixed = tf.function(model.compute_gradients, autograph=False)(*data)
    # Measured: losses 2.1e-2, norms of the gradients 4.3e-2 in bfloat16, which keeps 8 bits, and
    # 8e-4 and 1.5e-2 in float16; on a processor without float16 instructions 2.4e-3 for a loss.
    # Everywhere convolutions and matrix products round their results only, with a relative error of
    # 2.1e-4. There, transposed convolutions, which are gradients of inputs, also add up in float16
    # (1.0e-3 to 1.8e-3), and so do gradients of kernels (1.2e-3 to 2.4e-3); Conv2DBackpropInput
    # and Conv2DBackpropFilter with 64 to 512 channels, against the same numbers in float32.
    losses, norm = {"mixed_bfloat16": (4e-2, 8e-2), "mixed_float16": (5e-3, 3e-2)}[policy]
    for name, value in values.items():
        assert found[name].dtype == tf.float32
        assert float(found[name]) == pytest.approx(float(value), rel=losses)
    optimizers = model.gen_optimizer, model.disc_optimizer
    for scaled, other, optimizer in zip(mixed, gradients, optimizers, strict=True):
        assert {gradient.dtype for gradient in scaled} == {tf.float32}
        one = unscaled(scaled, optimizer=optimizer)
        norms = tf.linalg.global_norm(one), tf.linalg.global_norm(other)
        assert float(norms[0]) == pytest.approx(float(norms[1]), rel=norm)


def test_both_optimizers_scale_in_float16_only():
    for policy in POLICIES:
        model = build_tiny(policy)
        for optimizer in (model.gen_optimizer, model.disc_optimizer):
            assert isinstance(optimizer, LossScaling) == (policy == "mixed_float16")


def test_the_option_reaches_the_networks_of_cyclegan():
    sizes = {"netG": "resnet_6blocks", "crop_size": 32, "load_size": 32}
    config = CycleGANConfig(**COMMON, **sizes, precision="mixed_float16")
    model = cyclegan.build(config, steps_per_epoch=10)
    assert {part.compute_dtype for part in model.layers} == {"float16"}
    assert isinstance(model.gen_optimizer, LossScaling)


def test_an_overflow_skips_the_update_and_halves_the_scale():
    variable = keras.Variable([1.0, 2.0], name="v")
    optimizer = LossScaling(FusedAdam(learning_rate=0.1))
    optimizer.build([variable])
    before = float(optimizer.dynamic_scale)
    optimizer.apply([tf.constant([np.inf, 1.0])], [variable])
    assert np.asarray(variable).tolist() == [1.0, 2.0]
    assert float(optimizer.dynamic_scale) == before / 2
    assert int(optimizer.iterations) == 0
    optimizer.apply([optimizer.scale_loss(tf.constant([1.0, -1.0]))], [variable])
    np.testing.assert_allclose(variable, [0.9, 2.1], rtol=1e-6)
    assert int(optimizer.iterations) == 1


def test_training_continues_after_an_overflow():
    model = build_tiny("mixed_float16")
    for optimizer in (model.gen_optimizer, model.disc_optimizer):
        optimizer.dynamic_scale.assign(2.0**40)
    before = [np.asarray(variable) for variable in model.trainable_variables]
    tf.function(model.train_step, autograph=False)(batch(32))
    assert model.first_nonfinite() is None
    for optimizer in (model.gen_optimizer, model.disc_optimizer):
        assert float(optimizer.dynamic_scale) == 2.0**39
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_gradient_that_no_scale_makes_finite_ends_training():
    model = build_tiny("mixed_float16")
    for optimizer in (model.gen_optimizer, model.disc_optimizer):
        optimizer.dynamic_scale.assign(1.0)
    model.l1_weight = float("inf")
    model.step = 4
    data = tf.data.Dataset.from_tensors(batch(32)).repeat()
    with pytest.raises(InputError, match="the gradient of generator/.* is not finite at step 5"):
        model.fit(
            data, steps_per_epoch=3, shuffle=False, verbose=0, callbacks=[callbacks.FiniteCheck()]
        )


def test_finite_updates_equal_those_without_scaling():
    results = []
    for wrap in (LossScaling, lambda optimizer: optimizer):
        variable = keras.Variable(np.linspace(-1, 1, 5, dtype="f4"), name="v")
        optimizer = wrap(FusedAdam())
        optimizer.build([variable])
        for step in range(5):
            gradient = tf.sin(tf.range(5.0) + step)
            optimizer.apply([optimizer.scale_loss(gradient)], [variable])
        results.append(np.asarray(variable))
    np.testing.assert_array_equal(*results)


def test_one_replicas_overflow_stops_all(launcher, tmp_path):
    code, text = launcher.run("replicas", "overflow", printed=tmp_path / "printed.txt")
    assert code == 0, text


@pytest.mark.parametrize(("old", "new"), zip(POLICIES, [*POLICIES[1:], POLICIES[0]], strict=True))
def test_training_goes_on_in_any_precision(tmp_path, old, new):
    first = build_tiny(old)
    first.gen_optimizer.iterations.assign(7)
    (tmp_path / "checkpoints").mkdir()
    path = checkpoints.save(tmp_path, 7, first.state, keep=1)
    second = build_tiny(new)
    for variable in second.generator.variables:
        variable.assign(tf.zeros_like(variable))
    checkpoints.restore(path, second.state)
    assert int(second.gen_optimizer.iterations) == 7
    for name, variable in second.state.items():
        if name in first.state:
            np.testing.assert_array_equal(variable, first.state[name], err_msg=name)
