"""FID and KID by torch-fidelity's own program.

It uses the InceptionV3 of 2015-12-05, the graph of the first FID code: images are resized to
299x299 as TensorFlow 1 does, bilinear without antialiasing. The numbers compare with those of
papers that use that graph.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from PIL import Image

from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.evaluation.results import to_rgb
from pix2pix_tf.evaluation.texture import Images, Scores
from pix2pix_tf.extras.metrics.torch_process import (
    INCEPTION_URL,
    environment,
    find_weights,
    hash_file,
    last_error,
)

# Names of the results, and what torch-fidelity calls them.
_KEYS = {
    "FID": "frechet_inception_distance",
    "KID": "kernel_inception_distance_mean",
    "KID_std": "kernel_inception_distance_std",
}
# FID of fewer images has a covariance of lower rank than the features.
FEATURES = 2048
# Binkowski et al. 2018: KID over subsets of this size.
_SUBSET_SIZE = 1000


class InceptionMetrics:
    """FID and KID of two sets of images.

    Args:
        names: "fid", "kid" or both.
        weights: File with the weights; None for PyTorch's cache.
        download: Whether missing weights may be downloaded to the cache.
        statistics: Folder that keeps the features of targets, of each set of targets and weights
            a file.
        kid_subsets: Number of pairs of random subsets that KID is averaged over.
        kid_subset_size: Images of each, or None for 1000 or half of the smaller set.
        seed: Seed of the subsets.

    Raises:
        InputError: If weights are missing, or `statistics` is a file.
    """

    def __init__(
        self,
        names: Collection[str],
        *,
        weights: Path | None,
        download: bool,
        statistics: Path,
        kid_subsets: int,
        kid_subset_size: int | None,
        seed: int,
    ) -> None:
        if statistics.is_file():
            raise InputError(
                f"Expected --statistics to be a folder. Received: {statistics}, a file (such as "
                "version 0.2 wrote)"
            )
        self.names, self._statistics = tuple(names), statistics.resolve()
        self._weights = find_weights(
            INCEPTION_URL, purpose="FID and KID", download=download, path=weights
        )
        self._draws: dict[str, Any] = {
            "kid_subsets": kid_subsets,
            "kid_subset_size": kid_subset_size,
            "seed": seed,
        }
        self.least_images = max(2, kid_subset_size or 2) if "kid" in names else 2

    def __call__(self, outputs: Images, targets: Images) -> Scores:
        """Measures two sets of images, each float32 [h, w, c] in [0, 1].

        Returns:
            (dict from "FID", "KID" and "KID_std", the deviation over the subsets, to floats; dict
            from "fid" and "kid" to what decides them). FID is at least 0; KID is unbiased and can
            be slightly negative.

        Raises:
            InputError: If torch-fidelity fails, such as with weights that do not fit.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder, digest = Path(temporary), hash_file(self._weights)
            shapes, _ = _write(outputs, folder / "outputs")
            target_shapes, pixels = _write(targets, folder / "targets")
            settings = {
                "network": "InceptionV3 of 2015-12-05 by torch-fidelity, 2048 features",
                "weights_file": self._weights.name,
                "weights_sha256": digest,
                "outputs": len(shapes),
                "targets": len(target_shapes),
            }
            smaller = min(len(shapes), len(target_shapes))
            if "fid" in self.names and smaller < FEATURES:
                print(
                    "note: FID depends on the number of images: compare it only with FID of "
                    f"{smaller} images"
                )
            size = self._draws["kid_subset_size"] or max(2, min(_SUBSET_SIZE, smaller // 2))
            draws = {**self._draws, "kid_subset_size": size}
            scores = self._run(
                folder,
                **{
                    "batch-size": 64 if len({*shapes, *target_shapes}) == 1 else 1,
                    "input2-cache-name": f"{pixels[:16]}-{digest[:16]}",
                    "kid-subsets": draws["kid_subsets"],
                    "kid-subset-size": draws["kid_subset_size"],
                    "rng-seed": draws["seed"],
                },
            )
        values = {name: scores[key] for name, key in _KEYS.items() if key in scores}
        if "FID" in values:
            values["FID"] = max(0.0, values["FID"])  # only rounding can bring it below
        return values, {n: settings | (draws if n == "kid" else {}) for n in self.names}

    def _run(self, folder: Path, **flags: str | int) -> dict[str, float]:
        """Runs torch-fidelity on the images in a folder; returns its results."""
        features = f"{flags['input2-cache-name']}-inception-v3-compat-features-2048.pt"
        if (self._statistics / features).is_file():
            print_line(f"features of targets: {self._statistics / features}")
        words = {
            "input1": "outputs",
            "input2": "targets",
            "feature-extractor-weights-path": self._weights,
            "cache-root": self._statistics,
            **flags,
        }
        command = [sys.executable, "-m", "torch_fidelity.fidelity", "--json", "--cpu"]
        command += [f"--{metric}" for metric in self.names]
        command += [f"--{flag}={value}" for flag, value in words.items()]
        with subprocess.Popen(
            command,
            cwd=folder,  # -m looks for modules there first
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            log = []
            for line in process.stderr:
                log.append(line)
                if line.startswith("Processing samples:"):
                    print(line.rstrip(), end="\r" if sys.stdout.isatty() else "\n", flush=True)
            text = process.stdout.read()
        # Of NumPy arrays, which are not read back without unpickling objects.
        for path in self._statistics.glob("*-stat-fid-*.pt"):
            path.unlink()
        if process.returncode:
            raise InputError(
                f"torch-fidelity fails with the weights {self._weights} and the features in "
                f"{self._statistics}: {last_error(''.join(log))}"
            )
        return json.loads(text[text.index("{") :])  # behind a remark on KID below 0


def _write(images: Images, folder: Path) -> tuple[list[tuple[int, ...]], str]:
    """Writes images as RGB files; returns their shapes and a hash of their pixels."""
    folder.mkdir()
    shapes, digest = [], hashlib.sha256()
    for index, unit in enumerate(images):
        pixels = to_rgb(unit)
        shapes.append(pixels.shape)
        digest.update(repr(pixels.shape).encode() + pixels.tobytes())
        Image.fromarray(pixels).save(folder / f"{index:08d}.png", compress_level=1)
    return shapes, digest.hexdigest()
