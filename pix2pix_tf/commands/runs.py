"""Starts, resumes and reads run folders according to the options of a command."""

import contextlib
import dataclasses
import re
import signal
import sys
import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Generic

import safetensors

import pix2pix_tf
from pix2pix_tf import optional, options, run_folder
from pix2pix_tf.config import MULTI_WORKER
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.task import ConfigT, TrainingFiles
from pix2pix_tf.training import runtime


def stored_options(folder: Path, *, program: str) -> dict[str, Any]:
    """Reads a run's options.json and checks that `program` made it."""
    stored = run_folder.read_json(folder / run_folder.OPTIONS)
    made_by = stored.get("program", program)
    if made_by != program:
        raise InputError(f"Expected a run of {program}. Received: {folder}, a run of {made_by}")
    if "value_range_A" not in stored and stored.get("value_range") == "0,1":
        stored["value_range"] = "auto"  # its name until 0.2.0, when it held for floats alone
    return stored


def run_options(config: ConfigT, *, program: str) -> dict[str, Any]:
    """The contents of options.json: every option, the program and its version."""
    return {**options.as_json(config), "program": program, "version": pix2pix_tf.__version__}


def write_description(config: ConfigT, files: TrainingFiles, *, program: str) -> None:
    """Writes the run folder's options.json and data.json."""
    folder = config.output_folder
    run_folder.write_json(folder / run_folder.OPTIONS, run_options(config, program=program))
    palettes = {"palettes": dict.fromkeys(files.label_domains, config.label_palette)}
    data = palettes if config.label_palette else {}
    run_folder.update_data(folder, types=dict(files.types), **data)


def find_checkpoint(path: Path, *, option: str = "checkpoint") -> tuple[Path, Path]:
    """Finds the newest intact checkpoint that `--checkpoint` names.

    A damaged one is named in a warning, and the one before it is taken.

    Args:
        path: A run folder, or one checkpoint file in it.
        option: The option that an error names.

    Returns:
        (run folder, checkpoint file), both paths.

    Raises:
        InputError: If there is no run at that place, or no whole checkpoint.
    """
    from pix2pix_tf.training import checkpoints

    folder, files = run_folder.locate(path, option=option)
    faults: list[str] = []
    for file in files:
        if (fault := checkpoints.fault(file)) is None:
            for line in faults:
                print_line(f"warning: {line}; using {file.name} instead", file=sys.stderr)
            return folder, file
        faults.append(f"{file} is damaged ({fault})")
    raise InputError(f"no intact checkpoint is left: {faults[0]}")


def use_run(config: ConfigT, explicit: Collection[str], *, program: str) -> tuple[ConfigT, Path]:
    """Takes the architecture of the run that `--checkpoint` names (test, export).

    Warns of an explicit --ema or --noema where the run has no averaged weights.

    Returns:
        (configuration, checkpoint file).

    Raises:
        InputError: If there is no run, or an explicit flag contradicts it.
    """
    from pix2pix_tf.training import checkpoints

    folder, checkpoint = find_checkpoint(config.run_path)
    stored = stored_options(folder, program=program)
    config = options.inherit_options(config, explicit, stored, source=folder, resuming=False)
    if config.seed is None:
        stored = {"seed": 0, **stored}
        seed = options.stored_value(config, "seed", stored=stored, source=folder)
        config = dataclasses.replace(config, seed=seed or 0)
    _check_filters(checkpoint, ngf=config.ngf)
    if "ema" in explicit and not checkpoints.has_averages(checkpoint):
        print_line("warning: --ema has no effect without averaged weights", file=sys.stderr)
    return config, checkpoint


def _check_filters(checkpoint: Path, *, ngf: int) -> None:
    """Compares the first layer with the options, before a network of another size is built."""
    with (
        run_folder.fetched(checkpoint) as path,
        safetensors.safe_open(path, framework="numpy") as file,
    ):
        for name in file.keys():
            if re.fullmatch(r"(generator|gen_ab)/encoder_1/conv2d/kernel", name):
                filters = file.get_slice(name).get_shape()[-1]
                if filters != ngf:
                    raise InputError(
                        f"Expected {name} to have {ngf} filters, the --ngf of {run_folder.OPTIONS}."
                        f" Received: {filters} in {checkpoint}"
                    )


@dataclasses.dataclass(frozen=True)
class RunStart(Generic[ConfigT]):
    """The state that training starts from.

    Attributes:
        config: Configuration with a seed.
        checkpoint: File whose whole state is resumed, or None.
        weights: File whose weights alone initialise the model, or None.
        first_step: Number of updates already made.
        writes: Whether this process writes the run folder: not on a worker that follows the chief.
    """

    config: ConfigT
    checkpoint: Path | None = None
    weights: Path | None = None
    first_step: int = 0
    writes: bool = True


@contextlib.contextmanager
def begin_run(
    config: ConfigT, explicit: Collection[str], *, program: str
) -> Iterator[RunStart[ConfigT]]:
    """Locks the output folder and finds the state that training starts from.

    A resumed run keeps every option that is omitted. The folder belongs to this process until
    the block ends. Of several workers only the chief reads and writes it; its options and its
    state are everybody's, except explicit folders, which are where that worker finds its images.

    Args:
        config: Configuration of the command.
        explicit: Names of the options that were given.
        program: Name of the command.

    Yields:
        `RunStart`, in the scope of the workers' strategy.

    Raises:
        InputError: If the output folder contains another run or cannot be written, or the workers
            cannot be connected or lose one.
    """
    begin = _begin(config, explicit, program=program)
    if config.strategy == MULTI_WORKER:
        runtime.import_tensorflow()
        begin_on_chief = optional.load(
            "workers", "cluster:begin_on_chief", needed_by="--strategy multi_worker"
        )
        begin = begin_on_chief(
            begin,
            command={"program": program, "version": pix2pix_tf.__version__},
            describe=lambda start: [options.as_json(start.config), start.first_step],
            follow=lambda chief: RunStart(
                _adopt_all(config, explicit, chief[0]), first_step=chief[1], writes=False
            ),
        )
    with begin as start:
        yield start


def _adopt_all(config: ConfigT, explicit: Collection[str], chief: dict[str, Any]) -> ConfigT:
    """`config` with the chief's options, except explicit folders of images."""
    changes = {
        field.name: options.stored_value(config, field.name, stored=chief, source=Path("the chief"))
        for field in dataclasses.fields(config)
        if not (field.name in explicit and "_dir" in field.name)
    }
    return dataclasses.replace(config, **changes)


@contextlib.contextmanager
def _begin(
    config: ConfigT, explicit: Collection[str], *, program: str
) -> Iterator[RunStart[ConfigT]]:
    folder = config.output_folder
    with run_folder.locked(folder):
        start = _start(config, explicit, program=program)
        if start.config.seed is None:
            seeded = dataclasses.replace(start.config, seed=runtime.draw_seed())
            start = dataclasses.replace(start, config=seeded)
        yield start


def _start(config: ConfigT, explicit: Collection[str], *, program: str) -> RunStart[ConfigT]:
    folder = config.output_folder
    started = config.resume and (folder / run_folder.OPTIONS).is_file()
    if config.checkpoint or (started and run_folder.checkpoints(folder)):
        return _resume(config, explicit, program=program)
    if started:
        stored = stored_options(folder, program=program)
        config = options.inherit_options(config, explicit, stored, source=folder, resuming=True)
    elif not config.resume:
        _refuse_run(folder)
    if not config.init_from:
        return RunStart(config)
    source, weights = find_checkpoint(config.init_from, option="init_from")
    stored = stored_options(source, program=program)
    config = options.inherit_options(config, explicit, stored, source=source, resuming=False)
    return RunStart(config, weights=weights)


def _resume(config: ConfigT, explicit: Collection[str], *, program: str) -> RunStart[ConfigT]:
    from pix2pix_tf.training import checkpoints

    folder = config.output_folder
    source, checkpoint = find_checkpoint(config.checkpoint or folder)
    step = checkpoints.step_of(checkpoint)
    stored = stored_options(source, program=program)
    config = options.inherit_options(config, explicit, stored, source=source, resuming=True)
    if run_folder.same_place(folder, source):
        _set_aside(folder, after=step)
    else:
        _refuse_run(folder)
    return RunStart(config, checkpoint=checkpoint, first_step=step)


def _set_aside(folder: Path, *, after: int) -> None:
    """Renames damaged checkpoints after a step; raises an error if an intact one is later."""
    from pix2pix_tf.training import checkpoints

    later = [
        path
        for path in run_folder.checkpoints(folder)
        if (run_folder.checkpoint_step(path) or 0) > after
    ]
    if whole := [path for path in later if checkpoints.fault(path) is None]:
        raise InputError(
            f"--checkpoint is of step {after}, but {folder} already contains {whole[-1].name}; "
            "choose another --output_dir, or remove the later checkpoints"
        )
    for path in later:
        path.rename(path.with_name(f"{path.name}.damaged"))


def _refuse_run(folder: Path) -> None:
    existing = run_folder.checkpoints(folder)
    if existing or (folder / run_folder.LOG).exists():
        step = f" at step {run_folder.checkpoint_step(existing[-1])}" if existing else ""
        continued = f"--checkpoint {folder}" if existing else "--resume"
        raise InputError(
            f"--output_dir {folder} already contains a run{step}; resume it with {continued}, or "
            "choose another folder"
        )


def report_end(config: ConfigT, *, step: int, stopped: signal.Signals | None) -> int:
    """Prints how training ended.

    Args:
        config: Configuration of the command.
        step: Number of updates made in all.
        stopped: The signal that ended training, or None.

    Returns:
        The exit code: 0, or 128 plus the signal's number as shells have it.
    """
    if stopped is None:
        print_line(f"trained to step {step}: {config.output_dir}")
        return 0
    saved = f"saved step {step}; " if config.save_freq else ""
    print()
    print_line(f"{stopped.name}: {saved}resume with --checkpoint {config.output_dir}")
    return 128 + stopped


def print_options(config: ConfigT, explicit: Collection[str]) -> None:
    """Prints the options of this mode: those that differ from the defaults first, line by line.

    Explicit options that have no effect are named in a warning.

    Args:
        config: Resolved options.
        explicit: Names of the options that were given.
    """
    warn_without_effect(config, explicit)
    fields = [config.__dataclass_fields__["mode"], *config.options_of(config.command)]
    values = {field.name: getattr(config, field.name) for field in fields}
    same = [field.name for field in fields if values[field.name] == field.default]
    for name in sorted(values.keys() - same):
        print_line(name, "=", values[name])
    defaults = ", ".join(f"{name} {values[name]}" for name in sorted(same))
    print(textwrap.fill(f"defaults: {defaults}", 100, subsequent_indent="  "), flush=True)


def warn_without_effect(config: ConfigT, explicit: Collection[str]) -> None:
    """Warns of explicit options that change nothing in this command."""
    for name, where in config.without_effect(explicit).items():
        print_line(f"warning: --{name} has no effect {where}", file=sys.stderr)


def prepare_results(folder: Path) -> None:
    """Creates the folder of a test or an evaluation; raises an error for that of a run.

    Raises:
        InputError: If it cannot be written, or a run is in it.
    """
    refuse_run_folder(folder)
    run_folder.prepare_folder(folder)


def refuse_run_folder(folder: Path) -> None:
    """Refuses the folder of a run for the results of another command.

    Raises:
        InputError: If a run is in it.
    """
    if (folder / run_folder.CHECKPOINTS).is_dir():
        raise InputError(
            f"--output_dir {folder} is a run's folder, which only training writes; choose another"
        )
