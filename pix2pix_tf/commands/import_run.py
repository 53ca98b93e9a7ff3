"""`--mode import`: makes a run of weights that another program trained."""

import dataclasses
from collections.abc import Collection

from pix2pix_tf import optional, run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.task import ConfigT, ModelT, Task
from pix2pix_tf.training import runtime


def import_run(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Reads a source, infers its networks and writes a run folder."""
    porting = optional.load("porting", "run", needed_by="--mode import")
    folder = config.output_folder
    if run_folder.checkpoints(folder):
        raise InputError(f"--output_dir {folder} already contains a run; choose another")
    runs.warn_without_effect(config, explicit)
    with run_folder.locked(folder):
        runtime.load_tensorflow()

        from pix2pix_tf.training import checkpoints

        read_source = optional.load("porting", "reader:read_source", needed_by="--mode import")
        directions = config.directions if {"direction", "which_direction"} & {*explicit} else ()
        if len(directions) > 1:
            raise InputError("Expected --direction AtoB or BtoA with --mode import. Received: both")
        imported = read_source(
            config.run_path, program=task.name, direction=next(iter(directions), None)
        )
        if imported.program != task.name:
            raise InputError(
                f"Expected weights for {task.name}. Received: {config.run_path}, which "
                f"{imported.program} imports"
            )
        resolved = porting.resolve_options(imported, task.config_class, str(folder))
        if resolved.seed is None:
            resolved = dataclasses.replace(resolved, seed=runtime.draw_seed())
        state = task.build_model(resolved, steps_per_epoch=1).state
        fresh = porting.assign_arrays(state, imported.arrays)
        options = runs.run_options(resolved, program=task.name)
        options |= {"mode": "train", "checkpoint": None}
        run_folder.write_json(folder / run_folder.OPTIONS, options)
        path = checkpoints.save(folder, imported.step, state, keep=1)
    for name, value in sorted(imported.options.items()):
        print_line(name, "=", value)
    if fresh:
        print_line("not in the source, starts afresh:", ", ".join(fresh))
    for note in imported.notes:
        print_line("note:", note)
    print_line(f"imported as a run of {task.name}: {path}")
    return 0
