"""Beginning a run together: the chief decides, the other workers of the cluster are told."""

import contextlib
import dataclasses
import os

from pix2pix_tf import options
from pix2pix_tf.commands import runs
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import cluster, meeting, runtime


@contextlib.contextmanager
def begin_run(config, typed, *, program, draw_seed):
    """As `runs.begin_run`, on one worker of a cluster.

    Only the chief reads and writes the output folder; its options and its state are everybody's.
    Folders that are typed on another worker are where that one finds its images.

    Yields:
        `runs.Start`.

    Raises:
        InputError: As `runs.begin_run`, and if the workers do not find together or lose one.
    """
    runtime.import_tensorflow()
    found = cluster.find(config.cluster_resolver, pods=config.cluster_pods)
    with _losses_named(), meeting.together(found) as met:
        if found.leads:
            with runs.begin_alone(config, typed, program=program, draw_seed=draw_seed) as start:
                made = runs.run_options(start.config, program=program)
                met.tell({"options": made, "first_step": start.first_step})
                yield dataclasses.replace(start, meeting=met)
        else:
            start = _told(config, typed, met.hear(), program=program)
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                # What the chief prints is not printed twice.
                with contextlib.redirect_stdout(nowhere):
                    yield dataclasses.replace(start, meeting=met)


def _told(config, typed, told, *, program):
    """The start that the chief decided on."""
    mine = runs.run_options(config, program=program)
    theirs = told["options"]
    if [mine[name] for name in ("program", "version")] != [
        theirs.get(name) for name in ("program", "version")
    ]:
        raise InputError(
            f"Expected {program} {mine['version']} on all workers. Received: "
            f"{theirs.get('program')} {theirs.get('version')} on the chief"
        )
    places = {name for name in typed if "_dir" in name}
    changes = {
        field.name: options.stored_value(config, field.name, stored=theirs, source="the chief")
        for field in dataclasses.fields(config)
        if field.name not in places
    }
    return runs.Start(dataclasses.replace(config, **changes), first_step=told["first_step"])


@contextlib.contextmanager
def _losses_named():
    """Turns TensorFlow's error about a worker that is gone into one line."""
    from tensorflow import errors

    try:
        yield
    except (errors.UnavailableError, errors.AbortedError, errors.CancelledError) as error:
        # The lines in front of this one, if it is there, name the operation.
        lines = error.message.splitlines() or [type(error).__name__]
        why = next((line for line in lines if "aborted" in line), lines[-1])
        raise InputError(
            "Expected all workers to stay to the end. Received: one is gone "
            f"({why[:200]}); start all of them again with --resume"
        ) from None
