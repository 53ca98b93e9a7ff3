"""Docstrings, where ruff cannot tell an override of a Keras method from a method of ours."""

import importlib
import inspect
import pkgutil

import pytest

import pix2pix_tf.networks
import pix2pix_tf.training

PACKAGES = (pix2pix_tf.networks, pix2pix_tf.training)
MODULES = ["pix2pix_tf.model", "cyclegan_tf.model"] + [
    info.name
    for package in PACKAGES
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


def undocumented(module):
    """Public methods without docstrings that override nothing, as "Class.method"."""
    names = []
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if kind.__module__ != module.__name__:
            continue
        for name, value in vars(kind).items():
            function = value.fget if isinstance(value, property) else value
            function = getattr(function, "__func__", function)
            is_public = inspect.isfunction(function) and not name.startswith("_")
            is_override = any(hasattr(base, name) for base in kind.__mro__[1:])
            if is_public and not is_override and not function.__doc__:
                names.append(f"{kind.__name__}.{name}")
    return names


@pytest.mark.parametrize("name", MODULES)
def test_methods_that_override_nothing_have_docstrings(name):
    assert undocumented(importlib.import_module(name)) == []


def test_an_override_needs_no_docstring_and_another_method_does():
    class Base:
        def call(self):
            """Documented."""

    class Child(Base):
        def call(self):
            pass

        def extra(self):
            pass

    module = type(inspect)("sample")
    for kind in (Base, Child):
        kind.__module__ = "sample"
        setattr(module, kind.__name__, kind)
    assert undocumented(module) == ["Child.extra"]
