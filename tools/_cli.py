"""Helpers of the scripts in this folder: command line, pages, lists of images, progress bar."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from tqdm import tqdm

# A script of a checkout that was not installed uses that checkout; an installed package wins.
sys.path.append(str(Path(__file__).parents[1]))

from pix2pix_tf.errors import printable  # noqa: E402

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def run(
    main: Callable[..., int | None],
    flag_values: flags.FlagValues,
    *,
    usage: str,
    required: Sequence[str] = (),
    takes_words: bool = False,
) -> None:
    """Parses the command line, runs a script's `main` and ends the process with its exit code.

    Args:
        main: Returns the exit code (None for 0).
        flag_values: The script's own flags; `main` reads them after they were parsed.
        usage: The text that `--help` prints above the flags.
        required: Names of the flags that must be given.
        takes_words: Whether `main` takes the words that belong to no flag; else there must be none.
    """
    for stream in (sys.stdout, sys.stderr):  # a file name may hold what the terminal cannot show
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # As Ctrl-C does: leave by way of the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        words = flag_values(sys.argv)[1:]
        if words and not takes_words:
            raise ValueError(f"expected flags only, received {words}: see --help")
        require(flag_values, required)
        sys.exit(main(words) if takes_words else main())
    except flags.UnrecognizedFlagError as error:
        if error.flagname not in ("h", "help", "helpfull", "helpshort"):
            sys.exit(fail(describe(error)))
        print(f"{usage}\nFlags:{flag_values.main_module_help()}")
        sys.exit(0)
    except (flags.Error, ValueError, OSError, MemoryError) as error:
        sys.exit(fail(describe(error)))
    except KeyboardInterrupt:
        sys.exit(fail("interrupted", code=128 + signal.SIGINT))  # as shells count


def fail(message: str, *, code: int = 1) -> int:
    """Prints one line of error on stderr and returns the exit code."""
    print("error:", printable(" ".join(message.splitlines())), file=sys.stderr)
    return code


def describe(error: BaseException) -> str:
    """The reason of an exception in words, without `[Errno ...]`."""
    if isinstance(error, OSError) and error.strerror:
        place = f": {str(error.filename)!r}" if error.filename else ""
        return f"{error.strerror}{place}"
    return str(error) or type(error).__name__


def require(flag_values: flags.FlagValues, names: Sequence[str]) -> None:
    """Raises ValueError if one of the named flags was not given."""
    missing = [f"--{name}" for name in names if flag_values[name].value is None]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}: give a value, or see --help")


def write_page(path: Path, text: str) -> None:
    """Writes a generated page, and its folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")


def list_files(folder: str, *, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """The files of a folder (not below it) with one of the suffixes, in the order of their names.

    Args:
        folder: Path of the folder.
        suffixes: Suffixes in lower case; files may have them in any case.

    Returns:
        At least one path.

    Raises:
        ValueError: If there is no such folder or no such file in it.
    """
    if not Path(folder).is_dir():
        raise ValueError(f"expected a folder of images, received {folder!r}: no such folder")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths = [path for path in paths if path.is_file() and not path.name.startswith(".")]
    if not paths:
        raise ValueError(f"expected images ({' '.join(suffixes)}) in {folder!r}, found none")
    return sorted(paths, key=lambda path: path.name)


@contextlib.contextmanager
def away() -> Iterator[str]:
    """Leaves the current folder for the block: Python processes that start there import from it.

    Yields:
        That folder, for the processes to return to.
    """
    folder = os.getcwd()
    os.chdir(sys.prefix)
    try:
        yield folder
    finally:
        os.chdir(folder)


def progress(label: str, **options: Any) -> tqdm:
    """A tqdm bar on stdout; where stdout is no terminal it writes every ten seconds only."""
    pause = 0.1 if sys.stdout.isatty() else 10.0
    return tqdm(desc=label, file=sys.stdout, mininterval=pause, maxinterval=pause, **options)
