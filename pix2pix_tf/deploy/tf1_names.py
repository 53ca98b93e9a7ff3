"""The names of the reference's variables for each weight of ours, in one table.

Our layers carry TensorFlow 1's names, so the path of a weight is its name since December 2017.
Older checkpoints use shorter ones.
"""

# Ours (and since 2017-12-28 the reference's) to what the reference wrote before.
OLD_NAMES = {
    "conv2d/kernel": "conv/filter",
    "conv2d_transpose/kernel": "deconv/filter",
    "batch_normalization/gamma": "batchnorm/scale",
    "batch_normalization/beta": "batchnorm/offset",
}
# Adam's slots as TensorFlow 1 names them, in the order of ours: momentum, velocity.
SLOTS = ("Adam", "Adam_1")


def old_name(name):
    """The name of a variable before December 2017, or None if it did not exist then."""
    for new, old in OLD_NAMES.items():
        if name.endswith(new):
            return name.removesuffix(new) + old
    return None


def load_variables(variables, read, names):
    """Assigns values read from a checkpoint of the reference to `variables`.

    Args:
        variables: Keras variables whose paths are the reference's names.
        read: Function from a name to an array.
        names: The names that the checkpoint holds.

    Raises:
        KeyError: If a variable is in the checkpoint under neither of its names.
    """
    for variable in variables:
        name = variable.path if variable.path in names else old_name(variable.path)
        if name not in names:
            raise KeyError(variable.path)
        variable.assign(read(name))
