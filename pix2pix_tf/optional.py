"""Optional features: the one table of `extras/`, and the one error of a missing extra.

The core never imports a folder of `extras/` by name; it asks `load` for what it needs of one.
"""

import importlib
from types import ModuleType
from typing import Any

from pix2pix_tf.errors import InputError

# The extra of pyproject.toml, which is also a folder of `pix2pix_tf/extras`.
EXTRAS = ("medical", "metrics", "pict", "porting", "serve", "tfds", "tiff", "web", "workers")


def load(extra: str, home: str, *, needed_by: str) -> Any:
    """Imports one object of an optional feature.

    Args:
        extra: Name of the extra, one of `EXTRAS`.
        home: Where the object is defined inside of the extra's folder, as "module:name", or
            "module" for the module itself.
        needed_by: What needs it, the beginning of the error, such as "--mode serve".

    Returns:
        The object, such as a class, a function or a module.

    Raises:
        InputError: If the extra, or a package that it brings, is not installed.
    """
    module, _, name = home.partition(":")
    loaded = import_package(f"pix2pix_tf.extras.{extra}.{module}", extra=extra, needed_by=needed_by)
    return getattr(loaded, name) if name else loaded


def import_package(name: str, *, extra: str, needed_by: str) -> ModuleType:
    """Imports a package that an extra brings.

    Args:
        name: Name of the module.
        extra: Name of the extra in pyproject.toml.
        needed_by: What needs it, the beginning of the error.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        reason = f"no module {error.name}" if isinstance(error, ModuleNotFoundError) else error
        raise InputError(
            f"{needed_by} needs an extra: pip install 'pix2pix-tf[{extra}]' ({reason})"
        ) from None
