"""Learning rates as functions of the stored step, so that they survive a resume."""

import math
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="pix2pix_tf")
class EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that stays the same within an epoch.

    With e the epoch, counted from 1, the rate is that of epoch 1 times

    - "linear": 1 - max(0, e - n_epochs) / (n_epochs_decay + 1). Epochs 1 to n_epochs have the
      full rate, the last one 1 / (n_epochs_decay + 1) of it; 0 would be reached after the end.
    - "step": 0.1 to the power of (e - 1) // lr_decay_iters.
    - "cosine": (1 + cos(pi (e - 1) / n_epochs)) / 2, which rises again after n_epochs.

    These are the rates of the PyTorch code since 2025. From 2020 to 2024 it moved on at the start
    of each epoch, so that all were one epoch early and the last epoch trained at a rate of 0.

    Args:
        learning_rate: The rate of the first epoch.
        policy: "linear", "step" or "cosine".
        steps_per_epoch: Updates per epoch.
        n_epochs: Epochs at the full rate (linear), or to the first minimum (cosine).
        n_epochs_decay: Epochs of the decay (linear).
        lr_decay_iters: Epochs between two drops (step).

    Reference:
        junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py, get_scheduler(); Zhu et al. 2017
        (arXiv:1703.10593), section 7.1: 100 epochs, then linearly to zero over 100 more.
    """

    def __init__(
        self,
        learning_rate: float,
        *,
        policy: str = "linear",
        steps_per_epoch: int,
        n_epochs: int = 100,
        n_epochs_decay: int = 100,
        lr_decay_iters: int = 50,
    ) -> None:
        self.learning_rate, self.policy = learning_rate, policy
        self.steps_per_epoch, self.lr_decay_iters = steps_per_epoch, lr_decay_iters
        self.n_epochs, self.n_epochs_decay = n_epochs, n_epochs_decay

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        past = tf.cast(tf.cast(step, tf.int64) // self.steps_per_epoch, tf.float32)
        if self.policy == "linear":
            late = tf.maximum(0.0, past + 1 - self.n_epochs)
            factor = 1 - late / (self.n_epochs_decay + 1)
        elif self.policy == "step":
            factor = tf.pow(0.1, past // self.lr_decay_iters)
        else:
            # A cosine of zero epochs is over before it starts.
            factor = (1 + tf.cos(math.pi * past / max(self.n_epochs, 1))) / 2
        return self.learning_rate * tf.maximum(factor, 0.0)

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))
