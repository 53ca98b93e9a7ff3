"""The Python interface of the README."""

import itertools

import keras
import numpy as np
import pytest

import pix2pix_tf
from pix2pix_tf import run_folder
from pix2pix_tf.commands import modes
from pix2pix_tf.training import checkpoints


def config(**options):
    return pix2pix_tf.Pix2PixConfig(
        mode="train", input_dir="in", output_dir="out", ngf=2, ndf=2, seed=0, **options
    )


def test_every_public_name_exists():
    for name in pix2pix_tf.__all__:
        assert getattr(pix2pix_tf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pix2pix_tf.nothing  # noqa: B018


def test_fit_trains_both_networks(pairs):
    keras.utils.set_random_seed(0)
    model = pix2pix_tf.build(config())
    before = [np.asarray(weight) for weight in model.trainable_variables]
    data = pix2pix_tf.training_pairs(pix2pix_tf.list_images(pairs), seed=0)
    options = {"steps_per_epoch": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    history = model.fit(data, **options).history
    assert set(history) == {"discriminator_loss", "generator_loss_GAN", "generator_loss_L1"}
    assert all(np.isfinite(values).all() and len(values) == 2 for values in history.values())
    unchanged = {
        weight.path.split("/")[1]
        for weight, value in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(weight, value) and not getattr(weight, "is_erased", False)
    }
    # At batch size 1 the normalised bottleneck has no gradient.
    assert unchanged <= {"encoder_8", "decoder_8"}
    assert int(model.gen_optimizer.iterations) == int(model.disc_optimizer.iterations) == 4


def test_evaluate_measures_l1(pairs):
    model = pix2pix_tf.build(config())
    data = pix2pix_tf.training_pairs(pix2pix_tf.list_images(pairs)).take(2)
    found = model.evaluate(data, verbose=0, return_dict=True)
    expected = [float(np.abs(targets - model(inputs)).mean()) for inputs, targets in data]
    assert found["generator_loss_L1"] == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    model = pix2pix_tf.build(config())
    checkpoints.save(folder, 1, model.state, keep=1)
    run_folder.write_json(folder / run_folder.OPTIONS, {"ngf": 2, "ndf": 2})
    return folder, model


@pytest.mark.parametrize("shape", [(256, 256, 3), (100, 70, 3), (2, 64, 64, 3)])
def test_a_loaded_run_translates_arrays(run, shape):
    folder, model = run
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    translated = pix2pix_tf.load(folder)(picture)
    assert translated.shape == shape and translated.dtype == np.uint8
    if shape == (256, 256, 3):
        expected = (model(picture[None] / np.float32(127.5) - 1)[0] + 1) / 2 * 255
        assert np.abs(translated - expected).max() <= 1


def test_arrays_of_another_kind_are_refused(run):
    translate = pix2pix_tf.load(run[0])
    for wrong in (np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8)):
        with pytest.raises(pix2pix_tf.InputError, match="Expected pictures as uint8"):
            translate(wrong)


def test_runs_are_deterministic(pairs):
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        model = pix2pix_tf.build(config())
        data = modes.training_batches(config(), pix2pix_tf.list_images(pairs))
        for batch in itertools.islice(data, 2):
            losses = model.train_step(batch)
        results.append([float(loss) for loss in losses.values()])
    assert results[0] == results[1]
