"""The frame of every command, the same for both programs: from words to an exit code."""

import contextlib
import dataclasses
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pix2pix_tf import options, run_folder
from pix2pix_tf.config import MULTI_WORKER
from pix2pix_tf.errors import InputError

# What starts an --input_dir that names a data set of TensorFlow Datasets.
TFDS = "tfds:"


def stored_options(folder, *, program):
    """Reads a run's options.json and checks that `program` made it."""
    stored = run_folder.read_json(run_folder.place(folder) / run_folder.OPTIONS)
    made_by = stored.get("program", program)
    if made_by != program:
        raise InputError(f"Expected a run of {program}. Received: {folder}, a run of {made_by}")
    if "value_range_A" not in stored and stored.get("value_range") == "0,1":
        stored["value_range"] = "auto"  # its name until 0.2.0, when it held for floats alone
    return stored


def store(config, *, program):
    """Writes options.json again where training has resolved options."""
    path = run_folder.place(config.output_dir) / run_folder.OPTIONS
    run_folder.write_json(path, run_options(config, program=program))


def run_options(config, *, program):
    """The dict that options.json holds: every option, the program and its version."""
    try:
        release = version("pix2pix-tf")
    except PackageNotFoundError:
        release = "uninstalled"
    return {**dataclasses.asdict(config), "program": program, "version": release}


def find_checkpoint(path):
    """Finds the newest whole checkpoint that `--checkpoint` may mean.

    A damaged one is named in a warning, and the one before it is taken.

    Args:
        path: A run folder, or one checkpoint file in it.

    Returns:
        (run folder, checkpoint file), both paths.

    Raises:
        InputError: If there is no run at that place, or no whole checkpoint.
    """
    from pix2pix_tf.training import checkpoints

    folder, found = run_folder.locate(path)
    faults = []
    for file in found:
        if (fault := checkpoints.fault(file)) is None:
            for line in faults:
                print(f"warning: {line}; {file.name} is used", file=sys.stderr)
            return folder, file
        faults.append(f"{file} is damaged ({fault})")
    raise InputError(f"Expected a whole checkpoint. Received: {faults[0]}")


def use_run(config, typed, *, program):
    """Takes the architecture of the run that `--checkpoint` names (test, export).

    Returns:
        (configuration, checkpoint file).

    Raises:
        InputError: If there is no run, or a typed flag contradicts it.
    """
    folder, checkpoint = find_checkpoint(config.checkpoint)
    stored = stored_options(folder, program=program)
    config = options.adopt(config, typed, stored, source=folder, resuming=False)
    if config.seed is None and "seed" in stored:
        seed = options.stored_value(config, "seed", stored=stored, source=folder)
        config = dataclasses.replace(config, seed=seed)
    return config, checkpoint


@dataclasses.dataclass(frozen=True)
class Start:
    """What training starts from.

    Attributes:
        config: Configuration with a seed.
        checkpoint: File whose whole state training goes on from, or None.
        weights: File whose weights alone it starts from, or None.
        first_step: Number of updates already made.
    """

    config: object
    checkpoint: Path | None = None
    weights: Path | None = None
    first_step: int = 0


def begin_run(config, typed, *, program, draw_seed):
    """Begins a run, on this process alone or on a worker of several.

    Args:
        config: Configuration of the command.
        typed: Names of the flags that were typed.
        program: Name of the command.
        draw_seed: Function that draws a seed.

    Returns:
        Context manager that gives the `Start`: `begin_alone` or `joining.begin_run`.
    """
    begin = begin_alone
    if config.strategy == MULTI_WORKER:
        from pix2pix_tf.commands.joining import begin_run as begin
    return begin(config, typed, program=program, draw_seed=draw_seed)


@contextlib.contextmanager
def begin_alone(config, typed, *, program, draw_seed):
    """As `begin_run`: takes the output folder and decides what training starts from.

    Training that goes on takes every option that was not typed from the run. The folder belongs
    to this process until the block ends.

    Yields:
        `Start`.

    Raises:
        InputError: If the output folder holds another run, or cannot be written.
    """
    folder = run_folder.place(config.output_dir)
    with run_folder.locked(folder):
        start = _start(config, typed, program=program)
        if start.config.seed is None:
            seeded = dataclasses.replace(start.config, seed=draw_seed())
            start = dataclasses.replace(start, config=seeded)
        made = run_options(start.config, program=program)
        run_folder.write_json(folder / run_folder.OPTIONS, made)
        yield start


def _start(config, typed, *, program):
    folder = run_folder.place(config.output_dir)
    started = config.resume and (folder / run_folder.OPTIONS).is_file()
    if config.checkpoint or (started and run_folder.checkpoints(folder)):
        return _continue(config, typed, program=program)
    if started:
        stored = stored_options(folder, program=program)
        config = options.adopt(config, typed, stored, source=folder, resuming=True)
    elif not config.resume:
        _refuse_run(folder)
    if not config.init_from:
        return Start(config)
    source, weights = find_checkpoint(config.init_from)
    stored = stored_options(source, program=program)
    config = options.adopt(config, typed, stored, source=source, resuming=False)
    return Start(config, weights=weights)


def _continue(config, typed, *, program):
    from pix2pix_tf.training import checkpoints

    folder = run_folder.place(config.output_dir)
    source, checkpoint = find_checkpoint(config.checkpoint or folder)
    step = checkpoints.step_of(checkpoint)
    stored = stored_options(source, program=program)
    config = options.adopt(config, typed, stored, source=source, resuming=True)
    if run_folder.same_place(folder, source):
        _set_aside(folder, after=step)
    else:
        _refuse_run(folder)
    return Start(config, checkpoint=checkpoint, first_step=step)


def _set_aside(folder, *, after):
    """Renames damaged checkpoints after a step; refuses to go back behind whole ones."""
    from pix2pix_tf.training import checkpoints

    later = [
        path for path in run_folder.checkpoints(folder) if run_folder.checkpoint_step(path) > after
    ]
    if whole := [path for path in later if checkpoints.fault(path) is None]:
        raise InputError(
            f"Expected --checkpoint to be the newest of {folder}. Received: step {after}, while "
            f"{whole[-1].name} is there; name another --output_dir, or remove the later ones"
        )
    for path in later:
        path.rename(path.with_name(f"{path.name}.damaged"))


def _refuse_run(folder):
    held = run_folder.checkpoints(folder)
    if held or (folder / run_folder.LOG).exists():
        step = f" at step {run_folder.checkpoint_step(held[-1])}" if held else ""
        continued = f"--checkpoint {folder}" if held else "--resume"
        raise InputError(
            f"Expected --output_dir to be free. Received: {folder}, which holds a run{step}; "
            f"continue it with {continued}, or start afresh in another folder"
        )


def names_catalog(input_dir):
    """Whether an --input_dir names a data set of TensorFlow Datasets."""
    return (input_dir or "").startswith(TFDS)


def load_catalog(input_dir):
    """Imports `data.catalog`, which needs TensorFlow Datasets.

    Raises:
        InputError: If that is not installed.
    """
    from pix2pix_tf.training import runtime

    runtime.import_tensorflow()
    try:
        from pix2pix_tf.data import tfds
    except ImportError as error:
        raise InputError(
            f"Expected tensorflow-datasets, for --input_dir {input_dir}. Received: {error}; "
            "pip install 'pix2pix-tf[tfds]'"
        ) from None
    return tfds


def ended(config, *, step, stopped):
    """Prints how training ended.

    Args:
        config: Configuration of the command.
        step: Number of updates made in all.
        stopped: The signal that ended training, or None.

    Returns:
        The exit code: 0, or 128 plus the signal's number as shells have it.
    """
    if stopped is None:
        print(f"trained to step {step}: {config.output_dir}")
        return 0
    saved = f"saved step {step}; " if config.save_freq else ""
    print(f"\n{stopped.name}: {saved}continue with --checkpoint {config.output_dir}")
    return 128 + stopped


def announce(config, *, program):
    """Prints every resolved option, one per line, in the order of the names."""
    for name, value in sorted(run_options(config, program=program).items()):
        print(name, "=", value)
    sys.stdout.flush()


def run(argv, *, config_class, program, summary, modes):
    """Runs one command: parses, calls the mode, turns bad input into one line.

    Args:
        argv: The words after the program's name, or None for those of the process.
        config_class: Dataclass of the options.
        program: Name of the command.
        summary: Paragraphs shown by `--help`.
        modes: Dict from the values of `--mode`, and "check_data", to functions of
            (config, typed) that return an exit code or None.

    Returns:
        The exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    if any(word in ("--help", "-help", "-h", "--helpfull") for word in argv):
        sys.stdout.write(options.help_text(config_class, program=program, summary=summary))
        return 0
    try:
        config, typed = options.parse(config_class, [word for word in argv if word != "--version"])
        if "--version" in argv:
            print(program, run_options(config, program=program)["version"])
            return 0
        mode = "check_data" if config.check_data else config.mode
        if any(map(run_folder.is_remote, dataclasses.astuple(config))):
            _load_file_systems()
        return modes[mode](config, typed) or 0
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
    except OSError as error:
        name = f" ({error.filename})" if error.filename else ""
        print(f"{program}: {error.strerror or error}{name}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
            raise
        print(f"{program}: {run_folder.reason(error)}", file=sys.stderr)
    return 1


def _load_file_systems():
    """Loads TensorFlow, whose file systems open addresses, without its messages."""
    from pix2pix_tf.training import runtime

    runtime.import_tensorflow()
