"""The names of the reference's variables for each weight of ours, in one table.

Our layers carry TensorFlow 1's names, so the path of a weight is its name since December 2017.
Older checkpoints use shorter ones, and their convolutions have no biases.
"""

import re

import numpy as np

# What the reference wrote before 2017-12-28 to what it and we write since.
_MODERN = {
    "conv/filter": "conv2d/kernel",
    "deconv/filter": "conv2d_transpose/kernel",
    "batchnorm/scale": "batch_normalization/gamma",
    "batchnorm/offset": "batch_normalization/beta",
}
# Adam's slots as TensorFlow 1 names them.
_SLOTS = {"/Adam": "momentum", "/Adam_1": "velocity"}
_OPTIMIZERS = {"generator": "gen_adam", "discriminator": "disc_adam"}
# The moving averages of the losses by the operations that computed them.
_AVERAGES = {
    "discriminator_loss/Mean": "discriminator_loss",
    "generator_loss/Mean": "generator_loss_GAN",
    "generator_loss/Mean_1": "generator_loss_L1",
}
_AVERAGE = "/ExponentialMovingAverage"
_WEIGHT = re.compile(
    r"(generator|discriminator)/(encoder|decoder|layer)_\d+/(conv2d|conv2d_transpose|"
    r"separable_conv2d|batch_normalization)/"
    r"(kernel|bias|depthwise_kernel|pointwise_kernel|gamma|beta)"
)


def to_our_name(name: str) -> str | None:
    """Our name for a variable of the reference, or None for one without a counterpart.

    Args:
        name: A variable's name in a checkpoint of either generation.

    Returns:
        Name in our checkpoints: of a weight, a slot of Adam or a smoothed loss.
    """
    if name.endswith(_AVERAGE):
        loss = _AVERAGES.get(name.removesuffix(_AVERAGE))
        return loss and f"averages/{loss}"
    # TensorFlow before 1.0 put the slots under the name of the operation that made them.
    name = name.removeprefix("generator_train/").removeprefix("discriminator_train/")
    weight, slash, last = name.rpartition("/")
    slot = _SLOTS.get(slash + last)
    weight = to_current_name(weight if slot else name)
    if not _WEIGHT.fullmatch(weight):
        return None
    optimizer = _OPTIMIZERS[weight.partition("/")[0]]
    return f"{optimizer}/{weight.replace('/', '_')}_{slot}" if slot else weight


def to_current_name(name: str) -> str:
    """A weight's name since December 2017."""
    for old, new in _MODERN.items():
        if name.endswith(f"/{old}"):
            return name.removesuffix(old) + new
    return name


def add_missing_biases(arrays: dict[str, np.ndarray], *, old: bool) -> dict[str, np.ndarray]:
    """Adds zeros for the biases that old checkpoints lack; the networks compute the same.

    Args:
        arrays: Dict from our names to arrays.
        old: Whether the checkpoint is from before December 2017.

    Returns:
        Dict with the biases and, where their kernels have them, slots of Adam.
    """
    completed = dict(arrays)
    for name, kernel in arrays.items() if old else ():
        layer, _, last = name.rpartition("kernel")
        if kind := re.search(r"conv2d(_transpose)?[/_]$", layer):
            filters = kernel.shape[2 if kind[1] else 3]
            completed.setdefault(f"{layer}bias{last}", np.zeros(filters, np.float32))
    return completed
