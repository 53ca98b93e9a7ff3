"""Infers the architecture of a network of the PyTorch code from its state dict.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pix2pix_tf.errors import InputError

_RESNETS = {9: "resnet_9blocks", 6: "resnet_6blocks"}
_UNETS = {8: "unet_256", 7: "unet_128"}
_DEEPER = re.compile(r"model\.model\.1((?:\.model\.3)*)\.model\.1\.weight")
_BLOCK = re.compile(r"model\.(\d+)\.conv_block\.1\.weight")


def infer_generator(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], int, int]:
    """Finds the options of a generator.

    Args:
        state: Dict from PyTorch's keys to arrays.

    Returns:
        (options, channels of the input, channels of the output); the options lack `dropout`
        where the weights do not show it.

    Raises:
        InputError: If it is no generator of the PyTorch code that this package has.
    """
    if "model.model.0.weight" in state:
        return _unet(state)
    if "model.1.weight" in state and any(map(_BLOCK.fullmatch, state)):
        return _resnet(state)
    raise InputError(f"Expected a U-Net or a ResNet of the PyTorch code. Received: {_few(state)}")


def _unet(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], int, int]:
    nested = [key[1].count("model") for key in map(_DEEPER.fullmatch, state) if key]
    depth = 2 + max(nested, default=-1)
    if depth not in _UNETS:
        raise InputError(f"Expected a U-Net of 7 or 8 levels. Received: {depth} levels")
    ngf, inputs = _shape(state, "model.model.0.weight")[:2]
    options = {
        "netG": _UNETS[depth],
        "ngf": ngf,
        "norm": _norm(state, "model.model.1.model.1", "model.model.1.model.2"),
    }
    return options, inputs, _shape(state, "model.model.3.weight")[1]


def _resnet(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], int, int]:
    count = len({key[1] for key in map(_BLOCK.fullmatch, state) if key})
    if count not in _RESNETS:
        raise InputError(f"Expected a ResNet of 6 or 9 blocks. Received: {count} blocks")
    ngf, inputs = _shape(state, "model.1.weight")[:2]
    options = {
        "netG": _RESNETS[count],
        "ngf": ngf,
        "norm": _norm(state, "model.4", "model.5"),
        # Dropout takes the place between a block's two convolutions.
        "dropout": getattr(state.get("model.10.conv_block.6.weight"), "ndim", 0) == 4,
    }
    return options, inputs, _shape(state, f"model.{count + 17}.weight")[0]


def infer_discriminator(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], int]:
    """Finds the options of a discriminator.

    Args:
        state: Dict from PyTorch's keys to arrays.

    Returns:
        (options, channels of the input).

    Raises:
        InputError: If it is no discriminator of the PyTorch code.
    """
    if "net.0.weight" in state:
        ndf, channels = _shape(state, "net.0.weight")[:2]
        return {"netD": "pixel", "ndf": ndf, "norm": _norm(state, "net.2", "net.3")}, channels
    ndf, channels = _shape(state, "model.0.weight")[:2]
    layers = sum(key.endswith(".weight") and state[key].ndim == 4 for key in state) - 2
    options = {"netD": "basic", "ndf": ndf, "norm": _norm(state, "model.2", "model.3")}
    if layers != 3:  # "basic" is n_layers=3
        options |= {"netD": "n_layers", "n_layers_D": layers}
    return options, channels


def _norm(state: Mapping[str, np.ndarray], convolution: str, norm: str) -> str:
    """The normalisation, from a convolution in front of one: with "instance" it has a bias."""
    biased = f"{convolution}.bias" in state
    if getattr(state.get(f"{norm}.weight"), "ndim", 0) == 1:
        return "instance_affine" if biased else "batch"
    return "instance" if biased else "none"


def _shape(state: Mapping[str, np.ndarray], key: str) -> tuple[int, ...]:
    if getattr(state.get(key), "ndim", 0) != 4:
        raise InputError(
            f"Expected {key} of 4 dimensions in the state dict. Received: {_few(state)}"
        )
    return state[key].shape


def _few(state: Mapping[str, np.ndarray]) -> str:
    return f"one with {', '.join(list(state)[:3])}"
