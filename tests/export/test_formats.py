"""Every format: reloaded by its own runtime, at other sizes than those that the export compares."""

import functools
import importlib.util
import math
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from runs import command
from support import refused

from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError
from pix2pix_tf.export import formats, keras_functional, saved_model
from pix2pix_tf.model import build_generator
from pix2pix_tf.task import Pix2PixTask

NETWORKS = {
    "unet": {},
    "lab": {
        **{"lab_colorization": True, "separable_conv": True, "bottleneck_norm": False},
        **{"crop_size": 64, "scale_size": 64},
    },
    "resnet": {"netG": "resnet_6blocks", "norm": "instance_affine"},
    "grey": {"crop_size": "96x64", "input_channels": 1, "output_channels": 4},
}


def needs(*modules):
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


# One network a format is quick; the others show what conversion makes of other layers.
EACH_NETWORK = pytest.mark.parametrize(
    "name",
    [name if name == "unet" else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS],
)
LITERT, ONNX = needs("ai_edge_litert"), needs("onnxruntime", "tf2onnx")


class Model:
    """A generator with random weights, and how it is served."""

    def __init__(self, name):
        self.config = Pix2PixConfig(
            mode="export", output_dir="o", checkpoint="c", seed=0, ngf=2, **NETWORKS[name]
        )
        self.generator = build_generator(self.config)
        rng = np.random.default_rng(0)
        for variable in self.generator.trainable_variables:
            # Larger than at the beginning of training: small weights would hide a wrong layer.
            width = math.prod(variable.shape[:3]) ** -0.5 if len(variable.shape) == 4 else 0.1
            variable.assign(variable + rng.normal(0, width, variable.shape))
        self.channels = 3 if self.config.lab_colorization else self.config.channels[0]
        self.served = saved_model.ServedModel(
            self.generator,
            Pix2PixTask().predictor(self.config, self.generator).unit,
            filetype="png",
            channels=self.channels,
        )

    def export(self, folder, export_format, **options):
        return formats.export_generator(
            self.generator, self.served, folder, export_format=export_format, **options
        )

    def assert_same(self, translate, sizes):
        """Compares with another function of images [n, h, w, c] in [0, 1]."""
        for size in sizes:
            x = np.random.default_rng(1).random((*size, self.channels), np.float32)
            expected = self.served.serving_default(tf.constant(x))["outputs"]
            np.testing.assert_allclose(translate(x), expected, atol=1e-4)


@pytest.fixture(scope="module")
def model():
    return functools.cache(Model)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Makes each export once."""

    @functools.cache
    def make(name, export_format, **options):
        return model(name).export(tmp_path_factory.mktemp("export"), export_format, **options)

    return make


# Neither is a size that the export compares; the second is no multiple of anything.
SIZES = [(3, 256, 256), (1, 75, 301)]


@LITERT
@EACH_NETWORK
def test_litert_translates_any_size(model, exported, name):
    from ai_edge_litert.interpreter import Interpreter

    found = exported(name, "litert")
    assert found.path.name == "model.tflite" and found.difference <= 1e-4
    run = Interpreter(str(found.path)).get_signature_runner("serving_default")
    model(name).assert_same(lambda x: run(images=x)["outputs"], SIZES)


@LITERT
@EACH_NETWORK
def test_litert_of_one_size_runs_in_xnnpack(model, exported, name):
    from ai_edge_litert.interpreter import Interpreter

    size = (75, 301)  # no multiple of anything
    found = exported(name, "litert", image_size=size)
    interpreter = Interpreter(str(found.path), num_threads=2)
    run = interpreter.get_signature_runner("serving_default")
    model(name).assert_same(lambda x: run(images=x)["outputs"], [(1, *size)])
    names = [operation["op_name"] for operation in interpreter._get_ops_details()]
    assert "DELEGATE" in names  # LiteRT uses no other delegate by itself
    wrong = np.zeros((1, 64, 301, model(name).channels), np.float32)
    with pytest.raises(ValueError, match="Cannot set tensor|dimension"):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], wrong)


@pytest.mark.slow
@LITERT
# Raised by TensorFlow's own calibration.
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_int8_is_calibrated_by_the_images_of_a_folder(tmp_path):
    facades.write_pairs(tmp_path / "data", 6, seed=3)
    words = (
        "--mode", "export", "--output_dir", tmp_path / "phone", "--export_format", "litert",
        "--image_size", "256", "--quantize", "int8_calibrated", "--input_dir",
    )  # fmt: skip
    done = command("pix2pix-tf", *words, tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.rpartition("(")[2].split(" dB")[0]) > 28
    assert (tmp_path / "phone" / "model.tflite").stat().st_size < 4_500_000  # 3.5 million weights
    assert "nowhere" in refused(command("pix2pix-tf", *words, "nowhere"))


@ONNX
@EACH_NETWORK
def test_onnx_translates_any_size(model, exported, name):
    import onnxruntime

    found = exported(name, "onnx")
    assert found.path.name == "model.onnx" and found.difference <= 1e-4
    session = onnxruntime.InferenceSession(str(found.path))
    assert [value.name for value in session.get_inputs()] == ["images"]
    assert session.get_inputs()[0].shape == ["n", "h", "w", model(name).channels]
    assert session.get_outputs()[0].shape == ["n", "h", "w", 4 if name == "grey" else 3]
    model(name).assert_same(lambda x: session.run(["outputs"], {"images": x})[0], SIZES)


@EACH_NETWORK
def test_keras_files_hold_the_network(model, exported, name):
    found = exported(name, "keras")
    assert found.path.name == "model.keras" and found.difference <= 5e-4
    loaded = tf.keras.models.load_model(found.path)
    inputs = loaded.inputs[0].shape
    assert tuple(inputs) == (None, None, None, 1 if name in ("lab", "grey") else 3)
    x = np.random.default_rng(1).uniform(-1, 1, (2, 256, 512, inputs[-1])).astype(np.float32)
    np.testing.assert_allclose(loaded(x), model(name).generator(x), atol=1e-3)
    assert loaded.count_params() == model(name).generator.count_params()


@pytest.mark.process
def test_keras_files_open_without_this_package(model, exported, tmp_path):
    path = exported("resnet", "keras").path
    with zipfile.ZipFile(path) as archive:
        assert b"pix2pix" not in archive.read("config.json")
        assert "__lambda__" not in archive.read("config.json").decode()
    program = (
        "import sys, keras\n"
        f"model = keras.saving.load_model({str(path)!r}, safe_mode=True)\n"
        "assert 'pix2pix_tf' not in sys.modules\n"
        "print(model.count_params())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout.strip() == str(model("resnet").generator.count_params()), done.stderr


@LITERT
@pytest.mark.parametrize(
    ("quantize", "share", "least"),
    [pytest.param("float16", 0.7, 55, marks=pytest.mark.slow), ("int8", 0.6, 25)],
)
def test_quantized_litert_is_smaller_and_measured(exported, quantize, share, least):
    whole, small = exported("unet", "litert"), exported("unet", "litert", quantize=quantize)
    assert small.path.stat().st_size < share * whole.path.stat().st_size
    assert least < small.decibels < whole.decibels
    assert whole.difference < small.difference < 1


@pytest.mark.slow
def test_networks_deeper_than_the_usual_one(tmp_path):
    config = Pix2PixConfig(
        mode="export", output_dir="o", checkpoint="c", ngf=1, crop_size=512, scale_size=512
    )
    generator = build_generator(config)
    served = saved_model.ServedModel(
        generator, Pix2PixTask().predictor(config, generator).unit, filetype="png"
    )
    assert (
        formats.export_generator(generator, served, tmp_path, export_format="keras").difference
        <= 5e-4
    )
    with pytest.raises(InputError, match="--netG or size .*decoder_9"):
        formats.export_generator(generator, served, tmp_path, export_format="pict")


def test_pict_exports_are_compared_after_decoding(model, tmp_path):
    one = model("unet")
    before = one.generator.get_weights()
    exported = one.export(tmp_path, "pict")
    assert formats.DECIBELS < exported.decibels < 80 and exported.difference > 1e-5
    for now, then in zip(one.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("wrong", [0.1, np.nan])
def test_an_export_that_differs_is_not_delivered(model, tmp_path, monkeypatch, wrong):
    def broken(generator, *, channels):
        made = FUNCTIONAL(generator, channels=channels)
        made.set_weights([weight + np.float32(wrong) for weight in made.get_weights()])
        return made

    monkeypatch.setattr(keras_functional, "rebuild", broken)
    with pytest.raises(InputError, match="export differs from the model by"):
        model("unet").export(tmp_path, "keras")
    assert not list(tmp_path.iterdir())


FUNCTIONAL = keras_functional.rebuild


@pytest.mark.parametrize(
    ("export_format", "module"),
    [("litert", "ai_edge_litert"), ("onnx", "onnxruntime"), ("onnx", "tf2onnx")],
)
def test_a_missing_package_is_named_with_its_command(
    model, tmp_path, monkeypatch, export_format, module
):
    if export_format == "onnx" and module == "tf2onnx":
        pytest.importorskip("onnxruntime")
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'pix2pix-tf\[{export_format}\]'"):
        model("unet").export(tmp_path, export_format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"export_format": "coreml"}, "saved_model, litert, onnx, keras, pict"),
        ({"quantize": "int4", "export_format": "litert"}, "none, float16, int8"),
        ({"quantize": "int8_calibrated", "export_format": "web"}, "needs export_format litert"),
        ({"quantize": "int8_calibrated", "export_format": "litert"}, "needs image_size"),
        ({"image_size": 256, "export_format": "onnx"}, "image_size needs export_format litert"),
    ],
)
def test_options_that_do_not_fit_the_format(options, word):
    with pytest.raises(InputError, match=word):
        Pix2PixConfig(mode="export", output_dir="o", checkpoint="c", **options)


@pytest.mark.parametrize("export_format", ["saved_model", "onnx", "keras", "pict"])
def test_only_litert_is_quantized(model, tmp_path, export_format):
    with pytest.raises(InputError, match=f"with --export_format litert. .* {export_format}"):
        model("unet").export(tmp_path, export_format, quantize="int8")
    assert not list(tmp_path.iterdir())


def test_quantized_images_that_are_no_numbers_do_not_agree():
    _, decibels = formats.agreement([np.zeros((1, 2, 2, 3)), np.full((1, 2, 2, 3), np.nan)])
    assert not decibels >= formats.DECIBELS
