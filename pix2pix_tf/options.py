"""One description of an option, three uses: dataclass field, absl flag, options.json."""

import contextlib
import contextvars
import dataclasses
import difflib
import functools
import json
import math
import re
import textwrap
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError

# Whether a command line is carried out: messages then name --flags.
in_command: contextvars.ContextVar[bool] = contextvars.ContextVar("in_command", default=False)
HELP = ("--help", "-help", "-h", "--helpfull")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of value that Python has no type for, such as an image's size.

    Attributes:
        name: As `--help` shows it.
        parse: Function of a text, or of a value in options.json, to the value in its one spelling;
            raises `InputError`.
        parts: Function of a value to the numbers in it, which the option's limits apply to.
    """

    name: str
    parse: Callable[[Any], Any]
    parts: Callable[[Any], Sequence[float]]


def option(
    default: Any,
    text: str,
    *,
    group: str,
    modes: tuple[str, ...] | None = None,
    also: str | None = None,
    kind: Kind | None = None,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    adopted: str = "run",
) -> Any:
    """A dataclass field that is also a command-line flag.

    Args:
        default: The value when the flag is omitted.
        text: One or two sentences of help.
        group: The heading of `--help` under which the flag stands.
        modes: What it has an effect on, None for everything.
        also: Another name of the flag, or None.
        kind: `Kind` of the values, or None if the field's type says it.
        choices: Allowed strings, or None.
        minimum: Smallest allowed number, or None.
        maximum: Largest allowed number, or None.
        above: Number that must be exceeded, or None.
        below: Number that must not be reached, or None.
        adopted: What a command that reads a run folder does when the flag is omitted.
            "architecture": always take the value of the run; another one is an error;
            "data": always take the run's value, an explicit flag may change it;
            "run": take the run's value when training is resumed; "never": this command's own.

    Returns:
        A `dataclasses.field`.
    """
    rule: dict[str, Any]
    rule = {"modes": modes, "also": also, "kind": kind, "choices": choices, "adopted": adopted}
    rule |= {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"help": text, "group": group, **rule})


def _type(field: dataclasses.Field) -> Any:
    """The type behind `int` or `int | None`."""
    kinds = [kind for kind in typing.get_args(field.type) if kind is not type(None)]
    return kinds[0] if kinds else field.type


def type_name(field: dataclasses.Field) -> str:
    """The type of an option as a person reads it: "bool", "int", "float", "str" or "size"."""
    kind = field.metadata["kind"]
    return kind.name if kind else _type(field).__name__


def description(field: dataclasses.Field) -> str:
    """The help of an option, with its other name."""
    also = field.metadata["also"]
    return field.metadata["help"] + (f" Also --{also}." if also else "")


def check(config: Any) -> None:
    """Raises an error for values out of range; called by a configuration's `__post_init__`.

    Raises:
        InputError: Naming the flag, what was expected and what was received.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        kind = field.metadata["kind"]
        for part in kind.parts(value) if kind and value is not None else (value,):
            if part is not None and (expected := _violated(field.metadata, part)):
                raise InputError(f"Expected --{field.name} to be {expected}. Received: {value}")


def _violated(rule: Mapping[str, Any], value: Any) -> str | None:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "UTF-8"  # as TensorFlow and the files of a run need it
    if rule["choices"] and value not in rule["choices"]:
        return "one of " + ", ".join(rule["choices"])
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if rule["minimum"] is not None and value < rule["minimum"]:
        return f"at least {rule['minimum']}"
    if rule["maximum"] is not None and value > rule["maximum"]:
        return f"at most {rule['maximum']}"
    if rule["above"] is not None and value <= rule["above"]:
        return f"more than {rule['above']}"
    if rule["below"] is not None and value >= rule["below"]:
        return f"less than {rule['below']}"
    return None


class _Parser(flags.ArgumentParser):
    """Reads the values of a `Kind`; the text that absl shows is that of the error."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def parse(self, argument: Any) -> Any:
        return self._kind.parse(argument)


def _define_flags(config_class: type) -> flags.FlagValues:
    """Defines one absl flag per field in a private `FlagValues`; nothing global changes."""
    values = flags.FlagValues()
    define: dict[Any, Callable[..., Any]] = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(config_class):
        kind = field.metadata["kind"]
        define_flag = define[_type(field)]
        if kind:
            define_flag = functools.partial(flags.DEFINE, _Parser(kind))
        define_flag(field.name, field.default, description(field), flag_values=values)
    return values


def parse(config_class: type, argv: Sequence[str]) -> tuple[Any, set[str]]:
    """Turns command-line words into a configuration.

    Args:
        config_class: Dataclass whose fields were made by `option`.
        argv: The words after the program's name.

    Returns:
        (configuration, names of the explicit flags).

    Raises:
        InputError: For an unknown flag, a wrong type or a value out of range.
    """
    fields, values = dataclasses.fields(config_class), _define_flags(config_class)
    booleans = {field.name for field in fields if _type(field) is bool}
    others = {field.metadata["also"]: field.name for field in fields}
    words = [_spelled(word, booleans, others) for word in argv]
    try:
        rest = values(["program", *words])[1:]
    except flags.UnrecognizedFlagError as error:
        raise InputError(_unknown_flag(error, values)) from None
    except flags.Error as error:
        text = " ".join(str(error).split())
        raise InputError(f"Expected a value of the flag's type. Received: {text}") from None
    if rest:
        modes = [mode for f in fields if f.name == "mode" for mode in f.metadata["choices"]]
        near = difflib.get_close_matches(rest[0], modes, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"Expected flags only, such as --mode train. Received: {rest[0]}{hint}")
    names = [field.name for field in fields]
    before = in_command.set(True)
    explicit = {name for name in names if values[name].present}
    try:
        return config_class(**{name: values[name].value for name in names}), explicit
    finally:
        in_command.reset(before)


@contextlib.contextmanager
def named_for_caller() -> Iterator[None]:
    """Outside of commands, errors of the block name options, such as lr, instead of flags."""
    try:
        yield
    except InputError as error:
        if in_command.get():
            raise
        raise InputError(re.sub(r"--(?=[A-Za-z])", "", str(error))) from None


def _spelled(word: str, booleans: set[str], others: dict[str, str]) -> str:
    """Spells the other name of a flag, and the reference's `--no_flip`, in absl's way."""
    flag, equals, value = word.partition("=")
    name = flag.lstrip("-") if flag.startswith("-") else ""
    if name.startswith("no_") and name[3:] in booleans:
        return "--no" + name[3:]
    return f"--{others[name]}{equals}{value}" if name in others else word


def _unknown_flag(error: flags.UnrecognizedFlagError, values: flags.FlagValues) -> str:
    name = error.flagname
    near = difflib.get_close_matches(name, list(values), n=1)
    hint = f"did you mean --{near[0]}?" if near else "--help lists them all."
    return f"Expected a known flag. Received: --{name}; {hint}"


def help_text(
    config_class: type,
    *,
    program: str,
    summary: str,
    mode: str | None = None,
    of_run: bool = False,
) -> str:
    """Every flag under its group's heading, in the order of the dataclass' fields.

    Args:
        config_class: Dataclass whose fields were made by `option`.
        program: Name of the command.
        summary: Paragraphs shown before the flags.
        mode: Show only the flags that have an effect in this mode; None for all.
        of_run: Whether the mode uses a run, which determines the architecture and, where flags
            are omitted, how data are read.

    Returns:
        The text that `--help` prints.
    """
    shown = [
        field
        for field in dataclasses.fields(config_class)
        if mode is None or mode in (field.metadata["modes"] or ())
    ]
    if of_run:
        shown = [field for field in shown if field.metadata["adopted"] != "architecture"]
    lines = [f"usage: {program} {mode or '[MODE]'} [flags]", ""]
    for line in summary.strip().splitlines():
        if mode is None or not line.startswith(f"  {program}") or line.split()[1] == mode:
            lines.append(line)
    for group in dict.fromkeys(field.metadata["group"] for field in shown):
        lines += ["", f"{group}:"]
        for field in shown:
            if field.metadata["group"] == group:
                lines += _flag_help(field, of_run=of_run and field.metadata["adopted"] == "data")
    lines += ["", "  --help, --version"]
    return "\n".join(lines) + "\n"


def _flag_help(field: dataclasses.Field, *, of_run: bool) -> list[str]:
    kind, rule = _type(field), field.metadata
    name = f"--[no]{field.name}" if kind is bool else f"--{field.name}"
    shown = "|".join(rule["choices"]) if rule["choices"] else type_name(field).upper()
    default = "" if field.default is None else f" (default: {field.default})"
    default = " (default: as in the run)" if of_run else default
    head = f"  {name}" if kind is bool else f"  {name} {shown}"
    indent = " " * 6
    body = textwrap.wrap(
        description(field) + default, 96, initial_indent=indent, subsequent_indent=indent
    )
    return [head, *body]


def adopt(
    config: Any,
    explicit: Collection[str],
    stored: Mapping[str, Any],
    *,
    source: Any,
    resuming: bool,
) -> Any:
    """Takes the omitted options from a run's options.json.

    Args:
        config: Configuration of this command.
        explicit: Names of the options that were given.
        stored: The run's options; names that are unknown are ignored.
        source: The run's folder, for messages.
        resuming: Whether training is resumed (all of the run's options are taken) or the run is
            only used (its architecture and data options are).

    Returns:
        The resolved configuration.

    Raises:
        InputError: If an explicit option contradicts the architecture of the run, or a stored
            value is of another type.
    """
    if not any(field.name in stored for field in dataclasses.fields(config)):
        where = run_folder.place(source) / run_folder.OPTIONS
        raise InputError(f"{where} contains no options of a run")
    changes = {}
    taken = ("architecture", "data", "run") if resuming else ("architecture", "data")
    for field in dataclasses.fields(config):
        name, rule = field.name, field.metadata["adopted"]
        if name not in stored or rule not in taken:
            continue
        value = stored_value(config, name, stored=stored, source=source)
        if name not in explicit:
            changes[name] = value
        elif rule == "architecture" and value != getattr(config, name):
            raise InputError(
                f"Expected --{name} to be omitted or {value}, as in the run in {source}. "
                f"Received: {getattr(config, name)}"
            )
    try:
        return dataclasses.replace(config, **changes)
    except InputError as error:
        raise InputError(
            f"{error} (from {run_folder.place(source) / run_folder.OPTIONS})"
        ) from None


def stored_value(config: Any, name: str, *, stored: Mapping[str, Any], source: Any) -> Any:
    """The value of one option in a run's options.json, of the option's type.

    Args:
        config: Dataclass, or an object of it, whose fields were made by `option`.
        name: Name of the option.
        stored: The run's options, which have it.
        source: The run's folder, for messages.

    Returns:
        bool, int, float, str or None.

    Raises:
        InputError: If the value has another type.
    """
    field = config.__dataclass_fields__[name]
    kind, expected, value = field.metadata["kind"], _type(field), stored[name]
    if value is None and type(None) in typing.get_args(field.type):
        return None
    if kind is not None:
        if type(value) in (int, str):
            with contextlib.suppress(InputError):
                return kind.parse(value)
    elif expected is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    elif type(value) is expected and not (expected is str and "\0" in value):
        return value
    shown, place = json.dumps(value), run_folder.place(source) / run_folder.OPTIONS
    raise InputError(
        f"Expected {name} in {place} to be of type {type_name(field)}. "
        f"Received: {shown[:40]}{'...' * (len(shown) > 40)}"
    )
