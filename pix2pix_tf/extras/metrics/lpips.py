"""LPIPS of pairs of images, by torchmetrics."""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from pix2pix_tf.data.samples import with_channels
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.metrics.torch_process import (
    ALEXNET_URL,
    environment,
    find_weights,
    last_error,
)


class LPIPS:
    """LPIPS (AlexNet, version 0.1) of pairs of at least 31x31 px; 0 if they are equal.

    Args:
        download: Whether missing weights may be downloaded to PyTorch's cache.

    Raises:
        InputError: If the weights are missing.
    """

    def __init__(self, *, download: bool) -> None:
        find_weights(ALEXNET_URL, purpose="LPIPS", download=download)
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("lpips_process.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(),
        )

    def __call__(self, target: np.ndarray, output: np.ndarray) -> float:
        """Measures a pair of images, float32 [h, w, c] in [0, 1].

        Raises:
            InputError: If PyTorch fails.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        planes = [
            np.moveaxis(with_channels(unit, 3), -1, 0)[None].clip(0, 1) * 2 - 1
            for unit in (target, output)
        ]
        try:
            pickle.dump(planes, self._process.stdin)
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (OSError, ValueError):
            self._process.wait()
            self._log.seek(0)
            reason = last_error(self._log.read().decode(errors="replace"))
            raise InputError(f"LPIPS cannot be measured: {reason}") from None
