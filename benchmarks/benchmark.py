"""Measures training steps, the input pipeline and inference, and PyTorch beside them.

Usage: python benchmarks/benchmark.py --output_dir DIR [flags]

--parts devices measures an update on one and two replicas and on one and two workers, and predicts
from it what several GPUs would do.

Every system runs in a process of its own and they take turns (A B A B), so that whatever else the
machine does meets all of them; the medians are compared. PyTorch, LiteRT and ONNX (extras [litert],
[onnx]) are left out where they are not installed. DIR receives benchmark.json and benchmark.png.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from absl import flags

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli
import _scaling
import _subjects
from _scaling import Row
from _subjects import Prepare

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", None, "folder for the results", flag_values=FLAGS)
flags.DEFINE_list(
    "parts",
    ["step", "inference", "pipeline", "cycle"],
    "step, inference, pipeline; cycle, the step of CycleGAN; devices",
    flag_values=FLAGS,
)
flags.DEFINE_list("batch_sizes", ["1", "4"], "images per step", flag_values=FLAGS)
flags.DEFINE_list(
    "precisions", ["float32", "mixed_bfloat16"], "float32, mixed_bfloat16", flag_values=FLAGS
)
flags.DEFINE_list("image_sizes", ["256"], "sides in pixels, multiples of 256", flag_values=FLAGS)
flags.DEFINE_integer(
    "cycle_size", 128, "side in pixels of cycle", lower_bound=32, flag_values=FLAGS
)
flags.DEFINE_string(
    "pairs", None, "folder of pairs for pipeline; made up if not given", flag_values=FLAGS
)
flags.DEFINE_integer("ngf", 64, "filters of the generator", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("ndf", 64, "filters of the discriminator", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("rounds", 7, "turns of each system", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("runs", 3, "runs in one turn", lower_bound=1, flag_values=FLAGS)
_scaling.define_flags(FLAGS)
flags.DEFINE_enum(
    "isa",
    None,
    ["SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16"],
    "newest instructions that oneDNN uses, and PyTorch's other kernels and MKL: AVX-512 machines "
    "can play others",
    flag_values=FLAGS,
)
flags.DEFINE_boolean("peer", True, "measure PyTorch as well", flag_values=FLAGS)

PARTS = {**_subjects.PARTS, "devices": _scaling.SYSTEMS}
# Facts of a system that are shown per second, and their units.
RATES = {"gflop": "GFLOP/s", "images": "images/s"}
# Runs of every system before its time is taken: tracing, allocation, choice of kernels.
WARM_UP = 2


def serve(connection: Connection, prepare: Prepare, case: Row, folder: str) -> None:
    """Prepares a system in this process and runs it as often as requested, in a folder."""
    os.chdir(folder)
    run, facts = prepare(case)
    for _ in range(WARM_UP):
        run()
    connection.send(facts)
    # Without the parent there is nobody to measure for.
    with contextlib.suppress(EOFError, BrokenPipeError):
        while count := connection.recv():
            connection.send([seconds(run) for _ in range(count)])


def seconds(run: Callable[[], Any]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Subject:
    """A system in a process of its own.

    Args:
        prepare: Function of `_subjects`.
        case: Dict of its settings.
    """

    def __init__(self, prepare: Prepare, case: Row) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, prepare, case, os.getcwd()))
        with _cli.away():
            self._process.start()
        theirs.close()
        self.facts, self.seconds = self._receive(), []

    def _receive(self) -> Any:
        try:
            return self._ours.recv()
        except EOFError:
            raise ValueError("a system ended early; its own message is above") from None

    def turn(self, count: int) -> None:
        """Runs `count` times and notes the seconds of each."""
        self._ours.send(count)
        self.seconds += self._receive()

    def close(self) -> None:
        """Ends the process."""
        if self._process.is_alive():
            self._ours.send(0)
        self._process.join()


def can_run(system: str) -> bool:
    """Whether a system is asked for and its package is there."""
    package = _subjects.NEEDS.get(system)
    return not package or ((FLAGS.peer or system != "torch") and find_spec(package) is not None)


def measure(part: str, *, precisions: Sequence[str], settings: Row) -> list[Row]:
    """Measures all systems in all precisions, interleaved.

    Args:
        part: Key of `PARTS`.
        precisions: List of precisions.
        settings: Dict with "batch_size", "image_size", "ngf" and "ndf".

    Returns:
        List of dicts, one per system and precision.
    """
    subjects = {}
    with contextlib.ExitStack() as stack:
        for system, precision in itertools.product(filter(can_run, PARTS[part]), precisions):
            if precision != "float32" and system in _subjects.FLOAT32_ONLY:
                continue
            if settings["batch_size"] > 1 and system in _subjects.SINGLE:
                continue
            subject = Subject(PARTS[part][system], {**settings, "precision": precision})
            subjects[system, precision] = subject
            stack.callback(subject.close)
        check_sizes(subjects)
        for _ in range(FLAGS.rounds):
            for subject in subjects.values():
                subject.turn(FLAGS.runs)
    return [
        {"part": part, **settings, "system": system, "precision": precision, **outcome(subject)}
        for (system, precision), subject in subjects.items()
    ]


def check_sizes(subjects: dict[tuple[str, str], Subject]) -> None:
    """Raises an error for networks of different sizes.

    Raises:
        ValueError: If the numbers of parameters differ.
    """
    counts = {name: subject.facts.get("parameters") for name, subject in subjects.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"expected equal numbers of parameters, received {counts}")


def outcome(subject: Subject) -> Row:
    """The result of one system: facts, all times, their median and the rate per second."""
    median = statistics.median(subject.seconds)
    rates = {f"{n}_per_s": subject.facts[n] / median for n in RATES if n in subject.facts}
    return {**subject.facts, "median": median, **rates, "seconds": subject.seconds}


def machine() -> Row:
    """The hardware and software that the numbers depend on."""

    def release(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    names = ("tensorflow", "keras", "torch", "numpy")
    lines = Path("/proc/cpuinfo")
    model = (
        [s for s in lines.read_text().splitlines() if "model name" in s] if lines.exists() else []
    )
    return {
        "processor": model[0].split(":")[1].strip() if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        **{name: release(name) for name in names},
    }


def title(row: Row) -> str:
    """One line for a group of rows that are compared."""
    return f"{row['part']}, batch {row['batch_size']}, {row['image_size']} px"


def table(rows: Sequence[Row]) -> str:
    """The text shown at the end: medians and how many times as fast as PyTorch in float32."""
    peer, lines = ("torch", "float32"), []
    for name, grouped in itertools.groupby(rows, title):
        group = list(grouped)
        peers = [row["median"] for row in group if (row["system"], row["precision"]) == peer]
        lines.append(name)
        for row in group:
            line = f"  {row['system']:12} {row['precision']:15} {row['median'] * 1e3:9.1f} ms"
            line += f"  {peers[0] / row['median']:5.2f} x PyTorch float32" if peers else ""
            rates = [f"{row[f'{n}_per_s']:6.0f} {unit}" for n, unit in RATES.items() if n in row]
            line = "  ".join([line, *rates, *filter(None, [row.get("note")])])
            lines.append(line)
    return "\n".join(lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draws the medians as bars, one panel per group."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = [(name, list(group)) for name, group in itertools.groupby(rows, title)]
    figure, panels = pyplot.subplots(
        len(groups), 1, squeeze=False, figsize=(7, 1.6 * len(groups) + 0.4), layout="constrained"
    )
    for panel, (name, group) in zip(panels[:, 0], groups, strict=True):
        labels = [f"{row['system']} {row['precision']}" for row in group]
        colors = ["tab:gray" if row["system"] == "torch" else "tab:blue" for row in group]
        panel.barh(labels, [row["median"] * 1e3 for row in group], color=colors)
        panel.invert_yaxis()
        panel.set_title(name, loc="left", fontsize=10)
        panel.set_xlabel("median, ms")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def cases() -> Iterator[tuple[str, Row]]:
    """Yields (part, settings) of everything to measure; the peak comes first."""
    widths = {"ngf": FLAGS.ngf, "ndf": FLAGS.ndf}
    parts = ["peak", *FLAGS.parts] if set(FLAGS.parts) != {"devices"} else FLAGS.parts
    for part, size, batch in itertools.product(parts, FLAGS.image_sizes, FLAGS.batch_sizes):
        settings = {"batch_size": int(batch), "image_size": int(size), **widths}
        if part == "devices":
            settings["batch_size"] = _scaling.IMAGES
        if part == "cycle":
            settings["image_size"] = FLAGS.cycle_size
        if part == "pipeline":
            settings["pairs"] = FLAGS.pairs
        # The others do not depend on the network, or on the batch: once is enough.
        first = (size, batch) == (FLAGS.image_sizes[0], FLAGS.batch_sizes[0])
        if first or part in ("step", "inference"):
            yield part, settings


def check_flags() -> None:
    """Raises an error for values that name nothing.

    Raises:
        ValueError: If a flag has one.
    """
    precisions = {"float32", "mixed_bfloat16"}
    for name, allowed in {"parts": set(PARTS), "precisions": precisions}.items():
        if unknown := set(FLAGS[name].value or ()) - allowed:
            raise ValueError(f"expected --{name} among {sorted(allowed)}, received {unknown}")
    if not (FLAGS.isa or "BF16").endswith("BF16") and "mixed_bfloat16" in FLAGS.precisions:
        # TensorFlow goes by the processor and would ask oneDNN for kernels that it then lacks.
        raise ValueError(f"expected --precisions float32 with --isa {FLAGS.isa}")
    for size in FLAGS.image_sizes:
        if int(size) < 1 or int(size) % 256:
            raise ValueError(f"expected --image_sizes to be multiples of 256, received {size}")
    _scaling.links(FLAGS.links)
    if any(int(batch) < 1 for batch in FLAGS.batch_sizes):
        raise ValueError(f"expected --batch_sizes of at least 1, received {FLAGS.batch_sizes}")


def main() -> None:
    """Measures everything and writes the results."""
    check_flags()
    if FLAGS.isa:  # the systems' processes inherit it
        family = "AVX512" if FLAGS.isa.startswith("AVX512") else "AVX2"
        os.environ["ONEDNN_MAX_CPU_ISA"] = FLAGS.isa
        os.environ["MKL_ENABLE_INSTRUCTIONS"] = family
        os.environ["ATEN_CPU_CAPABILITY"] = family.lower()
    folder = Path(FLAGS.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    before, rows = machine(), []
    for part, settings in cases():
        precisions = ["float32"] if part in ("pipeline", "devices") else FLAGS.precisions
        measured = measure(part, precisions=precisions, settings=settings)
        print(table(measured), flush=True)
        rows += measured
    report = {"machine": before, "isa": FLAGS.isa, "load_after": os.getloadavg(), "rows": rows}
    if "devices" in FLAGS.parts:
        report["devices"] = _scaling.report(rows, FLAGS)
    (folder / "benchmark.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    plot(rows, folder / "benchmark.png")
    if "devices" in FLAGS.parts:
        print(_scaling.table(report["devices"]))


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["output_dir"])
