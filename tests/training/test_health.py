"""What goes wrong in training triggers one warning, or ends it."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import callbacks, exact_fit, health, losses
from pix2pix_tf.training.exact_fit import ExactFit
from pix2pix_tf.training.fit import fit


def watch(check, capsys, values, *, name="discriminator_loss"):
    """The warnings after steps with these losses."""
    for step, value in enumerate(values, start=1):
        check.on_step_end(step, {name: value})
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ([1.386] * 200, "has stayed at 1.386 for 200 steps (step 200): the discriminator cannot"),
        ([1.0] * 50 + [0.003] * 400, "has stayed at 0 for 200 steps (step 250)"),
    ],
)
def test_a_pinned_discriminator_is_told_once(capsys, values, part):
    (line,) = watch(health.DiscriminatorCheck({"discriminator_loss": 1.386294}), capsys, values)
    assert line.startswith("warning: ") and part in line and "help" in line


@pytest.mark.parametrize(
    "values", [[1.386] * 199 + [1.2] + [1.386] * 199, [1.3, 1.45] * 300, [0.001] * 150]
)
def test_a_living_discriminator_is_not(capsys, values):
    assert watch(health.DiscriminatorCheck({"discriminator_loss": 1.386294}), capsys, values) == []


def test_wasserstein_losses_have_no_level(capsys):
    undecided = losses.chance_level("discriminator_loss", mode="wgangp")
    assert watch(health.DiscriminatorCheck(undecided), capsys, [-5.0] * 500) == []


@pytest.mark.parametrize("mode", ["vanilla", "lsgan"])
def test_the_undecided_level_is_the_loss_of_one_verdict_for_all(mode):
    logits = tf.fill([4], 0.0 if mode == "vanilla" else 0.5)
    found = losses.discriminator_loss(logits, logits, mode=mode)
    assert losses.chance_level("a", "b", mode=mode, weight=0.5) == {
        name: pytest.approx(0.5 * float(found)) for name in "ab"
    }


def batch(seed):
    rng = np.random.default_rng(seed)
    return (tf.constant(rng.uniform(-1, 1, (1, 8, 8, 3)), tf.float32),)


def look(translate, capsys, looks, *, batches=None, moved=None, **options):
    """The warnings after so many looks; `moved` is a variable that changes in between."""
    batches = map(batch, range(1, 99)) if batches is None else batches
    check = health.OutputCheck(batches, translate, **options)
    for step in range(1, looks + 1):
        if moved is not None:
            moved.assign_add(0.01)
        check.on_step_end(step, {})
    return capsys.readouterr().err.splitlines()


def test_outputs_that_no_longer_change_are_told_once(capsys):
    (line,) = look(lambda x: {"outputs": (x[0], tf.tanh(100 * x[0]))}, capsys, 9)
    assert "the outputs no longer change (step " in line and "learning rate" in line


def test_images_of_several_sizes_are_compared_with_their_like(capsys):
    batches = ((batch(step)[0][:, : 8 - step % 3],) for step in range(1, 20))
    sizes = []

    def translate(x):
        sizes.append(x[0].shape[1])
        return {"outputs": (x[0], tf.tanh(100 * x[0]))}

    (line,) = look(translate, capsys, 9, batches=batches)
    assert "the outputs no longer change (step " in line
    assert sizes == [7]


def test_outputs_that_ignore_their_inputs_are_told_once(capsys):
    moved = tf.Variable(0.0)
    (line,) = look(
        lambda x: {"outputs": (x[0], tf.zeros_like(x[0]) + moved)}, capsys, 12, moved=moved
    )
    assert "the outputs are the same whatever the input (step 10)" in line


@pytest.mark.parametrize("inversion", [False, True])
def test_inverted_colours_are_told_only_where_they_should_stay(capsys, inversion):
    shift = tf.Variable(0.0)
    lines = look(
        lambda x: {"images of B": (x[0], -x[0] + shift)},
        capsys, 5, moved=shift, inversion=inversion,
    )  # fmt: skip
    assert ["images of B have inverted colours" in line for line in lines] == [True] * inversion


def test_a_healthy_generator_is_not_warned_about(capsys):
    moved = tf.Variable(0.0)
    assert not look(
        lambda x: {"outputs": (x[0], 0.5 * x[0] + moved)},
        capsys, 30, moved=moved, inversion=True,
    )  # fmt: skip


class Tiny(ExactFit):
    """One weight; its loss or its gradient breaks at a step of choice."""

    LOSSES = ("loss",)

    def __init__(self, *, loss_breaks=0, gradient_breaks=0):
        super().__init__(generators=[], discriminators=[])
        self.weight = self.add_weight(shape=[3], name="weight", initializer="ones")
        self.breaks = loss_breaks, gradient_breaks
        self.built = True
        self.compile(keras.optimizers.SGD(0.0))

    @property
    def generator_variables(self):
        return [self.weight]

    def compute_gradients(self, inputs, targets, *, update_pools=False):
        step = self._step + 1
        loss = tf.where(step == self.breaks[0], float("nan"), 1.0)
        gradient = tf.where(step == self.breaks[1], float("inf"), 1.0) * [0.0, 1.0, -1.0]
        return {"loss": loss}, {}, [gradient], []


class Recorder(callbacks.StepCallback):
    """Notes what it is told."""

    def __init__(self):
        super().__init__()
        self.seen, self.ended = [], None

    def on_step_end(self, step, logs):
        self.seen.append(step)

    def on_train_end(self, logs=None):
        self.ended = self.model.step, self.model.in_update


PAIR = tf.zeros([1, 2, 2, 3]), tf.zeros([1, 2, 2, 3])


def generated(batches):
    """The dataset of a generator function."""
    signature = tuple(tf.TensorSpec([1, 2, 2, 3]) for _ in PAIR)
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def train(model, *others, batches=None):
    """Twenty steps from the start."""
    batches = tf.data.Dataset.from_tensors(PAIR).repeat() if batches is None else batches
    return fit(
        model, lambda step: batches, first_step=0, last_step=20, steps_per_epoch=6,
        callbacks=[callbacks.FiniteCheck(), *others, callbacks.StopAtStep(20)],
    )  # fmt: skip


@pytest.mark.parametrize(("delay", "told"), [(0.02, 1), (0.0, 0)])
def test_a_slow_input_pipeline_is_told_once(capsys, delay, told):
    def batches():
        while True:
            time.sleep(delay)
            yield PAIR

    class Work(callbacks.StepCallback):
        def on_step_end(self, step, logs):
            time.sleep(0.01)

    assert train(Tiny(), Work(), callbacks.WaitingCheck(3), batches=generated(batches)) == 20
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == told
    assert all("training waits for images" in line and "cache" in line for line in lines)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"loss_breaks": 4}, "loss is nan at step 4"),
        ({"gradient_breaks": 7}, "the gradient of .*weight is not finite at step 7"),
    ],
)
def test_training_stops_at_the_step_that_breaks_and_names_it(tmp_path, broken, named):
    recorder, step = Recorder(), int(named.rpartition(" ")[2])
    saving = callbacks.Checkpoints(tmp_path, 100)
    with pytest.raises(InputError, match=f"Training diverged: {named}"):
        train(Tiny(**broken), recorder, saving)
    assert recorder.seen == list(range(1, step))
    # The update was made, and is not saved.
    assert recorder.ended == (step, False)
    assert not run_folder.checkpoints(tmp_path)


def test_large_finite_gradients_are_finite():
    sums = exact_fit.sums_of([tf.fill([1000], 1e30), tf.constant([1e38, -1e38])])
    assert int(exact_fit.index_of_nonfinite(sums)) == -1
    tensors = [tf.constant([1.0]), tf.constant([np.inf, -np.inf]), tf.fill([2], np.nan)]
    assert int(exact_fit.index_of_nonfinite(exact_fit.sums_of(tensors))) == 1


def test_an_error_outside_of_an_update_leaves_a_whole_state(tmp_path):
    def batches():
        yield from [PAIR] * 3
        raise ValueError("gone")

    recorder, saving = Recorder(), callbacks.Checkpoints(tmp_path, 100)
    with pytest.raises(tf.errors.InvalidArgumentError, match="gone"):
        train(Tiny(), recorder, saving, batches=generated(batches))
    assert recorder.ended == (3, False)
    assert [run_folder.checkpoint_step(path) for path in run_folder.checkpoints(tmp_path)] == [3]
