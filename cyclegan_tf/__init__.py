"""CycleGAN on TensorFlow 2 and Keras 3.

Public names are loaded when they are first used, as those of `pix2pix_tf`, which has the networks
and whatever else both programs share.
"""

import importlib
from typing import Any

# Where each public name is defined.
_HOMES = {
    "CycleGAN": "cyclegan_tf.model",
    "CycleGANConfig": "cyclegan_tf.config",
    "build": "cyclegan_tf.model",
    "load": "cyclegan_tf.task",
    "save_run": "cyclegan_tf.task",
    "training_unpaired": "pix2pix_tf.data.pipelines",
}
_SHARED = ("InputError", "PatchGAN", "ResNet", "UNet", "__version__", "callbacks", "list_images")
__all__ = sorted([*_HOMES, *_SHARED])


def __getattr__(name: str) -> Any:
    """Imports the module of a public name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pix2pix_tf.training import runtime

    runtime.prefer_onednn()
    return getattr(importlib.import_module(_HOMES.get(name, "pix2pix_tf")), name)


def __dir__() -> list[str]:
    """Public names, also those not loaded yet."""
    return [*globals(), *__all__]
