"""The names and layouts of the PyTorch code's weights for each weight of ours, in one table.

The PyTorch code names a weight by the place of its module in nested sequences. Its networks hold
the same modules in the same order as ours, so the place follows from the level.

Reference:
    junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from pix2pix_tf.errors import InputError
from pix2pix_tf.networks.patchgan import PatchGAN
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

Network = UNet | ResNet | PatchGAN

# Ours to (PyTorch's, whether it belongs to the normalisation).
_PARAMETERS = {
    "kernel": ("weight", False),
    "bias": ("bias", False),
    "gamma": ("weight", True),
    "beta": ("bias", True),
}
# Moving averages, which our normalisations do without.
_UNUSED = ("running_mean", "running_var", "num_batches_tracked")


def weights_by_path(network: Network) -> dict[str, Any]:
    """Dict from the paths of the network's weights, without its own name, to the variables."""
    return {variable.path.split("/", 1)[1]: variable for variable in network.weights}


def torch_keys(network: Network) -> dict[str, str]:
    """The table of one network.

    Args:
        network: A built `UNet`, `ResNet` or `PatchGAN`.

    Returns:
        Dict from the paths of `weights_by_path` to PyTorch's keys.
    """
    places, keys = _places(network), {}
    for path in weights_by_path(network):
        level, _, parameter = path.rsplit("/", 2)
        torch_parameter, of_norm = _PARAMETERS[parameter]
        keys[path] = f"{places[level][of_norm]}.{torch_parameter}"
    return keys


def load_state_dict(network: Network, state: Mapping[str, np.ndarray]) -> None:
    """Assigns a state dict of the PyTorch code to a network.

    Args:
        network: A built `UNet`, `ResNet` or `PatchGAN` of the same architecture.
        state: Dict from PyTorch's keys to numpy arrays in PyTorch's layout.

    Raises:
        InputError: If a weight is missing, has another shape, or is left over; the network is
            then as it was.
    """
    keys = {key for key in state if not key.endswith(_UNUSED)}
    table, variables, values = torch_keys(network), weights_by_path(network), {}
    if missing := set(table.values()) - keys:
        raise InputError(f"the state dict has no {_few(missing)}")
    if extra := keys - set(table.values()):
        raise InputError(f"the state dict has entries that the network does not: {_few(extra)}")
    for path, variable in variables.items():
        array = np.asarray(state[table[path]], np.float32)
        expected = to_torch(network, path, np.empty(variable.shape, np.float32)).shape
        if array.shape != expected:
            raise InputError(f"Expected {table[path]} of shape {expected}. Received: {array.shape}")
        values[path] = from_torch(network, path, array)
    for path, variable in variables.items():
        variable.assign(values[path])


def from_torch(network: Network, path: str, array: np.ndarray) -> np.ndarray:
    """Brings an array of PyTorch's layout into that of our weight `path`."""
    if array.ndim == 4:
        # OIHW to HWIO; of transposed convolutions IOHW to HWOI.
        array = array.transpose(2, 3, 1, 0)
    return np.roll(array, array.shape[-1] // 2, -1) if _skip_first(network, path) else array


def to_torch(network: Network, path: str, array: np.ndarray) -> np.ndarray:
    """Brings an array of the layout of our weight `path` into PyTorch's."""
    if _skip_first(network, path):
        array = np.roll(array, array.shape[-1] // 2, -1)
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def _skip_first(network: Network, path: str) -> bool:
    """Whether PyTorch's kernel reads the skip before the deeper level's result; ours reads it last.

    The innermost decoder has no skip.
    """
    if not isinstance(network, UNet) or not path.endswith("conv2d_transpose/kernel"):
        return False
    return not path.startswith(f"decoder_{network.depth}/")


def _few(keys: Collection[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(sorted(keys)[:3]) + more


def _places(network: Network) -> dict[str, tuple[str, ...]]:
    """Dict from our levels to the keys of their convolution and of their normalisation."""
    if isinstance(network, PatchGAN):
        return _patchgan_places(network)
    return _resnet_places(network) if isinstance(network, ResNet) else _unet_places(network.depth)


def _patchgan_places(network: PatchGAN) -> dict[str, tuple[str, ...]]:
    if network.pixel:
        return {"layer_1": ("net.0",), "layer_2": ("net.2", "net.3"), "layer_3": ("net.5",)}
    places: dict[str, tuple[str, ...]] = {"layer_1": ("model.0",)}
    for number in range(2, len(network.levels) + 1):
        places[f"layer_{number}"] = (f"model.{3 * number - 4}", f"model.{3 * number - 3}")
    return places


def _resnet_places(network: ResNet) -> dict[str, tuple[str, ...]]:
    count = len(network.blocks)
    first = {"encoder_1": 1, "encoder_2": 4, "encoder_3": 7}
    first |= {"decoder_3": count + 10, "decoder_2": count + 13, "decoder_1": count + 17}
    places: dict[str, tuple[str, ...]] = {
        name: (f"model.{at}", f"model.{at + 1}") for name, at in first.items()
    }
    second = 6 if network.dropout else 5
    for number in range(count):
        inside = f"model.{number + 10}.conv_block"
        places[f"block_{number + 1}/conv_1"] = (f"{inside}.1", f"{inside}.2")
        places[f"block_{number + 1}/conv_2"] = (f"{inside}.{second}", f"{inside}.{second + 1}")
    return places


def _unet_places(depth: int) -> dict[str, tuple[str, ...]]:
    places: dict[str, tuple[str, ...]]
    places = {"encoder_1": ("model.model.0",), "decoder_1": ("model.model.3",)}
    at = "model.model.1"
    for number in range(2, depth + 1):
        up = 3 if number == depth else 5
        places[f"encoder_{number}"] = (f"{at}.model.1", f"{at}.model.2")
        places[f"decoder_{number}"] = (f"{at}.model.{up}", f"{at}.model.{up + 1}")
        at += ".model.3"
    return places
