"""What holds for every public layer and network: Keras can copy it, save it and cast it."""

import importlib
import inspect
import json
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CASES

from pix2pix_tf import networks
from pix2pix_tf.networks.layers import Composite, Network
from pix2pix_tf.networks.stages import Generator

every = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)


def made(kind, **options):
    """(layer with weights, its input)."""
    make, shape = CASES[kind]
    layer = make(**options)
    x = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    layer(x)
    return layer, x


def as_model(layer, x):
    """The layer as a model that Keras saves and copies."""
    if isinstance(layer, keras.Model):
        return layer
    return keras.Sequential([keras.Input(x.shape[1:]), layer])


def weights(layer):
    return [(variable.path.split("/", 1)[-1], tuple(variable.shape)) for variable in layer.weights]


def test_the_list_is_complete():
    found = set()
    for module in pkgutil.walk_packages(networks.__path__, f"{networks.__name__}."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            own = kind.__module__.startswith(networks.__name__)
            if own and issubclass(kind, keras.layers.Layer) and not kind.__name__.startswith("_"):
                found.add(kind)
    assert found == {*CASES, Composite, Network, Generator}


@every
def test_a_config_makes_the_same_layer(kind):
    layer, x = made(kind)
    config = layer.get_config()
    named = {
        parameter.name
        for parameter in inspect.signature(kind.__init__).parameters.values()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    assert named - {"self"} <= set(config)
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    for copy in (kind.from_config(config), keras.saving.deserialize_keras_object(stored)):
        assert copy.get_config() == config
        copy(x)
        assert weights(copy) == weights(layer)
        copy.set_weights(layer.get_weights())
        np.testing.assert_array_equal(copy(x, training=False), layer(x, training=False))


@every
def test_a_keras_file_holds_the_layer(kind, tmp_path):
    layer, x = made(kind)
    model = as_model(layer, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x, training=False), model(x, training=False))
    assert [v.path for v in loaded.variables] == [v.path for v in model.variables]
    erased = [getattr(v, "has_zero_gradient", False) for v in model.variables]
    assert [getattr(v, "has_zero_gradient", False) for v in loaded.variables] == erased
    model.summary(print_fn=lambda text: None)


@every
def test_clone_model_copies_the_layer(kind):
    model = as_model(*made(kind))
    clone = keras.models.clone_model(model)
    assert clone.count_params() == model.count_params()
    assert type(clone) is type(model)


@every
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(kind, policy):
    exact, x = made(kind)
    layer, _ = made(kind, dtype=policy)
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    inner = {part.compute_dtype for part in layer._flatten_layers()}
    assert inner == {policy.removeprefix("mixed_")}
    assert kind.from_config(layer.get_config()).dtype_policy.name == policy
    layer.set_weights(exact.get_weights())
    found = layer(x)
    assert found.dtype == (tf.float32 if isinstance(layer, Network) else layer.compute_dtype)
    scale = np.abs(exact(x)).max()
    np.testing.assert_allclose(tf.cast(found, tf.float32), exact(x), atol=0.1 * scale)


@every
def test_the_size_of_the_result_is_known_without_weights(kind):
    make, shape = CASES[kind]
    symbolic = make()(keras.Input(shape[1:], batch_size=shape[0]))
    assert tuple(symbolic.shape) == tuple(make()(np.zeros(shape, np.float32)).shape)


def test_two_devices_compute_what_one_does(launcher, tmp_path):
    code, text = launcher.run("replicas", "layers", printed=tmp_path / "printed.txt")
    assert code == 0, text
