"""pix2pix on TensorFlow 2 and Keras 3.

Public names are loaded when they are first used, so importing the package costs nothing and
changes nothing. The first one turns on TensorFlow's oneDNN kernels if TensorFlow is not loaded yet.
"""

import importlib
import importlib.metadata
from typing import Any

# Where each public name is defined; "callbacks" is a module.
_HOMES = {
    "InputError": "errors",
    "PatchGAN": "networks.patchgan",
    "Pix2Pix": "model",
    "Pix2PixConfig": "config",
    "ResNet": "networks.resnet",
    "UNet": "networks.unet",
    "build": "model",
    "callbacks": "training.callbacks",
    "list_images": "data.listing",
    "load": "api",
    "save_run": "api",
    "training_pairs": "data.pipelines",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    """Imports the module of a public name."""
    if name == "__version__":
        try:
            return importlib.metadata.version("pix2pix-tf")
        except importlib.metadata.PackageNotFoundError:
            return "uninstalled"
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pix2pix_tf.training import runtime

    runtime.prefer_onednn()
    home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return home if name == "callbacks" else getattr(home, name)


def __dir__() -> list[str]:
    """Public names, also those not loaded yet."""
    return [*globals(), *__all__]
