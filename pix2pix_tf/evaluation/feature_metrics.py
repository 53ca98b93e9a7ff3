"""Metrics on network features, by torchmetrics and torch-fidelity: LPIPS, FID and KID.

They run in a process of their own, because PyTorch and TensorFlow do not always load into one.

FID and KID use the InceptionV3 of 2015-12-05, the graph of the first FID code, as torch-fidelity
carries it over: images are resized to 299x299 as TensorFlow 1 does, bilinear without antialiasing.
The numbers compare with those of papers that use that graph.

Reference:
    Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric", 2018. Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs Trained
    by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017. Binkowski,
    Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018.
"""

import dataclasses
import hashlib
import importlib
import importlib.util
import itertools
import json
import os
import pickle
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import nifti
from pix2pix_tf.data.samples import Side, to_unit, with_channels
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.evaluation.results import as_rgb, progress, read_image

PathLike = str | os.PathLike[str]

SETS = ("fid", "kid")
FEATURES = 2048
# AlexNet's pooling leaves nothing of smaller images.
LPIPS_SIZE = 31
# torchvision's AlexNet_Weights.IMAGENET1K_V1.
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
# torch-fidelity's file; the name ends with the start of its SHA-256.
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Statistics of the features of one set of images.

    Attributes:
        mean: float64 [d].
        covariance: float64 [d, d], the unbiased one (n - 1).
        count: Number of images.
        features: float32 [count, d], which KID needs, or None if they were not kept.
    """

    mean: np.ndarray
    covariance: np.ndarray
    count: int
    features: np.ndarray | None


class FeatureMetrics:
    """Measures LPIPS, FID and KID in a process of its own.

    Args:
        metrics: Which of "lpips", "fid" and "kid" will be measured.
        inception_weights: File with the weights for FID and KID; None for PyTorch's cache.
        download: Whether missing weights may be downloaded to PyTorch's cache.

    Raises:
        InputError: If the extra is not installed, or weights are missing or damaged.
    """

    def __init__(
        self,
        metrics: Collection[str],
        *,
        inception_weights: PathLike | None = None,
        download: bool = False,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        weights = None if inception_weights is None else os.fspath(inception_weights)
        # What decides the features, for metrics.json and for the file of statistics.
        self.description: dict[str, Any] = self._ask(
            "load", metrics=tuple(metrics), inception_weights=weights, download=download
        )

    def _ask(self, name: str, **arguments: Any) -> Any:
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] is not None and pipes[1] is not None
        try:
            pickle.dump((name, arguments), pipes[0])
            pipes[0].flush()
            answer, failure = pickle.load(pipes[1])
        except (OSError, EOFError):
            answer, failure = None, "The process that measures LPIPS, FID and KID has ended"
        if failure is not None:
            self.close()
            raise InputError(failure)
        return answer

    def lpips(
        self, target: PathLike, output: PathLike, *, sides: tuple[Side, Side] = (Side(), Side())
    ) -> float:
        """LPIPS (AlexNet, version 0.1) of two files of at least 31x31 px; 0 if they are equal."""
        return self._ask("lpips", files=[os.fspath(target), os.fspath(output)], sides=sides)

    def features(
        self,
        files: Sequence[PathLike],
        *,
        label: str,
        side: Side = Side(),  # noqa: B008 (frozen)
    ) -> np.ndarray:
        """Inception features of image files.

        Args:
            files: Paths of n images of any sizes.
            label: Text of the progress bar.
            side: How they are read.

        Returns:
            float32 [n, 2048].

        Raises:
            InputError: If a file cannot be read.
        """
        rows = []
        with progress(files, label) as bar:
            for first in range(0, len(files), _BATCH):
                batch = [os.fspath(file) for file in files[first : first + _BATCH]]
                rows.append(self._ask("features", files=batch, side=side))
                bar.update(len(batch))
        return np.concatenate(rows)

    def distances(
        self,
        outputs: np.ndarray,
        targets: Statistics,
        *,
        metrics: Collection[str],
        kid_subsets: int = 100,
        kid_subset_size: int = 1000,
        seed: int = 0,
    ) -> dict[str, float]:
        """FID and KID of two sets.

        Args:
            outputs: float32 [n, d], features of the set to measure.
            targets: Statistics of the ground-truth set, with features if "kid" is measured.
            metrics: Which of "fid" and "kid" to measure.
            kid_subsets: Number of pairs of random subsets that KID is averaged over.
            kid_subset_size: Images of each subset, at most those of the smaller set.
            seed: Seed of the random subsets.

        Returns:
            Dict from "FID", "KID" and "KID_std" (the standard deviation over the subsets) to
            floats. FID is at least 0; KID is unbiased and can be slightly negative.
        """
        return self._ask(
            "distances",
            outputs=outputs,
            targets=targets,
            metrics=tuple(metrics),
            subsets=kid_subsets,
            subset_size=kid_subset_size,
            seed=seed,
        )

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


# ---- The file that keeps the statistics of the ground-truth set


def ground_truth_statistics(
    files: Sequence[PathLike],
    *,
    measured_by: FeatureMetrics,
    path: PathLike,
    must_match: bool,
    keep_features: bool,
    side: Side,
) -> Statistics:
    """Reads the statistics of a set of images from a file, or computes and stores them there.

    Args:
        files: Paths of the images.
        measured_by: What computes the features.
        path: An .npz file, which need not exist.
        must_match: Whether a file of other images or weights is an error; else it is replaced.
        keep_features: Whether the features themselves are needed.
        side: How the images are read.

    Returns:
        The `Statistics`.

    Raises:
        InputError: If the file must match and does not, or is damaged.
    """
    path = Path(path)
    settings = {**measured_by.description, "images": len(files)}
    settings["images_sha256"] = _fingerprint(files)
    if side.value_range is not None:
        settings["value_range"] = list(side.value_range)
    try:
        found = load_statistics(path, settings=settings) if path.is_file() else None
    except InputError:
        if must_match:
            raise
        found = None
    if found is not None and not (keep_features and found.features is None):
        print_line(f"statistics of targets: {path}")
        return found
    features = measured_by.features(files, label="features of targets", side=side)
    return save_statistics(path, features, settings=settings, keep_features=keep_features)


def _fingerprint(files: Sequence[PathLike]) -> str:
    digest = hashlib.sha256()
    for file in files:
        contents = run_folder.place(nifti.file_of(file)).read_bytes()
        digest.update(hashlib.sha256(contents).digest())
    return digest.hexdigest()


def save_statistics(
    path: PathLike,
    features: np.ndarray,
    *,
    settings: Mapping[str, Any],
    keep_features: bool = False,
) -> Statistics:
    """Stores the statistics of a set of features, the whole file or none.

    Args:
        path: The .npz file to write.
        features: float [n, d], n at least 2.
        settings: JSON values that identify the set and its features; loading asks for the same.
        keep_features: Whether the features are stored too (KID needs them).

    Returns:
        The `Statistics` that `load_statistics` will return.

    Raises:
        InputError: If there are fewer than two rows or a value is not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        raise InputError(
            "Expected finite features [n, d] of at least 2 images. Received: shape "
            f"{features.shape}, {np.sum(~np.isfinite(features))} values not finite"
        )
    statistics = Statistics(
        features.mean(axis=0),
        np.atleast_2d(np.cov(features, rowvar=False)),
        len(features),
        np.float32(features) if keep_features else None,
    )
    arrays = {name: v for name, v in vars(statistics).items() if v is not None}
    with run_folder.atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, settings=np.array(json.dumps(dict(settings), sort_keys=True)), **arrays)
    return statistics


def load_statistics(path: PathLike, *, settings: Mapping[str, Any]) -> Statistics:
    """Reads what `save_statistics` wrote.

    Args:
        path: The .npz file.
        settings: JSON values that must equal those it was stored with.

    Returns:
        The `Statistics`.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is another kind of file, or was stored with other settings.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        stored = json.loads(arrays["settings"].item())
        statistics = Statistics(
            arrays["mean"], arrays["covariance"], int(arrays["count"]), arrays.get("features")
        )
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"{path} contains no intact statistics of Inception features; delete it to compute "
            "them again"
        ) from None
    wanted = json.loads(json.dumps(dict(settings)))
    different = [n for n in sorted({*stored, *wanted}) if stored.get(n) != wanted.get(n)]
    if different:
        changes = (f"{n} is {stored.get(n)!r} and not {wanted.get(n)!r}" for n in different)
        raise InputError(
            f"the statistics in {path} are of other images or weights: {', '.join(changes)}; "
            "delete the file or choose another"
        )
    return statistics


# ---- What runs in the process with PyTorch


def _load(
    *, metrics: Collection[str], inception_weights: str | None, download: bool
) -> dict[str, Any]:
    description: dict[str, Any] = {}
    try:
        if "lpips" in metrics:
            _functions["lpips"] = _load_alexnet(download)
        if {*SETS} & {*metrics}:
            _functions["features"], description = _load_inception(inception_weights, download)
    except ImportError as error:
        raise InputError(
            f"--metrics {','.join(metrics)} need an extra: pip install 'pix2pix-tf[metrics]' "
            f"(no module {error.name})"
        ) from None
    return description


def _find_weights(name: str, path: str | None, *, download_from: str | None, purpose: str) -> Path:
    """The file of weights: the one named, that in PyTorch's cache, or a download to there."""
    import torch

    cached = Path(torch.hub.get_dir(), "checkpoints", name)
    found = Path(path).expanduser() if path else cached
    if not found.is_file() and download_from and not path:
        cached.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(download_from, str(cached), cached.stem.split("-")[-1])
        except (OSError, RuntimeError) as error:
            raise InputError(f"{name} cannot be downloaded from {download_from}: {error}") from None
    if not found.is_file():
        flag = "name it with --inception_weights, " if purpose != "LPIPS" else ""
        raise InputError(
            f"{purpose} need weights, but there is no file {found}; put {name} to {cached}, {flag}"
            "or allow the download with --download_weights"
        )
    return found


def _load_alexnet(download: bool) -> Callable[[list[str], tuple[Side, Side]], float]:
    import torch
    import torchvision
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    url = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url if download else None
    _find_weights(ALEXNET_FILE, None, download_from=url, purpose="LPIPS")
    measure = LearnedPerceptualImagePatchSimilarity(net_type="alex")

    def lpips(files: list[str], sides: tuple[Side, Side]) -> float:
        found = [
            to_unit(read_image(file, side.selection), side.value_range)
            for file, side in zip(files, sides, strict=True)
        ]
        units = [with_channels(unit, 3) for unit in found]
        planes = [np.moveaxis(unit, -1, 0)[None].clip(0, 1) * 2 - 1 for unit in units]
        value = float(measure(*map(torch.from_numpy, planes)))
        measure.reset()
        return value

    return lpips


def _load_inception(
    weights: str | None, download: bool
) -> tuple[Callable[[list[str], Side], np.ndarray], dict[str, Any]]:
    import torch

    # The package's own __init__ imports torchvision, for networks that are not used here.
    package = types.ModuleType("torch_fidelity")
    spec = importlib.util.find_spec("torch_fidelity")
    package.__path__ = [] if spec is None else list(spec.submodule_search_locations or [])
    sys.modules["torch_fidelity"] = package
    inception = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    importlib.import_module("torchmetrics")  # missing now rather than after the features

    url = inception.URL_INCEPTION_V3 if download else None
    path = _find_weights(INCEPTION_FILE, weights, download_from=url, purpose="FID and KID")
    try:
        # torch-fidelity unpickles without this guard.
        torch.load(path, map_location="cpu", weights_only=True)
        network = inception.FeatureExtractorInceptionV3(
            "inception", ["2048"], feature_extractor_weights_path=str(path)
        )
    except Exception as error:  # torch.load raises many kinds
        reason = str(error).partition("\n")[0][:200]
        raise InputError(
            f"Expected --inception_weights to be torch-fidelity's {INCEPTION_FILE}. "
            f"Received: {path} ({reason})"
        ) from None

    def features(files: list[str], side: Side) -> np.ndarray:
        found = (read_image(file, side.selection) for file in files)
        images, rows = [as_rgb(array, side.value_range) for array in found], []
        for _, alike in itertools.groupby(images, key=np.shape):
            batch = torch.from_numpy(np.stack(list(alike))).movedim(-1, 1)
            rows.append(network(batch)[0].numpy())
        return np.concatenate(rows)

    return features, {
        "network": "InceptionV3 of 2015-12-05 by torch-fidelity, 2048 features",
        "image_size": network.INPUT_IMAGE_SIZE,
        "resize": "bilinear as TensorFlow 1, without antialiasing",
        "weights_file": path.name,
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _distances(
    *,
    outputs: np.ndarray,
    targets: Statistics,
    metrics: Collection[str],
    subsets: int,
    subset_size: int,
    seed: int,
) -> dict[str, float]:
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    # The features are here already.
    network = torch.nn.Identity()
    network.num_features = outputs.shape[1]
    fake, found = torch.from_numpy(outputs).double(), {}
    if "fid" in metrics:
        fid, count = FrechetInceptionDistance(feature=network), targets.count
        fid.update(fake, real=False)
        mean, covariance = torch.from_numpy(targets.mean), torch.from_numpy(targets.covariance)
        fid.real_features_sum = mean * count
        fid.real_features_cov_sum = covariance * (count - 1) + count * torch.outer(mean, mean)
        fid.real_features_num_samples = torch.tensor(count)
        found["FID"] = max(0.0, float(fid.compute()))  # only rounding can bring it below
    if "kid" in metrics:
        torch.manual_seed(seed)
        kid = KernelInceptionDistance(feature=network, subsets=subsets, subset_size=subset_size)
        kid.update(torch.from_numpy(targets.features).double(), real=True)
        kid.update(fake, real=False)
        found["KID"], found["KID_std"] = map(float, kid.compute())
    return found


# What can be asked for. Loading adds "lpips", from two files to a float, and "features", from files
# to float32 [n, d].
_functions: dict[str, Callable[..., Any]] = {"load": _load, "distances": _distances}


def _serve() -> None:
    """Answers each request by (answer, None), or by (None, one line) if it fails."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # where downloads show their progress
    answer: tuple[Any, str | None]
    while True:
        try:
            name, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = (_functions[name](**arguments), None)
        except Exception as error:
            answer = (None, str(error).partition("\n")[0] or type(error).__name__)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    # Under the name by which pickles know this module's classes.
    from pix2pix_tf.evaluation import feature_metrics

    feature_metrics._serve()
