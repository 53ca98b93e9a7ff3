"""Downloads a data set of pix2pix or CycleGAN and unpacks it into --output_dir/NAME.

Usage: python tools/download_dataset.py NAME [flags]

A broken download is resumed, also by a later run. What is unpacked appears as a whole
or not at all. Names:
  pix2pix    {pix2pix}
  CycleGAN   {cyclegan}
Any other NAME needs --url with the address of a tar or zip archive.
"""

from __future__ import annotations

import hashlib
import http.client
import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple

import _cli
from absl import flags

HOST = "http://efrosgans.eecs.berkeley.edu"
PIX2PIX = ("facades", "cityscapes", "maps", "edges2shoes", "edges2handbags", "night2day")
CYCLEGAN = (
    *("ae_photos", "apple2orange", "cezanne2photo", "horse2zebra", "iphone2dslr_flower"),
    *("monet2photo", "summer2winter_yosemite", "ukiyoe2photo", "vangogh2photo"),
)
URLS = {
    **{name: f"{HOST}/pix2pix/datasets/{name}.tar.gz" for name in PIX2PIX},
    **{name: f"{HOST}/cyclegan/datasets/{name}.zip" for name in CYCLEGAN},
}
CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 60
BROKEN_ARCHIVE = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    RuntimeError,  # an encrypted zip
)

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", ".", "folder that gets the folder NAME", flag_values=FLAGS)
flags.DEFINE_string("url", None, "another address of the archive", flag_values=FLAGS)
flags.DEFINE_string("sha256", None, "expected checksum of the archive", flag_values=FLAGS)
flags.DEFINE_integer(
    "tries", 5, "attempts in a row that may bring nothing", lower_bound=1, flag_values=FLAGS
)


class Interrupted(OSError):
    """The connection failed in a way that another attempt may cure."""


def download(url: str, path: Path, *, tries: int) -> None:
    """Downloads to a file, resuming after what it already contains.

    Args:
        url: Address, http or https.
        path: The file.
        tries: So many attempts in a row may fail without bringing a byte.

    Raises:
        OSError: If the server does not have the file, or all attempts failed.
    """
    failures, most = 0, _size(path)
    while True:
        try:
            return _attempt(url, path)
        except Interrupted as error:
            failures = 0 if _size(path) > most else failures + 1
            most = max(most, _size(path))
            if failures >= tries:
                raise OSError(
                    f"cannot download {url}: {error}; run again to go on from"
                    f" {_size(path) / 1e6:.1f} MB"
                ) from error
            print(f"connection lost ({error}), trying again", flush=True)
            time.sleep(2**failures - 1)  # at once when something came


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _attempt(url: str, path: Path) -> None:
    done = _size(path)
    headers = {"User-Agent": "pix2pix-tf", **({"Range": f"bytes={done}-"} if done else {})}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            _receive(response, path, done=done)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers["Content-Range"] == f"bytes */{done}":
            return  # everything was there already
        if error.code == 416:
            path.unlink()
            raise Interrupted("the partial file did not fit, starting over") from error
        reason = f"HTTP {error.code} {error.reason}"
        if error.code >= 500 or error.code in (408, 429):  # the server's passing troubles
            raise Interrupted(reason) from error
        raise OSError(f"{reason} for {url}: give another address with --url") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as e:
        raise Interrupted(_cli.describe(getattr(e, "reason", e))) from e


def _receive(response: http.client.HTTPResponse, path: Path, *, done: int) -> None:
    """Writes the body of a response after the first `done` bytes, or from the start if whole."""
    if response.status != 206:
        done = 0
    elif not (response.headers["Content-Range"] or "").startswith(f"bytes {done}-"):
        path.unlink()
        raise Interrupted("the server sent another part than asked for, starting over")
    length = response.headers["Content-Length"]
    total = done + int(length) if length else None
    options = {"unit": "B", "unit_scale": True, "initial": done, "total": total}
    with _cli.progress(path.stem, **options) as bar, open(path, "ab" if done else "wb") as file:
        while chunk := response.read1(CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and _size(path) < total:
        raise Interrupted("the connection ended early")


def checksum(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class Member(NamedTuple):
    """A member of an archive; `content` is None for a folder."""

    name: str
    content: IO[bytes] | None


def unpack(archive: Path, target: Path) -> None:
    """Unpacks a tar or zip archive into a new folder, as a whole or not at all.

    Only folders and ordinary files are written. If the archive contains one folder, its content
    becomes that of `target`.

    Raises:
        ValueError: If it is no archive, is broken, or has a member that is a link or a device or
            lies outside the folder.
    """
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        root = Path(temporary, "content")
        root.mkdir()
        try:
            for name, content in _cli.progress(
                "unpacking", iterable=_members(archive), unit="file"
            ):
                _write(root / _inside(name), content)
        except (*BROKEN_ARCHIVE, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # the disk's fault, not the archive's
                raise
            raise ValueError(f"broken archive: {_cli.describe(error)}") from error
        entries = [entry for entry in root.iterdir() if entry.name != "__MACOSX"]
        lone_folder = len(entries) == 1 and entries[0].is_dir()
        (entries[0] if lone_folder else root).rename(target)


def _members(archive: Path) -> Iterator[Member]:
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    if zipfile.is_zipfile(archive):
        return _zip_members(archive)
    raise ValueError("expected a tar or zip archive, received something else")


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # Unix mode, 0 when made elsewhere
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"refused: {info.filename!r} is a link or a device")
            if info.is_dir():
                yield Member(info.filename, None)
                continue
            with file.open(info) as content:
                yield Member(info.filename, content)


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as file:
        for info in file:
            if not (info.isfile() or info.isdir()):
                raise ValueError(f"refused: {info.name!r} is a link or a device")
            yield Member(info.name, file.extractfile(info))
        while file.fileobj.read(CHUNK_BYTES):  # to the end, where gzip has its checksum
            pass


def _inside(name: str) -> PurePosixPath:
    """The path of a member, if it lies inside on every system."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            raise ValueError(f"refused: {name!r} lies outside the folder")
    return PurePosixPath(name)


def _write(path: Path, content: IO[bytes] | None) -> None:
    (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
    if content is not None:
        with open(path, "wb") as file:
            shutil.copyfileobj(content, file)


def main(arguments: list[str]) -> None:
    """Downloads, checks and unpacks the data set named on the command line."""
    if len(arguments) != 1:
        raise ValueError(f"expected the name of one data set, received {arguments}: see --help")
    (name,) = arguments
    url = FLAGS.url or URLS.get(name, "")
    if not url:
        raise ValueError(f"expected one of {', '.join(URLS)}, or --url; received {name!r}")
    if not re.fullmatch("https?://.+", url):
        raise ValueError(f"--url: expected http:// or https://, received {url!r}")
    if FLAGS.sha256 and not re.fullmatch("[0-9a-fA-F]{64}", FLAGS.sha256):
        raise ValueError(f"--sha256: expected 64 hexadecimal digits, received {FLAGS.sha256!r}")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"expected a name that can be a folder's, received {name!r}")
    target = Path(FLAGS.output_dir, name)
    if target.exists():
        print(f"{target} exists: nothing to do (remove it to download it again)")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fetch(url, target)


def fetch(url: str, target: Path) -> None:
    """Downloads an archive beside the folder it becomes and removes it afterwards."""
    archive = target.with_name(f"{target.name}.part")
    download(url, archive, tries=FLAGS.tries)
    actual = checksum(archive)
    print(f"sha256 {actual}")
    try:
        if FLAGS.sha256 and actual != FLAGS.sha256.lower():
            raise ValueError(f"wrong checksum: expected {FLAGS.sha256}, received {actual}")
        unpack(archive, target)
    except ValueError as error:
        archive.unlink()  # it would be broken the next time as well
        raise ValueError(f"{error}; the download of {url} was removed") from error
    archive.unlink()
    print(f"unpacked into {target}")


if __name__ == "__main__":
    usage = __doc__.format(pix2pix=" ".join(PIX2PIX), cyclegan=" ".join(CYCLEGAN))
    _cli.run(main, FLAGS, usage=usage, takes_words=True)
