"""One description of an option, three uses: dataclass field, absl flag, options.json."""

import contextlib
import dataclasses
import difflib
import functools
import json
import math
import textwrap
import typing

from absl import flags

from pix2pix_tf import run_folder
from pix2pix_tf.data import sizes
from pix2pix_tf.errors import InputError


def option(
    default,
    text,
    *,
    group,
    also=None,
    choices=None,
    minimum=None,
    maximum=None,
    above=None,
    below=None,
    adopted="run",
):
    """A dataclass field that is also a command-line flag.

    Args:
        default: The value when the flag is not typed.
        text: One or two sentences of help.
        group: The heading of `--help` under which the flag stands.
        also: Another name of the flag, or None.
        choices: Allowed strings, or None.
        minimum: Smallest allowed number, or None.
        maximum: Largest allowed number, or None.
        above: Number that must be exceeded, or None.
        below: Number that must not be reached, or None.
        adopted: What a command that reads a run folder does when the flag is not typed.
            "architecture": always take the run's value, refuse another one;
            "data": always take the run's value, another one may be typed;
            "run": take the run's value when training goes on; "never": this command's own.

    Returns:
        A `dataclasses.field`.
    """
    rule = {"also": also, "choices": choices, "minimum": minimum, "maximum": maximum}
    rule |= {"above": above, "below": below, "adopted": adopted}
    return dataclasses.field(default=default, metadata={"help": text, "group": group, **rule})


def changed(owner, name, **changes):
    """The option `name` of the dataclass `owner` with another default or another rule.

    Args:
        owner: Dataclass whose fields were made by `option`.
        name: Name of the field.
        changes: New values of "default" or of the field's metadata, such as "help".

    Returns:
        A `dataclasses.field` for a subclass; it keeps its place among the fields.
    """
    field = owner.__dataclass_fields__[name]
    default = changes.pop("default", field.default)
    return dataclasses.field(default=default, metadata={**field.metadata, **changes})


def _kind(field):
    """The type behind `int` or `int | None`; a size stays `sizes.Size`."""
    if field.type == sizes.Size:
        return sizes.Size
    kinds = [kind for kind in typing.get_args(field.type) if kind is not type(None)]
    return kinds[0] if kinds else field.type


def type_name(field):
    """The type of an option as a person reads it: "bool", "int", "float", "str" or "size"."""
    kind = _kind(field)
    return "size" if kind is sizes.Size else kind.__name__


def description(field):
    """The help of an option, with its other name."""
    also = field.metadata["also"]
    return field.metadata["help"] + (f" Also --{also}." if also else "")


def check(config):
    """Refuses values out of range; called by a configuration's `__post_init__`.

    Raises:
        InputError: Naming the flag, what was expected and what was received.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for part in sizes.sides(value) if _kind(field) is sizes.Size else (value,):
            if part is not None and (expected := _violated(field.metadata, part)):
                raise InputError(f"Expected --{field.name} to be {expected}. Received: {value}")


def _violated(rule, value):
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


class _SizeParser(flags.ArgumentParser):
    """Reads 256 or 512x256; the text that absl shows is that of the error."""

    def parse(self, argument):
        return sizes.parse(argument)


def define_flags(config_class):
    """Defines one absl flag per field in a private `FlagValues`; nothing global changes."""
    values = flags.FlagValues()
    define = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
        sizes.Size: functools.partial(flags.DEFINE, _SizeParser()),
    }
    for field in dataclasses.fields(config_class):
        text = description(field)
        define[_kind(field)](field.name, field.default, text, flag_values=values)
    return values


def parse(config_class, argv):
    """Turns command-line words into a configuration.

    Args:
        config_class: Dataclass whose fields were made by `option`.
        argv: The words after the program's name.

    Returns:
        (configuration, names of the flags that were typed).

    Raises:
        InputError: For an unknown flag, a wrong type or a value out of range.
    """
    values = define_flags(config_class)
    booleans = {f.name for f in dataclasses.fields(config_class) if _kind(f) is bool}
    others = {f.metadata["also"]: f.name for f in dataclasses.fields(config_class)}
    words = [_spelled(word, booleans, others) for word in argv]
    try:
        rest = values(["program", *words])[1:]
    except flags.UnrecognizedFlagError as error:
        raise InputError(_unknown_flag(error, values)) from None
    except flags.Error as error:
        raise InputError(_one_line(error)) from None
    if rest:
        raise InputError(f"Expected flags only, such as --mode train. Received: {rest[0]}")
    names = [field.name for field in dataclasses.fields(config_class)]
    typed = {name for name in names if values[name].present}
    return config_class(**{name: values[name].value for name in names}), typed


def _spelled(word, booleans, others):
    """Spells the other name of a flag, and the reference's `--no_flip`, in absl's way."""
    flag, equals, value = word.partition("=")
    name = flag.lstrip("-") if flag.startswith("-") else ""
    if name.startswith("no_") and name[3:] in booleans:
        return "--no" + name[3:]
    return f"--{others[name]}{equals}{value}" if name in others else word


def _unknown_flag(error, values):
    name = error.flagname
    near = difflib.get_close_matches(name, list(values), n=1)
    hint = f"did you mean --{near[0]}?" if near else "--help lists them all."
    return f"Expected a known flag. Received: --{name}; {hint}"


def _one_line(error):
    text = " ".join(str(error).split())
    return f"Expected a value of the flag's type. Received: {text}"


def help_text(config_class, *, program, summary):
    """Every flag under its group's heading, in the order of the dataclass' fields.

    Args:
        config_class: Dataclass whose fields were made by `option`.
        program: Name of the command.
        summary: Paragraphs shown before the flags.

    Returns:
        The text that `--help` prints.
    """
    lines = [f"usage: {program} [--mode MODE] [flags]", "", summary.strip()]
    fields = dataclasses.fields(config_class)
    for group in dict.fromkeys(field.metadata["group"] for field in fields):
        lines += ["", f"{group}:"]
        for field in fields:
            lines += _flag_help(field) if field.metadata["group"] == group else []
    lines += ["", "  --help, --version"]
    return "\n".join(lines) + "\n"


def _flag_help(field):
    kind, rule = _kind(field), field.metadata
    name = f"--[no]{field.name}" if kind is bool else f"--{field.name}"
    shown = "|".join(rule["choices"]) if rule["choices"] else type_name(field).upper()
    default = "" if field.default is None else f" (default: {field.default})"
    head = f"  {name}" if kind is bool else f"  {name} {shown}"
    indent = " " * 6
    body = textwrap.wrap(
        description(field) + default, 96, initial_indent=indent, subsequent_indent=indent
    )
    return [head, *body]


def adopt(config, typed, stored, *, source, resuming):
    """Takes what was not typed from a run's options.json.

    Args:
        config: Configuration of this command.
        typed: Names of the flags that were typed.
        stored: The run's options, a dict.
        source: The run's folder, for messages.
        resuming: Whether training goes on (all of the run's options are taken) or the run is
            only used (its architecture alone is).

    Returns:
        The resolved configuration.

    Raises:
        InputError: If a typed flag contradicts the architecture of the run, or a stored value
            is not one.
    """
    changes = {}
    taken = ("architecture", "data", "run") if resuming else ("architecture", "data")
    for field in dataclasses.fields(config):
        name, rule = field.name, field.metadata["adopted"]
        fixed = rule == "architecture"
        if name not in stored or rule not in taken:
            continue
        value = stored_value(config, name, stored=stored, source=source)
        if name not in typed:
            changes[name] = value
        elif fixed and value != getattr(config, name):
            raise InputError(
                f"Expected --{name} to be left out or {value}, as the run in {source} was "
                f"made. Received: {getattr(config, name)}"
            )
    try:
        return dataclasses.replace(config, **changes)
    except InputError as error:
        raise InputError(
            f"{error} (from {run_folder.place(source) / run_folder.OPTIONS})"
        ) from None


def stored_value(config, name, *, stored, source):
    """The value of one option in a run's options.json, of the option's type.

    Args:
        config: Dataclass, or an object of it, whose fields were made by `option`.
        name: Name of the option.
        stored: The run's options, a dict that has it.
        source: The run's folder, for messages.

    Returns:
        bool, int, float, str or None.

    Raises:
        InputError: If the value has another type.
    """
    field = config.__dataclass_fields__[name]
    kind, value = _kind(field), stored[name]
    if value is None and type(None) in typing.get_args(field.type):
        return None
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if kind is sizes.Size and type(value) in (int, str):
        with contextlib.suppress(InputError):
            return sizes.parse(value)
    if type(value) is kind and not (kind is str and "\0" in value):
        return value
    shown, place = json.dumps(value), run_folder.place(source) / run_folder.OPTIONS
    raise InputError(
        f"Expected {name} in {place} to be of type {type_name(field)}. "
        f"Received: {shown[:40]}{'...' * (len(shown) > 40)}"
    )
