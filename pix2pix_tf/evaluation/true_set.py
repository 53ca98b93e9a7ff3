"""The statistics of the true images, kept in a file for the next time."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import inception, reading


class Cache(NamedTuple):
    """Where the statistics are kept.

    Attributes:
        path: An .npz file, there or not.
        named: Whether a person named it: then one of other images is refused, not replaced.
    """

    path: Path
    named: bool = False

    def get(self, files, described, *, weights, keep):
        """Reads the statistics of a set of images, or computes and keeps them.

        Args:
            files: Paths of the images.
            described: What `inception.describe` tells of the features.
            weights: As in `inception.find_weights`.
            keep: Whether the features themselves are needed.

        Returns:
            `inception.Statistics`.

        Raises:
            InputError: If a named file belongs to other images or weights, or is damaged.
        """
        settings = {**described, "images": len(files), "images_sha256": _fingerprint(files)}
        found = self._load(settings)
        if found is not None and not (keep and found.features is None):
            print(f"statistics of targets: {self.path}")
            return found
        bar = reading.progress(files, "features of targets")
        images = map(reading.pixels, map(reading.read, bar))
        features = inception.features(images, weights=weights)
        # Of so few they take less room than the covariance, and make FID quick.
        keep = keep or len(features) <= inception.FEATURES
        return inception.save_statistics(self.path, features, settings=settings, keep_features=keep)

    def _load(self, settings):
        if not self.path.is_file():
            return None
        try:
            return inception.load_statistics(self.path, settings=settings)
        except InputError:
            if self.named:
                raise
            return None


def _fingerprint(files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(run_folder.place(file).read_bytes()).digest())
    return digest.hexdigest()
