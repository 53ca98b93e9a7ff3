"""Training on several devices, equal to training on one.

A replica is a copy of the model on one device, with its share of every batch. Losses are shares of
means over the global batch (`losses.global_mean`), gradients are summed, and whatever is random is
a function of the image's number since the start of training: the same on any number of replicas.
Weights then equal those of one device to rounding, except with `norm="batch"`, which normalises
each replica's own images.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from pix2pix_tf import optional
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import runtime


@contextlib.contextmanager
def strategy_scope(
    kind: str = "one",
    *,
    batch_size: int,
    norm: str = "batch",
    logical_devices: int = 1,
    files: Sequence[str] = (),
) -> Iterator[None]:
    """Makes the strategy that a run trains with; models built in the block are distributed by it.

    Args:
        kind: "one"; "mirrored"; or "multi_worker", the strategy that is entered already.
        batch_size: Number of images of all devices together.
        norm: Normalisation of the networks; it is reported what "batch" means on several devices.
        logical_devices: Number of devices that "mirrored" splits each GPU, or the processor, into.
        files: Paths of the training data, which all workers must share.

    Raises:
        InputError: If there are too few devices, the batch cannot be divided among them, or
            workers have different files.
    """
    if kind == "mirrored":
        strategy = _mirrored(logical_devices)
    else:
        strategy = tf.distribute.get_strategy()
        if _has_workers():
            _of_workers("check_same_files")(files)
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"Expected --batch_size to be a multiple of {replicas}, the number of devices that "
            f"share a batch. Received: {batch_size}"
        )
    if replicas > 1:
        print(f"training on {replicas} devices, {batch_size // replicas} images on each")
        if norm == "batch":
            print(
                "each device normalises by the statistics of its own images; --norm sync_batch "
                "uses those of all"
            )
    with strategy.scope():
        yield


def _mirrored(logical_devices: int) -> tf.distribute.Strategy:
    if logical_devices > 1:
        split_devices(logical_devices)
    else:
        runtime.grow_memory()
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise InputError(
            f"--strategy mirrored needs several devices; there is only {devices[0]}, which "
            "--logical_devices can split"
        )
    # NCCL takes a GPU once only, and no processors.
    whole = gpus and logical_devices == 1
    operations = None if whole else tf.distribute.ReductionToOneDevice()
    with runtime.quiet():
        return tf.distribute.MirroredStrategy(devices, cross_device_ops=operations)


def split_devices(count: int) -> None:
    """Splits each GPU, or the processor if there is none, into `count` logical devices.

    Raises:
        InputError: If TensorFlow has started, or a GPU's memory cannot be read.
    """
    gpus = tf.config.list_physical_devices("GPU")
    limit = _gpu_megabytes() * 9 // 10 // count if gpus else None
    part = tf.config.LogicalDeviceConfiguration(memory_limit=limit)
    try:
        for device in gpus or tf.config.list_physical_devices("CPU"):
            tf.config.set_logical_device_configuration(device, [part] * count)
    except RuntimeError as error:
        raise InputError(f"devices must be split before TensorFlow uses them ({error})") from None


def _gpu_megabytes() -> int:
    """The memory of the smallest GPU, as its driver reports it."""
    import subprocess

    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        megabytes = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        return min(map(int, megabytes.split()))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise InputError(
            f"splitting GPUs needs nvidia-smi, which reports their memory ({error})"
        ) from None


def is_chief() -> bool:
    """Whether this process writes: it is alone, or the chief of several workers."""
    return tf.distribute.get_strategy().extended.should_checkpoint


def distribute_batches(make_dataset: Callable[..., tf.data.Dataset]) -> Iterable[Any]:
    """The batches of all devices of this process.

    Args:
        make_dataset: Function that takes a tf.distribute.InputContext as `context` and returns
            the batches of this worker's replicas, each the next one's share.

    Returns:
        Iterable of batches, whose parts are tensors or values per replica.
    """
    strategy = tf.distribute.get_strategy()
    return strategy.distribute_datasets_from_function(lambda context: make_dataset(context=context))


def local_shard(batch: Any) -> Any:
    """The part of a batch that is on this machine: tensors in the same structure."""
    strategy = tf.distribute.get_strategy()
    return tf.nest.map_structure(
        lambda part: tf.concat(strategy.experimental_local_results(part), 0), batch
    )


def variable(value: tf.Tensor, name: str | None = None) -> tf.Variable:
    """A variable that every replica changes to the same value."""
    return tf.Variable(
        value,
        trainable=False,
        name=name,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def on_every_replica(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function that is called on every replica; all workers call it together.

    Args:
        function: Returns the same on every replica, see `all_reduce_sum` and `gather_images`.

    Returns:
        tf.function of tensors, or of the parts of a batch, to the result on the first replica of
        this process.
    """

    def on_replicas(*arguments: Any) -> Any:
        strategy = tf.distribute.get_strategy()
        results = strategy.run(function, args=arguments)
        return tf.nest.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], results
        )

    return tf.function(on_replicas, autograph=False, reduce_retracing=True)


def all_reduce_sum(value: Any) -> Any:
    """The sum of the replicas' values; called on every replica."""
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def sum_of_shares(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The sums of scalars over all replicas, in one exchange; called on every replica."""
    sums = all_reduce_sum(tf.stack(list(values.values())))
    return dict(zip(values, tf.unstack(sums), strict=True))


def gather_images(images: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """All replicas' images [n, ...] in the order of the global batch; called on every replica."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return images
    # Not every kind of exchange takes bytes.
    return {
        tag: tf.cast(context.all_gather(tf.cast(batch, tf.int32), axis=0), batch.dtype)
        for tag, batch in images.items()
    }


# ---- Several workers; a process that is alone agrees with itself


def _has_workers() -> bool:
    return tf.distribute.get_strategy().cluster_resolver is not None


def _of_workers(name: str) -> Callable[..., Any]:
    return optional.load("workers", f"cluster:{name}", needed_by="--strategy multi_worker")


def any_worker_stops(stop: bool) -> bool:
    """Whether `stop` is true on a worker; all workers call it at the same time."""
    return _of_workers("any_worker_stops")(stop) if _has_workers() else stop


def broadcast_state(state: Mapping[str, Any]) -> None:
    """Gives all workers the chief's values of variables, by name."""
    if _has_workers():
        _of_workers("broadcast_state")(state)
