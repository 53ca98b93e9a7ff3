"""The export: three signatures, reloaded."""

import base64
import io

import numpy as np
import pytest
import tensorflow as tf
from contents import pillow
from PIL import Image

from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.export import saved_model
from pix2pix_tf.model import build_generator
from pix2pix_tf.task import Pix2PixTask


def make(filetype="png", wrong=0.0, **options):
    config = Pix2PixConfig(
        mode="export", output_dir="o", checkpoint="c", ngf=2, output_filetype=filetype, **options
    )
    generator = build_generator(config)
    generator.set_weights([weight + np.float32(wrong) for weight in generator.get_weights()])
    return saved_model.ServedModel(
        generator, Pix2PixTask().predictor(config, generator).unit, filetype=filetype
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder, served = tmp_path_factory.mktemp("export"), make()
    assert saved_model.export_saved_model(served, folder) <= saved_model.TOLERANCE
    return served, tf.saved_model.load(str(folder)).signatures


def file(mode="RGB", size=(256, 256), kind="PNG"):
    pixels = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), np.uint8)
    return pillow(pixels, kind, mode)


def expected(served, contents):
    pixels = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    result = served.serving_default(pixels[None] / np.float32(255))["outputs"][0]
    return np.floor(np.clip(result, 0, 1) * 255.5).clip(0, 255)


@pytest.mark.parametrize("shape", [(2, 256, 256, 3), (1, 100, 300, 3)])
def test_serving_default_takes_any_batch_and_size(exported, shape):
    served, signatures = exported
    x = np.random.default_rng(0).random(shape, np.float32)
    y = signatures["serving_default"](images=x)["outputs"]
    assert y.shape == shape
    assert 0 <= np.min(y) and np.max(y) <= 1
    alone = signatures["serving_default"](images=x[:1])["outputs"]
    np.testing.assert_allclose(y[:1], alone, atol=2e-6)


def test_image_files_of_different_sizes_and_kinds(exported):
    served, signatures = exported
    files = [file(), file("RGBA", (300, 200)), file("L", (64, 64)), file("RGB", kind="JPEG")]
    outputs = signatures["serve_image_bytes"](input=tf.constant(files))["output"].numpy()
    for contents, output in zip(files, outputs, strict=True):
        picture = Image.open(io.BytesIO(output))
        assert picture.format == "PNG" and picture.mode == "RGB"
        difference = np.abs(np.asarray(picture, np.float32) - expected(served, contents))
        # JPEG decoders differ by a level or two.
        assert difference.mean() < 1


def test_the_references_base64_contract(exported):
    served, signatures = exported
    text = base64.urlsafe_b64encode(file()).rstrip(b"=")
    result = signatures["serve_base64"](input=tf.constant([text]), key=tf.constant(["a key"]))
    assert result["key"].numpy().tolist() == [b"a key"]
    output = result["output"].numpy()[0]
    assert b"=" not in output and b"+" not in output and b"/" not in output
    png = base64.urlsafe_b64decode(output + b"=" * (-len(output) % 4))
    found = np.asarray(Image.open(io.BytesIO(png)), np.float32)
    assert np.abs(found - expected(served, file())).max() <= 1


def test_jpeg_results():
    served = make("jpeg", crop_size=32, scale_size=32)
    output = served.serve_image_bytes(tf.constant([file(size=(32, 32))]))["output"]
    assert Image.open(io.BytesIO(output.numpy()[0])).format == "JPEG"


@pytest.mark.parametrize("wrong", [0.1, pytest.param(np.nan, marks=pytest.mark.slow)])
def test_an_export_that_differs_is_not_delivered(exported, tmp_path, monkeypatch, wrong):
    save, other = tf.saved_model.save, make(wrong=wrong, crop_size=32, scale_size=32)

    def save_another(_, folder, **options):
        save(other, folder, signatures=other.signatures)

    monkeypatch.setattr(tf.saved_model, "save", save_another)
    with pytest.raises(InputError, match="differs from the model"):
        saved_model.export_saved_model(exported[0], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_lab_models_are_exported_too(tmp_path):
    served = make(lab_colorization=True, crop_size=32, scale_size=32)
    assert saved_model.export_saved_model(served, tmp_path) <= saved_model.TOLERANCE
