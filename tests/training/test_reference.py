"""pix2pix against numbers computed by running the reference.

Tolerances are a few times what was measured: outputs 2e-7, gradients 1.4e-5 of the largest entry
of the variable, losses 5e-6 relative.
"""

import json

import numpy as np
import pytest
import tensorflow as tf
from support import GOLDENS, tolerance

from pix2pix_tf import model as models
from pix2pix_tf.config import Pix2PixConfig

CASES = ("small", "batch2", "separable", "lab")


class Case:
    """A golden case with the model of the same architecture, dropout switched off."""

    def __init__(self, name):
        self.folder = GOLDENS / name
        self.info = json.loads((self.folder / "case.json").read_text())
        self.golden = np.load(self.folder / "golden.npz")
        config = Pix2PixConfig(
            mode="train",
            input_dir="in",
            output_dir="out",
            ngf=self.info["ngf"],
            ndf=self.info["ndf"],
            separable_conv=self.info["separable"],
            lab_colorization=self.info["lab"],
            dropout=False,
        )
        self.model = models.build(config)
        pair = (self.golden["inputs_u8"], self.golden["targets_u8"])
        self.batch = tuple(image.astype(np.float32) / 127.5 - 1 for image in pair)

    def restore(self, name):
        reader = tf.train.load_checkpoint(str(self.folder / name))
        for weight in (*self.model.generator.weights, *self.model.discriminator.weights):
            # The path of a weight is the reference's name of it.
            weight.assign(reader.get_tensor(weight.path))


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return Case(request.param)


def close(found, expected, *, absolute):
    np.testing.assert_allclose(found, expected, rtol=0, atol=absolute)


def check_predictions(case, moment):
    _, tensors = case.model.forward(*case.batch)
    close(tensors["outputs"][:, ::4, ::4], case.golden[f"outputs_{moment}"], absolute=6e-7)
    for name in ("predict_real", "predict_fake"):
        close(tf.sigmoid(tensors[name]), case.golden[f"{name}_{moment}"], absolute=8e-7)


def test_outputs_and_verdicts(case):
    case.restore("initial-0")
    check_predictions(case, "initial")
    outputs = case.model(case.batch[0], training=True)
    close(np.mean(outputs, (1, 2)), case.golden["outputs_initial_mean"], absolute=1e-6)
    close(np.std(outputs, (1, 2)), case.golden["outputs_initial_std"], absolute=1e-6)


@pytest.mark.usefixtures("cpu_kernels")
def test_gradients_of_one_forward_pass(case):
    case.restore("initial-0")
    losses, _, gen, disc = tf.function(case.model.compute_gradients, autograph=False)(*case.batch)
    found = [float(losses[name]) for name in models.LOSSES]
    np.testing.assert_allclose(found, case.golden["losses_initial"], rtol=2e-6)
    pairs = list(zip(case.model.trainable_variables, [*gen, *disc], strict=True))
    names = {key[len("grad/") :] for key in case.golden.files if key.startswith("grad/")}
    assert {variable.path for variable, _ in pairs} == names
    for variable, gradient in pairs:
        expected = case.golden[f"grad/{variable.path}"]
        largest = np.abs(expected).max()
        # Biases before a normalisation have a true gradient of 0: only rounding is left of it.
        relative = tolerance(5e-5, without_onednn=6e-2)
        allowed = relative * largest if largest > 1e-3 else tolerance(1e-4, without_onednn=1e-3)
        close(gradient, expected, absolute=allowed)


@pytest.mark.usefixtures("cpu_kernels")
def test_losses_of_every_update(case):
    case.restore("initial-0")
    for optimizer in (case.model.gen_optimizer, case.model.disc_optimizer):
        for variable in optimizer.variables:
            if "learning_rate" not in variable.path:
                variable.assign(tf.zeros_like(variable))
    averages = case.model.loss_averages
    for average in averages.values.values():
        average.assign(0.0)
    update = tf.function(case.model.train_step, autograph=False)
    for step in range(case.info["steps"]):
        losses = update(case.batch)
        found = [float(losses[name]) for name in models.LOSSES]
        np.testing.assert_allclose(found, case.golden["losses_per_step"][step], rtol=3e-5)
        stored = [float(value) for value in averages.values.values()]
        expected = case.golden["ema_losses_per_step"][step]
        np.testing.assert_allclose(stored, expected, rtol=3e-5)
        shown = list(averages.result(step + 1).values())
        np.testing.assert_allclose(shown, expected / (1 - 0.99 ** (step + 1)), rtol=3e-5)


def test_restored_training_result(case):
    case.restore(f"trained-{case.info['steps']}")
    check_predictions(case, "trained")


def test_inference_equals_the_reference_one_image_at_a_time():
    case = Case("small")
    case.restore("trained-3")
    outputs = case.model(case.batch[0], training=False)
    close(outputs[:, ::4, ::4], case.golden["outputs_trained"], absolute=1e-6)


def test_bottleneck_has_no_gradient_at_batch_size_one():
    case = Case("small")
    case.restore("initial-0")
    _, _, gen, _ = case.model.compute_gradients(*case.batch)
    pairs = zip(case.model.generator.trainable_variables, gen, strict=True)
    (found,) = [slope for weight, slope in pairs if "encoder_8/conv2d/kernel" in weight.path]
    assert np.abs(found).max() == 0


def test_without_bottleneck_normalisation_the_innermost_level_learns():
    config = Pix2PixConfig(
        mode="train", input_dir="i", output_dir="o", ngf=2, ndf=2, bottleneck_norm=False
    )
    model = models.build(config)
    batch = Case("small").batch
    _, _, gen, _ = model.compute_gradients(*batch)
    pairs = zip(model.generator.trainable_variables, gen, strict=True)
    gradients = {variable.path: gradient for variable, gradient in pairs}
    assert np.abs(gradients["generator/encoder_8/conv2d/kernel"]).max() > 0
    assert "generator/encoder_8/batch_normalization/gamma" not in gradients
