"""Beginning a run together: the chief decides, the other workers of the cluster follow."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

from pix2pix_tf import options
from pix2pix_tf.commands import frame
from pix2pix_tf.errors import InputError


@contextlib.contextmanager
def begin_run(
    config: Any, typed: set[str], *, program: str, draw_seed: Callable[[], int]
) -> Iterator[frame.Start]:
    """As `frame.begin_alone`, on one worker of a cluster.

    Only the chief reads and writes the output folder; its options and its state are everybody's.
    Folders that are explicit on another worker are where that one finds its images.

    Yields:
        `frame.Start`, in the scope of the workers' strategy.

    Raises:
        InputError: As `frame.begin_run`, and if the workers cannot be connected or lose one.
    """
    from pix2pix_tf.training import runtime

    runtime.import_tensorflow()

    from pix2pix_tf.training import distribution

    with distribution.connected(), contextlib.ExitStack() as stack:
        if distribution.leads():
            begin = frame.begin_alone(config, typed, program=program, draw_seed=draw_seed)
            try:
                start = stack.enter_context(begin)
            except (InputError, OSError) as error:
                distribution.exchange({"error": str(error)})
                raise
            made = frame.run_options(start.config, program=program)
            distribution.exchange({"options": made, "first_step": start.first_step})
        else:
            decided = distribution.exchange(None)[0]
            if "error" in decided:
                raise InputError(f"{decided['error']} (on the chief)")
            start = _followed(config, typed, decided, program=program)
            # What the chief prints is not printed twice.
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
        yield start


def _followed(
    config: Any, typed: set[str], decided: dict[str, Any], *, program: str
) -> frame.Start:
    """The start that the chief decided on."""
    mine, theirs = frame.run_options(config, program=program), decided["options"]
    if any(mine[name] != theirs.get(name) for name in ("program", "version")):
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
    config = dataclasses.replace(config, **changes)
    return frame.Start(config, first_step=decided["first_step"])
