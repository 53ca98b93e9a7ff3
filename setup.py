"""Packaging; everything about it is in pyproject.toml."""

from setuptools import setup

setup()
