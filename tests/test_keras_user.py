"""The package as somebody uses it who knows Keras: their own fit, then our commands."""

import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
from runs import succeed
from support import write_all, write_pairs

import cyclegan_tf
import pix2pix_tf

PUBLIC = {
    pix2pix_tf: {
        *("Pix2Pix", "Pix2PixConfig", "UNet", "ResNet", "PatchGAN", "InputError", "__version__"),
        *("build", "load", "save_run", "training_pairs", "list_images", "callbacks"),
    },
    cyclegan_tf: {
        *("CycleGAN", "CycleGANConfig", "UNet", "ResNet", "PatchGAN", "InputError", "__version__"),
        *("build", "load", "save_run", "training_unpaired", "list_images", "callbacks"),
    },
}

QUIET = ("--summary_freq", 0, "--run_eagerly")


@pytest.mark.parametrize("package", PUBLIC, ids=lambda package: package.__name__)
def test_every_public_name_exists(package):
    assert set(package.__all__) == PUBLIC[package] <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("package", PUBLIC, ids=lambda package: package.__name__)
def test_importing_a_package_loads_no_tensorflow(package):
    code = f"import sys, {package.__name__} as p; p.__version__; p.InputError; p.__all__; dir(p)"
    code += "; assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.slow
def test_a_notebook_about_pix2pix(tmp_path):
    folder, run = write_pairs(tmp_path / "pairs", 6, size=16), tmp_path / "run"
    data = pix2pix_tf.training_pairs(
        pix2pix_tf.list_images(folder), batch_size=2, crop_size=16, scale_size=18, seed=1
    )
    model = pix2pix_tf.Pix2Pix(
        generator=pix2pix_tf.UNet(ngf=2, depth=4, seed=1),
        discriminator=pix2pix_tf.PatchGAN(ndf=2, n_layers=1, seed=2),
        l1_weight=50.0,
        seed=1,
    )
    model.compile(optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5))
    theirs = [
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.EarlyStopping("generator_loss_L1", patience=10, mode="min"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(logs)),
    ]
    steps = []
    history = model.fit(
        data, steps_per_epoch=3, epochs=2, callbacks=theirs, verbose=0, shuffle=False
    ).history
    assert set(history) == set(model.LOSSES) and len(steps) == 6
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    # A callback sees the losses of each step, the history has the means of an epoch's.
    for name, values in history.items():
        means = [np.mean([step[name] for step in part]) for part in (steps[:3], steps[3:])]
        assert values == pytest.approx(means, rel=1e-6), name
    inputs, targets = next(iter(data))
    measured = model.evaluate(inputs, targets, verbose=0, return_dict=True)
    exact = np.abs(targets - model.predict(inputs, verbose=0)).mean()
    assert measured["generator_loss_L1"] == pytest.approx(exact, rel=1e-5)

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )
    loaded.fit(data, steps_per_epoch=2, verbose=0, shuffle=False)
    assert int(loaded.step) == 8

    options = {"ngf": 2, "ndf": 2, "crop_size": 16, "scale_size": 18, "l1_weight": 50.0}
    options |= {"netD": "n_layers", "n_layers_D": 1}
    options |= {"mode": "train", "input_dir": str(folder), "output_dir": str(run)}
    config = pix2pix_tf.Pix2PixConfig(**options, batch_size=2)
    pix2pix_tf.save_run(loaded, config, run)
    translated = pix2pix_tf.load(run)(np.zeros((50, 40, 3), np.uint8))
    assert translated.shape == (50, 40, 3)

    def command(mode, *words, folder=None):
        folder = folder or tmp_path / mode
        succeed("pix2pix-tf", mode, "--output_dir", folder, *words)
        return folder

    tested = command("test", "--checkpoint", run, "--input_dir", folder)
    assert (tested / "index.html").is_file()
    assert (command("export", "--checkpoint", run) / "saved_model.pb").is_file()
    words = ("--input_dir", folder, "--max_steps", 9, *QUIET)
    trained = command("train", "--checkpoint", run, *words)
    assert [path.name for path in (trained / "checkpoints").iterdir()] == [
        "step-00000009.safetensors"
    ]
    command("train", "--resume", *words, folder=run)
    # The same step in another folder has the same weights.
    for name, value in _weights(trained).items():
        np.testing.assert_array_equal(_weights(run)[name], value, err_msg=name)


def _weights(folder):
    return {v.path: v.numpy() for v in pix2pix_tf.load(folder).generator.variables}


@pytest.mark.slow
def test_a_notebook_about_cyclegan(tmp_path):
    folder, run = tmp_path / "set", tmp_path / "run"
    write_all(folder)
    sets = [cyclegan_tf.list_images(folder / name) for name in ("trainA", "trainB")]
    data = cyclegan_tf.training_unpaired(*sets, crop_size=16, load_size=18, seed=1)
    networks = {
        name: cyclegan_tf.ResNet(ngf=2, blocks=6, name=name, seed=seed)
        for seed, name in enumerate(("gen_ab", "gen_ba"))
    } | {
        name: cyclegan_tf.PatchGAN(ndf=2, n_layers=1, norm="instance", name=name, seed=seed)
        for seed, name in enumerate(("disc_a", "disc_b"))
    }
    model = cyclegan_tf.CycleGAN(**networks)
    model.compile(run_eagerly=True)
    history = model.fit(data, steps_per_epoch=2, epochs=2, verbose=0, shuffle=False).history
    assert set(history) == set(model.LOSSES)
    options = {"ngf": 2, "ndf": 2, "netG": "resnet_6blocks", "netD": "n_layers", "n_layers_D": 1}
    options |= {"crop_size": 16, "load_size": 18, "pool_size": 50}
    options |= {"mode": "train", "input_dir": str(folder), "output_dir": str(run)}
    cyclegan_tf.save_run(model, cyclegan_tf.CycleGANConfig(**options), run)
    for mode, words in (
        ("train", ("--checkpoint", run, "--input_dir", folder, "--max_steps", 5, *QUIET)),
        ("test", ("--checkpoint", run, "--input_dir", folder / "trainA")),
        ("export", ("--checkpoint", run, "--direction", "BtoA")),
    ):
        succeed("cyclegan-tf", mode, "--output_dir", tmp_path / mode, *words)


def test_save_run_refuses_a_config_of_another_model(tmp_path):
    config = pix2pix_tf.Pix2PixConfig(ngf=2, ndf=2, crop_size=32, scale_size=32)
    model = pix2pix_tf.build(config)
    for changes, expected in (
        ({"ngf": 3}, "config.ngf|ngf"),
        ({"norm": "instance"}, "norm"),
        ({"netD": "pixel"}, "pixel"),
    ):
        other = dataclasses.replace(config, **changes)
        with pytest.raises(pix2pix_tf.InputError, match=expected) as error:
            pix2pix_tf.save_run(model, other, tmp_path / "run")
        assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
    model.step = 5
    pix2pix_tf.save_run(model, config, tmp_path / "run")
    model.step = 3
    with pytest.raises(pix2pix_tf.InputError, match="step 5"):
        pix2pix_tf.save_run(model, config, tmp_path / "run")
