"""`load`: a run as a function from arrays, and files, to the like."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import cyclegan_tf
import pix2pix_tf
from pix2pix_tf import InputError

SMALL = {"ngf": 2, "ndf": 2, "seed": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, model) of a pix2pix run."""
    folder = tmp_path_factory.mktemp("run")
    config = pix2pix_tf.Pix2PixConfig(**SMALL, crop_size=64, scale_size=64)
    model = pix2pix_tf.build(config)
    pix2pix_tf.save_run(model, config, folder)
    return folder, model


@pytest.fixture(scope="module")
def translate(run):
    return pix2pix_tf.load(run[0])


@pytest.fixture(scope="module")
def cycle(tmp_path_factory):
    """(folder, model) of a CycleGAN run whose images of A are grey."""
    folder = tmp_path_factory.mktemp("cycle")
    sizes = {"netG": "resnet_6blocks", "crop_size": 32, "load_size": 32, "pool_size": 0}
    config = cyclegan_tf.CycleGANConfig(**SMALL, **sizes, input_channels=1, lambda_identity=0)
    model = cyclegan_tf.build(config)
    cyclegan_tf.save_run(model, config, folder)
    return folder, model


def noise(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("shape", [(64, 64, 3), (100, 70, 3), (2, 64, 64, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_arrays_come_back_in_their_type_and_size(run, translate, shape, dtype):
    _, model = run
    scale = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    unit = noise(*shape)
    image = np.round(unit * scale).astype(dtype) if scale > 1 else unit.astype(dtype)
    translated = translate(image)
    assert translated.shape == shape and translated.dtype == dtype
    if shape == (64, 64, 3):
        expected = (model(image[None] / scale * 2 - 1)[0] + 1) / 2 * scale
        # Integers are rounded, uint8 as in the reference: by up to one level.
        tolerance = {"uint8": 1.01, "uint16": 0.6}.get(dtype, 1e-6)
        np.testing.assert_allclose(translated, expected, rtol=0, atol=tolerance)


def test_arrays_that_cannot_be_used_are_refused_in_one_line(translate):
    for wrong, expected in (
        (np.zeros((8, 8), np.uint8), "Received: uint8 [8, 8]"),
        (np.zeros((8, 8, 4), np.uint8), "[h, w, 3] or [n, h, w, 3]. Received: uint8 [8, 8, 4]"),
        (np.zeros((8, 8, 3), bool), "Expected uint8, uint16 or float arrays"),
        (
            np.full((8, 8, 3), 255.0),
            "Expected float images in [0, 1]. Received: values from 255 to 255",
        ),
        (np.zeros((0, 8, 8, 3), np.uint8), "[0, 8, 8, 3]"),
    ):
        with pytest.raises(InputError) as error:
            translate(wrong)
        assert expected in str(error.value) and "\n" not in str(error.value)
        assert "--" not in str(error.value)


def test_cyclegan_translates_both_ways(cycle):
    folder, model = cycle
    grey, colour = noise(16, 16, 1), noise(16, 16, 3)
    forth, back = (cyclegan_tf.load(folder, direction=way) for way in ("AtoB", "BtoA"))
    expected = (model.gen_ab(grey[None] * 2 - 1)[0] + 1) / 2
    np.testing.assert_allclose(forth(grey), expected, atol=1e-6)
    np.testing.assert_allclose(
        back(colour), (model.gen_ba(colour[None] * 2 - 1)[0] + 1) / 2, atol=1e-6
    )
    assert cyclegan_tf.load(folder).channels == 1
    with pytest.raises(
        InputError, match="Expected direction to be one of AtoB, BtoA. Received: 'both'"
    ):
        cyclegan_tf.load(folder, direction="both")


def test_a_program_loads_its_own_runs_only(run, cycle, tmp_path):
    with pytest.raises(InputError, match="cyclegan-tf"):
        pix2pix_tf.load(cycle[0])
    with pytest.raises(InputError, match="pix2pix-tf"):
        cyclegan_tf.load(run[0])
    with pytest.raises(InputError):
        pix2pix_tf.load(tmp_path)


def test_files_come_back_in_the_depth_of_the_source(translate, tmp_path):
    image = (noise(40, 30, 3) * 255).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "in.png")
    translate.translate_file(tmp_path / "in.png", tmp_path / "out.png")
    expected = translate(image)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), expected)
    translate.translate_file(str(tmp_path / "in.png"), tmp_path / "out.jpg")
    shown = np.asarray(Image.open(tmp_path / "out.jpg")).astype(float)
    assert np.abs(shown - expected).mean() < 20  # of noise JPEG keeps little more
    deep = (noise(24, 24, 3) * 65535).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(tf.io.encode_png(deep).numpy())
    translate.translate_file(tmp_path / "deep.png", tmp_path / "out16.png")
    contents = (tmp_path / "out16.png").read_bytes()
    np.testing.assert_array_equal(tf.io.decode_png(contents, dtype=tf.uint16), translate(deep))
    np.save(tmp_path / "in.npy", noise(24, 24, 3))
    translate.translate_file(tmp_path / "in.npy", tmp_path / "out.npy")
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), translate(noise(24, 24, 3)), atol=1e-6
    )


def test_files_that_cannot_be_used_are_refused(translate, tmp_path):
    (tmp_path / "in.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"in\.png cannot be translated"):
        translate.translate_file(tmp_path / "in.png", tmp_path / "out.png")
    with pytest.raises(InputError, match=r"\.png, \.jpg, .*\.tif.* Received: .*out\.gif"):
        translate.translate_file(tmp_path / "in.png", tmp_path / "out.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png"]
