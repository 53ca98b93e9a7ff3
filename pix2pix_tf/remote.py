"""Folders that are not on this machine: what `pathlib.Path` does, by way of `tf.io.gfile`."""

import contextlib
import errno
import fnmatch
import functools
import io
import posixpath
import re
import tempfile
from pathlib import Path, PurePosixPath

from pix2pix_tf.errors import InputError

_MARK = "://"
# A single letter would be a drive of Windows.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_remote(path):
    """Whether `path` is an address such as gs://bucket/run."""
    return _ADDRESS.match(str(path)) is not None


@functools.total_ordering
class RemotePath:
    """A file or folder at an address, with what run folders and data sets need of `pathlib.Path`.

    It has no `__fspath__`: `open` and `os` cannot take it for a name on this machine. TensorFlow
    is loaded when a file is first touched.

    Args:
        address: SCHEME://PLACE, of any file system that TensorFlow or tensorflow-io knows.
    """

    def __init__(self, address):
        self._scheme, _, rest = str(address).partition(_MARK)
        self._rest = rest.rstrip("/")

    def __str__(self):
        return self._scheme + _MARK + self._rest

    def __repr__(self):
        return f"RemotePath({str(self)!r})"

    def __hash__(self):
        return hash(str(self))

    def __eq__(self, other):
        return isinstance(other, RemotePath) and str(self) == str(other)

    def __lt__(self, other):
        return str(self) < str(other)

    def __truediv__(self, name):
        return RemotePath(self._scheme + _MARK + posixpath.join(self._rest, str(name)))

    @property
    def name(self):
        """The last part of the address."""
        return PurePosixPath(self._rest).name

    @property
    def stem(self):
        """The name without its suffix."""
        return PurePosixPath(self._rest).stem

    @property
    def suffix(self):
        """The name's end from its last dot on."""
        return PurePosixPath(self._rest).suffix

    @property
    def parent(self):
        """The folder that holds it."""
        return RemotePath(self._scheme + _MARK + posixpath.dirname(self._rest))

    def with_name(self, name):
        """Another file in the same folder."""
        return self.parent / name

    def resolve(self):
        """The same: addresses have no links."""
        return self

    absolute = resolve

    def exists(self):
        """Whether there is a file or a folder."""
        return self._do("exists")

    def is_dir(self):
        """Whether it is a folder."""
        return self._do("isdir")

    def is_file(self):
        """Whether it is a file."""
        return self.exists() and not self.is_dir()

    def iterdir(self):
        """What the folder holds, in no order."""
        return [self / name.rstrip("/") for name in self._do("listdir")]

    def glob(self, pattern):
        """What the folder holds of this pattern; nothing if there is no folder."""
        found = self.iterdir() if self.is_dir() else []
        return [path for path in found if fnmatch.fnmatchcase(path.name, pattern)]

    def mkdir(self, *, parents, exist_ok):
        """Creates the folder and those around it; it may be there."""
        self._do("makedirs")

    def unlink(self, missing_ok=False):
        """Removes the file."""
        if not missing_ok or self.exists():
            self._do("remove")

    def replace(self, target):
        """Renames the file, over another one if need be."""
        self._do("rename", str(target), overwrite=True)

    rename = replace

    def read_bytes(self):
        """The whole file."""
        with self.open("rb") as file:
            return file.read()

    def read_text(self, *, encoding, errors="strict"):
        """The whole file as text."""
        return self.read_bytes().decode(encoding, errors)

    def write_bytes(self, contents):
        """Writes the file."""
        with self.open("wb") as file:
            file.write(contents)

    def write_text(self, text, *, encoding):
        """Writes the file from text."""
        self.write_bytes(text.encode(encoding))

    def open(self, mode, *, encoding=None, newline=None):
        """Opens the file: "rb", "wb", or "a" for text in UTF-8."""
        raw = _File(self, mode)
        if mode == "rb":
            return io.BufferedReader(raw, _BLOCK)
        writer = io.BufferedWriter(raw, _BLOCK)
        return writer if mode == "wb" else io.TextIOWrapper(writer, encoding, newline=newline)

    @contextlib.contextmanager
    def fetched(self):
        """Gives a copy of the file on this machine, a `Path`, until the block ends."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self.name
            self._do("copy", str(copy))
            yield copy

    def _do(self, name, *arguments, **options):
        with translated(self):
            return getattr(_file_systems(self._scheme), name)(str(self), *arguments, **options)


# Bytes that are read or written at once.
_BLOCK = 2**20


class _File(io.RawIOBase):
    """An open remote file as Python's own files are: what is not written raises."""

    def __init__(self, path, mode):
        super().__init__()
        self._path, self._mode = path, mode
        with translated(path):
            self._file = _file_systems(path._scheme).GFile(str(path), mode.strip("b") + "b")
            # It would open the file, or not, at the first use only.
            self._file.read(0) if mode == "rb" else self._file.write(b"")

    def readable(self):
        return self._mode == "rb"

    def writable(self):
        return not self.readable()

    def seekable(self):
        return self.readable()

    def readinto(self, buffer):
        with translated(self._path):
            found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def write(self, contents):
        with translated(self._path):
            self._file.write(bytes(contents))
        return len(contents)

    def seek(self, offset, whence=io.SEEK_SET):
        with translated(self._path):
            self._file.seek(offset, whence)
            return self._file.tell()

    def tell(self):
        with translated(self._path):
            return self._file.tell()

    def close(self):
        if not self.closed:
            super().close()
            with translated(self._path):
                self._file.close()


@functools.cache
def _file_systems(scheme):
    """`tf.io.gfile`, once it knows `scheme`."""
    from pix2pix_tf.training import runtime

    runtime.import_tensorflow()

    import tensorflow as tf

    if scheme not in tf.io.gfile.get_registered_schemes():
        with contextlib.suppress(ImportError):
            # Importing it adds file systems, such as s3 and hdfs.
            import tensorflow_io  # noqa: F401
    known = sorted(filter(None, tf.io.gfile.get_registered_schemes()))
    if scheme not in known:
        raise InputError(
            f"Expected an address of one of {', '.join(known)}. Received: {scheme}{_MARK}...; "
            "others come with the package tensorflow-io"
        )
    return tf.io.gfile


@contextlib.contextmanager
def translated(path):
    """Turns TensorFlow's errors about a file into the OSError that Python would have raised."""
    try:
        yield
    except Exception as error:
        from tensorflow import errors

        if not isinstance(error, errors.OpError):
            raise
        kinds = {
            errors.NotFoundError: errno.ENOENT,
            errors.PermissionDeniedError: errno.EACCES,
            errors.UnauthenticatedError: errno.EACCES,
            errors.ResourceExhaustedError: errno.ENOSPC,
        }
        number = kinds.get(type(error), errno.EIO)
        why = (error.message.splitlines() or [type(error).__name__])[0]
        raise OSError(number, why or type(error).__name__, str(path)) from None
