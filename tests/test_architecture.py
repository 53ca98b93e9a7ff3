"""The house rules, read off the source: floors, circles, and what may know what."""

import ast

import pytest
from support import ROOT

from pix2pix_tf import optional

PACKAGES = ("pix2pix_tf", "cyclegan_tf")
SCRIPTS = ("tools", "benchmarks", "scripts")
FILES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
# From the ground up; a file may import from its own floor's other rooms never, from its own room
# and from all floors below always.
FLOORS = (
    ("errors",),
    ("optional",),
    ("run_folder", "networks"),
    ("data", "training"),
    ("evaluation",),
    ("inference",),
    ("options",),
    ("config",),
    ("model", "export", "demo"),
    ("extras",),
    ("task",),
    ("unpaired",),
    ("commands",),
    ("api", "cli"),
    ("__main__", "__init__"),
)
# Rooms of one floor that build on each other.
BESIDE: set[tuple[str, str]] = set()
# They import TensorFlow when they need it.
ABOVE_TENSORFLOW = ("config", "task", "unpaired", "commands", "cli", "__main__", "__init__")


def module(path):
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


MODULES = {module(path): path for path in FILES}


def imports(path, *, top_level=False):
    """Dotted names of all that a file imports, lazily too; at the top level only if asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(module(path).split(".")[: -node.level]) if node.level else ""
            start = ".".join(filter(None, [package, node.module]))
            found |= {f"{start}.{alias.name}" for alias in node.names}
    return found


def arrows(path):
    """The files of the house that a file imports, as dotted names."""
    found = set()
    for name in imports(path):
        target = name if name in MODULES else name.rpartition(".")[0]
        if target in MODULES and target != module(path):
            found.add(target)
    return found


def room(name):
    """The room, or the loose file, of a dotted name."""
    return name.split(".")[1] if "." in name else "__init__"


def floor(name):
    return next(number for number, rooms in enumerate(FLOORS) if room(name) in rooms)


def functions(path):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, kinds)
    ]


def length(function):
    """Lines of a function without its docstring."""
    whole = function.end_lineno - function.lineno + 1
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    return whole - (first.end_lineno - first.lineno + 1 if has_docstring else 0)


def test_files_were_found():
    assert len(MODULES) > 40 and {"pix2pix_tf.model", "cyclegan_tf.model"} <= set(MODULES)
    assert any(arrows(path) for path in FILES)


def test_every_file_stands_on_a_floor():
    known = {name for rooms in FLOORS for name in rooms}
    assert {room(name) for name in MODULES if name.startswith("pix2pix_tf.")} <= known


def test_pix2pix_never_imports_cyclegan():
    for path in (ROOT / "pix2pix_tf").rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith("cyclegan_tf")], path


def test_arrows_point_down():
    upward = []
    for name, path in MODULES.items():
        if not name.startswith("pix2pix_tf."):
            continue
        for target in arrows(path):
            if room(target) == room(name) or floor(target) < floor(name):
                continue
            if floor(target) == floor(name) and tuple(sorted((room(name), room(target)))) in BESIDE:
                continue
            upward.append(f"{name} -> {target}")
    assert not upward


def test_wings_stand_apart():
    """The core reaches a wing through `optional` alone, and so does another wing."""
    crossing = []
    for name, path in MODULES.items():
        wing = name.split(".")[2:3] if room(name) == "extras" else []
        for target in arrows(path):
            if room(target) == "extras" and target.split(".")[2:3] not in ([], wing):
                crossing.append(f"{name} -> {target}")
    assert not crossing


def test_every_wing_is_an_extra():
    wings = {path.name for path in (ROOT / "pix2pix_tf" / "extras").iterdir() if path.is_dir()}
    assert wings - {"__pycache__"} <= set(optional.EXTRAS)


def test_there_is_no_circle():
    edges = {name: arrows(path) for name, path in MODULES.items()}

    def reachable(start):
        seen, todo = set(), list(edges[start])
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += edges[one]
        return seen

    assert not sorted(name for name in edges if name in reachable(name))


def test_few_loose_files():
    loose = [path.name for path in (ROOT / "pix2pix_tf").glob("*.py")]
    assert len([name for name in loose if not name.startswith("__")]) <= 10, loose


def test_no_room_below_the_model_receives_a_config():
    for path in FILES:
        if path.parts[-2] in PACKAGES or "commands" in path.parts:
            continue
        for function in functions(path):
            arguments = [*function.args.args, *function.args.kwonlyargs]
            for argument in arguments:
                kind = ast.unparse(argument.annotation) if argument.annotation else ""
                # A dict is what Keras' `from_config` takes.
                assert argument.arg != "config" or kind.startswith("dict"), (
                    f"{path}: {function.name}"
                )


def test_every_config_has_a_type():
    for path in FILES:
        for function in functions(path):
            arguments = function.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                kind = ast.unparse(argument.annotation) if argument.annotation else "Any"
                assert argument.arg != "config" or "Any" not in kind.split("[")[0], (
                    f"{path}: {function.name}"
                )


def test_flags_stay_in_the_command_line():
    for path in FILES:
        uses = any(name.startswith("absl") for name in imports(path))
        assert not uses or path.name in ("cli.py", "options.py"), path


def test_no_package_imports_scripts_or_tests():
    for path in FILES:
        assert not {name.split(".")[0] for name in imports(path)} & {*SCRIPTS, "tests"}, path


@pytest.mark.parametrize("name", ABOVE_TENSORFLOW)
def test_the_command_line_does_not_load_tensorflow(name):
    heavy = {"tensorflow", "keras", "matplotlib", "torch"}
    for package in PACKAGES:
        paths = [p for m, p in MODULES.items() if m.startswith(package) and room(m) == name]
        for path in paths:
            found = {n.split(".")[0] for n in imports(path, top_level=True)}
            assert not found & heavy, path


def test_functions_keep_their_budgets():
    scripts = [path for name in SCRIPTS for path in sorted((ROOT / name).glob("*.py"))]
    for path in FILES + scripts:
        for function in functions(path):
            assert length(function) <= 60, f"{path}: {function.name}"


# Where texts become paths: options and public functions; images are opened by their names, which
# TensorFlow carries as texts.
DOORS = {
    "pix2pix_tf.api", "pix2pix_tf.config", "pix2pix_tf.data.image_file", "pix2pix_tf.data.listing",
    "pix2pix_tf.extras.serve.sources", "pix2pix_tf.inference.predictor", "pix2pix_tf.options",
    "pix2pix_tf.training.callbacks", "pix2pix_tf.training.exact_fit", "cyclegan_tf.task",
}  # fmt: skip


def test_paths_are_converted_at_the_door():
    users = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("as_path", "as_run_path")
    }
    assert users == DOORS
