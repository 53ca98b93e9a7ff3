"""Evaluation for both programs: the images that are compared, and the metrics."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import listing
from pix2pix_tf.data.samples import Range, Side, full_range, to_unit, with_channels
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.evaluation import feature_metrics, labels, metrics, results
from pix2pix_tf.evaluation.feature_metrics import SETS, FeatureMetrics
from pix2pix_tf.evaluation.palettes import find_palette
from pix2pix_tf.evaluation.report import OF_INPUT
from pix2pix_tf.evaluation.results import Row, as_rgb, progress, read_image

PathLike = str | os.PathLike[str]

# The columns of pairs and how they are measured, on float [1, h, w, c] in [-1, 1].
TITLES = {
    **{"l1": "L1", "psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "lpips": "LPIPS"},
    **{"mae": "MAE", "nrmse": "NRMSE", "pearson": "Pearson"},
}
_MEASURES = {
    name: getattr(metrics, name) for name in ("l1", "psnr", "ssim", "ms_ssim", "nrmse", "pearson")
}
# The column of label maps; the scores of the whole set are not its mean.
LABEL_TITLE = "label accuracy"
# Smaller images have no value.
_SMALLEST = {
    "ssim": metrics.SSIM_WINDOW,
    "ms_ssim": metrics.MS_SSIM_SIZE,
    "lpips": feature_metrics.LPIPS_SIZE,
}
_SSIM = {
    "window": metrics.SSIM_WINDOW,
    "sigma": metrics.SSIM_SIGMA,
    "k1": metrics.SSIM_K1,
    "k2": metrics.SSIM_K2,
    "channels": "mean over each",
}
# What decides the values of pairs, for metrics.json.
_SETTINGS: dict[str, dict[str, Any]] = {
    "l1": {"range": "images in [-1, 1]"},
    "psnr": {"peak": metrics.DATA_RANGE, "range": "images in [-1, 1]"},
    "ssim": _SSIM,
    "ms_ssim": {**_SSIM, "weights": list(metrics.MS_SSIM_WEIGHTS)},
    "lpips": {"network": "AlexNet", "version": "0.1"},
    "mae": {"range": "units of the target's files"},
    "nrmse": {"divisor": "largest - smallest value of each target"},
    "pearson": {"over": "pixels and channels of each image"},
}
# Binkowski et al. 2018: KID over subsets of this size.
_SUBSET_SIZE = 1000
# Files that test writes beside a PNG that cannot hold the result.
EXACT = (".tif", ".npy", ".dcm")
# The file beside the results that keeps the statistics of the ground-truth set.
STATISTICS = "statistics.npz"
_SHOWN = 5  # names in one message


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two files to compare.

    Attributes:
        row: The report's row, which gets the metrics.
        output: Path of the image to measure.
        target: Path of its ground truth.
        sides: How the two files are read, and which samples stand for -1 and 1.
    """

    row: Row
    output: Path
    target: Path
    sides: tuple[Side, Side] = (Side(), Side())


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The files that are compared in one direction.

    Attributes:
        pairs: Images with a ground truth each.
        outputs: Paths of the set to measure.
        targets: Paths of the ground-truth set.
        label: Ending of the names of the results, such as " AtoB".
        sides: How the files of both sets are read.
    """

    pairs: list[Pair]
    outputs: list[Path]
    targets: list[Path]
    label: str = ""
    sides: tuple[Side, Side] = (Side(), Side())


# ---- What is compared


def of_rows(
    rows: Sequence[Row],
    folder: PathLike,
    *,
    output: str,
    target: str,
    targets: Sequence[PathLike] | None,
    label: str,
    side: Side,
) -> Comparison:
    """Compares images that a model has just translated.

    Args:
        rows: The report's rows.
        folder: Folder of the results.
        output: Kind of the images to measure, such as "outputs".
        target: Kind of their ground truth, where there is any.
        targets: Paths of the ground-truth set, or None for the targets of the pairs.
        label: As in `Comparison`.
        side: How `targets` are read.
    """
    made = [row for row in rows if output in row["images"]]
    pairs = [
        Pair(row, Path(folder, row["images"][output]), Path(folder, row["images"][target]))
        for row in made
        if target in row["images"]
    ]
    outputs = [Path(folder, row["images"][output]) for row in made]
    true = [pair.target for pair in pairs] if targets is None else list(map(Path, targets))
    sides = (Side(), Side() if targets is None else side)
    return Comparison(pairs, outputs, true, label, sides)


def of_test(source: PathLike, folder: PathLike) -> Comparison:
    """Compares the outputs and targets in the folder that test wrote, or in its images/.

    Args:
        source: Folder.
        folder: Folder of the results, which gets copies of the images.

    Raises:
        InputError: If there is no NAME-outputs.png with a NAME-targets.png.
    """
    kinds, measured = ("inputs", "outputs", "targets"), _measured_by_test(source)
    found = {kind: _files_of_kind(source, kind) for kind in kinds}
    pairs = []
    names = [name for name in found["outputs"] if name in found["targets"]]
    for name in progress(names, "copying images") if names else ():
        row = _copy(
            folder, name, {kind: found[kind][name] for kind in kinds if name in found[kind]}
        )
        row["metrics"] |= measured.get(name, {})
        pairs.append(Pair(row, found["outputs"][name], found["targets"][name]))
    if not pairs:
        raise InputError(
            "Expected --checkpoint, --target_dir, or an --input_dir with NAME-outputs.png and "
            f"NAME-targets.png as test writes them. Received: {source}"
        )
    outputs, targets = [pair.output for pair in pairs], [pair.target for pair in pairs]
    return Comparison(pairs, outputs, targets)


def _measured_by_test(folder: PathLike) -> dict[str, dict[str, float]]:
    """Of each image what test measured and its PNG files do not contain: units, and the input."""
    path = run_folder.place(folder) / run_folder.METRICS
    images = run_folder.read_json(path).get("per_image", {}) if path.is_file() else {}
    return {
        name: {
            title: value
            for title, value in found.items()
            if value is not None and (title == TITLES["mae"] or OF_INPUT in title)
        }
        for name, found in images.items()
    }


def of_folders(
    source: PathLike,
    targets: PathLike,
    folder: PathLike,
    *,
    kind: str,
    pairs_wanted: bool | None,
    side: Side,
) -> Comparison:
    """Compares the images of two folders.

    Args:
        source: Folder of the images to measure; where test wrote it, only those of `kind` count.
        targets: Folder of the ground truth.
        folder: Folder of the results, which gets copies of pairs.
        kind: Kind of test's images, such as "outputs".
        pairs_wanted: Whether there have to be pairs; None takes images of the same names as some.
        side: How the files are read, and which samples stand for -1 and 1.

    Raises:
        InputError: If a folder contains no image, an image cannot be read, or pairs are missing.
    """
    # Where test wrote a PNG to look at and a file of the values, the latter counts.
    views = _files_of_kind(source, kind)
    exact = {n: p for s in EXACT for n, p in _files_of_kind(source, kind, s).items()}
    outputs = {**views, **exact} or _by_name(listing.list_images(source))
    true = _by_name(ground_truth(targets, side=side))
    listing.check_images(list(map(str, outputs.values())), sides=((side,),))
    sides = (Side() if views and not exact else side, side)
    pairs = []
    if pairs_wanted is not False and _same_names(outputs, true, required=bool(pairs_wanted)):
        for name, output in progress(outputs.items(), "copying images", total=len(outputs)):
            files = {"outputs": output, "targets": true[name]}
            row = _copy(folder, name, files, dict(zip(files, sides, strict=True)))
            pairs.append(Pair(row, output, true[name], sides))
    return Comparison(pairs, list(outputs.values()), list(true.values()), sides=sides)


def ground_truth(folder: PathLike, *, side: Side) -> list[str]:
    """Lists the images of a folder after a look at each.

    Args:
        folder: Path of a folder.
        side: How its files are read.

    Raises:
        InputError: If there are none, or one cannot be read.
    """
    files = listing.list_images(folder, flag="--target_dir")
    listing.check_images(files, sides=((side,),))
    return files


def _same_names(outputs: Mapping[str, Path], true: Mapping[str, Path], *, required: bool) -> bool:
    """Whether two dicts have the same keys; reports which are in one only."""
    lone = sorted(outputs.keys() ^ true.keys())
    if not lone:
        return True
    reason = (
        "Expected the same names in --input_dir and --target_dir for pairs. Received in one only: "
        f"{', '.join(lone[:_SHOWN])}{' ...' * (len(lone) > _SHOWN)}"
    )
    if required:
        raise InputError(reason)
    print_line(f"Pairs are not measured. {reason}")
    return False


def _files_of_kind(folder: PathLike, kind: str, suffix: str = ".png") -> dict[str, Path]:
    """Dict from names to the images NAME-KIND.png of a folder or of its images/."""
    place, end = run_folder.place(folder), f"-{kind}{suffix}"
    files = sorted(place.glob(f"?*{end}"))
    files = files or sorted((place / run_folder.IMAGES).glob(f"?*{end}"))
    return {path.name.removesuffix(end): path for path in files}


def _by_name(files: Sequence[str]) -> dict[str, Path]:
    return dict(zip(listing.names(files), map(run_folder.place, files), strict=True))


def _copy(
    folder: PathLike, name: str, files: Mapping[str, Path], sides: Mapping[str, Side] | None = None
) -> Row:
    """Writes copies that a browser shows; returns the report's row."""
    sides = sides or dict.fromkeys(files, Side())
    samples = {kind: [read_image(path, sides[kind].selection)] for kind, path in files.items()}
    ranges = {kind: side.value_range for kind, side in sides.items()}
    (row,) = results.write_images(folder, [name], results.viewable(samples, ranges))
    row["metrics"] = {}
    return row


# ---- How it is measured


class Scorer:
    """The metrics of one command; missing requirements are reported at the start.

    Args:
        names: Metrics asked for; empty for all that the images and the weights allow.
        palette: Name of a palette, for "labels"; see `find_palette`.
        inception_weights: File with the weights for FID and KID; None for PyTorch's cache.
        download_weights: Whether missing weights may be downloaded.
        kid_subsets: Number of random subsets that KID is averaged over.
        kid_subset_size: Images of each, or None for 1000 or half of the smaller set.
        seed: Seed of those subsets.

    Raises:
        OSError: If the palette's file is missing.
        InputError: If weights are missing or damaged, or an extra is not installed.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        palette: str | None = None,
        inception_weights: PathLike | None = None,
        download_weights: bool = False,
        kid_subsets: int = 100,
        kid_subset_size: int | None = None,
        seed: int = 0,
    ) -> None:
        self.names, self._asked = tuple(names) or (*_MEASURES, "mae", *SETS), bool(names)
        if "labels" in self.names and palette is None:
            raise InputError("the metric labels needs a palette")
        self._palette = find_palette(str(palette)) if "labels" in self.names else None
        self._kid_subsets, self._kid_subset_size = kid_subsets, kid_subset_size
        self._seed = seed
        self.settings: dict[str, dict[str, Any]] = {}
        if self._palette is not None:
            classes = len(self._palette.classes)
            self.settings["labels"] = {"palette": str(palette), "classes": classes}
        self._by_features: FeatureMetrics | None = None
        if wanted := [name for name in self.names if name in ("lpips", *SETS)]:
            try:
                self._by_features = FeatureMetrics(
                    wanted, inception_weights=inception_weights, download=download_weights
                )
            except InputError as error:
                if self._asked:
                    raise
                self._leave_out(str(error))

    def _leave_out(self, reason: str) -> None:
        self.names = tuple(name for name in self.names if name not in SETS)
        print_line(f"FID and KID are left out. {reason}")

    @property
    def _features(self) -> FeatureMetrics:
        assert self._by_features is not None
        return self._by_features

    @property
    def titles(self) -> list[str]:
        """What the columns of the metrics of pairs are called."""
        return [TITLES[name] for name in self.names if name in TITLES]

    @property
    def wants_pairs(self) -> bool | None:
        """Whether a metric was asked for that only pairs have; None if none was asked for."""
        return bool({*self.names} - {*SETS}) if self._asked else None

    def pair(
        self, pair: Pair, *, known: Mapping[str, float]
    ) -> tuple[dict[str, float], np.ndarray | None]:
        """Measures one pair of files.

        Args:
            pair: The files, images of the same size.
            known: Values that are there already, by title.

        Returns:
            (dict from titles to floats, NaN where an image is too small; confusion matrix of
            label maps or None).

        Raises:
            InputError: If a file cannot be read or the sizes differ.
        """
        files, sides = (pair.target, pair.output), pair.sides[::-1]
        images = tuple(
            read_image(path, side.selection) for path, side in zip(files, sides, strict=True)
        )
        ranges = [side.value_range for side in sides]
        if images[0].shape[:2] != images[1].shape[:2]:
            sizes = " and ".join(f"{a.shape[1]}x{a.shape[0]}" for a in reversed(images))
            raise InputError(
                f"Expected pairs of one size. Received: {pair.output} and {pair.target}, "
                f"{sizes} px; --metrics fid,kid takes any sizes"
            )
        wanted = [name for name in self.names if name in TITLES]
        self.settings |= {name: _SETTINGS[name] for name in wanted}
        found = {TITLES[name]: known[TITLES[name]] for name in wanted if TITLES[name] in known}
        missing = [name for name in wanted if TITLES[name] not in found]
        signed = _signed(images, ranges) if missing else ()
        for name in missing:
            if min(images[0].shape[:2]) < _SMALLEST.get(name, 1):
                found[TITLES[name]] = np.nan
            elif name == "lpips":
                found[TITLES[name]] = self._features.lpips(*files, sides=sides)
            elif name == "mae":
                limits = ranges[0] or full_range(images[0].dtype)
                found[TITLES[name]] = float(metrics.mae(*signed, value_range=limits)[0])
            else:
                found[TITLES[name]] = float(_MEASURES[name](*signed)[0])
        if self._palette is None:
            return found, None
        confusion = labels.confusion_of(*map(as_rgb, images, ranges), palette=self._palette)
        found[LABEL_TITLE] = float(np.trace(confusion) / max(confusion.sum(), 1))
        return found, confusion

    def sets(
        self, compared: Comparison, *, statistics: PathLike, must_match: bool
    ) -> dict[str, float]:
        """Measures FID and KID of two sets of files, as far as they were asked for.

        Args:
            compared: The two sets.
            statistics: File that keeps the statistics of the ground truth.
            must_match: Whether such a file of other images is an error; else it is replaced.

        Returns:
            Dict from "FID", "KID" and "KID_std" to floats.

        Raises:
            InputError: If a set is too small, a file cannot be read or the statistics are others.
        """
        label, smaller = compared.label, min(len(compared.outputs), len(compared.targets))
        wanted = [name for name in SETS if name in self.names]
        if not wanted or not self._enough(smaller, label):
            return {}
        features = self._features.features(
            compared.outputs, label=f"features of outputs{label}", side=compared.sides[0]
        )
        true = feature_metrics.ground_truth_statistics(
            compared.targets,
            measured_by=self._features,
            path=statistics,
            must_match=must_match,
            keep_features="kid" in wanted,
            side=compared.sides[1],
        )
        size = self._kid_subset_size or max(2, min(_SUBSET_SIZE, smaller // 2))
        draws = {"kid_subsets": self._kid_subsets, "kid_subset_size": size, "seed": self._seed}
        made = {**self._features.description, "outputs": len(features), "targets": true.count}
        for name in wanted:
            self.settings[f"{name}{label}"] = made | (draws if name == "kid" else {})
        if "fid" in wanted and smaller < feature_metrics.FEATURES:
            print(
                "note: FID depends on the number of images: compare it only with FID of "
                f"{smaller} images"
            )
        found = self._features.distances(features, true, metrics=wanted, **draws)
        return {f"{name}{label}": value for name, value in found.items()}

    def _enough(self, smaller: int, label: str) -> bool:
        """Whether there are enough images; an error if the metrics were asked for."""
        least = max(2, self._kid_subset_size or 2) if "kid" in self.names else 2
        if smaller >= least:
            return True
        reason = f"Expected sets of at least {least} images{label}. Received: {smaller}"
        if self._asked:
            raise InputError(reason)
        self._leave_out(reason)
        return False


def _signed(images: Sequence[np.ndarray], ranges: Sequence[Range]) -> list[np.ndarray]:
    """Two images as float32 [1, h, w, c] in [-1, 1]; as colour images if the channels differ."""
    units = list(map(to_unit, images, ranges))
    if units[0].shape != units[1].shape:
        units = [with_channels(unit, 3) for unit in units]
    return [unit[None] * 2 - 1 for unit in units]


def measure(
    scorer: Scorer,
    comparisons: Sequence[Comparison],
    *,
    folder: PathLike,
    statistics: PathLike | None = None,
) -> dict[str, Any]:
    """Measures pairs, into their rows, and sets.

    Args:
        scorer: The metrics.
        comparisons: One comparison per direction.
        folder: Folder of the results.
        statistics: File for the statistics of the ground truth, or None for one in `folder`.

    Returns:
        What metrics.json contains beside the rows: a dict with "sets", "samples", "settings".

    Raises:
        InputError: If there is nothing to measure, a set is too small or a file cannot be read.
    """
    sets: dict[str, float] = {}
    samples: dict[str, int] = {}
    for compared in comparisons:
        label, outputs, targets = compared.label, compared.outputs, compared.targets
        if scorer.wants_pairs and not compared.pairs:
            raise InputError(
                f"--metrics {','.join(scorer.names)} need pairs; the {len(outputs)} outputs{label} "
                "have no ground truth"
            )
        path = Path(statistics or Path(folder, STATISTICS))
        if len(comparisons) > 1:
            path = path.with_name(f"{path.stem}-{label.strip()}{path.suffix}")
        sets |= _measure_pairs(scorer, compared.pairs, label)
        sets |= scorer.sets(compared, statistics=path, must_match=statistics is not None)
        counts = {"pairs": len(compared.pairs), "outputs": len(outputs), "targets": len(targets)}
        samples |= {f"{name}{label}": count for name, count in counts.items()}
    return {"sets": sets, "samples": samples, "settings": scorer.settings}


def _measure_pairs(scorer: Scorer, pairs: Sequence[Pair], label: str) -> dict[str, float]:
    """Adds the metrics of pairs to their rows; returns the scores of all label maps."""
    confusions = []
    for pair in progress(pairs, f"measuring{label}") if pairs else ():
        measured = pair.row["metrics"]
        titles = [title for title in TITLES.values() if f"{title}{label}" in measured]
        known = {title: measured.pop(f"{title}{label}") for title in titles}
        for title in [title for title in measured if OF_INPUT in title]:
            if title.partition(OF_INPUT)[0] not in scorer.titles:
                del measured[title]
        if scorer.wants_pairs is False:
            continue
        found, confusion = scorer.pair(pair, known=known)
        measured |= {f"{title}{label}": value for title, value in found.items()}
        confusions += [] if confusion is None else [confusion]
    if not confusions:
        return {}
    scores = labels.label_scores(np.sum(confusions, axis=0))
    return {f"{name}{label}": value for name, value in scores.items()}


def write(
    folder: PathLike,
    rows: Sequence[Row],
    *,
    title: str,
    options: Mapping[str, Any],
    measured: Mapping[str, Any],
    checkpoint: str | None = None,
) -> os.PathLike[str]:
    """Writes metrics.json and the report, and prints the numbers.

    Args:
        folder: Output folder.
        rows: The report's rows, with metrics.
        title: Heading of the page.
        options: The options of the command, with its "mode".
        measured: What `measure` returned.
        checkpoint: Checkpoint file of the run that made the images, or None.

    Returns:
        Path of index.html.

    Raises:
        InputError: If there are no numbers.
    """
    if not measured["sets"] and not any(row["metrics"] for row in rows):
        raise InputError(
            "there is nothing to measure: no images have the same names, and FID and KID cannot be "
            "computed"
        )
    index = results.write_results(
        folder, rows, title=title, options=options, checkpoint=checkpoint, **measured
    )
    mean, left_out = results.means(rows)
    for name, value in {**mean, **measured["sets"]}.items():
        missing = f" ({left_out[name]} images have none)" if name in left_out else ""
        print(f"{name} {'none' if value is None else f'{value:.4f}'}{missing}")
    return index
