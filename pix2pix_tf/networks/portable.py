"""Graphs for other runtimes, from operations and types that every runtime has."""

import contextlib
import contextvars
from collections.abc import Iterator

_is_portable = contextvars.ContextVar("is_portable", default=False)


@contextlib.contextmanager
def portable_graph() -> Iterator[None]:
    """Traces graphs in the block with TensorFlow's plain operations.

    Without it, statistics are computed in float64, and convolutions by the kernels of `cpu`, which
    extract windows and multiply matrices. Other runtimes have convolutions of their own.
    """
    token = _is_portable.set(True)
    try:
        yield
    finally:
        _is_portable.reset(token)


def is_portable() -> bool:
    """Whether a graph for another runtime is traced, in a block of `portable_graph`."""
    return _is_portable.get()
