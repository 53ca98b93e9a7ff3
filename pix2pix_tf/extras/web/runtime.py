"""ONNX Runtime Web: fetched once, checked, and kept in the user's cache."""

import base64
import hashlib
import http.client
import io
import os
import tarfile
import urllib.request
from pathlib import Path

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

VERSION = "1.30.0"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/{ARCHIVE}"
# Of the archive, as the npm registry states it.
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8p"
    "ZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
# WebAssembly with SIMD, and the build that has WebGPU as well (it needs a newer browser).
WASM = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
WEBGPU = ("ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm")
# SHA-256 of each file in the archive's folder package/dist.
FILES = {
    WASM[0]: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM[1]: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    WEBGPU[0]: "07ec090355e11b342c95436db54da2d0c2bd5b1d319745bfd3337e6bdcf170ac",
    WEBGPU[1]: "a54c76f86b0f0d9572380cf1c6292a7b3903716ffcbcd6b0e5c7050bf430eb93",
}
# The archive has 33 MB, its largest file 17 MB.
_MAX_BYTES = 2**26
# Seconds in which something of the archive has to arrive.
_TIMEOUT = 60


def load_runtime(folder: str | None = None) -> dict[str, bytes]:
    """Reads the runtime, or fetches it into the user's cache.

    Args:
        folder: The value of `--web_runtime`, a folder with the files, the package or its archive;
            or None.

    Returns:
        Dict from the names in `FILES` to contents.

    Raises:
        InputError: If it is nowhere and cannot be fetched, or a file is another.
    """
    if folder is not None:
        return _load_from(Path(folder))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = cache / "pix2pix-tf" / f"onnxruntime-web-{VERSION}"
    try:
        return _read_files(cache)
    except (InputError, OSError):  # incomplete, or not what was stored there
        files = _unpack(_download(), source=URL)
    for name, contents in files.items():
        with run_folder.atomic(cache / name) as temporary:
            temporary.write_bytes(contents)
    return files


def _load_from(folder: Path) -> dict[str, bytes]:
    for place in (folder, folder / "dist", folder / "package" / "dist"):
        if all((place / name).is_file() for name in FILES):
            return _read_files(place)
    archive = folder / ARCHIVE
    if archive.is_file():
        return _unpack(run_folder.read_bytes(archive, _MAX_BYTES), source=str(archive))
    raise InputError(
        f"Expected --web_runtime to be a folder with {ARCHIVE} or the files of its dist folder "
        f"({', '.join(FILES)}). Received: {folder}"
    )


def _read_files(folder: Path) -> dict[str, bytes]:
    files = {name: run_folder.read_bytes(folder / name, _MAX_BYTES) for name in FILES}
    for name, contents in files.items():
        if hashlib.sha256(contents).hexdigest() != FILES[name]:
            raise InputError(
                f"{folder / name} is not the file of onnxruntime-web {VERSION}: its checksum "
                "differs."
            )
    return files


def _download() -> bytes:
    try:
        with urllib.request.urlopen(URL, timeout=_TIMEOUT) as answer:
            return answer.read(_MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{URL} could not be downloaded ({reason}); fetch it elsewhere and name its folder "
            "with --web_runtime."
        ) from None


def _unpack(archive: bytes, *, source: str) -> dict[str, bytes]:
    """Checks the archive and returns the files that pages need."""
    kind, _, digest = INTEGRITY.partition("-")
    if base64.b64encode(hashlib.new(kind, archive).digest()).decode() != digest:
        raise InputError(
            f"{source} is not the archive of onnxruntime-web {VERSION}: its checksum differs."
        )
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        members = {name: file.extractfile(f"package/dist/{name}") for name in FILES}
        return {name: member.read() for name, member in members.items() if member}
