"""What goes wrong in training is told once, or ends it."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import finite, health, loop, losses
from pix2pix_tf.training.averages import LossAverages


def watch(watcher, capsys, values, *, name="discriminator_loss"):
    """The warnings after steps with these losses."""
    for step, value in enumerate(values, start=1):
        watcher.after(step, {name: tf.constant(value)})
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ([1.386] * 200, "has stayed at 1.386 for 200 steps (step 200): the discriminator cannot"),
        ([1.0] * 50 + [0.003] * 400, "has stayed at 0 for 200 steps (step 250)"),
    ],
)
def test_a_pinned_discriminator_is_told_once(capsys, values, part):
    (line,) = watch(health.VerdictCheck({"discriminator_loss": 1.386294}), capsys, values)
    assert line.startswith("warning: ") and part in line and "help" in line


@pytest.mark.parametrize(
    "values", [[1.386] * 199 + [1.2] + [1.386] * 199, [1.3, 1.45] * 300, [0.001] * 150]
)
def test_a_living_discriminator_is_not(capsys, values):
    assert watch(health.VerdictCheck({"discriminator_loss": 1.386294}), capsys, values) == []


def test_wasserstein_losses_have_no_level(capsys):
    undecided = losses.undecided("discriminator_loss", mode="wgangp")
    assert watch(health.VerdictCheck(undecided), capsys, [-5.0] * 500) == []


@pytest.mark.parametrize("mode", ["vanilla", "lsgan"])
def test_the_undecided_level_is_the_loss_of_one_verdict_for_all(mode):
    verdict = tf.fill([4], 0.0 if mode == "vanilla" else 0.5)
    found = losses.discriminator_loss(verdict, verdict, mode=mode)
    assert losses.undecided("a", "b", mode=mode, weight=0.5) == {
        name: pytest.approx(0.5 * float(found)) for name in "ab"
    }


def pictures(seed):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.uniform(-1, 1, (1, 8, 8, 3)), tf.float32)


def look(translate, capsys, looks, **options):
    check = health.OutputCheck(translate, **options)
    for step in range(1, looks + 1):
        batch = pictures(step)
        check.before(step, batch)
        check.after(step, {})
    return capsys.readouterr().err.splitlines()


def test_outputs_that_no_longer_change_are_told_once(capsys):
    (line,) = look(lambda x: {"outputs": (x, tf.tanh(100 * x))}, capsys, 9)
    assert "the outputs no longer change (step " in line and "--lr" in line


def test_images_of_several_sizes_are_compared_with_their_like(capsys):
    check = health.OutputCheck(lambda x: {"outputs": (x[0], tf.tanh(100 * x[0]))})
    for step in range(1, 10):
        check.before(step, (pictures(step)[:, : 8 - step % 3],))
        check.after(step, {})
    (line,) = capsys.readouterr().err.splitlines()
    assert "the outputs no longer change (step " in line


def test_outputs_that_ignore_their_inputs_are_told_once(capsys):
    moved = tf.Variable(0.0)
    check = health.OutputCheck(lambda x: {"outputs": (x, tf.zeros_like(x) + moved)})
    for step in range(1, 13):
        moved.assign_add(0.01)
        check.before(step, pictures(step))
        check.after(step, {})
    (line,) = capsys.readouterr().err.splitlines()
    assert "the outputs are the same whatever the input (step 11)" in line


def test_inverted_colours_are_told_only_where_they_should_stay(capsys):
    shift = tf.Variable(0.0)

    def translate(x):
        return {"pictures of B": (x, -x + shift)}

    for inversion in (False, True):
        check = health.OutputCheck(translate, inversion=inversion)
        for step in range(1, 6):
            shift.assign_add(0.01)
            check.before(step, pictures(step))
            check.after(step, {})
        lines = capsys.readouterr().err.splitlines()
        assert [("pictures of B have inverted colours" in line) for line in lines] == [
            True
        ] * inversion


def test_a_healthy_generator_is_not_warned_about(capsys):
    moved = tf.Variable(0.0)
    check = health.OutputCheck(lambda x: {"outputs": (x, 0.5 * x + moved)}, inversion=True)
    for step in range(1, 30):
        moved.assign_add(0.01)
        check.before(step, pictures(step))
        check.after(step, {})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("delay", "told"), [(0.02, 1), (0.0, 0)])
def test_a_slow_input_pipeline_is_told_once(capsys, delay, told):
    def batches():
        while True:
            time.sleep(delay)
            yield 0

    feed = health.Feed(batches(), frequency=3)
    iterator = iter(feed)
    for step in range(1, 31):
        next(iterator)
        time.sleep(0.005)
        if step % 3 == 0:
            feed.after(step, {})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == told
    assert all("training waits for images" in line and "--scale_size" in line for line in lines)


class Tiny(keras.Model):
    """One weight; its loss or its gradient breaks at a step of choice."""

    def __init__(self, *, loss_breaks=0, gradient_breaks=0):
        super().__init__()
        self.weight = self.add_weight(shape=[3], name="weight", initializer="ones")
        self.steps = tf.Variable(0, trainable=False)
        self.broken = loss_breaks, gradient_breaks
        self.gen_optimizer = None

    def update(self, data):
        step = self.steps.assign_add(1)
        loss = tf.where(step == self.broken[0], float("nan"), 1.0)
        gradient = tf.where(step == self.broken[1], float("inf"), 1.0) * [0.0, 1.0, -1.0]
        return {"loss": loss}, [gradient]


class Recorder(loop.Watcher):
    """Notes what it is told."""

    frequency = 1

    def __init__(self):
        self.seen, self.closed = [], None

    def after(self, step, losses):
        self.seen.append(step)

    def close(self, step, *, whole):
        self.closed = step, whole


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"loss_breaks": 4}, "loss nan at step 4"),
        ({"gradient_breaks": 7}, "a gradient of .*weight that is not at step 7"),
    ],
)
def test_training_stops_at_the_step_that_breaks_and_names_it(broken, named):
    recorder, averages = Recorder(), LossAverages(["loss"])
    plan = loop.Plan(first_step=0, last_step=20, steps_per_epoch=5, batch_size=1)
    batches = tf.data.Dataset.from_tensors(0.0).repeat()
    step = int(named.rpartition(" ")[2])
    with pytest.raises(InputError, match=f"Expected finite losses and gradients.*{named}"):
        loop.train(
            Tiny(**broken), batches, plan=plan, averages=[averages], watchers=[recorder]
        )  # fmt: skip
    assert recorder.seen == list(range(1, step))
    assert recorder.closed == (step - 1, False)


def test_large_finite_gradients_are_finite():
    sums = finite.sums([tf.fill([1000], 1e30), tf.constant([1e38, -1e38])])
    assert np.isfinite(sums.numpy()).all()
    broken = finite.sums([tf.constant([np.inf, -np.inf]), tf.constant([np.nan, 1.0])])
    assert not np.isfinite(broken.numpy()).any()


def test_an_error_outside_of_an_update_leaves_a_whole_state():
    recorder = Recorder()

    def batches():
        yield from [0.0] * 3
        raise OSError("gone")

    plan = loop.Plan(first_step=0, last_step=20, steps_per_epoch=5, batch_size=1)
    with pytest.raises(OSError, match="gone"):
        loop.train(
            Tiny(), batches(), plan=plan, averages=[LossAverages(["loss"])], watchers=[recorder]
        )  # fmt: skip
    assert recorder.closed == (3, True)
