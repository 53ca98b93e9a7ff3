import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.image_pool import ImagePool


def numbered(first, count):
    """Images that carry their number in every pixel."""
    numbers = tf.range(first, first + count, dtype=tf.float32)
    return tf.tile(numbers[:, None, None, None], [1, 2, 2, 1])


def pass_through(pool, total, *, batch=1, first=0):
    """The numbers that come back for images 0, 1, 2, ..."""
    query, results = tf.function(pool.query), []
    for start in range(first, first + total, batch):
        results += query(numbered(start, batch)).numpy()[:, 0, 0, 0].astype(int).tolist()
    return results


def make(size, *, seed=0, name="pool_a"):
    return ImagePool(size, (2, 2, 1), seed=seed, name=name)


def test_size_zero_returns_everything_and_has_no_state():
    pool = make(0)
    assert pass_through(pool, 20) == list(range(20))
    assert pool.state == {}


@pytest.mark.parametrize("size", [1, 7, 50])
def test_first_images_are_stored_and_returned(size):
    pool = make(size)
    assert pass_through(pool, size) == list(range(size))
    stored = pool.state["pool_a/images"].numpy()[:, 0, 0, 0]
    np.testing.assert_array_equal(stored, range(size))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("size", [1, 10])
def test_each_image_is_returned_at_most_twice_and_half_are_exchanged(size, batch):
    pool = make(size)
    results = pass_through(pool, 600, batch=batch)
    # Once on its way into a pool that is not full, once out of it; or once at all.
    assert max(np.bincount(results)) <= 2
    assert all(result < size for result in np.flatnonzero(np.bincount(results) == 2))
    later = np.array(results[size:])
    exchanged = np.mean(later != np.arange(size, 600))
    # Five standard deviations of a fair coin.
    assert abs(exchanged - 0.5) < 5 * 0.5 / len(later) ** 0.5
    # Nothing comes from the future, and nothing that left comes back.
    assert all(result <= number for number, result in enumerate(results))


def test_every_slot_is_used():
    pool = make(5)
    pass_through(pool, 200)
    assert pool.state["pool_a/images"].numpy()[:, 0, 0, 0].min() >= 5


@pytest.mark.parametrize("count", [4, None])
def test_batches_equal_single_images(count):
    pool = make(6)
    pool.query = tf.function(pool.query, input_signature=[tf.TensorSpec([count, 2, 2, 1])])
    assert pass_through(pool, 120, batch=4) == pass_through(make(6), 120)


def test_draws_follow_seed_and_name():
    first = pass_through(make(3), 60)
    assert first == pass_through(make(3), 60)
    assert first != pass_through(make(3, seed=1), 60)
    assert first != pass_through(make(3, name="pool_b"), 60)


def test_a_restored_pool_draws_the_same_images():
    whole = pass_through(make(4), 80)
    pool = make(4)
    assert pass_through(pool, 30) == whole[:30]
    stored = {name: variable.numpy() for name, variable in pool.state.items()}
    other = make(4)
    for name, variable in other.state.items():
        variable.assign(stored[name])
    assert pass_through(other, 50, first=30) == whole[30:]


@pytest.mark.parametrize("passed", [0, 2, 40])
def test_a_query_without_update_changes_nothing(passed):
    pool = make(4)
    pass_through(pool, passed)
    before = {name: variable.numpy() for name, variable in pool.state.items()}
    shown = pool.query(numbered(passed, 1), update=False)
    for name, variable in pool.state.items():
        np.testing.assert_array_equal(variable, before[name])
    np.testing.assert_array_equal(shown, pool.query(numbered(passed, 1)))


def test_gradients_stop_at_the_pool():
    image = tf.Variable(numbered(0, 1))
    for size in (0, 2):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(make(size).query(image))
        assert tape.gradient(value, image) is None
