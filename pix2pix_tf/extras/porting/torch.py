"""State dicts of junyanz/pytorch-CycleGAN-and-pix2pix."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.porting import pth, torch_architecture, torch_names
from pix2pix_tf.extras.porting.imported import Imported, add_direction, channel_options
from pix2pix_tf.networks.factory import make_discriminator, make_generator

PIX2PIX, CYCLEGAN = "pix2pix-tf", "cyclegan-tf"
_FILE = re.compile(r"(?P<epoch>.*?)_?net_(?P<role>[GD](_[AB])?)\.(pth|pt)")
# The PyTorch code names by generator: its D_A judges images of B.
_NETWORKS = {
    PIX2PIX: {"G": "generator", "D": "discriminator"},
    CYCLEGAN: {"G_A": "gen_ab", "G_B": "gen_ba", "D_A": "disc_b", "D_B": "disc_a"},
}
_SWAPPED_NAMES = {"gen_ab": "gen_ba", "gen_ba": "gen_ab", "disc_a": "disc_b", "disc_b": "disc_a"}
# Options of training: theirs to ours, and the type.
_SHARED = {
    "batch_size": ("batch_size", int),
    "beta1": ("beta1", float),
    "gan_mode": ("gan_mode", str),
    "init_gain": ("init_gain", float),
    "init_type": ("init_type", str),
    "lr": ("lr", float),
}
_OWN = {
    PIX2PIX: {"lambda_L1": ("l1_weight", float), "load_size": ("scale_size", int)},
    CYCLEGAN: {
        **{name: (name, float) for name in ("lambda_A", "lambda_B", "lambda_identity")},
        **{name: (name, int) for name in ("crop_size", "load_size", "lr_decay_iters")},
        **{name: (name, int) for name in ("n_epochs", "n_epochs_decay", "pool_size")},
        "lr_policy": ("lr_policy", str),
    },
}


def find_state_dicts(source: Path) -> dict[str, Path]:
    """Finds the state dicts of one epoch.

    Args:
        source: `Path` of a folder (its epoch `latest`, or the last one, is taken) or of a file
            (with those of the same epoch beside it).

    Returns:
        Dict from "G", "D", "G_A", "G_B", "D_A", "D_B" to `Path`; empty if there are none.

    Raises:
        InputError: If a folder contains several networks and their names do not show the last.
    """
    own = None if source.is_dir() else _FILE.fullmatch(source.name)
    if source.is_file() and not own:
        return {"G": source} if source.suffix in (".pth", ".pt") else {}
    epochs: dict[str, dict[str, Path]] = {}
    folder = source if source.is_dir() else source.parent
    for path in sorted(folder.glob("*net_*")):
        if parts := _FILE.fullmatch(path.name):
            epochs.setdefault(parts["epoch"], {})[parts["role"]] = path
    if own:
        return epochs.get(own["epoch"], {})
    return epochs.get("latest") or _last(epochs, source)


def _last(epochs: dict[str, dict[str, Path]], source: Path) -> dict[str, Path]:
    if len(epochs) == 1:
        return next(iter(epochs.values()))
    numbers = {epoch: int(last[0]) for epoch in epochs if (last := re.search(r"\d+$", epoch))}
    if len(numbers) < len(epochs):
        raise InputError(
            f"{source} contains several networks: {', '.join(sorted(epochs))}; choose one of the "
            "files as --checkpoint"
        )
    return epochs[max(numbers, key=numbers.__getitem__)] if epochs else {}


def read_networks(
    files: Mapping[str, Path], *, program: str | None = None, direction: str | None = None
) -> Imported:
    """Reads networks and finds out how they are built.

    Args:
        files: What `find_state_dicts` returns.
        program: "pix2pix-tf" or "cyclegan-tf" where the networks do not show it, or None.
        direction: "AtoB" or "BtoA", or None for what train_opt.txt beside the files says.

    Returns:
        `Imported`.

    Raises:
        InputError: If a file is damaged, a network is unknown, or they do not belong together.
    """
    networks = {role: read_network(role, path) for role, path in files.items()}
    if not any(role.startswith("G") for role in networks):
        raise InputError(
            f"Expected a generator. Received: only {', '.join(map(str, files.values()))}"
        )
    assumed: tuple[str, ...] = ()
    if program is None:
        program = _program(networks)
        if program == CYCLEGAN and set(networks) == {"G"}:
            assumed = (
                "a ResNet with instance normalisation and no discriminator is taken for a "
                f"generator of CycleGAN; --program {PIX2PIX} imports it as one of pix2pix",
            )
    if program == CYCLEGAN and "G" in networks:
        # A generator by itself, as the PyTorch code's --model test takes it.
        networks["G_A"] = networks.pop("G")
    names = _NETWORKS[program]
    if unknown := set(networks) - set(names):
        raise InputError(f"Expected networks of {program}. Received: {', '.join(sorted(unknown))}")
    train_options = _read_train_options(next(iter(files.values())).parent / "train_opt.txt")
    direction = direction or train_options.get("direction")
    if program == CYCLEGAN and direction == "BtoA":
        # Their --direction BtoA calls our B A.
        names = {role: _SWAPPED_NAMES[name] for role, name in names.items()}
    options, notes = _options(program, networks, direction), assumed
    if program == PIX2PIX:
        options, notes = add_direction(options, direction)
    values: dict[str, np.ndarray] = {}
    for role, network in networks.items():
        values |= checkpoint_arrays(network, names[role])
    training = _translate_options(train_options, program)
    return Imported(program, options, values, training=training, notes=notes)


@dataclasses.dataclass(frozen=True)
class _Network:
    """One state dict and how its network is built; a discriminator has no `outputs`."""

    path: Path
    state: dict[str, np.ndarray]
    options: dict[str, Any]
    inputs: int
    outputs: int | None


def read_network(role: str, path: Path) -> _Network:
    """Reads one file; `role` is "G", "D", "G_A", "G_B", "D_A" or "D_B"."""
    # DataParallel calls the network "module".
    state = {key.removeprefix("module."): array for key, array in pth.read_state_dict(path).items()}
    # Copies of the residual block call its sequence so.
    state = {re.sub(r"^(model\.\d+)\.block\.", r"\1.conv_block.", k): state[k] for k in state}
    try:
        if role.startswith("G"):
            return _Network(path, state, *torch_architecture.infer_generator(state))
        return _Network(path, state, *torch_architecture.infer_discriminator(state), None)
    except InputError as error:
        raise InputError(f"{error} ({path})") from None


def _program(networks: Mapping[str, _Network]) -> str:
    """The program that the networks seem to belong to."""
    if set(networks) & set(_NETWORKS[CYCLEGAN]):
        return CYCLEGAN
    generator = networks["G"]
    unpaired = generator.options["netG"].startswith("resnet") and (
        generator.inputs == generator.outputs and generator.options["norm"].startswith("instance")
    )
    # Alone, a residual generator is that of CycleGAN; with a discriminator of this name, it is not.
    return CYCLEGAN if unpaired and "D" not in networks else PIX2PIX


def _options(
    program: str, networks: Mapping[str, _Network], direction: str | None
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    for network in networks.values():
        for name, value in network.options.items():
            if options.setdefault(name, value) != value:
                raise InputError(
                    f"the networks differ in --{name}: {network.path} has {value}, another has "
                    f"{options[name]}"
                )
        if network.outputs:
            channels = channel_options(network.inputs, network.outputs)
    if program == PIX2PIX:
        return options | channels
    domains = _domain_channels(networks, exchanged=direction == "BtoA")
    return options | domains | ({"direction": direction} if direction else {})


def _domain_channels(networks: Mapping[str, _Network], *, exchanged: bool) -> dict[str, Any]:
    """cyclegan-tf's options for the channels of A and of B, where they are not colour."""
    network = networks.get("G_A") or networks["G_B"]
    a, b = network.inputs, network.outputs or network.inputs
    if ("G_A" not in networks) != exchanged:  # the generator from B to A
        a, b = b, a
    if (a, b) == (3, 3):
        return {}
    identity = {} if a == b else {"lambda_identity": 0.0}
    return {"input_channels": a, "output_channels": b, **identity}


def checkpoint_arrays(network: _Network, name: str) -> dict[str, np.ndarray]:
    """The network's weights under the names of our checkpoints."""
    options = dict(network.options)
    if network.outputs:
        built = make_generator(
            options.pop("netG"), output_channels=network.outputs, name=name, **options
        )
    else:
        # define_D(): use_bias = norm_layer == nn.InstanceNorm2d.
        bias, layers = options["norm"].startswith("instance"), options.pop("n_layers_D", 3)
        built = make_discriminator(
            options.pop("netD"), n_layers=layers, bias=bias, name=name, **options
        )
    built.build((None, 256, 256, network.inputs))
    try:
        torch_names.load_state_dict(built, network.state)
    except InputError as error:
        raise InputError(f"{error} ({network.path})") from None
    return {variable.path: variable.numpy() for variable in built.variables}


def _read_train_options(path: Path) -> dict[str, str]:
    """The options in the train_opt.txt of the PyTorch code, as text."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = re.finditer(r"^ *(\w+): (.*?)\s*(?:\[default: .*\])?\s*$", text, re.MULTILINE)
    return {line[1]: line[2] for line in lines}


def _translate_options(train_options: Mapping[str, str], program: str) -> dict[str, Any]:
    """The options of training under our names."""
    training: dict[str, Any] = {}
    for torch_name, (name, kind) in {**_SHARED, **_OWN[program]}.items():
        try:
            training[name] = kind(train_options[torch_name])
        except (KeyError, ValueError):  # absent, or not a number
            continue
    for name in ("flip", "dropout"):
        if f"no_{name}" in train_options:
            training[name] = train_options[f"no_{name}"] != "True"
    return training
