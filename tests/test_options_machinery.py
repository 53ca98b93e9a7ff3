"""Options: one description, three uses."""

import dataclasses
from pathlib import Path

import pytest
from etils import epath

import cyclegan_tf
import pix2pix_tf
from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf import cli, options
from pix2pix_tf.config import COMMANDS, Pix2PixConfig
from pix2pix_tf.errors import InputError

# pix2pix.py, commit 0f21744: the 26 options and their defaults.
REFERENCE = {
    "input_dir": None, "output_dir": None, "seed": None, "checkpoint": None, "max_steps": None,
    "max_epochs": None, "summary_freq": 100, "progress_freq": 50, "trace_freq": 0,
    "display_freq": 0, "save_freq": 5000, "separable_conv": False, "aspect_ratio": 1.0,
    "lab_colorization": False, "batch_size": 1, "which_direction": "AtoB", "ngf": 64, "ndf": 64,
    "scale_size": 286, "flip": True, "lr": 0.0002, "beta1": 0.5, "l1_weight": 100.0,
    "gan_weight": 1.0, "output_filetype": "png",
}  # fmt: skip
CONFIGS = (Pix2PixConfig, CycleGANConfig)
TRAIN = ["--mode", "train", "--input_dir", "in", "--output_dir", "out"]


def test_names_and_defaults_are_the_references():
    fields = {field.name: field.default for field in dataclasses.fields(Pix2PixConfig)}
    assert REFERENCE.items() <= fields.items()
    assert "mode" in fields


def test_parse_returns_values_and_what_was_typed():
    config, typed = options.parse(Pix2PixConfig, [*TRAIN, "--ngf=8", "--lr", "0.1"])
    assert (config.ngf, config.lr, config.ndf) == (8, 0.1, 64)
    assert typed == {"mode", "input_dir", "output_dir", "ngf", "lr"}


@pytest.mark.parametrize("word", ["--no_flip", "--noflip", "--flip=false", "-no_flip"])
def test_flip_is_negated_in_the_references_way_too(word):
    assert options.parse(Pix2PixConfig, [*TRAIN, word])[0].flip is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nfg", "3"], "--nfg; did you mean --ngf?"),
        (["--ngf", "many"], "--ngf=many"),
        (["--ngf", "0"], "Expected --ngf to be at least 1. Received: 0"),
        (["--lr", "nan"], "Expected --lr to be a finite number. Received: nan"),
        (["--lr", "inf"], "Expected --lr to be a finite number. Received: inf"),
        (["--ngf", str(10**30)], "Expected --ngf to be at most 1024."),
        (["--seed", str(2**32)], "Expected --seed to be at most 4294967295."),
        (["--keep_every", "7"], "to be a multiple of --save_freq. Received: 7 and 5000"),
        (
            ["--resume", "--checkpoint", "x"],
            "are mutually exclusive. Received: --checkpoint",
        ),
        (["--beta1", "1"], "Expected --beta1 to be less than 1. Received: 1.0"),
        (["--aspect_ratio", "0"], "Expected --aspect_ratio to be more than 0"),
        (["--scale_size", "255"], "Expected --scale_size to be at least 256. Received: 255"),
        (["--which_direction", "CtoD"], "one of AtoB, BtoA. Received: CtoD"),
        (["stray"], "Received: stray"),
        (["--ngf"], "--ngf"),
    ],
)
def test_bad_words_are_named(words, message):
    with pytest.raises(InputError) as caught:
        options.parse(Pix2PixConfig, [*TRAIN, *words])
    assert message in caught.value.command_line_text()
    assert "\n" not in str(caught.value)


def test_modes_take_the_architecture_from_the_run():
    config, typed = options.parse(
        Pix2PixConfig, ["--mode=test", "--input_dir=i", "--output_dir=o", "--checkpoint=c"]
    )
    stored = {"ngf": 8, "separable_conv": True, "lr": 0.5, "mode": "train", "unknown": 1}
    used = options.inherit_options(config, typed, stored, source=Path("c"), resuming=False)
    assert (used.ngf, used.separable_conv, used.lr, used.mode) == (8, True, 0.0002, "test")


def test_resuming_restores_omitted_flags():
    config, typed = options.parse(Pix2PixConfig, [*TRAIN, "--lr=0.1", "--checkpoint=c"])
    stored = {"ngf": 8, "lr": 0.5, "batch_size": 4, "output_dir": "elsewhere", "seed": 9}
    used = options.inherit_options(config, typed, stored, source=Path("c"), resuming=True)
    assert (used.ngf, used.lr, used.batch_size) == (8, 0.1, 4)
    assert (used.output_dir, used.seed) == (Path("out"), 9)


def test_a_contradicting_architecture_is_refused():
    config, typed = options.parse(Pix2PixConfig, [*TRAIN, "--ngf=4"])
    with pytest.raises(InputError, match="Expected ngf to be omitted or 8.*Received: 4"):
        options.inherit_options(config, typed, {"ngf": 8}, source=Path("c"), resuming=True)
    same = options.inherit_options(config, typed, {"ngf": 4}, source=Path("c"), resuming=True)
    assert same.ngf == 4


@pytest.mark.parametrize("value", ["a/b/", Path("a/b")])
def test_paths_are_paths_in_the_configuration_and_texts_in_its_file(value):
    config = Pix2PixConfig(mode="train", input_dir=value, output_dir="gs://bucket/run", val_dir="")
    assert config.input_dir == Path("a/b") and config.val_dir is None
    assert config.output_dir / "x" == epath.Path("gs://bucket/run/x")
    stored = options.as_json(config)
    assert (stored["input_dir"], stored["output_dir"]) == ("a/b", "gs://bucket/run")
    unpacked = Pix2PixConfig(mode="train", input_dir="tfds:mnist/x", output_dir="o")
    assert str(unpacked.input_dir) == "tfds:mnist/x"
    places = "a=gs://bucket/run,./b"
    assert Pix2PixConfig(mode="serve", checkpoint=places).checkpoint == places


@pytest.mark.parametrize("mode", ["train", "test", "export"])
def test_each_mode_says_what_it_needs(mode):
    with pytest.raises(InputError, match="mode [a-z]+ needs [a-z_]+"):
        Pix2PixConfig(mode=mode)


def test_demo_refuses_data_that_it_would_not_use():
    with pytest.raises(InputError, match="draws its own data.*mode train"):
        Pix2PixConfig(input_dir="photos")


@pytest.mark.parametrize("word", ["--load_size=300x500", "-scale_size=300x500"])
def test_a_flag_has_the_name_of_either_reference(word):
    words = ["--mode=train", "--input_dir=i", "--output_dir=o", word]
    config, typed = options.parse(Pix2PixConfig, [*words, "--input_nc", "1"])
    assert (config.scale_size, config.input_channels) == ("300x500", 1)
    assert {"scale_size", "input_channels"} <= typed
    config, typed = options.parse(CycleGANConfig, [*words, "--output_nc=3"])
    assert (config.load_size, config.output_channels) == ("300x500", 3)
    assert {"load_size", "output_channels"} <= typed


def test_flags_are_named_in_commands_and_options_in_python(capsys):
    with pytest.raises(InputError, match="^Expected crop_size to be .* with netG unet"):
        Pix2PixConfig(crop_size=33)
    assert cli.main(["--crop_size", "33"]) == 1
    assert "Expected --crop_size to be a multiple of 2 with --netG unet" in capsys.readouterr().err
    for package in (pix2pix_tf, cyclegan_tf):
        with pytest.raises(InputError, match="^Expected checkpoint to name"):
            package.load("nothing")


def test_the_table_of_commands_names_options_and_sections():
    fields = {field.name: field for field in dataclasses.fields(CycleGANConfig)}
    fields |= {field.name: field for field in dataclasses.fields(Pix2PixConfig)}
    sections = {field.metadata["section"] for field in fields.values()}
    for rule in COMMANDS.values():
        assert {*rule.sections.split()} <= sections
        assert {*f"{rule.without} {rule.extra} {rule.needs}".split()} <= fields.keys()
    used = {
        field.name for config in CONFIGS for mode in COMMANDS for field in config.options_of(mode)
    }
    assert used == fields.keys() - {"mode", "check_data"}


NEEDS = {"serve": ["checkpoint"], "export": ["checkpoint", "output_dir"], "demo": []}


@pytest.mark.parametrize("config_class", CONFIGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_is_used_refused_or_named(config_class, command):
    mode = {"compare": "evaluate", "check_data": "train"}.get(command, command)
    names = NEEDS.get(command, ["input_dir", "output_dir", "checkpoint"])
    start = ["--mode", mode, *(f"--{name}={name}" for name in names)]
    start += ["--check_data"] * (command == "check_data")
    start.remove("--checkpoint=checkpoint") if command == "compare" else None
    taken = {field.name for field in config_class.options_of(command)}
    for field in dataclasses.fields(config_class):
        if field.name in ("mode", "check_data", "checkpoint", *names):
            continue
        value = field.default if field.default is not None else 4
        words = [f"--{field.name}={value}"]
        try:
            config, explicit = options.parse(config_class, [*start, *words])
            config.refuse_foreign(explicit)
        except InputError as error:
            assert field.name in str(error)
            continue
        assert field.name in explicit
        assert field.name in taken or field.name in config.without_effect(explicit)


def test_a_flag_without_effect_is_named_on_the_screen(capsys, tmp_path):
    assert cli.main(["check_data", "--input_dir", str(tmp_path), "--lr", "1"]) == 1
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == "warning: --lr has no effect with --check_data"
    assert error.startswith("pix2pix-tf: Expected images")
    assert cli.main(["test", "--metrics", "l1", "--input_dir", "i", "--output_dir", "o",
                     "--checkpoint", "c"]) == 1  # fmt: skip
    assert "--metrics only with --mode evaluate" in capsys.readouterr().err


def test_a_word_names_the_mode(capsys):
    assert cli.main(["train", "--mode=test"]) == 1
    assert "one mode. Received: train and --mode=test" in capsys.readouterr().err
    for words in (["test", "--help"], ["--mode=test", "--help"], ["--help", "--mode", "test"]):
        assert cli.main(words) == 0
        text = capsys.readouterr().out
        assert "--[no]test_dropout" in text and "(default: as in the run)" in text
        # Neither what other modes take nor what the run decides.
        assert not [word for word in ("--lr ", "--port", "--netG") if word in text]


OTHER = {"netD": "basic", "save_freq": 0, "dropout": False, "export_format": "onnx"}
OTHER |= {"lr_policy": "linear", "dataset_mode": "aligned", "tile": 0, "val_dir": None}


@pytest.mark.parametrize("config_class", CONFIGS)
def test_options_that_need_another_one_are_named_without_it(config_class):
    base = config_class(mode="demo", netG="unet", crop_size=256)
    for field in dataclasses.fields(config_class):
        if condition := field.metadata["only_with"]:
            name, _, needed = condition.partition("=")
            unmet = dataclasses.replace(base, **{name: OTHER[name]})
            assert name in dict(options.find_unused(unmet))[field.name], field.name
            met = dataclasses.replace(base, **{name: needed or {"val_dir": "v"}.get(name, 8)})
            assert field.name not in dict(options.find_unused(met))


CROP, WIDE = {"preprocess": "crop"}, {"preprocess": "scale_width"}


@pytest.mark.parametrize("config_class", CONFIGS)
@pytest.mark.parametrize(
    ("mode", "others", "unused"),
    [
        ("train", {}, {"tile", "scratch_dir", "test_dropout"}),
        ("train", CROP, {"scale", "tile", "scratch_dir", "test_dropout"}),
        ("train", {**WIDE, "pool_size": 0}, {"tile", "scratch_dir", "test_dropout"}),
        ("test", {"dropout": True}, {"scale", "scratch_dir"}),
        ("test", {"dropout": True, "tile": 64, **WIDE}, set()),
        ("test", {"dropout": False}, {"scale", "scratch_dir", "seed", "test_dropout"}),
        ("test", {"dropout": True, "test_dropout": False}, {"scale", "scratch_dir", "seed"}),
        ("evaluate", {"dropout": False, "tile": 64}, {"scale", "test_dropout"}),
        ("evaluate", {"dropout": False, "metrics": "l1", "tile": 64},
         {"scale", "test_dropout", "seed"}),
        ("evaluate", {"checkpoint": None, "metrics": "l1"},
         {"scale", "test_dropout", "seed", "tile", "scratch_dir"}),
        ("evaluate", {"checkpoint": None, "metrics": "kid"},
         {"scale", "test_dropout", "tile", "scratch_dir"}),
    ],
)  # fmt: skip
def test_flags_without_effect_are_named(config_class, mode, others, unused):
    places = {"input_dir": "i", "output_dir": "o"} | (
        {} if mode == "train" else {"checkpoint": "c"}
    )
    values = {**places, "netG": "unet", **others}
    names = {field.name for field in dataclasses.fields(config_class)}
    config = config_class(mode=mode, **{n: v for n, v in values.items() if n in names})
    scale = config_class.scale_option
    explicit = {scale, "tile", "scratch_dir", "test_dropout", "seed"}
    named = config.without_effect(explicit)
    assert named.keys() == {scale if name == "scale" else name for name in unused}
