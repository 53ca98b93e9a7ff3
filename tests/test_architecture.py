"""The house rules, read off the source."""

import ast
import statistics

import pytest
from support import ROOT

PACKAGES = ("pix2pix_tf", "cyclegan_tf")
ROOMS = ("networks", "data", "training", "evaluation", "deploy")
FILES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
SCRIPTS = sorted((ROOT / "tools").glob("*.py"))
# What each room may import of the house besides itself; every other arrow is forbidden.
ARROWS = {
    "networks": set(),
    "data": {"errors", "runs"},
    "training": {"errors", "runs"},
    "evaluation": {"errors", "runs", "data"},
    "deploy": {"errors", "runs", "data", "networks"},
}
# Everything below the command line that must answer before TensorFlow is loaded.
WITHOUT_TENSORFLOW = (
    "settings.py", "options.py", "data_options.py", "serve_options.py", "device_options.py",
    "joining.py", "remote.py", "training/cluster.py", "training/meeting.py", "evaluate_options.py",
    "command.py", "runs.py", "config.py", "cli.py", "errors.py",
    "__init__.py",
    "data/folders.py", "data/synthetic.py", "evaluation/report.py", "evaluation/curves.py",
    "evaluation/gallery.py", "training/runtime.py", "deploy/sources.py", "deploy/limits.py",
    "deploy/rest.py", "deploy/worker.py", "deploy/application.py", "deploy/server.py",
)  # fmt: skip


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path, *, top_level=False):
    """Dotted names of everything that a file imports; at the top level only if asked."""
    tree = parse(path)
    found = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def functions(path):
    return [n for n in ast.walk(parse(path)) if isinstance(n, ast.FunctionDef)]


def length(function):
    """Lines of a function without its docstring."""
    whole = function.end_lineno - function.lineno + 1
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    return whole - (first.end_lineno - first.lineno + 1 if has_docstring else 0)


def test_the_top_level_holds_what_the_plan_says():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    expected = {
        "setup.py", "pyproject.toml", "LICENSE", "CHANGELOG.md", "README.md",
        "pix2pix_tf", "cyclegan_tf", "tools", "tests", "docker",
    }  # fmt: skip
    assert expected <= visible
    assert visible - expected <= {"docs", "build", "pix2pix_tf.egg-info"}


def test_pix2pix_never_imports_cyclegan():
    for path in (ROOT / "pix2pix_tf").rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith("cyclegan_tf")], path


def test_cyclegan_imports_only_shared_parts():
    shared = {*ROOMS, "settings", "runs", "errors", "command"}
    shared |= {"options", "data_options", "device_options", "evaluate_options"}
    for path in (ROOT / "cyclegan_tf").rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            assert parts[0] != "pix2pix_tf" or parts[1] in shared, f"{path}: {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_between_rooms_point_one_way(room):
    for path in (ROOT / "pix2pix_tf" / room).glob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "pix2pix_tf":
                assert parts[1] == room or parts[1] in ARROWS[room], f"{path}: {name}"


def test_flags_stay_in_the_command_line():
    for path in FILES:
        uses = any(name.startswith("absl") for name in imports(path))
        assert not uses or path.name in ("cli.py", "settings.py"), path


def test_nothing_imports_tools_or_tests():
    for path in FILES:
        assert not {name.split(".")[0] for name in imports(path)} & {"tools", "tests"}, path


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_light_modules_do_not_load_tensorflow(name):
    heavy = {"tensorflow", "keras", "matplotlib"}
    found = {n.split(".")[0] for n in imports(ROOT / "pix2pix_tf" / name, top_level=True)}
    assert not found & heavy


def test_files_and_functions_keep_their_budgets():
    lengths = []
    for path in FILES + SCRIPTS:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
        for function in functions(path):
            lengths.append(length(function))
            assert lengths[-1] <= 60, f"{path}: {function.name}"
            limit = 40 if function.name == "train_step" else 60
            assert lengths[-1] <= limit, f"{path}: {function.name}"
    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


# Two Gaussians of a mean and a covariance each: the order that every FID code uses.
FOUR_POSITIONAL = {"frechet_distance"}


def test_at_most_three_positional_parameters():
    for path in FILES:
        for function in functions(path):
            names = [a.arg for a in function.args.args if a.arg not in ("self", "cls")]
            dunder = function.name.startswith("__")
            # Constructors of optimizers and layers keep Keras' own signature.
            if not dunder and function.name not in FOUR_POSITIONAL:
                assert len(names) <= 3, f"{path}: {function.name}"
