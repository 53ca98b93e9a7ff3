"""What needs two devices in one process, which the process of the tests no longer can have.

`launcher` starts it with the name of a check; a check that fails raises.
"""

import keras
import numpy as np
import tensorflow as tf
from layer_cases import CASES

import pix2pix_tf
from pix2pix_tf.networks.normalization import normalization
from pix2pix_tf.training import distribution
from pix2pix_tf.training.adam import FusedAdam
from pix2pix_tf.training.optimizers import LossScaling


def two_replicas():
    distribution.split_devices(2)
    operations = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=operations)


def statistics(_):
    """sync_batch on two replicas does what batch does on one, in gradients too."""
    rng = np.random.default_rng(0)
    x, weights = (rng.normal(3, 2, (4, 5, 6, 3)).astype("f4") for _ in range(2))
    strategy = two_replicas()

    def run(kind):
        layer = normalization(kind)
        layer.build(x.shape)
        layer.gamma.assign([0.5, 1.0, 2.0])
        layer.beta.assign([0.1, 0.2, 0.3])

        def replica(x, weights):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
                loss = tf.reduce_sum(tf.sin(y) * weights)
            return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

        return replica

    y, *gradients = run("batch")(*map(tf.constant, (x, weights)))
    with strategy.scope():
        replica = run("sync_batch")
        parts = [
            strategy.experimental_distribute_values_from_function(
                lambda context, whole=whole: tf.split(whole, 2)[context.replica_id_in_sync_group]
            )
            for whole in (x, weights)
        ]
        found = tf.function(lambda *parts: strategy.run(replica, parts), autograph=False)(*parts)
        local = [strategy.experimental_local_results(value) for value in found]
    close = {"rtol": 2e-5, "atol": 2e-5}
    np.testing.assert_allclose(tf.concat(local[0], 0), y, **close)
    np.testing.assert_allclose(tf.concat(local[1], 0), gradients[0], **close)
    for share, whole in zip(local[2:], gradients[1:], strict=True):
        np.testing.assert_allclose(share[0] + share[1], whole, **close)


def layers(_):
    """Every layer and network computes on two replicas what it does on one."""
    strategy = two_replicas()
    for kind, (make, shape) in CASES.items():
        x = np.random.default_rng(0).uniform(-1, 1, shape).astype("f4")
        alone = make()
        expected = alone(x)
        with strategy.scope():
            layer = make()
            layer.build(shape)
        layer.set_weights(alone.get_weights())
        found = strategy.run(tf.function(layer), (tf.constant(x),))
        for result in strategy.experimental_local_results(found):
            np.testing.assert_allclose(result, expected, atol=1e-5, err_msg=kind.__name__)


def fit(words):
    """Keras' own loop reaches the same on two replicas."""
    paths = pix2pix_tf.list_images(words[0])
    options = {"norm": "instance", "init_gain": 0.2, "ngf": 1, "ndf": 1, "seed": 0}
    config = pix2pix_tf.Pix2PixConfig(mode="train", input_dir="in", output_dir="out", **options)

    def trained(strategy):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = pix2pix_tf.build(config)
        batches = pix2pix_tf.training_pairs(paths, batch_size=4)
        history = model.fit(batches, steps_per_epoch=3, shuffle=False, verbose=0).history
        # Of the last batch two images for one, one for the other.
        uneven = batches.take(2).unbatch().take(7).batch(4)
        history["of seven"] = model.evaluate(uneven, verbose=0)
        return history, {variable.path: variable.numpy() for variable in model.variables}

    mirrored = two_replicas()
    history, expected = trained(tf.distribute.get_strategy())
    also, found = trained(mirrored)
    for name, values in history.items():
        np.testing.assert_allclose(also[name], values, rtol=1e-5, err_msg=name)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=2e-5, err_msg=name)


def overflow(_):
    """A gradient that overflows on one replica skips the update of all."""
    strategy = two_replicas()
    with strategy.scope():
        variable = keras.Variable([1.0], name="v")
        optimizer = LossScaling(FusedAdam(learning_rate=0.1))
        optimizer.build([variable])

    @tf.function
    def update(overflow):
        def step():
            second = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 1)
            gradient = tf.where(tf.logical_and(overflow, second), np.inf, 1.0)
            optimizer.apply([optimizer.scale_loss(tf.reshape(gradient, [1]))], [variable])

        strategy.run(step)

    for is_over, expected in ((True, 1.0), (False, 0.9)):
        update(tf.constant(is_over))
        for values, value in ((variable, expected), (optimizer.dynamic_scale, 16384.0)):
            found = strategy.experimental_local_results(values.value)
            np.testing.assert_allclose(np.ravel(found), [value] * 2, rtol=1e-6)


CHECKS = {"statistics": statistics, "layers": layers, "fit": fit, "overflow": overflow}


def main(words):
    """Runs one check; returns the exit code."""
    CHECKS[words[0]](words[1:])
    return 0
