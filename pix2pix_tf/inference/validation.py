"""Pairs that are measured while a model trains."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pix2pix_tf.data import listing
from pix2pix_tf.data.listing import Example
from pix2pix_tf.evaluation import metrics, results
from pix2pix_tf.inference import files
from pix2pix_tf.networks.layers import Network
from pix2pix_tf.training.averages import WeightAverages


class ValidationSet:
    """Measures pairs as test would afterwards, and adds the first of them to the run's report.

    Args:
        examples: Files, or pairs of files.
        translate: Function of examples to results, see `files.pairs`.
        folder: Run folder.
        averages: Averages of the weights, which are measured in their place, or None.
        averaged: The generator of `translate`, which gets them.
        freq: Steps between two measurements.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        translate: files.Translate,
        *,
        folder: Path,
        averages: WeightAverages | None,
        averaged: Network,
        freq: int,
    ) -> None:
        self._examples, self._translate, self._folder = examples, translate, folder
        self._averages, self._averaged = averages, averaged
        self.freq = freq
        self._names = [f"val-{name}" for name in listing.names(examples)[: files.SAMPLES]]

    def __call__(self, step: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Measures all pairs after a step.

        Returns:
            (means of `metrics.QUICK`, dict from kinds to uint8 images [n, h, w, c]).
        """
        if self._averages is not None:
            pairs = zip(self._averaged.variables, self._averages.values, strict=True)
            for variable, average in pairs:
                variable.assign(average)
        means, images = files.summary(self._translate(self._examples))
        results.write_images(self._folder, self._names, images, step=step)
        stacks = {kind: _stack(arrays) for kind, arrays in images.items()}
        return {name: means[name] for name in metrics.QUICK}, stacks


def _stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The arrays that have the shape and type of the first, as one array."""
    first = arrays[0]
    return np.stack([a for a in arrays if (a.shape, a.dtype) == (first.shape, first.dtype)])
