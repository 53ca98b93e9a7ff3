import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2pix_tf.training.adam import FusedAdam
from pix2pix_tf.training.schedules import EpochSchedule

STEPS = 7


def rate(epoch, *, step_in_epoch=0, **options):
    schedule = EpochSchedule(2e-4, steps_per_epoch=STEPS, **options)
    return float(schedule(tf.constant((epoch - 1) * STEPS + step_in_epoch, tf.int64)))


# Epochs at the edges of each policy, and the rates there.
EDGES = {
    "linear": {1: 2e-4, 100: 2e-4, 101: 2e-4 * 100 / 101, 150: 2e-4 * 51 / 101, 200: 2e-4 / 101},
    "step": {1: 2e-4, 50: 2e-4, 51: 2e-5, 100: 2e-5, 101: 2e-6},
    "cosine": {1: 2e-4, 51: 1e-4, 101: 0.0, 151: 1e-4, 201: 2e-4},
}


@pytest.mark.parametrize("policy", EDGES)
def test_rates_at_the_edges(policy):
    for epoch, expected in EDGES[policy].items():
        assert rate(epoch, policy=policy) == pytest.approx(expected, rel=1e-5, abs=1e-10)
    last = rate(101, policy=policy, step_in_epoch=STEPS - 1)
    assert last == rate(101, policy=policy)


def test_linear_is_zero_after_the_end_and_never_negative():
    assert rate(201) == pytest.approx(0.0, abs=1e-12)
    assert rate(300) == 0.0


def test_linear_without_decay_and_without_constant_part():
    assert rate(3, n_epochs=3, n_epochs_decay=0) == pytest.approx(2e-4)
    assert [rate(e, n_epochs=0, n_epochs_decay=3) for e in (1, 2, 3)] == pytest.approx(
        [1.5e-4, 1e-4, 0.5e-4]
    )


def test_cosine_of_no_epochs_is_finite():
    assert np.isfinite(rate(2, policy="cosine", n_epochs=0))


def test_an_optimizer_follows_the_rate_of_its_stored_step():
    variable = keras.Variable([1.0])
    schedule = EpochSchedule(0.5, steps_per_epoch=2, n_epochs=1, n_epochs_decay=1)
    optimizer = FusedAdam(schedule)
    optimizer.build([variable])
    optimizer.iterations.assign(2)
    optimizer.apply([tf.constant([3.0])], [variable])
    assert float(optimizer.learning_rate) == pytest.approx(0.25)


def test_a_schedule_can_be_made_again():
    schedule = EpochSchedule(1e-3, policy="step", steps_per_epoch=5, lr_decay_iters=2)
    again = EpochSchedule.from_config(schedule.get_config())
    assert float(again(tf.constant(20))) == float(schedule(tf.constant(20))) == pytest.approx(1e-5)
