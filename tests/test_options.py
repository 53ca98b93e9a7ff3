"""The options that both programs share, and what they build."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import model as cyclegan_models
from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import model as models
from pix2pix_tf import options
from pix2pix_tf.config import METRICS, MULTIPLES, Config, Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import scoring

PLACES = {"mode": "train", "input_dir": "in", "output_dir": "out"}
TINY = {"netG": "unet", "netD": "pixel", "ngf": 1, "ndf": 1, "crop_size": 8}


def pix2pix(**options):
    return Pix2PixConfig(**PLACES, **options)


def cyclegan(**options):
    return CycleGANConfig(**PLACES, **options)


def test_defaults_are_those_of_each_reference():
    names = ("netG", "netD", "n_layers_D", "norm", "gan_mode", "dropout", "init_type", "init_gain")
    names += ("lr",)
    ours = {
        kind: tuple(getattr(config, name) for name in names)
        for kind, config in (("pix2pix", pix2pix()), ("cyclegan", cyclegan()))
    }
    assert ours == {
        "pix2pix": ("unet", "basic", 3, "batch", "vanilla", True, "normal", 0.02, 0.0002),
        "cyclegan": (
            "resnet_9blocks",
            "basic",
            3,
            "instance",
            "lsgan",
            False,
            "normal",
            0.02,
            0.0002,
        ),
    }
    config = cyclegan()
    assert (config.lambda_A, config.lambda_B, config.lambda_identity) == (10.0, 10.0, 0.5)
    assert (config.n_epochs, config.n_epochs_decay, config.lr_policy) == (100, 100, "linear")
    assert (config.load_size, config.crop_size, config.pool_size) == (286, 256, 50)


@pytest.mark.parametrize("config_class", [Pix2PixConfig, CycleGANConfig])
def test_shared_options_keep_their_meaning(config_class):
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    for shared in dataclasses.fields(Config):
        mine = fields[shared.name]
        assert mine.type == shared.type
        for rule in ("section", "choices", "ge", "gt", "le", "lt", "inherit"):
            assert mine.metadata[rule] == shared.metadata[rule], shared.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": "l1,fit"}, "metrics of l1, psnr, .* Received: fit"),
        ({"metrics": "labels"}, "palette and metrics labels or recovery together"),
        ({"palette": "facades"}, "palette and metrics labels or recovery together"),
        (
            {"palette": "facades", "metrics": "recovery"},
            "recogniser and metrics recovery together",
        ),
        ({"aspect_ratio": 1.5}, "no aspect_ratio with mode evaluate"),
        ({"kid_subset_size": 1}, "kid_subset_size to be at least 2"),
    ],
)
@pytest.mark.parametrize("config_class", [Pix2PixConfig, CycleGANConfig])
def test_evaluate_refuses_conflicting_flags(config_class, options, message):
    with pytest.raises(InputError, match=message):
        config_class(**{**PLACES, "mode": "evaluate", **options})


def test_metrics_are_names_in_any_spelling():
    chosen = Pix2PixConfig(**{**PLACES, "mode": "evaluate"}, metrics=" FID,l1,, fid ")
    assert chosen.chosen_metrics == ("fid", "l1")
    assert Pix2PixConfig(**{**PLACES, "mode": "evaluate"}).chosen_metrics == ()


def test_every_metric_can_be_measured():
    assert {*scoring.PAIR_METRICS, *scoring.SET_METRICS, *scoring.LABEL_METRICS} == {*METRICS}


def test_no_dropout_is_an_alias():
    words = ["--mode=train", "--input_dir=i", "--output_dir=o", "--no_dropout"]
    assert options.parse(Pix2PixConfig, words)[0].dropout is False
    assert options.parse(CycleGANConfig, words)[0].dropout is False


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (pix2pix, {"separable_conv": True, "netG": "unet_256"}, "only with netG unet"),
        (pix2pix, {"separable_conv": True, "init_type": "xavier"}, "with init_type normal"),
        (pix2pix, {"netD": "n_layers", "n_layers_D": 7}, "at least 384 with 7 layers"),
        (cyclegan, {"crop_size": 130}, "multiple of 4 with netG resnet_9blocks"),
        (cyclegan, {"netG": "unet_256", "crop_size": 128}, "multiple of 256 with netG unet_256"),
        (cyclegan, {"crop_size": 16}, "at least 24 with 3 layers"),
        (cyclegan, {"load_size": 200}, "load_size to be at least 256"),
        (cyclegan, {"direction": "both"}, "AtoB or BtoA with mode train"),
        (cyclegan, {"norm": "layer"}, "norm to be one of batch, sync_batch, instance"),
    ],
)
def test_impossible_combinations_are_refused(make, options, message):
    with pytest.raises(InputError, match=message):
        make(**options)


def test_a_pixel_discriminator_takes_small_images():
    assert cyclegan(netD="pixel", crop_size=16).crop_size == 16


def test_multiples_are_those_of_the_networks():
    for kind in MULTIPLES:
        config = pix2pix(netG=kind, ngf=1)
        assert models.build_generator(config).multiple == config.multiple


@pytest.mark.parametrize(
    "options",
    [
        {"netG": "resnet_6blocks", "norm": "instance", "gan_mode": "lsgan", "netD": "pixel"},
        {"netG": "unet_128", "norm": "none", "netD": "n_layers", "n_layers_D": 1},
        {"netG": "unet", "norm": "instance", "gan_mode": "wgangp", "dropout": False},
    ],
)
def test_pix2pix_trains_with_the_other_networks(options):
    keras.utils.set_random_seed(0)
    model = models.build(pix2pix(ngf=2, ndf=2, **options))
    pair = np.random.default_rng(0).uniform(-1, 1, (2, 1, 256, 256, 3)).astype(np.float32)
    before = [variable.numpy() for variable in model.trainable_variables]
    losses = model.train_step(tuple(pair))
    assert all(np.isfinite(value) for value in losses.values())
    moved = {
        variable.path.split("/")[0]
        for variable, value in zip(model.trainable_variables, before, strict=True)
        if not np.array_equal(variable, value)
    }
    assert moved == {"generator", "discriminator"}


@pytest.mark.parametrize(
    ("build", "config"),
    [(models.build, pix2pix(scale_size=8, **TINY)), (cyclegan_models.build, cyclegan(**TINY))],
    ids=["pix2pix", "cyclegan"],
)
@pytest.mark.parametrize("run_eagerly", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_run_eagerly_runs_every_update_in_python(build, config, run_eagerly):
    model, calls = build(dataclasses.replace(config, run_eagerly=run_eagerly)), []
    step = model.train_step
    model.train_step = lambda data: calls.append(tf.executing_eagerly()) or step(data)
    pairs = np.random.default_rng(0).uniform(-1, 1, (2, 2, 8, 8, 3)).astype(np.float32)
    model.fit(*pairs, batch_size=1, verbose=0)
    assert model.step == 2
    # A graph is made by one call.
    assert calls == ([True, True] if run_eagerly else [False])


@pytest.mark.parametrize(
    ("options", "generator", "discriminator"),
    [
        # affinelayer/pix2pix-tensorflow: 57,190,084 together.
        ({}, 54_420_483, 2_769_601),
        # junyanz/pytorch-CycleGAN-and-pix2pix, issue 422: 54.414 M and 2.769 M.
        ({"netG": "unet_256"}, 54_413_955, 2_768_705),
        ({"norm": "instance", "netG": "resnet_9blocks"}, 11_378_179, 2_767_809),
    ],
)
def test_parameter_counts_are_those_of_each_reference(options, generator, discriminator):
    model = models.build(pix2pix(**options))
    assert model.generator.count_params() == generator
    assert model.discriminator.count_params() == discriminator


def test_instance_normalisation_leaves_the_bottleneck_of_the_unet_alive():
    model = models.build(pix2pix(ngf=1, ndf=1, norm="instance"))
    pair = np.random.default_rng(0).uniform(-1, 1, (2, 1, 256, 256, 3)).astype(np.float32)
    _, _, gradients, _ = model.compute_gradients(*pair)
    found = dict(zip((v.path for v in model.generator.trainable_variables), gradients, strict=True))
    assert np.abs(found["generator/encoder_8/conv2d/kernel"]).max() > 0


@pytest.mark.parametrize("kind", ["kaiming", "orthogonal"])
def test_both_programs_initialise_kernels_as_configured(kind):
    options = {"ngf": 4, "ndf": 4, "crop_size": 32, "init_type": kind, "init_gain": 0.1}
    cycle = cyclegan_models.build(cyclegan(**options), steps_per_epoch=1)
    model = models.build(pix2pix(**options, scale_size=32))
    for network in (*cycle.generators, *cycle.discriminators, model.generator, model.discriminator):
        kernel = next(v for v in network.trainable_variables if v.path.endswith("kernel")).numpy()
        flat = kernel.reshape(-1, kernel.shape[-1])
        square = np.linalg.norm(flat, axis=0) ** 2
        if kind == "orthogonal":
            np.testing.assert_allclose(square, 0.1**2, rtol=1e-4)
        else:
            # As many values as connections, of a variance of 2 / connections.
            assert 1 < square.mean() < 3
