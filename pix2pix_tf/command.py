"""The frame of every command, the same for both programs: from words to an exit code."""

import dataclasses
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pix2pix_tf import runs, settings
from pix2pix_tf.errors import InputError


def stored_options(folder, *, program):
    """Reads a run's options.json and checks that `program` made it."""
    stored = runs.read_json(Path(folder) / runs.OPTIONS)
    made_by = stored.get("program", program)
    if made_by != program:
        raise InputError(f"Expected a run of {program}. Received: {folder}, a run of {made_by}")
    return stored


def options(config, *, program):
    """The dict that options.json holds: every option, the program and its version."""
    try:
        release = version("pix2pix-tf")
    except PackageNotFoundError:
        release = "uninstalled"
    return {**dataclasses.asdict(config), "program": program, "version": release}


def use_run(config, typed, *, program):
    """Takes the architecture of the run that `--checkpoint` names (test, export).

    Returns:
        (configuration, checkpoint file).

    Raises:
        InputError: If there is no run, or a typed flag contradicts it.
    """
    folder, checkpoint = runs.locate(config.checkpoint)
    stored = stored_options(folder, program=program)
    config = settings.adopt(config, typed, stored, source=folder, resuming=False)
    seed = stored.get("seed") if config.seed is None else config.seed
    return dataclasses.replace(config, seed=seed), checkpoint


def begin_run(config, typed, *, program, draw_seed):
    """Decides what training starts from: nothing, or the run that `--checkpoint` names.

    Training that goes on takes every option that was not typed from the run.

    Args:
        config: Configuration of the command.
        typed: Names of the flags that were typed.
        program: Name of the command.
        draw_seed: Function that draws a seed.

    Returns:
        (configuration with a seed, checkpoint file or None, step of the checkpoint or 0).

    Raises:
        InputError: If the output folder holds another run, or cannot be written.
    """
    checkpoint, source = None, None
    if config.checkpoint:
        source, checkpoint = runs.locate(config.checkpoint)
        stored = stored_options(source, program=program)
        config = settings.adopt(config, typed, stored, source=source, resuming=True)
    _refuse_foreign_run(Path(config.output_dir), source)
    if config.seed is None:
        config = dataclasses.replace(config, seed=draw_seed())
    runs.prepare_folder(config.output_dir)
    runs.write_json(Path(config.output_dir) / runs.OPTIONS, options(config, program=program))
    return config, checkpoint, runs.checkpoint_step(checkpoint) if checkpoint else 0


def _refuse_foreign_run(folder, source):
    if source is not None and folder.resolve() == source.resolve():
        return
    held = runs.checkpoints(folder)
    if held or (folder / runs.LOG).exists():
        step = f" at step {runs.checkpoint_step(held[-1])}" if held else ""
        continued = f"continue it with --checkpoint {folder}, or " if held else ""
        raise InputError(
            f"Expected --output_dir to be free. Received: {folder}, which holds a run{step}; "
            f"{continued}start afresh in another folder"
        )


def announce(config, *, program):
    """Prints every resolved option, one per line, in the order of the names."""
    for name, value in sorted(options(config, program=program).items()):
        print(name, "=", value)
    sys.stdout.flush()


def run(argv, *, config_class, program, summary, modes):
    """Runs one command: parses, calls the mode, turns bad input into one line.

    Args:
        argv: The words after the program's name, or None for those of the process.
        config_class: Dataclass of the options.
        program: Name of the command.
        summary: Paragraphs shown by `--help`.
        modes: Dict from the values of `--mode` to functions of (config, typed) that return an
            exit code or None.

    Returns:
        The exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    if any(word in ("--help", "-help", "-h", "--helpfull") for word in argv):
        sys.stdout.write(settings.help_text(config_class, program=program, summary=summary))
        return 0
    try:
        config, typed = settings.parse(config_class, [word for word in argv if word != "--version"])
        if "--version" in argv:
            print(program, options(config, program=program)["version"])
            return 0
        return modes[config.mode](config, typed) or 0
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
    except OSError as error:
        name = f" ({error.filename})" if error.filename else ""
        print(f"{program}: {error.strerror or error}{name}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 1
