"""pix2pix on TensorFlow 2 and Keras 3.

Public names are loaded when they are first used, so importing the package costs nothing and
changes nothing.
"""

import importlib

_HOMES = {
    "Pix2Pix": "model",
    "Pix2PixConfig": "config",
    "InputError": "errors",
    "build": "model",
    "list_images": "data.listing",
    "load": "commands.modes",
    "training_pairs": "data.pipelines",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Imports the module of a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    """Public names, also those not loaded yet."""
    return [*globals(), *_HOMES]
