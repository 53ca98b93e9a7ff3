"""One description of an option, three uses: dataclass field, absl flag, options.json."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import math
import textwrap
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from absl import flags

from pix2pix_tf import run_folder
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import InputError, OptionError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    ConfigT = TypeVar("ConfigT", bound=DataclassInstance)

HELP = ("--help", "-help", "-h", "--helpfull")
# Other types of options are written as text.
_DEFINE: dict[Any, Callable[..., Any]] = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
}


def option(
    default: Any,
    text: str,
    *,
    section: str,
    alias: str | None = None,
    choices: tuple[str, ...] | None = None,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
    inherit: str = "run",
    only_with: str | None = None,
) -> Any:
    """A dataclass field that is also a command-line flag.

    Args:
        default: The value when the flag is omitted.
        text: One or two sentences of help.
        section: The heading of `--help` under which the flag stands.
        alias: Another name of the flag, or None.
        choices: Allowed strings, or None.
        ge: Smallest allowed number, or None; of a size, that of its sides.
        le: Largest allowed number, or None.
        gt: Number that must be exceeded, or None.
        lt: Number that must not be reached, or None.
        inherit: What a command that reads a run folder does when the flag is omitted.
            "architecture": always take the value of the run; another one is an error;
            "data": always take the run's value, an explicit flag may change it;
            "run": take the run's value when training is resumed; "never": this command's own.
        only_with: Another option that has to be set, or "NAME=VALUE", for this one to matter.

    Returns:
        A `dataclasses.field`.
    """
    rule = {"section": section, "alias": alias, "inherit": inherit, "only_with": only_with}
    limits = {"choices": choices, "ge": ge, "le": le, "gt": gt, "lt": lt}
    return dataclasses.field(default=default, metadata={"help": text, **rule, **limits})


def override_option(config_class: type[DataclassInstance], name: str, **changes: Any) -> Any:
    """An option of a base class with another default or another rule.

    Args:
        config_class: The base class.
        name: Name of the option.
        changes: New values of "default" or of what `option` takes, the help as "help".

    Returns:
        A `dataclasses.field` for the subclass; it keeps its place among the fields.
    """
    field = config_class.__dataclass_fields__[name]
    default = changes.pop("default", field.default)
    return dataclasses.field(default=default, metadata={**field.metadata, **changes})


def _type(field: dataclasses.Field) -> Any:
    """The type of an option behind `int` or `int | None`; sizes are `int | str`."""
    types = [kind for kind in typing.get_args(field.type) if kind is not type(None)]
    if not types:
        return field.type
    return types[0] if len(types) == 1 else sizes.Size


def type_name(field: dataclasses.Field) -> str:
    """The type of an option as a person reads it: "bool", "int", "float", "str" or "size"."""
    kind = _type(field)
    return {sizes.Size: "size", Path: "str"}.get(kind) or kind.__name__


def description(field: dataclasses.Field) -> str:
    """The help of an option, with its other name."""
    alias = field.metadata["alias"]
    return field.metadata["help"] + (f" Also --{alias}." if alias else "")


def validate(config: DataclassInstance, *, unconverted: Collection[str] = ()) -> None:
    """Checks values and brings them into one form: paths become a `Path`, squares one number.

    Called by a configuration's `__post_init__`.

    Args:
        config: The configuration.
        unconverted: Names of options that keep their form.

    Raises:
        InputError: For a value out of range.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is None:
            continue
        try:
            if field.name not in unconverted:
                object.__setattr__(config, field.name, _convert(field, value))
            parts = sizes.sides(value) if _type(field) == sizes.Size else (value,)
            violated = next(filter(None, (_violated_rule(field.metadata, p) for p in parts)), None)
        except sizes.SizeError:
            violated = "a size such as 256 or 512x256 (HxW)"
        if violated:
            raise OptionError(f"Expected {{{field.name}}} to be {violated}. Received: {{}}", value)


def _convert(field: dataclasses.Field, value: Any) -> Any:
    """A value of an option in its one form."""
    if value is None:
        return None
    if _type(field) == sizes.Size:
        return sizes.parse(value)
    if _type(field) is Path:
        return run_folder.as_path(value) if str(value) else None
    return value


def as_json(config: DataclassInstance) -> dict[str, Any]:
    """Every option by its name, as options.json stores it."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: str(v) if isinstance(v, PurePath) else v for name, v in values.items()}


def _violated_rule(rule: Mapping[str, Any], value: Any) -> str | None:
    if isinstance(value, str | PurePath) and not str(value).isascii():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            return "UTF-8"  # as TensorFlow and the files of a run need it
    if rule["choices"] and value not in rule["choices"]:
        return "one of " + ", ".join(rule["choices"])
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if rule["ge"] is not None and value < rule["ge"]:
        return f"at least {rule['ge']}"
    if rule["le"] is not None and value > rule["le"]:
        return f"at most {rule['le']}"
    if rule["gt"] is not None and value <= rule["gt"]:
        return f"more than {rule['gt']}"
    if rule["lt"] is not None and value >= rule["lt"]:
        return f"less than {rule['lt']}"
    return None


def find_unused(config: DataclassInstance) -> Iterator[tuple[str, str]]:
    """Yields (name, circumstance) of the options whose `only_with` is not met."""
    for field in dataclasses.fields(config):
        if not (condition := field.metadata["only_with"]):
            continue
        name, _, needed = condition.partition("=")
        value, default = getattr(config, name), config.__dataclass_fields__[name].default
        if not value and not default:
            yield field.name, f"without --{name}"
        elif not value or (needed and value != needed):
            yield field.name, f"with --no{name}" if value is False else f"with --{name} {value}"


def parse(config_class: type[ConfigT], argv: Sequence[str]) -> tuple[ConfigT, set[str]]:
    """Turns command-line words into a configuration.

    Args:
        config_class: Dataclass whose fields were made by `option`.
        argv: The words after the program's name.

    Returns:
        (configuration, names of the explicit flags).

    Raises:
        InputError: For an unknown flag, a wrong type or a value out of range.
    """
    fields = dataclasses.fields(config_class)
    values = flags.FlagValues()  # a private one: nothing global changes
    for field in fields:
        define, default = _DEFINE.get(_type(field), flags.DEFINE_string), field.default
        if define is flags.DEFINE_string and default is not None:
            default = str(default)
        define(field.name, default, description(field), flag_values=values)
    switches = {field.name for field in fields if _type(field) is bool}
    aliases = {field.metadata["alias"]: field.name for field in fields}
    words = [_with_our_spelling(word, switches, aliases) for word in argv]
    try:
        rest = values(["program", *words])[1:]
    except flags.UnrecognizedFlagError as error:
        near = difflib.get_close_matches(error.flagname, list(values), n=1)
        hint = f"did you mean --{near[0]}?" if near else "--help lists them all."
        text = f"Expected a known flag. Received: --{error.flagname}; {hint}"
        raise InputError(text) from None
    except flags.Error as error:
        text = " ".join(str(error).split())
        raise InputError(f"Expected a value of the flag's type. Received: {text}") from None
    if rest:
        modes = [mode for f in fields if f.name == "mode" for mode in f.metadata["choices"]]
        near = difflib.get_close_matches(rest[0], modes, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"Expected flags only, such as --mode train. Received: {rest[0]}{hint}")
    explicit = {field.name for field in fields if values[field.name].present}
    return config_class(**{field.name: values[field.name].value for field in fields}), explicit


def _with_our_spelling(word: str, switches: set[str], aliases: dict[str, str]) -> str:
    """Spells the other name of a flag, and the reference's `--no_flip`, in absl's way."""
    flag, equals, value = word.partition("=")
    name = flag.lstrip("-") if flag.startswith("-") else ""
    if name.startswith("no_") and name[3:] in switches:
        return "--no" + name[3:]
    return f"--{aliases[name]}{equals}{value}" if name in aliases else word


def help_text(
    fields: Sequence[dataclasses.Field],
    *,
    program: str,
    summary: str,
    mode: str | None = None,
    uses_run: bool = False,
) -> str:
    """The flags under the headings of their sections.

    Args:
        fields: The options, in their order.
        program: Name of the command.
        summary: Paragraphs shown before the flags.
        mode: The mode that they are for; None for all modes.
        uses_run: Whether the mode uses a run, which determines the architecture and, where flags
            are omitted, how data are read.

    Returns:
        The text that `--help` prints.
    """
    lines = [f"usage: {program} {mode or '[MODE]'} [flags]", ""]
    for line in summary.strip().splitlines():
        if mode is None or not line.startswith(f"  {program}") or line.split()[1] == mode:
            lines.append(line)
    if uses_run:
        fields = [field for field in fields if field.metadata["inherit"] != "architecture"]
    for section in dict.fromkeys(field.metadata["section"] for field in fields):
        lines += ["", f"{section}:"]
        for field in fields:
            if field.metadata["section"] == section:
                lines += _flag_help(field, uses_run=uses_run)
    return "\n".join([*lines, "", "  --help, --version"]) + "\n"


def _flag_help(field: dataclasses.Field, *, uses_run: bool) -> Iterator[str]:
    choices = field.metadata["choices"]
    values = "|".join(choices) if choices else type_name(field).upper()
    is_switch = _type(field) is bool
    yield f"  --[no]{field.name}" if is_switch else f"  --{field.name} {values}"
    default = "" if field.default is None else f" (default: {field.default})"
    if uses_run and field.metadata["inherit"] == "data":
        default = " (default: as in the run)"
    indent = " " * 6
    yield from textwrap.wrap(
        description(field) + default, 96, initial_indent=indent, subsequent_indent=indent
    )


def inherit_options(
    config: ConfigT,
    explicit: Collection[str],
    stored: Mapping[str, Any],
    *,
    source: Path,
    resuming: bool,
) -> ConfigT:
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
    path = source / run_folder.OPTIONS
    if not any(field.name in stored for field in dataclasses.fields(config)):
        raise InputError(f"{path} contains no options of a run")
    changes = {}
    inherited = ("architecture", "data", "run") if resuming else ("architecture", "data")
    for field in dataclasses.fields(config):
        name, rule = field.name, field.metadata["inherit"]
        if name not in stored or rule not in inherited:
            continue
        value = stored_value(config, name, stored=stored, source=source)
        if name not in explicit:
            changes[name] = value
        elif rule == "architecture" and value != getattr(config, name):
            raise OptionError(
                f"Expected {{{name}}} to be omitted or {{}}, as in the run in {{}}. Received: {{}}",
                value,
                source,
                getattr(config, name),
            )
    try:
        return dataclasses.replace(config, **changes)
    except OptionError as error:
        text, *values = error.args
        raise OptionError(text + " (from {})", *values, path) from None


def stored_value(
    config: DataclassInstance,
    name: str,
    *,
    stored: Mapping[str, Any],
    source: Path,
) -> Any:
    """The value of one option in a run's options.json, of the option's type.

    Args:
        config: Dataclass, or an object of it, whose fields were made by `option`.
        name: Name of the option.
        stored: The run's options, which have it.
        source: The run's folder, for messages.

    Returns:
        The value, or None.

    Raises:
        InputError: If the value has another type.
    """
    field, value = config.__dataclass_fields__[name], stored[name]
    if has_type(field, value):
        value = float(value) if type(value) is int and _type(field) is float else value
        with contextlib.suppress(sizes.SizeError):
            return _convert(field, value)
    text, path = json.dumps(value), source / run_folder.OPTIONS
    raise InputError(
        f"Expected {name} in {path} to be of type {type_name(field)}. "
        f"Received: {text[:40]}{'...' * (len(text) > 40)}"
    )


def has_type(field: dataclasses.Field, value: object) -> bool:
    """Whether a value read from a file has the type of an option."""
    if value is None:
        return field.default is None
    types = typing.get_args(_type(field)) or (_type(field),)  # of sizes int and str
    if isinstance(value, str):
        return bool({str, Path} & {*types}) and "\0" not in value
    return type(value) in types or (float in types and type(value) is int and abs(value) < 2**53)
