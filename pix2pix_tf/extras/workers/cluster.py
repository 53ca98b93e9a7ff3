"""The workers of TF_CONFIG: how they connect, and how they agree.

The chief reads and writes the run folder. Its options and its state are everybody's, and all
workers stop at the same step.
"""

import contextlib
import functools
import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import runtime
from pix2pix_tf.training.distribution import all_reduce_sum, is_chief, on_every_replica

Start = TypeVar("Start")


@contextlib.contextmanager
def multi_worker_strategy() -> Iterator[None]:
    """Connects the workers of TF_CONFIG, and enters the strategy of all of them.

    TensorFlow waits until every worker is there. It must not have been used before.

    Raises:
        InputError: If TF_CONFIG names no cluster, the workers cannot be connected, or one is lost.
    """
    addresses, address = _parse_tf_config()
    print(f"connecting to {', '.join(addresses)} as {address}", flush=True)
    runtime.grow_memory()
    try:
        # Ctrl-C ends the process while TensorFlow's C++ code waits, as SIGTERM does.
        with runtime.handled(signal.SIGINT, signal.SIG_DFL), runtime.quiet():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"cannot connect to {', '.join(addresses)} as {address}: {reason}"
        ) from None
    try:
        with strategy.scope():
            yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    ) as error:
        # The lines in front of this one, if it is there, name the operation.
        lines = error.message.splitlines() or [type(error).__name__]
        reason = next((line for line in lines if "aborted" in line), lines[-1])
        raise InputError(
            f"a worker has stopped ({reason[:200]}); start all workers again with --resume"
        ) from None


def _parse_tf_config() -> tuple[list[str], str]:
    """The addresses of all workers in TF_CONFIG, the chief's first, and that of this worker."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        value = json.loads(text)
        jobs, task = value["cluster"], value["task"]
        address = jobs[task["type"]][task["index"]]
        if not set(jobs) <= {"chief", "worker"} or task["index"] < 0:
            raise ValueError("a job other than chief and worker, or a negative index")
        return [*map(str, [*jobs.get("chief", ()), *jobs.get("worker", ())])], str(address)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"{text[:100]} ({type(error).__name__}: {error})" if text else "nothing"
        raise InputError(
            'Expected TF_CONFIG to be JSON such as {"cluster": {"worker": ["host1:2222", '
            '"host2:2222"]}, "task": {"type": "worker", "index": 0}}. Received: ' + reason
        ) from None


@contextlib.contextmanager
def begin_on_chief(
    begin: contextlib.AbstractContextManager[Start],
    *,
    command: Mapping[str, str],
    describe: Callable[[Start], Any],
    follow: Callable[[Any], Start],
) -> Iterator[Start]:
    """Connects the workers; the chief begins a run and the others follow it.

    Args:
        begin: Context that locks the run folder and finds the state that training starts from;
            entered on the chief alone.
        command: Name and version of the program on this worker.
        describe: Function from what `begin` yields to a JSON value for the other workers.
        follow: Function from that value to what to yield on another worker.

    Raises:
        InputError: If the workers cannot be connected, one is lost, the chief cannot begin, or
            another program or version runs there.
    """
    with multi_worker_strategy(), contextlib.ExitStack() as stack:
        if is_chief():
            try:
                start = stack.enter_context(begin)
            except (InputError, OSError) as error:
                text = error.command_line_text() if isinstance(error, InputError) else str(error)
                all_gather_json({"error": text})
                raise
            all_gather_json({"start": describe(start), **command})
        else:
            chief = all_gather_json(None)[0]
            if "error" in chief:
                raise InputError(f"{chief['error']} (on the chief)")
            if any(chief[name] != value for name, value in command.items()):
                raise InputError(
                    f"Expected {' '.join(command.values())} on all workers. Received: "
                    f"{' '.join(chief[name] for name in command)} on the chief"
                )
            start = follow(chief["start"])
            # What the chief prints is not printed twice.
            devnull = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(devnull))
        yield start


# ---- Agreement; all workers call these at the same time


def all_gather_json(value: object) -> list[Any]:
    """Gathers a JSON value of each worker on all workers, the chief's first."""
    strategy = tf.distribute.get_strategy()
    text = np.frombuffer(json.dumps(value).encode("ascii"), np.uint8).astype(np.int32)

    @on_every_replica
    def gather(part: tf.Tensor) -> tf.Tensor:
        return tf.distribute.get_replica_context().all_gather(tf.identity(part), axis=0)

    sizes = gather(tf.constant([len(text)])).numpy()
    padded = np.pad(text, (0, sizes.max() - len(text)))
    rows = gather(tf.constant(padded[None])).numpy().astype(np.uint8)
    # Every replica of a worker sends the same.
    each = max(len(strategy.extended.worker_devices), 1)
    return [json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)][::each]


def check_same_files(files: Sequence[str]) -> None:
    """Makes sure that all workers have training files of the same names, wherever they are.

    Raises:
        InputError: If the names differ from the chief's on a worker.
    """
    names = "\0".join(map(os.path.basename, files))
    digest = hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
    sets = all_gather_json([len(files), digest])
    if different := [index for index, other in enumerate(sets) if other != sets[0]]:
        counts = ", ".join(f"{sets[index][0]} on worker {index}" for index in [0, *different])
        raise InputError(
            "all workers need the same training images; the names differ from the chief's (worker "
            f"0) on worker {', '.join(map(str, different))} ({counts})"
        )


def any_worker_stops(stop: bool) -> bool:
    """Whether a worker's `stop` is true, so that they stop together."""
    return bool(_count()(tf.constant(stop)) > 0)


@functools.cache
def _count() -> Callable[..., Any]:
    return on_every_replica(lambda vote: all_reduce_sum(tf.cast(vote, tf.float32)))


def broadcast_state(state: Mapping[str, Any]) -> None:
    """Gives all workers the chief's values of variables.

    Args:
        state: Dict from names to variables, the same names on every worker.
    """

    @on_every_replica
    def first(value: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        is_first = tf.equal(context.replica_id_in_sync_group, 0)
        return all_reduce_sum(tf.where(is_first, value, tf.zeros_like(value)))

    for variable in state.values():
        value = first(tf.convert_to_tensor(variable))
        if not is_chief():
            variable.assign(value)
