"""Measurements of several devices for benchmarks/benchmark.py, and predictions for GPUs.

The functions prepare one system each, as those of `_subjects`: an update with the same images, on
one device, on two replicas in one process, and on one and two workers, which are processes that
talk over the loopback interface. They share one machine, so two cannot be faster than one: what
they take longer is what exchanging gradients costs.
"""

import atexit
import contextlib
import functools
import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import _subjects
from _subjects import Case, Prepare, Prepared
from absl import flags

Row = dict[str, Any]  # what was measured of a system, or made of that

# Images per step of all devices together.
IMAGES = 2
# Seconds of the smallest exchange among the GPUs of a machine, assumed: nccl-tests show 10 to 30
# microseconds.
LATENCY = 3e-5


def one_worker(case: Case) -> Prepared:
    """One update of a cluster that is one process."""
    return _work(case, _ports(1), 0)


def two_workers(case: Case) -> Prepared:
    """One update of two processes; the other one does the same until this one ends."""
    ports = _ports(2)
    words = [sys.executable, __file__, json.dumps({"case": case, "ports": ports})]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    atexit.register(subprocess.Popen(words, env=environment).kill)
    return _work(case, ports, 0)


def _ports(count: int) -> list[int]:
    """Ports that are free now."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _work(case: Case, ports: list[int], index: int) -> Prepared:
    workers = [f"127.0.0.1:{port}" for port in ports]
    task = {"type": "worker", "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
    return _prepare(case, strategy="multi_worker")


def _prepare(case: Case, **devices: Any) -> Prepared:
    """One update on the devices that these options name."""
    config = _subjects.our_config(case, starting=False, **devices)
    import tensorflow as tf

    from pix2pix_tf import model as models
    from pix2pix_tf.extras.workers import cluster
    from pix2pix_tf.training import distribution

    def batches(*, context: Any) -> Any:
        share = context.get_per_replica_batch_size(case["batch_size"])
        size = case["image_size"]
        pair = tuple(_subjects.noise(share, size, size, 3, seed=seed) for seed in (0, 1))
        return tf.data.Dataset.from_tensors(pair).repeat()

    scope = contextlib.ExitStack()
    with contextlib.redirect_stdout(sys.stderr):
        if config.strategy == "multi_worker":
            scope.enter_context(cluster.multi_worker_strategy())
        strategy = distribution.strategy_scope(
            config.strategy,
            batch_size=config.batch_size,
            norm=config.norm,
            logical_devices=config.logical_devices,
        )
        scope.enter_context(strategy)
    model: Any = models.build(config)
    model.make_train_function()
    iterator = iter(distribution.distribute_batches(batches))

    def run() -> None:
        for value in model.train_function(iterator).values():
            value.numpy()

    # It stays open as long as the function is there.
    run.scope = scope  # type: ignore[attr-defined]
    gradients = model.trainable_variables
    flops = case["batch_size"] * _subjects.step_flops(model, case["image_size"])
    return run, {
        "parameters": model.count_params(),
        "gflop": flops / 1e9,
        "reduced_bytes": 4 * sum(math.prod(variable.shape) for variable in gradients),
        "reduced_tensors": len(gradients),
    }


SYSTEMS: dict[str, Prepare] = {
    "one": functools.partial(_prepare, strategy="one"),
    # The process splits its processor.
    "two replicas": functools.partial(_prepare, strategy="mirrored", logical_devices=2),
    "one worker": one_worker,
    "two workers": two_workers,
}


def links(words: Sequence[str]) -> dict[str, float]:
    """The links between GPUs: {name: GB/s} of words NAME=NUMBER.

    Raises:
        ValueError: If a word is something else.
    """
    try:
        found = {name: float(rate) for name, rate in (word.rsplit("=", 1) for word in words)}
    except ValueError:
        found = {}
    if not found or min(found.values()) <= 0:
        raise ValueError(f"expected --links as NAME=GB/s, received {','.join(words)}")
    return found


def exchange_seconds(rows: Sequence[Row]) -> dict[str, float]:
    """What exchanging gradients adds to a step: {"replicas": seconds, "workers": seconds}."""
    medians = {row["system"]: row["median"] for row in rows}
    return {
        "replicas": medians["two replicas"] - medians["one"],
        "workers": medians["two workers"] - medians["one worker"],
    }


def predict(facts: Row, *, tflops: float, images: int, gigabytes_per_s: float) -> list[Row]:
    """What N GPUs would do, each with `images` of its own in every step.

    A step takes t(1) = images F / R and t(N) = t(1) + 2 (N - 1) / N G / B + T L, where F are the
    operations of an image, R what a GPU sustains, G the bytes of all gradients, which a ring sends
    2 (N - 1) / N times, B the bytes per second of its slowest link, T the number of gradients and
    L what the smallest exchange takes. Assumed: the exchange begins when all gradients are there
    and nothing overlaps with it; one gradient follows the other; images are there in time.

    Args:
        facts: Dict with "gflop" of a step of `IMAGES` images, "reduced_bytes", "reduced_tensors".
        tflops: R in 10^12 operations per second.
        images: Images per GPU and step.
        gigabytes_per_s: B in 10^9 bytes per second.

    Returns:
        List of dicts with "gpus", "step_ms", "images_per_s" and "efficiency".
    """
    alone = images * facts["gflop"] / IMAGES / (tflops * 1e3)
    found = []
    for count in (1, 2, 4, 8, 16):
        sent = 2 * (count - 1) / count * facts["reduced_bytes"] / (gigabytes_per_s * 1e9)
        step = alone + sent + (count > 1) * facts["reduced_tensors"] * LATENCY
        found.append(
            {
                "gpus": count,
                "step_ms": step * 1e3,
                "images_per_s": count * images / step,
                "efficiency": alone / step,
            }
        )
    return found


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of the prediction to absl's FlagValues."""
    flags.DEFINE_float("gpu_tflops", 30, "of devices: what a GPU sustains", flag_values=values)
    flags.DEFINE_integer(
        "gpu_images", 4, "of devices: images per GPU and step", lower_bound=1, flag_values=values
    )
    names = ["NVLink=200", "PCIe 4=20", "100 Gbit/s=10"]
    flags.DEFINE_list(
        "links", names, "of devices: links between GPUs and their GB/s", flag_values=values
    )


def report(rows: Sequence[Row], values: flags.FlagValues) -> Row:
    """What is kept beside the rows: bytes, costs of exchanging, predictions per link."""
    rows = [row for row in rows if row["part"] == "devices"]
    facts = next(row for row in rows if row["system"] == "one")
    assumed = {
        "tflops": values.gpu_tflops,
        "images": values.gpu_images,
        "latency_s": LATENCY,
        "links": links(values.links),
    }
    return {
        "reduced_bytes": facts["reduced_bytes"],
        "exchange_seconds": exchange_seconds(rows),
        "assumed": assumed,
        "predicted": {
            name: predict(
                facts, tflops=assumed["tflops"], images=assumed["images"], gigabytes_per_s=rate
            )
            for name, rate in assumed["links"].items()
        },
    }


def table(found: Row) -> str:
    """The report as text."""
    exchange, assumed = found["exchange_seconds"], found["assumed"]
    lines = [
        f"gradients exchanged per step: {found['reduced_bytes'] / 1e6:.1f} MB",
        f"two replicas take {exchange['replicas'] * 1e3:.0f} ms longer than one device",
        f"two workers take {exchange['workers'] * 1e3:.0f} ms longer than one",
        f"predicted at {assumed['tflops']} TFLOP/s and {assumed['images']} images per GPU:",
    ]
    for name, predicted in found["predicted"].items():
        shown = [
            f"{one['gpus']}: {one['images_per_s']:.0f}/s ({one['efficiency']:.0%})"
            for one in predicted
        ]
        lines.append(f"  {name} ({assumed['links'][name]:g} GB/s)  " + "  ".join(shown))
    return "\n".join(lines)


def main() -> None:
    """The second worker: updates until the first one is gone."""
    order = json.loads(sys.argv[1])
    run, _ = _work(order["case"], order["ports"], 1)
    from tensorflow import errors

    with contextlib.suppress(errors.OpError):
        while True:
            run()


if __name__ == "__main__":
    main()
