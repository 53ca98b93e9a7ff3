"""The options that say which devices train together."""

import dataclasses

from pix2pix_tf.errors import InputError
from pix2pix_tf.options import option

ONE, MIRRORED, MULTI_WORKER = "one", "mirrored", "multi_worker"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """What trains; all are "(new)" and belong to a command, not to a run."""

    strategy: str = option(
        ONE,
        "(new) What trains: one device; all GPUs of this machine, or the logical devices of its "
        "processor (mirrored); the same command line on every machine of a cluster "
        "(multi_worker). --batch_size is that of all together, and so is the result.",
        group="Devices",
        choices=(ONE, MIRRORED, MULTI_WORKER),
        adopted="never",
    )
    logical_devices: int = option(
        1,
        "(new) Into how many logical devices --strategy mirrored splits each GPU, or the "
        "processor where there is none.",
        group="Devices",
        minimum=1,
        maximum=64,
        adopted="never",
    )
    cluster_resolver: str = option(
        "tf_config",
        "(new) Who tells --strategy multi_worker its workers: the variable TF_CONFIG; Slurm, "
        "within srun; Kubernetes, the pods of --cluster_pods.",
        group="Devices",
        choices=("tf_config", "slurm", "kubernetes"),
        adopted="never",
    )
    cluster_pods: str = option(
        "job-name=tensorflow",
        "(new) Label of the pods of --cluster_resolver kubernetes.",
        group="Devices",
        adopted="never",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.logical_devices > 1 and self.strategy != MIRRORED:
            raise InputError(
                f"Expected --logical_devices only with --strategy mirrored. "
                f"Received: --strategy {self.strategy}"
            )
        if self.strategy == MULTI_WORKER and self.mode == "demo":
            raise InputError("Expected --mode train with --strategy multi_worker. Received: demo")
        if self.strategy == MULTI_WORKER and self.cache == "disk":
            raise InputError("Expected --cache none or memory with several workers. Received: disk")
