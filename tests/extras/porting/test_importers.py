"""Weights of the reference and of the PyTorch code, against numbers that those computed."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
import torch_files
from support import GOLDENS

from cyclegan_tf.config import CycleGANConfig
from cyclegan_tf.model import build_generators
from pix2pix_tf import model as models
from pix2pix_tf import run_folder
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.pict import pict_file
from pix2pix_tf.extras.porting import reader, torch
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.factory import make_discriminator, make_generator

TORCH = GOLDENS / "torch"


def build(imported, **options):
    """The model that an import describes, with its weights."""
    place = {"mode": "export", "checkpoint": "c", "output_dir": "o"}
    model = models.build(Pix2PixConfig(**place, **imported.options, **options))
    for name, array in imported.arrays.items():
        if name in model.state:
            model.state[name].assign(array)
    return model


def batch_of(golden):
    pair = (golden["inputs_u8"], golden["targets_u8"])
    return tuple(image.astype(np.float32) / 127.5 - 1 for image in pair)


# Checkpoints of affinelayer/pix2pix-tensorflow.


def assert_outputs(model, golden, moment):
    """Compares the outputs with those that the reference computed from the same weights."""
    outputs = model(batch_of(golden)[0], training=True)
    np.testing.assert_allclose(outputs[:, ::4, ::4], golden[f"outputs_{moment}"], atol=1e-6)


@pytest.mark.parametrize("case", ["small", "batch2", "separable", "lab"])
def test_tensorflow_1_checkpoints(case):
    (index,) = (GOLDENS / case).glob("trained-*.index")
    imported = reader.read_source(index)
    assert imported.program == "pix2pix-tf" and imported.notes == ()
    assert imported.step == int(index.stem.partition("-")[2])
    info = json.loads((GOLDENS / case / "case.json").read_text())
    for ours, theirs in (("ngf", "ngf"), ("ndf", "ndf"), ("separable_conv", "separable")):
        assert imported.options[ours] == info[theirs]
    assert imported.options.get("lab_colorization", False) == info["lab"]
    assert imported.training["l1_weight"] == info["l1_weight"] and imported.training["flip"]
    assert "max_steps" not in imported.training
    golden = np.load(GOLDENS / case / "golden.npz")
    model = build(imported)
    assert set(model.state) <= set(imported.arrays)
    assert_outputs(model, golden, "trained")
    prediction = tf.sigmoid(model.discriminator(tf.concat(batch_of(golden), 3), training=True))
    np.testing.assert_allclose(prediction, golden["predict_real_trained"], atol=1e-6)


def test_adam_resumes_from_the_reference(monkeypatch):
    monkeypatch.setattr(layers, "step_seeds", lambda *_: None)  # the goldens have no dropout
    start = reader.read_source(GOLDENS / "small" / "initial-0")
    end = reader.read_source(GOLDENS / "small")
    assert end.step == 3 and float(end.arrays["gen_adam/iteration"]) == 3
    model = build(start)
    batch = batch_of(np.load(GOLDENS / "small" / "golden.npz"))
    update = tf.function(model.compute_gradients, autograph=False)
    for _ in range(3):
        _, _, gen, disc = update(*batch)
        model.gen_optimizer.apply(gen, model.generator.trainable_variables)
        model.disc_optimizer.apply(disc, model.discriminator.trainable_variables)
    slots = [name for name in end.arrays if name.endswith(("_momentum", "_velocity"))]
    assert len(slots) == 2 * len(model.trainable_variables)
    for name in slots:
        expected, found = end.arrays[name], model.state[name].numpy()
        # Adam makes full steps of gradients that are rounding errors, so the weights drift apart
        # and the moments with them; another slot or another weight would differ by all of it.
        small = np.sqrt(found.size) * (1e-4 if name.endswith("momentum") else 1e-8)
        allowed = 0.1 * np.linalg.norm(expected) + small
        assert np.linalg.norm(found - expected) <= allowed, name
    assert int(model.state["gen_adam/iteration"]) == 3


def test_averaged_losses_are_imported():
    golden = np.load(GOLDENS / "small" / "golden.npz")
    arrays = reader.read_source(GOLDENS / "small").arrays
    found = [arrays[f"averages/{name}"] for name in models.LOSSES]
    np.testing.assert_allclose(found, golden["ema_losses_per_step"][-1], rtol=1e-6)


OLD = {
    "conv2d/kernel": "conv/filter",
    "conv2d_transpose/kernel": "deconv/filter",
    "batch_normalization/gamma": "batchnorm/scale",
    "batch_normalization/beta": "batchnorm/offset",
}


def save(prefix, tensors):
    """Writes a TensorFlow checkpoint of named arrays."""
    names = sorted(tensors)
    values = [tf.convert_to_tensor(tensors[name]) for name in names]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
    )


def golden_tensors(case="small", name="initial-0"):
    reader = tf.train.load_checkpoint(str(GOLDENS / case / name))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def old_name(name):
    for new, old in OLD.items():
        name = name.replace(new, old)
    return name


def test_checkpoints_from_before_december_2017(tmp_path):
    # They have no biases. The golden's initial ones are 0.
    tensors = golden_tensors()
    old = {old_name(name): tensors[name] for name in tensors if "/bias" not in name}
    assert sum("deconv/filter/Adam" in name for name in old) == 16
    save(tmp_path / "model-7", old)
    imported = reader.read_source(tmp_path)
    modern = reader.read_source(GOLDENS / "small" / "initial-0")
    assert set(imported.arrays) == set(modern.arrays)
    assert all(array.dtype == np.float32 for array in imported.arrays.values() if array.ndim)
    assert_outputs(build(imported), np.load(GOLDENS / "small" / "golden.npz"), "initial")
    assert imported.options["which_direction"] == "AtoB" and len(imported.notes) == 1
    assert reader.read_source(tmp_path, direction="BtoA").options["which_direction"] == "BtoA"


def test_a_generator_alone_starts_counting_again(tmp_path):
    weights = {
        name: array
        for name, array in golden_tensors("separable").items()
        if name.startswith("generator/") and "Adam" not in name
    }
    save(tmp_path / "export", {**weights, "global_step": np.int64(900)})
    imported = reader.read_source(tmp_path)
    assert imported.step == 0 and "ndf" not in imported.options
    assert all(name.startswith("generator/") for name in imported.arrays)


def test_without_the_innermost_normalisation(tmp_path):
    tensors = golden_tensors()
    kept = {n: a for n, a in tensors.items() if "encoder_8/batch_normalization" not in n}
    save(tmp_path / "model-1", kept)
    imported = reader.read_source(tmp_path)
    assert imported.options["bottleneck_norm"] is False
    assert set(build(imported).state) <= set(imported.arrays)


def test_options_that_test_mode_wrote_are_not_those_of_training(tmp_path):
    for path in (GOLDENS / "small").glob("trained-3.*"):
        shutil.copy(path, tmp_path)
    options = json.loads((GOLDENS / "small" / "options.json").read_text())
    options |= {"mode": "test", "which_direction": "BtoA", "scale_size": 256, "ngf": 64}
    (tmp_path / "options.json").write_text(json.dumps(options))
    imported = reader.read_source(tmp_path)
    assert imported.training == {} and imported.options["ngf"] == 2
    assert imported.options["which_direction"] == "BtoA"


def test_the_file_called_checkpoint_names_the_latest(tmp_path):
    for path in (GOLDENS / "small").glob("*-*.*"):
        shutil.copy(path, tmp_path)
    assert reader.read_source(tmp_path).step == 3
    # A folder that was moved has the path of another machine in it.
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/their/home/initial-0"\n')
    assert reader.read_source(tmp_path).step == 0


# .pict files.


@pytest.fixture(scope="module")
def weights():
    arrays = reader.read_source(GOLDENS / "small").arrays
    return {name: array for name, array in arrays.items() if name.startswith("generator/")}


def test_pict_files(tmp_path, weights):
    pict_file.write_pict(tmp_path / "facades_BtoA.pict", weights)
    imported = reader.read_source(tmp_path / "facades_BtoA.pict")
    assert imported.options == {
        "ngf": 2, "separable_conv": False, "bottleneck_norm": True, "which_direction": "BtoA",
    }  # fmt: skip
    assert set(imported.arrays) == set(weights) and imported.notes == ()
    golden = np.load(GOLDENS / "small" / "golden.npz")
    outputs = build(imported)(batch_of(golden)[0], training=True)[:, ::4, ::4]
    assert 0 < np.abs(outputs - golden["outputs_trained"]).mean() < 0.02
    assert reader.read_source(tmp_path / "facades_BtoA.pict", direction="AtoB").options[
        "which_direction"
    ] == "AtoB"  # fmt: skip


def test_an_exported_pict_keeps_its_direction(tmp_path, weights):
    pict_file.write_pict(tmp_path / "model.pict", weights)
    assert len(reader.read_source(tmp_path / "model.pict").notes) == 1
    run_folder.write_json(tmp_path / "export_options.json", {"which_direction": "BtoA"})
    imported = reader.read_source(tmp_path / "model.pict")
    assert imported.options["which_direction"] == "BtoA" and imported.notes == ()


# State dicts of junyanz/pytorch-CycleGAN-and-pix2pix.


@pytest.fixture(scope="module")
def torch_golden():
    with np.load(TORCH / "golden.npz") as file:
        return dict(file)


def write_torch(folder, source, role, *, prefix="", **options):
    state = safetensors.numpy.load_file(TORCH / f"{source}.safetensors")
    state = {f"{prefix}{key}": value for key, value in state.items()}
    return torch_files.write(folder / f"latest_net_{role}.pth", state, **options)


GENERATORS = {
    "resnet_9blocks": {"netG": "resnet_9blocks", "norm": "instance", "dropout": False},
    "resnet_6blocks": {
        "netG": "resnet_6blocks", "norm": "batch", "dropout": False, "input_channels": 3,
        "output_channels": 1,
    },
    "unet_256": {"netG": "unet_256", "norm": "batch"},
    "unet_128": {
        "netG": "unet_128", "norm": "instance", "input_channels": 1, "output_channels": 3,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "prefix"), [*((name, "") for name in GENERATORS), ("unet_128", "module.")]
)
def test_every_generator(tmp_path, torch_golden, name, prefix):
    path = write_torch(tmp_path, name, "G", prefix=prefix, legacy=bool(prefix))
    imported = reader.read_source(path, program="pix2pix-tf", direction="BtoA")
    assert imported.options == {"ngf": 3, "which_direction": "BtoA", **GENERATORS[name]}
    inputs = torch_golden[f"{name}/input_u8"].astype(np.float32) / 127.5 - 1
    outputs = build(imported, ndf=1).generator(inputs, training=True)
    np.testing.assert_allclose(outputs, torch_golden[f"{name}/output"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "channels"),
    [
        ("disc_basic", {"netD": "basic", "norm": "batch"}, 6),
        ("disc_n_layers5", {"netD": "n_layers", "n_layers_D": 5, "norm": "instance"}, 3),
        ("disc_pixel", {"netD": "pixel", "norm": "batch"}, 6),
    ],
)
def test_every_discriminator(tmp_path, name, options, channels):
    network = torch.read_network("D", write_torch(tmp_path, name, "D"))
    assert network.options == {"ndf": 3, **options} and network.inputs == channels
    torch.checkpoint_arrays(network, "discriminator")  # an error, unless every weight has its place


def write_cyclegan(folder, roles=("G_A", "G_B", "D_A", "D_B")):
    folder.mkdir(exist_ok=True)
    for role in roles:
        write_torch(folder, f"cyclegan_{role}", role)
    return folder


def generator_of(imported, name):
    config = CycleGANConfig(mode="export", checkpoint="c", output_dir="o", **imported.options)
    network = build_generators(config)[name]
    for variable in network.variables:
        variable.assign(imported.arrays[variable.path])
    return network


def test_cyclegan(tmp_path, torch_golden):
    imported = reader.read_source(write_cyclegan(tmp_path))
    assert imported.program == "cyclegan-tf"
    assert imported.options == {
        "netG": "resnet_9blocks", "ngf": 3, "norm": "instance", "dropout": False,
        "netD": "basic", "ndf": 3,
    }  # fmt: skip
    for name, inputs, outputs in (("gen_ab", "real_a", "fake_b"), ("gen_ba", "real_b", "fake_a")):
        images = torch_golden[f"cyclegan/{inputs}_u8"].astype(np.float32) / 127.5 - 1
        found = generator_of(imported, name)(images)
        np.testing.assert_allclose(found, torch_golden[f"cyclegan/{outputs}"], atol=1e-5)
    # Theirs are named by generator: D_A judges B.
    state = safetensors.numpy.load_file(TORCH / "cyclegan_D_A.safetensors")
    np.testing.assert_array_equal(
        imported.arrays["disc_b/layer_1/conv2d/bias"], state["model.0.bias"]
    )


def test_cyclegan_trained_backwards(tmp_path):
    forwards = reader.read_source(write_cyclegan(tmp_path))
    (tmp_path / "train_opt.txt").write_text(
        "----------------- Options ---------------\n"
        "               batch_size: 4                             \t[default: 1]\n"
        "                direction: BtoA                          \t[default: AtoB]\n"
        "                lambda_A: 12.5                          \t[default: 10.0]\n"
        "                  no_flip: True                          \t[default: False]\n"
        "                lr_policy: linear                        \n"
        "                 n_epochs: many\n"
        "----------------- End -------------------\n"
    )
    backwards = reader.read_source(tmp_path)
    for one, other in (("gen_ab", "gen_ba"), ("disc_a", "disc_b")):
        for name, array in forwards.arrays.items():
            if name.startswith(one):
                np.testing.assert_array_equal(backwards.arrays[name.replace(one, other)], array)
    assert backwards.options["direction"] == "BtoA"
    assert backwards.training == {
        "batch_size": 4, "lambda_A": 12.5, "flip": False, "lr_policy": "linear",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("role", "direction", "name", "channels"),
    [
        ("G_A", "AtoB", "gen_ab", (3, 1)),
        ("G_A", "BtoA", "gen_ba", (1, 3)),
        ("G_B", "AtoB", "gen_ba", (1, 3)),
        ("G_B", "BtoA", "gen_ab", (3, 1)),
    ],
)
def test_cyclegan_of_other_channels(tmp_path, torch_golden, role, direction, name, channels):
    # From colour to grey.
    write_torch(tmp_path, "resnet_6blocks", role)
    imported = reader.read_source(tmp_path, program="cyclegan-tf", direction=direction)
    found = (imported.options["input_channels"], imported.options["output_channels"])
    assert found == channels and imported.options["lambda_identity"] == 0
    inputs = torch_golden["resnet_6blocks/input_u8"].astype(np.float32) / 127.5 - 1
    found = generator_of(imported, name)(inputs, training=True)
    np.testing.assert_allclose(found, torch_golden["resnet_6blocks/output"], atol=1e-5)


def test_a_residual_generator_alone_is_that_of_cyclegan(tmp_path):
    path = write_torch(tmp_path, "cyclegan_G_A", "G").rename(tmp_path / "horse2zebra.pth")
    imported = reader.read_source(path)
    assert imported.program == "cyclegan-tf"
    assert "--program pix2pix-tf" in imported.notes[0] and len(imported.notes) == 1
    assert {name.partition("/")[0] for name in imported.arrays} == {"gen_ab"}
    back = reader.read_source(path, direction="BtoA")
    assert {name.partition("/")[0] for name in back.arrays} == {"gen_ba"}
    paired = reader.read_source(path, program="pix2pix-tf")
    assert {name.partition("/")[0] for name in paired.arrays} == {"generator"}
    assert not any("--program" in note for note in paired.notes)


def test_pix2pix_with_its_discriminator(tmp_path):
    write_torch(tmp_path, "unet_256", "G")
    write_torch(tmp_path, "disc_basic", "D")
    for path in (tmp_path, tmp_path / "latest_net_G.pth", tmp_path / "latest_net_D.pth"):
        imported = reader.read_source(path, direction="AtoB")
        assert imported.program == "pix2pix-tf" and imported.options["netD"] == "basic"
        assert imported.step == 0 and imported.notes == ()
    weights = {
        name for name in build(imported).state if "_adam/" not in name and "averages/" not in name
    }
    assert weights == set(imported.arrays)


def theirs(kind, network):
    """A state dict with random numbers of the names and shapes of the PyTorch code."""
    network.build((None, 256, 256, 3))
    return torch_files.state_dict(network)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("resnet_9blocks", {"norm": "instance_affine", "dropout": True}),
        ("resnet_6blocks", {"norm": "none", "dropout": True}),
        ("resnet_6blocks", {"norm": "batch", "dropout": True}),
        ("resnet_9blocks", {"norm": "instance_affine", "dropout": False}),
        ("unet_128", {"norm": "instance_affine"}),
        ("unet_256", {"norm": "none"}),
    ],
)
@pytest.mark.parametrize("ngf", [1, 5])
def test_other_widths_and_normalisations_are_recognised(tmp_path, kind, options, ngf):
    state = theirs(kind, make_generator(kind, ngf=ngf, **options))
    path = torch_files.write(tmp_path / "latest_net_G.pth", state)
    imported = reader.read_source(path, program="pix2pix-tf", direction="AtoB")
    expected = {"netG": kind, "ngf": ngf, "which_direction": "AtoB", **options}
    assert imported.options == expected


@pytest.mark.parametrize("norm", ["batch", "instance", "instance_affine", "none"])
@pytest.mark.parametrize(("kind", "layers"), [("basic", 3), ("n_layers", 1), ("pixel", 3)])
def test_other_discriminators_are_recognised(tmp_path, kind, layers, norm):
    made = make_discriminator(
        kind, n_layers=layers, ndf=2, norm=norm, bias=norm.startswith("instance")
    )
    path = torch_files.write(tmp_path / "latest_net_D.pth", theirs(kind, made))
    network = torch.read_network("D", path)
    counted = {"n_layers_D": layers} if kind == "n_layers" else {}
    assert network.options == {"netD": kind, "ndf": 2, "norm": norm, **counted}
    found = torch.checkpoint_arrays(network, made.name)
    assert set(found) == {variable.path for variable in made.variables}


def test_the_last_of_several_epochs_is_taken(tmp_path):
    for epoch in ("5", "10", "iter_200"):
        write_torch(tmp_path, "cyclegan_G_A", "G").rename(tmp_path / f"{epoch}_net_G.pth")
    assert torch.find_state_dicts(tmp_path)["G"].name == "iter_200_net_G.pth"
    (tmp_path / "iter_200_net_G.pth").rename(tmp_path / "latest_net_G.pth")
    assert torch.find_state_dicts(tmp_path)["G"].name == "latest_net_G.pth"
    assert torch.find_state_dicts(tmp_path / "5_net_G.pth")["G"].name == "5_net_G.pth"


def test_a_block_whose_sequence_has_another_name(tmp_path):
    state = safetensors.numpy.load_file(TORCH / "cyclegan_G_A.safetensors")
    renamed = {key.replace(".conv_block.", ".block."): value for key, value in state.items()}
    path = torch_files.write(tmp_path / "G_A2B.pth", renamed)
    assert reader.read_source(path).options["netG"] == "resnet_9blocks"


# What cannot be used.


def damaged_checkpoint(folder, how):
    for path in (GOLDENS / "small").glob("trained-3.*"):
        shutil.copy(path, folder)
    data, index = folder / "trained-3.data-00000-of-00001", folder / "trained-3.index"
    if how == "no data":
        data.unlink()
    elif how == "cut data":
        data.write_bytes(data.read_bytes()[:1000])
    elif how == "changed data":
        contents = bytearray(data.read_bytes())
        contents[::97] = bytes(len(contents[::97]))
        data.write_bytes(contents)
    elif how == "cut index":
        index.write_bytes(index.read_bytes()[:500])
    else:
        index.write_bytes(b"")
    return folder


@pytest.mark.parametrize("how", ["no data", "cut data", "changed data", "cut index", "empty index"])
def test_damaged_checkpoints_are_refused_in_one_line(tmp_path, how):
    with pytest.raises(InputError, match="the TensorFlow checkpoint .* is damaged") as caught:
        reader.read_source(damaged_checkpoint(tmp_path, how))
    assert len(str(caught.value).splitlines()) == 1


def test_other_checkpoints_are_refused(tmp_path):
    save(tmp_path / "model-1", {"conv1/weights": np.zeros((3, 3, 1, 1), np.float32)})
    with pytest.raises(InputError, match="no generator/encoder_1/conv2d/kernel"):
        reader.read_source(tmp_path)


def test_folders_without_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file or folder .* to import"):
        reader.read_source(tmp_path / "nothing")
    with pytest.raises(InputError, match="none of them"):
        reader.read_source(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match="none of them"):
        reader.read_source(tmp_path / "notes.txt")


def test_networks_that_do_not_belong_together(tmp_path):
    write_cyclegan(tmp_path, ["G_A"])
    write_torch(tmp_path, "disc_basic", "D_A")
    with pytest.raises(InputError, match="differ in --norm"):
        reader.read_source(tmp_path)


def test_discriminators_alone_are_not_enough(tmp_path):
    path = write_torch(tmp_path, "disc_basic", "D")
    with pytest.raises(InputError, match="Expected a generator. Received: only"):
        reader.read_source(path)


def test_several_networks_in_a_folder_must_be_told_apart(tmp_path):
    for name in ("zebra", "apple"):
        write_torch(tmp_path, "cyclegan_G_A", "G").rename(tmp_path / f"{name}_net_G.pth")
    with pytest.raises(InputError, match="several networks: apple, zebra"):
        reader.read_source(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("model.4.weight"), "model.4.weight"),
        (lambda state: state.update({"model.4.bias": np.zeros(7, np.float32)}), "of shape"),
        (lambda state: state.update({"more": np.zeros(7, np.float32)}), "does not: more"),
        (lambda state: state.update({"model.1.weight": np.zeros(7, np.float32)}), "4 dimensions"),
        (lambda state: state.pop("model.12.conv_block.1.weight"), "Received: 8 blocks"),
        (lambda state: state.clear() or state.update(w=np.zeros(1)), "a U-Net or a ResNet"),
    ],
)
def test_state_dicts_that_do_not_fit(tmp_path, change, words):
    state = safetensors.numpy.load_file(TORCH / "cyclegan_G_A.safetensors")
    change(state)
    path = torch_files.write(tmp_path / "latest_net_G_A.pth", state)
    with pytest.raises(InputError, match=words) as caught:
        reader.read_source(path)
    assert "latest_net_G_A.pth" in str(caught.value)
