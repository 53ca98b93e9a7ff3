import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
from support import GOLDENS, tolerance

from cyclegan_tf import model as models
from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf.extras.porting import torch_names

FOLDER = GOLDENS / "torch"
# The PyTorch code names its networks by generator.
THEIRS = {"gen_ab": "G_A", "gen_ba": "G_B", "disc_a": "D_B", "disc_b": "D_A"}


def configuration(**changes):
    sizes = {"ngf": 3, "ndf": 3, "crop_size": 32, "load_size": 36, "pool_size": 0, "seed": 1}
    sizes["netG"] = "resnet_6blocks"
    return CycleGANConfig(mode="train", input_dir="in", output_dir="out", **(sizes | changes))


def build(**changes):
    return models.build(configuration(**changes), steps_per_epoch=1000)


def batch(seed=0, count=1, size=32):
    draw = np.random.default_rng(seed).uniform(-1, 1, (2, count, size, size, 3))
    return tuple(tf.constant(draw, tf.float32))


@pytest.fixture(scope="module")
def golden():
    with np.load(FOLDER / "golden.npz") as file:
        return {key: file[key] for key in file if key.startswith("cyclegan/")}


@pytest.fixture(
    params=[
        pytest.param(True, id="batched"),
        pytest.param(False, id="separate", marks=pytest.mark.slow),
    ]
)
def pytorch_model(request):
    model = build(netG="resnet_9blocks", crop_size=64, load_size=64)
    model.batched = request.param
    for name, theirs in THEIRS.items():
        state = safetensors.numpy.load_file(FOLDER / f"cyclegan_{theirs}.safetensors")
        torch_names.load_state_dict(getattr(model, name), state)
    return model


def golden_batch(golden):
    return tuple(
        tf.constant(golden[f"cyclegan/real_{side}_u8"] / 127.5 - 1, tf.float32) for side in "ab"
    )


@pytest.mark.usefixtures("cpu_kernels")
def test_images_and_first_gradients_equal_pytorch(golden, pytorch_model):
    model = pytorch_model
    _, images, *gradients = model.compute_gradients(*golden_batch(golden))
    for name in ("fake_b", "rec_a", "fake_a", "rec_b"):
        # Measured: 1.3e-6 after one generator, 5.6e-6 after two.
        atol = tolerance(8e-6, without_onednn=3e-5)
        np.testing.assert_allclose(images[name], golden[f"cyclegan/{name}"], rtol=0, atol=atol)
    variables = [model.generator_variables, model.discriminator_variables]
    found = {}
    for part, values in zip(variables, gradients, strict=True):
        found |= {variable.path: value for variable, value in zip(part, values, strict=True)}
    compared = 0
    for name, theirs in THEIRS.items():
        network = getattr(model, name)
        for path, key in torch_names.torch_keys(network).items():
            expected = golden[f"cyclegan/grad/{theirs}/{key}"]
            value = torch_names.to_torch(network, path, found[f"{name}/{path}"].numpy())
            # Measured: 1.1e-5 of the largest entry. A bias in front of a normalisation has the
            # gradient 0 and shows rounding errors.
            scale = np.abs(expected).max()
            relative = tolerance(2e-5, without_onednn=4e-2)
            atol = 2e-5 if path.endswith("bias") and scale < 2e-5 else relative * scale
            np.testing.assert_allclose(value, expected, rtol=0, atol=atol, err_msg=path)
            compared += 1
    assert compared == sum(key.startswith("cyclegan/grad/") for key in golden)


def test_losses_of_four_updates_equal_pytorch(golden, pytorch_model):
    step, data = tf.function(pytorch_model.train_step, autograph=False), golden_batch(golden)
    columns = golden["cyclegan/losses_columns"].tolist()
    for expected in golden["cyclegan/losses_per_step"]:
        values = step(data)
        received = [0.0] * len(columns)
        for ours, theirs in models.LOSSES.items():
            received[columns.index(theirs)] = float(values[ours])
        # Measured: 2e-6 relative.
        rtol = tolerance(5e-6, without_onednn=1e-3)
        np.testing.assert_allclose(received, expected, rtol=rtol)


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": True},
        *(
            pytest.param(options, marks=pytest.mark.slow)
            for options in ({}, {"norm": "none"}, {"netD": "pixel"})
        ),
    ],
)
def test_batched_passes_give_the_same_numbers(options):
    tf.keras.utils.set_random_seed(3)
    model, data = build(**options), batch(count=2)
    losses, _, *together = model.compute_gradients(*data)
    model.batched = False
    separate_losses, _, *separate = model.compute_gradients(*data)
    for name, value in losses.items():
        np.testing.assert_allclose(value, separate_losses[name], rtol=2e-6)
    for part, other in zip(together, separate, strict=True):
        one, two = (np.concatenate([np.ravel(value) for value in side]) for side in (part, other))
        # Measured: 2e-6, unless rounding puts the input of a ReLU on the other side of 0; the
        # goldens above have no such case and hold both ways to 2e-5.
        assert np.linalg.norm(one - two) < 1e-2 * np.linalg.norm(two)


def test_batch_normalisation_is_never_batched():
    assert build().batched
    assert build(norm="none").batched
    assert not build(norm="batch").batched


@pytest.mark.parametrize(
    ("term", "generators"),
    [
        ("generator_loss_GAN_AB", {"gen_ab"}),
        ("generator_loss_GAN_BA", {"gen_ba"}),
        ("generator_loss_cycle_A", {"gen_ab", "gen_ba"}),
        ("generator_loss_cycle_B", {"gen_ab", "gen_ba"}),
        ("generator_loss_identity_A", {"gen_ba"}),
        ("generator_loss_identity_B", {"gen_ab"}),
    ],
)
def test_each_loss_reaches_the_generators_it_must(term, generators):
    model = build()
    with tf.GradientTape() as tape:
        value = model.forward(*batch())[0][term]
    reached = set()
    for variable, gradient in zip(
        model.generator_variables, tape.gradient(value, model.generator_variables), strict=True
    ):
        if gradient is not None and np.abs(gradient).max() > 1e-6:
            reached.add(variable.path.split("/")[0])
    assert reached == generators


def test_discriminator_losses_do_not_reach_the_generators():
    model, (real_a, real_b) = build(), batch()
    with tf.GradientTape() as tape:
        _, images = model.forward(real_a, real_b)
        fakes = [
            model.pool_a.query(images["fake_a"]),
            model.pool_b.query(images["fake_b"]),
        ]
        value = sum(model.discriminate((real_a, real_b), fakes).values())
    assert all(g is None for g in tape.gradient(value, model.generator_variables))


def test_without_identity_its_losses_are_zero_and_the_rest_is_unchanged():
    data = batch()
    model = build()
    full, _ = model.forward(*data)
    model.lambda_identity = 0.0
    less, _ = model.forward(*data)
    for name, value in less.items():
        if "identity" in name:
            assert float(value) == 0.0
        else:
            np.testing.assert_allclose(value, full[name], rtol=2e-6)


def test_weights_scale_their_losses():
    data, model = batch(), build(lambda_A=1.0, lambda_B=1.0, lambda_identity=1.0)
    ones, _ = model.forward(*data)
    model.lambda_a, model.lambda_b, model.lambda_identity = 3.0, 5.0, 0.5
    some, _ = model.forward(*data)
    factors = {"cycle_A": 3.0, "cycle_B": 5.0, "identity_A": 1.5, "identity_B": 2.5}
    for name, factor in factors.items():
        name = f"generator_loss_{name}"
        np.testing.assert_allclose(some[name], factor * float(ones[name]), rtol=1e-6)


def test_direction_exchanges_the_weights_of_the_cycles():
    model = build(lambda_A=3.0, lambda_B=5.0, direction="BtoA")
    assert (model.lambda_a, model.lambda_b) == (5.0, 3.0)


@pytest.mark.parametrize("mode", ["vanilla", "wgangp"])
def test_other_gan_modes_train(mode):
    model, data = build(gan_mode=mode), batch()
    before = [variable.numpy() for variable in model.trainable_variables]
    losses = model.train_step(data)
    assert list(losses) == list(models.LOSSES)
    assert all(np.isfinite(value) for value in losses.values())
    changed = [
        np.any(a != b.numpy()) for a, b in zip(before, model.trainable_variables, strict=True)
    ]
    # Biases in front of a normalisation may stay where they are.
    assert np.mean(changed) > 0.5


def test_parameter_count_at_the_defaults():
    # junyanz/pytorch-CycleGAN-and-pix2pix: two generators of 11.378M, two discriminators of 2.765M.
    config = CycleGANConfig(mode="train", input_dir="in", output_dir="out", pool_size=0)
    assert models.build(config, steps_per_epoch=1).count_params() == 2 * (11_378_179 + 2_764_737)
