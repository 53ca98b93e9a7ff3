"""What the processes with PyTorch need: weights, an environment, and their errors."""

import hashlib
import http.client
import os
import re
import shutil
import sys
import urllib.request
from pathlib import Path, PurePosixPath

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

# The name of each file ends with the start of its SHA-256.
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"


def find_weights(
    url: str, *, purpose: str, download: bool, path: str | os.PathLike[str] | None = None
) -> Path:
    """Finds a file of weights: the one named, or the one in PyTorch's cache.

    Args:
        url: Where the file comes from.
        purpose: What needs it, for the error.
        download: Whether it may be downloaded to the cache.
        path: A file to take instead.

    Raises:
        InputError: If there is no such file, or the download fails.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    name = PurePosixPath(url).name
    cached = Path(home, "hub", "checkpoints", name).expanduser().resolve()
    weights = Path(path).expanduser().resolve() if path else cached
    if not weights.is_file() and download and not path:
        _download(url, cached)
    if not weights.is_file():
        flag = "name it with --inception_weights, " if url == INCEPTION_URL else ""
        raise InputError(
            f"{purpose} need weights, but there is no file {weights}; put {name} to {cached}, "
            f"{flag}or allow the download with --download_weights"
        )
    return weights


def _download(url: str, path: Path) -> None:
    start = path.stem.rpartition("-")[2]
    try:
        with run_folder.atomic(path) as temporary:
            with urllib.request.urlopen(url, timeout=60) as response, temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
            if not (digest := hash_file(temporary)).startswith(start):
                raise InputError(
                    f"Expected a file whose SHA-256 starts with {start} from {url}. "
                    f"Received: {digest[:8]}"
                )
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{path.name} cannot be downloaded from {url}: {error}") from None


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environment() -> dict[str, str]:
    """The environment of a process: PyTorch unpickles numbers only, bars write rarely to files."""
    pause = "0.1" if sys.stdout.isatty() else "10"
    return {**os.environ, "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "TQDM_MININTERVAL": pause}


def last_error(text: str) -> str:
    """The line of a traceback that names the error, shortened."""
    lines = re.findall(r"^[\w.]*(?:Error|Exception)\b.*", text, re.M) or text.splitlines()
    return lines[-1][:200] if lines else "it has ended"
