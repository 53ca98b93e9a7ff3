"""Trains and measures the experiments of docs/experiments.md, one after the other.

Usage: python benchmarks/experiments.py --output_dir DIR --facades FACADES [flags]

FACADES has train/ and val/, H2Z trainA/, trainB/, testA/ and testB/. What is done already is not
done again, interrupted work is resumed. DIR/results.md gets a table, DIR/outputs.png a column
of pictures for each experiment on facades. Experiments:
{experiments}
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from pix2pix_tf import run_folder

sys.path.append(str(Path(__file__).parents[1] / "tools"))
sys.path.append(str(Path(__file__).parents[1] / "scripts"))

import _cli
import strip

# Name: flags beside those of all.
FACADES = {
    "base": (),
    "base-seed-2": ("--seed=2",),
    "no-bottleneck-norm": ("--nobottleneck_norm",),
    "l1-only": ("--gan_weight=0",),
    "gan-only": ("--l1_weight=0",),
    "patch-1": ("--netD=pixel",),
    "patch-16": ("--netD=n_layers", "--n_layers_D=1"),
    "patch-286": ("--netD=n_layers", "--n_layers_D=5"),
    "bfloat16": ("--precision=mixed_bfloat16",),
}
HORSE2ZEBRA = {"horse2zebra": ()}
EXPERIMENTS = [*FACADES, *HORSE2ZEBRA]

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", None, "folder for runs and results", flag_values=FLAGS)
flags.DEFINE_string("facades", None, "folder of the facades data", flag_values=FLAGS)
flags.DEFINE_string("horse2zebra", None, "folder of horse2zebra", flag_values=FLAGS)
flags.DEFINE_multi_enum("only", [], EXPERIMENTS, "experiments to do", flag_values=FLAGS)
flags.DEFINE_integer("max_steps", 4000, "of facades", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("cycle_steps", 3000, "of horse2zebra", lower_bound=4, flag_values=FLAGS)
flags.DEFINE_integer("ngf", 16, "filters, also of --ndf", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("crop_size", 64, "pixels of horse2zebra", lower_bound=24, flag_values=FLAGS)


def run(module: str, *words: str) -> None:
    """Runs a command of the project and shows what it prints.

    Raises:
        ValueError: If it fails.
    """
    # With -m or -c Python would import from the current folder, too.
    code = f"import sys; del sys.path[0]; from {module}.cli import main; sys.exit(main())"
    print("$", module, *words, flush=True)
    if subprocess.run([sys.executable, "-c", code, *words]).returncode:
        raise ValueError(f"expected {module} to succeed, it failed: {' '.join(words)}")


def shared() -> list[str]:
    """The flags of every training."""
    widths = [f"--ngf={FLAGS.ngf}", f"--ndf={FLAGS.ngf}"]
    return ["--mode=train", "--resume", "--seed=1", "--summary_freq=0", *widths]


def measure(module: str, folder: Path, *words: str) -> dict:
    """Evaluates a checkpoint into `folder`, unless that was done; the numbers of metrics.json."""
    file = folder / run_folder.METRICS
    if not file.is_file():
        run(module, "--mode=evaluate", f"--output_dir={folder}", *words)
    found = json.loads(file.read_text(encoding="utf-8"))
    return {**found["mean"], **found["sets"]}


def paired(name: str, extra: Sequence[str]) -> list[dict]:
    """One experiment on facades; its row."""
    folder = Path(FLAGS.output_dir, name)
    data, steps = FLAGS.facades, f"--max_steps={FLAGS.max_steps}"
    where = [f"--input_dir={data}/train", f"--output_dir={folder}", "--which_direction=BtoA"]
    run("pix2pix_tf", *shared(), *where, steps, *extra)
    made = [f"--input_dir={data}/val", f"--checkpoint={folder}"]
    found = measure("pix2pix_tf", Path(f"{folder}-scores"), *made)
    return [{"experiment": name, "step": FLAGS.max_steps, **found, **speed(folder)}]


def cycle(name: str, extra: Sequence[str]) -> list[dict]:
    """horse2zebra; a row for each quarter of its training."""
    folder, quarter = Path(FLAGS.output_dir, name), FLAGS.cycle_steps // 4
    size = [f"--crop_size={FLAGS.crop_size}", f"--load_size={FLAGS.crop_size * 9 // 8}"]
    steps = [f"--max_steps={4 * quarter}", f"--save_freq={quarter}", f"--keep_every={quarter}"]
    where = [f"--input_dir={FLAGS.horse2zebra}", f"--output_dir={folder}", "--netG=resnet_6blocks"]
    run("cyclegan_tf", *shared(), *where, *size, *steps, *extra)
    rows = []
    for step in range(quarter, 4 * quarter + 1, quarter):
        made = [f"--input_dir={FLAGS.horse2zebra}"]
        made.append(f"--checkpoint={run_folder.checkpoint_path(folder, step)}")
        found = measure("cyclegan_tf", Path(f"{folder}-scores-{step}"), *made)
        rows.append({"experiment": name, "step": step, **found, **speed(folder)})
    return rows


def speed(folder: Path) -> dict:
    """Images per second at the end of a run."""
    with open(folder / run_folder.LOG, newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    return {"image/sec": float(last["images_per_second"])}


def table(rows: Sequence[dict]) -> str:
    """Rows in Markdown, with a column for every name that occurs."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in rows:
        cells = (row.get(name, "") for name in names)
        shown = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def paint() -> None:
    """Writes outputs.png: a column for each experiment on facades that is done, in their order."""
    folders = [Path(FLAGS.output_dir, f"{name}-scores", "images") for name in FACADES]
    folders = [folder for folder in folders if folder.is_dir()]
    if folders:
        names = strip.first_names(folders[0], kind="outputs", count=3)
        paths = [[folder / f"{name}-outputs.png" for folder in folders] for name in names]
        rows = [[strip.load(path, height=96) for path in row] for row in paths]
        strip.assemble(rows, gap=4).save(Path(FLAGS.output_dir, "outputs.png"), optimize=True)


def main() -> None:
    """Does all experiments that there are data for."""
    plans: list[tuple[str | None, dict[str, tuple], Callable[..., list[dict]]]]
    plans = [(FLAGS.facades, FACADES, paired), (FLAGS.horse2zebra, HORSE2ZEBRA, cycle)]
    plan = [
        (experiment, name, extra)
        for data, experiments, experiment in plans
        for name, extra in experiments.items()
        if data and (not FLAGS.only or name in FLAGS.only)
    ]
    if not plan:
        raise ValueError("expected --facades or --horse2zebra, the data of what is to be done")
    rows = []
    for experiment, name, extra in plan:
        rows += experiment(name, extra)
        run_folder.write_text(Path(FLAGS.output_dir, "results.md"), table(rows))
        paint()
    print(table(rows), end="")


if __name__ == "__main__":
    _cli.run(
        main,
        FLAGS,
        usage=__doc__.format(experiments="  " + ", ".join(EXPERIMENTS)),
        required=["output_dir"],
    )
