"""Several devices that train together as one would.

A replica is a copy of the model on one device, with its share of every batch. Losses are shares of
means over the global batch (`losses.global_mean`), gradients are summed, and whatever is random is
a function of the image's number since the start of training: the same on any number of replicas.
"""

import contextlib

import tensorflow as tf

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import runtime


@contextlib.contextmanager
def entered(config, *, meeting=None, files=()):
    """Makes what `--strategy` asks for; in the block models are built for it and trained on it.

    Args:
        config: Options: an object with `strategy`, `logical_devices`, `batch_size` and `norm`.
        meeting: `meeting.Meeting` of "multi_worker".
        files: Paths of the training data, which all workers must share.

    Yields:
        tf.distribute.Strategy.

    Raises:
        InputError: If there are too few devices, or the batch cannot be divided among them.
    """
    strategy = tf.distribute.get_strategy()
    if config.strategy == "mirrored":
        strategy = _mirrored(config)
    elif config.strategy == "multi_worker":
        meeting.compare(files)
        strategy = _multi_worker(meeting.cluster)
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise InputError(
            f"Expected --batch_size to be a multiple of {replicas}, the number of devices that "
            f"share a batch. Received: {config.batch_size}"
        )
    if replicas > 1:
        print(f"training on {replicas} devices, {config.batch_size // replicas} images on each")
        if config.norm == "batch":
            print("each device normalises by its own images; --norm sync_batch by all")
    with strategy.scope():
        yield strategy


def _mirrored(config):
    if config.logical_devices > 1:
        split(config.logical_devices)
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise InputError(
            "Expected more than one device with --strategy mirrored. Received: "
            f"{devices[0]}; --logical_devices splits it"
        )
    # NCCL takes a GPU once only, and no processors.
    whole = gpus and config.logical_devices == 1
    operations = None if whole else tf.distribute.ReductionToOneDevice()
    with runtime.quiet():
        return tf.distribute.MirroredStrategy(devices, cross_device_ops=operations)


def split(count):
    """Splits each GPU, or the processor if there is none, into `count` logical devices.

    Raises:
        InputError: If TensorFlow has started, or does not know how much memory a GPU has.
    """
    gpus = tf.config.list_physical_devices("GPU")
    limit = _gpu_megabytes() * 9 // 10 // count if gpus else None
    part = tf.config.LogicalDeviceConfiguration(memory_limit=limit)
    try:
        for device in gpus or tf.config.list_physical_devices("CPU"):
            tf.config.set_logical_device_configuration(device, [part] * count)
    except RuntimeError as error:
        raise InputError(
            f"Expected to split devices before TensorFlow uses them. Received: {error}"
        ) from None


def _gpu_megabytes():
    """The memory of the smallest GPU, as its driver tells it."""
    import subprocess

    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        return min(map(int, found.split()))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise InputError(
            f"Expected nvidia-smi to tell the GPUs' memory, to split them. Received: {error}"
        ) from None


def _multi_worker(cluster):
    try:
        with runtime.quiet():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=cluster.resolver)
    except (tf.errors.OpError, RuntimeError) as error:  # the latter if TensorFlow is in use
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"Expected to connect to {', '.join(cluster.addresses)} as "
            f"{cluster.addresses[cluster.index]}. Received: {why}"
        ) from None


def leads():
    """Whether this process writes: it is alone, or the chief of several."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None:
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def distributed(make_dataset):
    """The batches of all devices of this process.

    Args:
        make_dataset: Function that takes a tf.distribute.InputContext as `context` and returns
            the batches of this worker's replicas, each the next one's share.

    Returns:
        Iterable of batches, whose parts are tensors or values per replica.
    """
    strategy = tf.distribute.get_strategy()
    if not tf.distribute.has_strategy():
        return make_dataset(context=tf.distribute.InputContext())
    return strategy.distribute_datasets_from_function(lambda context: make_dataset(context=context))


def local(batch):
    """The part of a batch that is on this machine: tensors in the same structure."""
    strategy = tf.distribute.get_strategy()
    return tf.nest.map_structure(
        lambda part: tf.concat(strategy.experimental_local_results(part), 0), batch
    )


def on_replicas(function, *arguments):
    """Calls a function on every replica; returns its result on the first one of this process.

    Args:
        function: Returns the same on every replica, see `total` and `joined`.
        arguments: Tensors, or the parts of a batch.
    """
    strategy = tf.distribute.get_strategy()
    results = strategy.run(function, args=arguments)
    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], results
    )


def total(value):
    """The sum of what each replica has; called on every replica."""
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def joined(images):
    """All replicas' images [n, ...] in the order of the global batch; called on every replica."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return images
    # Not every kind of exchange takes bytes.
    return tf.cast(context.all_gather(tf.cast(images, tf.int32), axis=0), images.dtype)


def agreement():
    """Makes a function of a bool that tells whether it is true on any worker.

    All workers call it at the same time, so that they end together.
    """
    if tf.distribute.get_strategy().cluster_resolver is None:
        return bool

    @tf.function(autograph=False)
    def votes(value):
        return on_replicas(lambda: total(tf.cast(value, tf.float32)))

    return lambda value: bool(votes(tf.constant(bool(value))) > 0)


def share(state):
    """Gives all workers the chief's values.

    Args:
        state: Dict from names to variables, the same names on every worker.
    """
    if tf.distribute.get_strategy().cluster_resolver is None:
        return

    @tf.function(autograph=False, reduce_retracing=True)
    def chiefs(value):
        def replica():
            context = tf.distribute.get_replica_context()
            is_first = tf.equal(context.replica_id_in_sync_group, 0)
            return total(tf.where(is_first, value, tf.zeros_like(value)))

        return on_replicas(replica)

    for variable in state.values():
        value = chiefs(tf.convert_to_tensor(variable))
        if not leads():
            variable.assign(value)
