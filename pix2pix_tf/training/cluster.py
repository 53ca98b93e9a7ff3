"""The workers of a run: who they are, as TensorFlow's cluster resolvers tell it."""

import dataclasses
import json
import os
import shutil
import socket

from pix2pix_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Cluster:
    """This process and its fellows.

    Attributes:
        addresses: "HOST:PORT" of every worker; the first one is the chief's.
        index: Which of them this process is.
        resolver: TensorFlow's `ClusterResolver`.
    """

    addresses: tuple
    index: int
    resolver: object

    @property
    def leads(self):
        """Whether this process is the chief: the only one that writes."""
        return self.index == 0


def find(kind, *, pods):
    """Asks one of TensorFlow's resolvers for the cluster.

    Args:
        kind: "tf_config", "slurm" or "kubernetes".
        pods: Label of the pods of "kubernetes".

    Returns:
        `Cluster`.

    Raises:
        InputError: If the surroundings do not tell it.
    """
    import tensorflow as tf

    finders = {"tf_config": _tf_config, "slurm": _slurm}
    spec, task = _kubernetes(pods) if kind == "kubernetes" else finders[kind]()
    known = {"chief", "worker"}
    if not set(spec) <= known or task[0] not in spec or not 0 <= task[1] < len(spec[task[0]]):
        raise InputError(
            f"Expected a cluster of chief and worker that holds this task. Received: "
            f"{task[0]} {task[1]} of {json.dumps(spec)}"
        )
    addresses = (*spec.get("chief", ()), *spec.get("worker", ()))
    first = len(spec.get("chief", ())) if task[0] == "worker" else 0
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(spec),
        task_type=task[0],
        task_id=task[1],
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    return Cluster(addresses, first + task[1], resolver)


def _tf_config():
    """The cluster and the task of TF_CONFIG, of which TensorFlow's resolver checks nothing."""
    import tensorflow as tf

    text = os.environ.get("TF_CONFIG", "")
    try:
        value = json.loads(text)
        whole = all(value["cluster"][job] for job in value["cluster"]) and value["task"]["type"]
        if not whole or type(value["task"]["index"]) is not int:
            raise ValueError("a cluster or a task that says nothing")
    except (ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}" if text else "nothing"
        raise InputError(
            'Expected TF_CONFIG to be JSON such as {"cluster": {"worker": ["host1:2222", '
            '"host2:2222"]}, "task": {"type": "worker", "index": 0}}. '
            f"Received: {text[:100]} ({why})"
        ) from None
    found = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    return found.cluster_spec().as_dict(), (found.task_type, found.task_id)


def _slurm():
    """The tasks of an srun step, one worker each."""
    import tensorflow as tf

    # TensorFlow's resolver counts GPUs by these, and divides by zero where there are none.
    plain = not (os.environ.get("CUDA_VISIBLE_DEVICES") or shutil.which("nvidia-smi"))
    options = {"gpus_per_node": 2**16, "gpus_per_task": 1, "auto_set_gpu": False} if plain else {}
    try:
        found = tf.distribute.cluster_resolver.SlurmClusterResolver(**options)
        return found.cluster_spec().as_dict(), (found.task_type, found.task_id)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"Expected --cluster_resolver slurm within srun. Received: {error}"
        ) from None


def _kubernetes(pods):
    """The running pods of a label; this one is known by POD_NAME or its host name."""
    try:
        from kubernetes import client, config
    except ImportError:
        raise InputError(
            "Expected the package of --cluster_resolver kubernetes: pip install kubernetes. "
            "Received: it is not installed"
        ) from None
    import tensorflow as tf

    try:
        config.load_config()  # within a cluster, or as kubectl finds it
        api = client.CoreV1Api()
        resolver = tf.distribute.cluster_resolver.KubernetesClusterResolver(
            {"worker": [pods]}, override_client=api
        )
        spec = resolver.cluster_spec().as_dict()
        found = api.list_pod_for_all_namespaces(label_selector=pods).items
    except (config.ConfigException, client.ApiException, RuntimeError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"Expected running pods with --cluster_pods {pods}. Received: {why}"
        ) from None
    names = sorted(pod.metadata.name for pod in found)  # the resolver's order
    own = os.environ.get("POD_NAME") or socket.gethostname()
    if own not in names:
        raise InputError(
            f"Expected POD_NAME or the host name to be that of a pod among {', '.join(names)}. "
            f"Received: {own}"
        )
    return spec, ("worker", names.index(own))
