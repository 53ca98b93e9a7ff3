"""The files that were opened last, in memory."""

import abc
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pix2pix_tf import run_folder

# Files in memory up to so many bytes.
_RECENT_BYTES = 2**29


class Source(abc.ABC):
    """The contents of a file in memory."""

    @property
    @abc.abstractmethod
    def nbytes(self) -> int:
        """Size in memory."""


class Bytes(Source):
    """The bytes of a file."""

    def __init__(self, contents: bytes) -> None:
        self.contents = contents

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return len(self.contents)


S = TypeVar("S", bound=Source)


class RecentSources:
    """The files that were read last, up to a number of bytes.

    A file that is still in use is never read twice, so that all images of a container share it.
    A file that has changed is another file.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._lock = limit, threading.RLock()
        self._recent: OrderedDict[tuple, Source] = OrderedDict()
        self._in_use: weakref.WeakValueDictionary[tuple, Any] = weakref.WeakValueDictionary()

    def get(self, path: Path, read: Callable[[Path], S]) -> S:
        """What `read` returns for a file, from memory if that is still there."""
        with self._lock:
            key = _state(path)
            source = self._in_use.get(key)
            source = read(path) if source is None else source
            self._in_use[key] = self._recent[key] = source
            self._recent.move_to_end(key)
            while len(self._recent) > 1 and self._size() > self._limit:
                self._recent.popitem(last=False)
            return source

    def find(self, path: Path) -> Any:
        """What `get` returned for a file, or None."""
        with self._lock:
            return self._in_use.get(_state(path)) if self._in_use else None

    def _size(self) -> int:
        return sum(source.nbytes for source in self._recent.values())


def _state(path: Path) -> tuple:
    """Changes with the file."""
    state: Any = path.stat()
    if run_folder.is_remote(path):
        return str(path), state.mtime, state.length
    return str(path), state.st_mtime_ns, state.st_size


RECENT = RecentSources(_RECENT_BYTES)
