"""Both models as a Keras user knows models: fit with any callbacks, save, load, go on."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model import CycleGAN
from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.model import Pix2Pix
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.unet import UNet
from pix2pix_tf.training import callbacks, checkpoints
from pix2pix_tf.training.fit import fit


def pix2pix(**options):
    networks = {
        "generator": UNet(depth=3, ngf=2, seed=1),
        "discriminator": PatchGAN(n_layers=1, ndf=2, seed=2),
    }
    return Pix2Pix(**networks, **options)


def cyclegan(**options):
    networks = {
        name: UNet(depth=2, ngf=2, norm="instance", bottleneck_norm=False, seed=seed, name=name)
        if name.startswith("gen")
        else PatchGAN(n_layers=1, ndf=2, norm="instance", seed=seed, name=name)
        for seed, name in enumerate(("gen_ab", "gen_ba", "disc_a", "disc_b"))
    }
    return CycleGAN(**networks, **{"pool_size": 3, **options})


MODELS = {"pix2pix": pix2pix, "cyclegan": cyclegan}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
# Where both models run the same code, and one is enough in a hurry.
SLOW_CYCLEGAN = pytest.param(cyclegan, marks=pytest.mark.slow, id="cyclegan")
each_model_slowly = pytest.mark.parametrize(
    "make", [pytest.param(pix2pix, id="pix2pix"), SLOW_CYCLEGAN]
)


def arrays(count, *, size=16):
    return np.random.default_rng(0).uniform(-1, 1, (2, count, size, size, 3)).astype("f4")


def dataset(first=0):
    """Endless batches of one pair, from one step on."""
    pairs = tf.data.Dataset.from_tensor_slices(tuple(arrays(7))).batch(1).repeat()
    return pairs.skip(first)


def compiled(make, *optimizers, run_eagerly=True, **options):
    """A model that is trained at once; without graphs, unless these are the subject."""
    model = make(**options)
    model.compile(*optimizers, run_eagerly=run_eagerly)
    return model


def contents(model):
    return {name: np.array(variable) for name, variable in model.state.items()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


class Recorder(keras.callbacks.Callback):
    """As W&B's and MLflow's callbacks: looks at everything that Keras shows."""

    def on_train_begin(self, logs=None):
        json.dumps(self.model.optimizer.get_config(), default=str)
        self.text, self.batches, self.epochs = [], [], []
        self.model.summary(print_fn=lambda line, **_: self.text.append(line))
        assert self.params["epochs"] and self.params["steps"]

    def on_batch_end(self, batch, logs=None):
        self.batches.append((batch, dict(logs), float(self.model.optimizer.learning_rate)))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs), int(self.model.optimizer.iterations)))


@each_model
def test_history_is_the_mean_of_the_epoch(make):
    model, recorder = compiled(make), Recorder()
    x, y = arrays(5)
    # The last batch is smaller, and counts for less.
    history = model.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[recorder]).history
    assert set(history) == set(model.LOSSES)
    assert [batch for batch, _, _ in recorder.batches] == [0, 1, 2] * 2
    assert [iterations for _, _, iterations in recorder.epochs] == [3, 6]
    for name, values in history.items():
        for epoch in range(2):
            steps = [logs[name] for _, logs, _ in recorder.batches[3 * epoch : 3 * epoch + 3]]
            assert values[epoch] == pytest.approx(np.average(steps, weights=[2, 2, 1]), rel=1e-6)
            assert recorder.epochs[epoch][1][name] == values[epoch]
    assert any(model.generators[0].name in line for line in recorder.text)


@each_model
def test_evaluate_is_the_mean_over_all_images(make):
    model = compiled(make)
    x, y = arrays(5)
    model.build(x.shape)
    found = model.evaluate(x, y, batch_size=2, verbose=0, return_dict=True)
    expected = {name: float(value) for name, value in model.measure(x, y).items()}
    assert set(found) == set(model.MEASURES)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5)
    values = np.atleast_1d(model.evaluate(x, y, batch_size=5, verbose=0))
    np.testing.assert_allclose(values, list(expected.values()), rtol=1e-5)
    np.testing.assert_allclose(model.predict(x, batch_size=2, verbose=0), model(x), atol=1e-6)


def test_callbacks_of_keras(tmp_path):
    model, rates = compiled(pix2pix), []
    x, y = arrays(4)
    found = [
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.EarlyStopping("val_generator_loss_L1", patience=1, min_delta=9, mode="min"),
        keras.callbacks.TensorBoard(tmp_path / "board", update_freq=1),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras"),
        keras.callbacks.LearningRateScheduler(lambda epoch, lr: rates.append(lr) or lr / 2),
    ]
    history = model.fit(
        x, y, batch_size=2, epochs=5, validation_data=(x, y), verbose=0, callbacks=found
    ).history
    assert len(history["val_generator_loss_L1"]) == 2  # stopped early
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert len(rows) == 3 and "generator_loss_GAN" in rows[0] and "val_generator_loss_L1" in rows[0]
    np.testing.assert_allclose(rates, [2e-4, 1e-4])
    for optimizer in (model.gen_optimizer, model.disc_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(5e-5)
    assert list((tmp_path / "board").rglob("*events*"))
    keras.models.load_model(tmp_path / "best.keras")


@each_model_slowly
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow, id="plain"),
        pytest.param({"ema_decay": 0.9}, id="averaged"),
    ],
)
def test_a_loaded_model_resumes_exactly(tmp_path, make, settings):
    model = compiled(make, run_eagerly=False, **settings)
    model.fit(dataset(), shuffle=False, steps_per_epoch=4, verbose=0)
    model.save(tmp_path / "model.keras")
    other = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(contents(other), contents(model))
    assert other.step == 4
    for one in (model, other):
        one.fit(dataset(4), shuffle=False, steps_per_epoch=3, verbose=0)
    assert_equal(contents(other), contents(model))
    assert any("ema/" in name for name in other.state) == bool(settings)


@each_model_slowly
def test_our_callbacks_in_a_users_fit_and_exact_resume(tmp_path, make):
    def ours(model):
        return [
            callbacks.FiniteCheck(), callbacks.Speed(), callbacks.WeightAveraging(0.9),
            callbacks.Log(tmp_path / "log.csv", model.LOSSES, 1),
            callbacks.TensorBoard(tmp_path / "tensorboard", 2),
            callbacks.Checkpoints(tmp_path, save_freq=3, keep=9),
        ]  # fmt: skip

    whole, model = compiled(make), compiled(make)
    whole.fit(
        dataset(),
        shuffle=False,
        steps_per_epoch=8,
        verbose=0,
        callbacks=[callbacks.WeightAveraging(0.9)],
    )
    model.fit(dataset(), shuffle=False, steps_per_epoch=5, verbose=0, callbacks=ours(model))
    steps = [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(tmp_path)]
    assert steps == [3, 5]
    # From the middle: the rows after it are written again.
    other = compiled(make, ema_decay=0.9)
    other.build((None, 16, 16, 3))
    assert other.load_checkpoint(run_folder.checkpoint_path(tmp_path, 3)) == 3
    other.fit(dataset(3), shuffle=False, steps_per_epoch=5, verbose=0, callbacks=ours(other))
    assert_equal(contents(other), contents(whole))
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows[1:]] == list("12345678")
    assert checkpoints.fault(run_folder.checkpoint_path(tmp_path, 8)) is None


class Events(keras.callbacks.Callback):
    """Writes down what happens."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_begin(self, logs=None):
        self.seen.append("begin")

    def on_train_end(self, logs=None):
        self.seen.append("end")

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(epoch)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(".")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 6, "begin 0 ... 1 ... end"),
        (2, 7, "begin 0 . 1 ... 2 . end"),
        (1, 2, "begin 0 . end"),
        (3, 5, "begin 1 .. end"),
        (5, 6, "begin 1 . end"),
    ],
)
def test_a_run_of_any_steps_is_one_training(first, last, expected):
    model, events = compiled(pix2pix), Events()
    step = fit(
        model, dataset, first_step=first, last_step=last, steps_per_epoch=3,
        callbacks=[events, callbacks.StopAtStep(last)],
    )  # fmt: skip
    assert step == last
    assert "".join(map(str, events.seen)) == expected.replace(" ", "")


OPTIMIZERS = {
    "strings": ("adam", "sgd"),
    "one string": ("adam",),
    "one object": (keras.optimizers.SGD(1e-3),) * 2,
}


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_optimizers_as_keras_takes_them(case):
    model = compiled(pix2pix, *OPTIMIZERS[case])
    model.fit(*arrays(2), batch_size=1, verbose=0)
    assert model.gen_optimizer is not model.disc_optimizer
    assert int(model.gen_optimizer.iterations) == int(model.disc_optimizer.iterations) == 2
    names = [name for name in model.state if name.endswith("iteration")]
    assert len(names) == 2 and names[0].startswith("gen") and names[1].startswith("disc")


def movement(make, **options):
    """How four updates move the weights, a vector."""
    model = make()
    model.compile(**options)
    model.build((None, 16, 16, 3))
    before = [np.array(variable) for variable in model.trainable_variables]
    model.fit(dataset(), shuffle=False, steps_per_epoch=4, verbose=0)
    assert model.step == 4
    pairs = zip(model.trainable_variables, before, strict=True)
    return np.concatenate([np.ravel(variable - value) for variable, value in pairs])


usual_movement = functools.cache(movement)


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}], ids=str)
@each_model_slowly
def test_the_keywords_of_compile(make, options):
    usual, found = usual_movement(make), movement(make, **options)
    # Adam makes full steps of gradients that are rounding errors.
    assert np.abs(found - usual).mean() < 0.02 * np.abs(usual).mean()


@pytest.mark.slow
def test_xla():
    # It draws other dropout masks and rounds otherwise.
    usual, found = usual_movement(pix2pix), movement(pix2pix, jit_compile=True)
    assert np.abs(found).mean() == pytest.approx(np.abs(usual).mean(), rel=0.3)


@each_model
def test_single_batches(make):
    model = compiled(make)
    x, y = arrays(2)
    found = model.train_on_batch(x, y, return_dict=True)
    assert set(found) == set(model.LOSSES) and model.step == 1
    assert len(model.train_on_batch(x, y)) == len(found)
    measured = model.test_on_batch(x, y, return_dict=True)
    for name, value in model.measure(x, y).items():
        assert measured[name] == pytest.approx(float(value), rel=1e-5)


@each_model
def test_one_clear_error(make):
    model = compiled(make)
    x, y = arrays(2)
    model.train_on_batch(x, y)
    eight_bits = np.uint8(127.5 * x + 127.5)
    with pytest.raises(InputError, match="neither sample_weight nor class_weight"):
        model.fit(x, y, sample_weight=np.ones(2), verbose=0)
    with pytest.raises(InputError, match="pairs of batches"):
        model.fit(x, verbose=0)
    with pytest.raises(InputError, match="Expected float images .* Received: uint8"):
        model.fit(eight_bits, eight_bits, verbose=0)
    with pytest.raises(ValueError, match="Expected float images .* Received: uint8"):
        model.predict(eight_bits, verbose=0)
    with pytest.raises(ValueError, match="multiples of"):
        model.fit(*arrays(2, size=13), verbose=0)
    with pytest.raises(InputError, match="optimizer or gen_optimizer, not both"):
        model.compile("adam", optimizer="adam")


@each_model
def test_export_after_fit(tmp_path, make):
    model = compiled(make)
    x, y = arrays(2)
    model.fit(x, y, verbose=0)
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(loaded.serve(x), model(x), atol=1e-6)
