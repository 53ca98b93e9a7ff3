"""No explicit flag is ignored: in each mode it is used, refused, or named as without effect."""

import dataclasses
import sys

import pytest
from support import write_all

from cyclegan_tf.cli import CYCLEGAN
from pix2pix_tf import cli, options
from pix2pix_tf.cli import PIX2PIX
from pix2pix_tf.config import CHECK_DATA, COMPARE, Config
from pix2pix_tf.errors import InputError

PROGRAMS = {"pix2pix-tf": PIX2PIX, "cyclegan-tf": CYCLEGAN}
MODES = ("train", "test", "evaluate", COMPARE, "export", "serve", CHECK_DATA)
# What looks at all options, whether they matter or not.
OVERVIEWS = {
    "check", "__post_init__", "adopt", "announce", "warn_without_effect", "run_options",
    "refuse_foreign", "_begin", "stored_value", "replace", "astuple", "asdict",
}  # fmt: skip
# Read in every command to decide what it is.
DECIDING = {"mode", "check_data", "checkpoint"}
# Read without an effect: initial weights are those of the run; exports and servers drop nothing.
WITHOUT_EFFECT = {"init_type", "init_gain", "seed", "scratch_dir"}
# Of the files of `load` alone.
WITHOUT_EFFECT |= {"plane", "series", "nodata", "label_palette", "one_hot"}
# Refused in evaluate; read only where another option is set.
REFUSED, CONDITIONAL = (
    {"aspect_ratio"},
    {"direction", "web_runtime", "web_single_file", "input_dir", "input_dir_B"},
)
# Read with --dataset_mode folders alone.
FOLDERS = {"pair_by", "input_dir_A", "input_dir_B"}


def is_overview(frame):
    if frame.f_code.co_name == "_run":
        return True
    while frame is not None:
        if frame.f_code.co_name in OVERVIEWS:
            return True
        if "/pix2pix_tf/cli.py" in frame.f_code.co_filename:
            return False
        frame = frame.f_back
    return True


@pytest.fixture(scope="module", params=PROGRAMS)
def read(request, tmp_path_factory):
    """Dict from modes to the names of the options that a command of that mode read."""
    program, folder = PROGRAMS[request.param], tmp_path_factory.mktemp("modes")
    data = write_all(folder / "data")
    for part in "AB":
        (folder / "data" / f"test{part}").symlink_to(folder / "data" / "trainA")
    names, found = set(Config.__dataclass_fields__), {}
    names |= set(program.config_class.__dataclass_fields__)
    original = object.__getattribute__

    def recorded(self, name):
        if name in names and not is_overview(sys._getframe(1)):
            found.setdefault(current[0], set()).add(name)
        return original(self, name)

    current = [None]

    small = ("--ngf", 1, "--ndf", 1, "--netG", "unet", "--netD", "pixel", "--crop_size", 8)
    small += ("--load_size", 12, "--max_steps", 1, "--summary_freq", 1, "--display_freq", 1)
    small += ("--init_type", "xavier", "--run_eagerly")
    small += ("--val_dir", data, "--val_freq", 1) if program is PIX2PIX else ("--pool_size", 2)
    run = ("--checkpoint", folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "__getattribute__", recorded)
        patch.setattr("pix2pix_tf.extras.serve.run.run", lambda *_, **__: None)
        for words in (
            ("train", "--input_dir", data, "--output_dir", folder / "run", *small),
            ("test", "--input_dir", data, "--output_dir", folder / "test", *run),
            ("evaluate", "--input_dir", data, "--output_dir", folder / "eval", *run,
             "--metrics", "l1"),
            ("evaluate", "--input_dir", data, "--target_dir", data, "--metrics", "l1",
             "--output_dir", folder / "compared"),
            ("export", "--output_dir", folder / "export", *run),
            ("serve", "--port", 0, *run),
            ("check_data", "--input_dir", data),
        ):  # fmt: skip
            current[0] = COMPARE if "--target_dir" in words else words[0]
            assert cli.run(program, [str(word) for word in words]) == 0, words
    return program, found


@pytest.mark.parametrize("mode", MODES)
def test_what_a_mode_declares_is_what_it_reads(read, mode):
    program, found = read
    declared, compared = set(), set()
    for field in dataclasses.fields(program.config_class):
        modes = field.metadata["modes"]
        declared |= {field.name} if modes is None or mode in modes else set()
        # An explicit value has to be that of the run.
        compared |= {field.name} if field.metadata["adopted"] == "architecture" else set()
    unread = declared - found[mode] - DECIDING - compared
    unread -= CONDITIONAL if mode in ("export", CHECK_DATA) else {"resume", "init_from"}
    unread -= FOLDERS if program is PIX2PIX else set()
    assert not unread, "declared for the mode, without effect"
    ignored = found[mode] - declared - DECIDING - compared - WITHOUT_EFFECT - REFUSED
    assert not ignored, "has an effect that a warning would deny"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("mode", ["train", "test", "evaluate", "export", "serve", "demo"])
def test_every_flag_is_used_refused_or_named(program, mode):
    config_class = PROGRAMS[program].config_class
    needs = {"demo": (), "serve": ("checkpoint",), "export": ("checkpoint", "output_dir")}
    names = needs.get(mode, ("input_dir", "output_dir", "checkpoint"))
    start = ["--mode", mode, *(f"--{name}={name}" for name in names)]
    for field in dataclasses.fields(config_class):
        if field.name in ("mode", "check_data", *names):
            continue
        value = field.default
        if isinstance(value, bool):
            words = [f"--{field.name}" if value else f"--no{field.name}"]
        else:
            words = [f"--{field.name}={value if value is not None else 4}"]
        try:
            config, explicit = options.parse(config_class, [*start, *words])
            config.refuse_foreign(explicit)
        except InputError as error:
            assert field.name in str(error) or mode == "demo", str(error)
            continue
        assert field.name in explicit
        named = field.name in config.without_effect(explicit)
        modes = field.metadata["modes"]
        assert named or mode in modes


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
        shown = capsys.readouterr().out
        assert "--test_dropout" in shown or "--[no]test_dropout" in shown
        assert "--lr " not in shown and "--port" not in shown
        # What the run decides is left out.
        assert "--netG" not in shown and "(default: as in the run)" in shown
