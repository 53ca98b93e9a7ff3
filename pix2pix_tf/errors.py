"""The exception that the command line prints as a single line, and how lines are printed."""

import re
import string
from typing import TextIO

# Characters of a value that an error repeats.
_MAX_VALUE = 200


class InputError(ValueError):
    """An input that cannot be used; the message states the problem and what to do.

    The command line prints the message without a traceback and exits with code 1. Any other
    exception is a defect of the program and keeps its traceback.
    """

    def command_line_text(self) -> str:
        """The message as the command line prints it."""
        return str(self)


class OptionError(InputError):
    """An error about options, which are called ngf in Python and --ngf on the command line.

    Args:
        text: The message, as of `str.format`: {ngf} is the option of that name, {} the next of
            `values`.
        values: What was received, and other values.
    """

    def __init__(self, text: str, *values: object) -> None:
        super().__init__(text, *values)

    def __str__(self) -> str:
        return self._spell("")

    def command_line_text(self) -> str:
        """The message with dashes in front of the names of options."""
        return self._spell("--")

    def _spell(self, dashes: str) -> str:
        text, *values = self.args
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        return text.format(*map(shorten, values), **{name: dashes + name for name in names})


def shorten(value: object) -> str:
    """A value as text of at most 200 characters."""
    text = str(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."


def printable(text: object) -> str:
    """`text` in one line: line breaks and control characters as escapes.

    Names of files and values in foreign files cannot forge lines or steer a terminal.
    """
    return re.sub(
        r"[^\x20-\x7e]",
        lambda found: found[0] if found[0].isprintable() else ascii(found[0])[1:-1],
        str(text),
    )


def print_line(*parts: object, file: TextIO | None = None) -> None:
    """Prints one line that may contain names of files or other people's texts, made `printable`."""
    print(printable(" ".join(map(str, parts))), file=file, flush=True)
