"""Evaluation: the metrics of pairs, of label maps and of sets, and their results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pix2pix_tf import optional
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.evaluation import labels, metrics, results, texture
from pix2pix_tf.evaluation.comparison import Comparison, ImagePair, Pair, Pairing
from pix2pix_tf.evaluation.palettes import find_palette
from pix2pix_tf.evaluation.report import OF_INPUT
from pix2pix_tf.evaluation.results import Row, progress
from pix2pix_tf.evaluation.texture import Images

# The column of label maps; the scores of the whole set are not its mean.
LABEL_TITLE = "label accuracy"


@dataclass(frozen=True)
class PairMetric:
    """A metric of pairs.

    Attributes:
        title: Its name in results.
        settings: What decides its values, for metrics.json.
        measure: Function of an `ImagePair`; None if it comes from an extra.
        least_side: Images with a shorter side have no value.
    """

    title: str
    settings: Mapping[str, Any]
    measure: Callable[[ImagePair], Any] | None = None
    least_side: int = 1


@dataclass(frozen=True)
class SetMetric:
    """A metric, or several, of two sets of images.

    Attributes:
        names: Names in --metrics.
        measure: Function of the outputs and the targets, each a collection of float32 [h, w, c] in
            [0, 1], to (dict from titles to values, dict from names to settings).
        least_images: Smaller sets cannot be measured.
    """

    names: tuple[str, ...]
    measure: Callable[[Images, Images], texture.Scores]
    least_images: int = 1


_SIGNED = {"range": "images in [-1, 1]"}
_SSIM = {
    "window": metrics.SSIM_WINDOW,
    "sigma": metrics.SSIM_SIGMA,
    "k1": metrics.SSIM_K1,
    "k2": metrics.SSIM_K2,
    "channels": "mean over each",
}
PAIR_METRICS = {
    "l1": PairMetric("L1", _SIGNED, lambda pair: metrics.l1(*pair.signed)),
    "psnr": PairMetric(
        "PSNR", {"peak": metrics.DATA_RANGE, **_SIGNED}, lambda pair: metrics.psnr(*pair.signed)
    ),
    "ssim": PairMetric(
        "SSIM", _SSIM, lambda pair: metrics.ssim(*pair.signed), least_side=metrics.SSIM_WINDOW
    ),
    "ms_ssim": PairMetric(
        "MS-SSIM",
        {**_SSIM, "weights": list(metrics.MS_SSIM_WEIGHTS)},
        lambda pair: metrics.ms_ssim(*pair.signed),
        least_side=metrics.MS_SSIM_SIZE,
    ),
    "nrmse": PairMetric(
        "NRMSE",
        {"divisor": "largest - smallest value of each target"},
        lambda pair: metrics.nrmse(*pair.signed),
    ),
    "pearson": PairMetric(
        "Pearson",
        {"over": "pixels and channels of each image"},
        lambda pair: metrics.pearson(*pair.signed),
    ),
    "mae": PairMetric(
        "MAE",
        {"range": "units of the target's files"},
        lambda pair: metrics.mae(*pair.signed, value_range=pair.value_range),
    ),
    # AlexNet's pooling leaves nothing of smaller images.
    "lpips": PairMetric("LPIPS", {"network": "AlexNet", "version": "0.1"}, least_side=31),
    "hed_distance": PairMetric("HED distance", {"network": "HED (BSDS500)"}),
}
INCEPTION = ("fid", "kid")
SET_METRICS = (*INCEPTION, "checkerboard", "swd", "spectrum", "hed_kid")
LABEL_METRICS = ("labels", "recovery")
# What is measured if --metrics is omitted.
_DEFAULT = ("l1", "psnr", "ssim", "ms_ssim", "nrmse", "pearson", "mae", *INCEPTION)


class Scorer:
    """The metrics of one command; missing requirements are reported at the start.

    Args:
        names: Metrics asked for; empty for all that the images and the weights allow.
        palette: Name of a palette, for "labels" and "recovery"; see `find_palette`.
        recognise: Translates images to label maps, for "recovery".
        statistics: Folder that keeps the features of targets.
        inception_weights: File with the weights for FID and KID; None for PyTorch's cache.
        download_weights: Whether missing weights may be downloaded.
        kid_subsets: Number of random subsets that KID is averaged over.
        kid_subset_size: Images of each, or None for 1000 or half of the smaller set.
        seed: Seed of those subsets, and of the patches of "swd".

    Attributes:
        settings: Dict from names to what decides the values, for metrics.json.

    Raises:
        OSError: If the palette's file is missing.
        InputError: If weights are missing, or an extra is not installed.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        palette: str | None = None,
        recognise: labels.Recognise | None = None,
        statistics: Path,
        inception_weights: Path | None = None,
        download_weights: bool = False,
        kid_subsets: int = 100,
        kid_subset_size: int | None = None,
        seed: int = 0,
    ) -> None:
        self._is_explicit = bool(names)
        self.names = tuple(names) or _DEFAULT
        self.settings: dict[str, dict[str, Any]] = {}
        self._palette, self._recognise = None, recognise
        if {*LABEL_METRICS} & {*self.names}:
            if palette is None:
                raise InputError("the metrics labels and recovery need a palette")
            self._palette = find_palette(palette)
            described = {"palette": str(palette), "classes": len(self._palette.classes)}
            self.settings |= {name: described for name in LABEL_METRICS if name in self.names}
        self._measures = {
            name: PAIR_METRICS[name].measure for name in self.names if name in PAIR_METRICS
        }
        textures: dict[str, Callable[[Images, Images], texture.Scores]] = {
            "checkerboard": texture.checkerboard,
            "swd": partial(texture.swd, seed=seed),
            "spectrum": texture.spectrum,
        }
        self._set_metrics = [
            SetMetric((name,), measure) for name, measure in textures.items() if name in self.names
        ]
        if "lpips" in self.names:
            lpips = optional.load("metrics", "lpips:LPIPS", needed_by="--metrics lpips")(
                download=download_weights
            )
            self._measures["lpips"] = lambda pair: lpips(pair.target, pair.output)
        if names := [name for name in self.names if name.startswith("hed_")]:
            self._load_hed(names)
        if names := [name for name in self.names if name in INCEPTION]:
            try:
                self._load_inception(
                    names,
                    weights=inception_weights,
                    download=download_weights,
                    statistics=statistics,
                    kid_subsets=kid_subsets,
                    kid_subset_size=kid_subset_size,
                    seed=seed,
                )
            except InputError as error:
                self._leave_out(names, error)

    def _load_hed(self, names: Sequence[str]) -> None:
        needed_by = f"--metrics {','.join(names)}"
        hed = optional.load("edges", "hed:HEDMetrics", needed_by=needed_by)()
        if "hed_distance" in names:
            self._measures["hed_distance"] = hed.distance
        if "hed_kid" in names:
            self._set_metrics.append(SetMetric(("hed_kid",), hed.kernel_distance, 2))

    def _load_inception(self, names: Sequence[str], **options: Any) -> None:
        needed_by = f"--metrics {','.join(names)}"
        inception = optional.load("metrics", "inception:InceptionMetrics", needed_by=needed_by)
        metric = inception(names, **options)
        self._set_metrics.append(SetMetric(metric.names, metric, metric.least_images))

    def _leave_out(self, names: Sequence[str], reason: InputError) -> None:
        """Reports a metric that cannot be measured; an error if it was asked for."""
        if self._is_explicit:
            raise reason
        print_line(f"{' and '.join(map(str.upper, names))} are left out. {reason}")

    @property
    def pairing(self) -> Pairing:
        """Whether the metrics need pairs."""
        if not self._is_explicit:
            return Pairing.IF_NAMES_MATCH
        needs_pairs = self._measures or "labels" in self.names
        return Pairing.REQUIRED if needs_pairs else Pairing.NONE

    def measure(self, comparisons: Sequence[Comparison]) -> dict[str, Any]:
        """Measures pairs, into their rows, and sets.

        Args:
            comparisons: One comparison per direction.

        Returns:
            The contents of metrics.json beside the rows: a dict with "sets", "samples" and
            "settings".

        Raises:
            InputError: If there is nothing to measure, a set is too small or a file cannot be read.
        """
        sets: dict[str, float] = {}
        samples: dict[str, int] = {}
        for compared in comparisons:
            if self.pairing is Pairing.REQUIRED and not compared.pairs:
                raise InputError(
                    f"--metrics {','.join(self.names)} need pairs; the {len(compared.outputs)} "
                    f"outputs{compared.label} have no ground truth"
                )
            scores = {**self._measure_pairs(compared), **self._measure_sets(compared)}
            sets |= {f"{title}{compared.label}": value for title, value in scores.items()}
            for name in ("pairs", "outputs", "targets"):
                samples[f"{name}{compared.label}"] = len(getattr(compared, name))
        return {"sets": sets, "samples": samples, "settings": self.settings}

    def _measure_pairs(self, compared: Comparison) -> dict[str, float]:
        """Adds the metrics of pairs to their rows; returns the scores of all label maps."""
        titles = {PAIR_METRICS[name].title for name in self._measures}
        every_title = {metric.title for metric in PAIR_METRICS.values()}
        confusions = []
        for pair in (
            progress(compared.pairs, f"measuring{compared.label}") if compared.pairs else ()
        ):
            # Test has measured the images themselves, before they became files.
            by_test = {
                title: value
                for title in every_title
                if (value := pair.row["metrics"].pop(f"{title}{compared.label}", None)) is not None
            }
            for title in [title for title in pair.row["metrics"] if OF_INPUT in title]:
                if title.partition(OF_INPUT)[0] not in titles:
                    del pair.row["metrics"][title]
            if self.pairing is Pairing.NONE:
                continue
            values, confusion = self._measure_pair(pair, by_test)
            pair.row["metrics"] |= {f"{t}{compared.label}": value for t, value in values.items()}
            confusions += [] if confusion is None else [confusion]
        return labels.label_scores(np.sum(confusions, axis=0)) if confusions else {}

    def _measure_pair(
        self, pair: Pair, by_test: Mapping[str, float]
    ) -> tuple[dict[str, float], np.ndarray | None]:
        """(dict from titles to values, NaN of small images; confusion matrix or None)."""
        images, values = pair.read(), {}
        for name, measure in self._measures.items():
            metric = PAIR_METRICS[name]
            self.settings[name] = dict(metric.settings)
            if metric.title in by_test:
                values[metric.title] = by_test[metric.title]
            elif measure is None or min(images.target.shape[:2]) < metric.least_side:
                values[metric.title] = np.nan
            else:
                values[metric.title] = float(np.squeeze(measure(images)))
        if self._palette is None or "labels" not in self.names:
            return values, None
        maps = (results.to_rgb(unit) for unit in (images.target, images.output))
        confusion = labels.confusion_matrix(*maps, palette=self._palette)
        values[LABEL_TITLE] = float(np.trace(confusion) / max(confusion.sum(), 1))
        return values, confusion

    def _measure_sets(self, compared: Comparison) -> dict[str, float]:
        smaller = min(len(compared.outputs), len(compared.targets))
        scores = self._measure_recovery(compared) if "recovery" in self.names else {}
        for metric in self._set_metrics:
            if smaller < metric.least_images:
                reason = (
                    f"Expected sets of at least {metric.least_images} images{compared.label}. "
                    f"Received: {smaller}"
                )
                self._leave_out(metric.names, InputError(reason))
                continue
            label = " and ".join(metric.names)
            values, settings = metric.measure(
                replace(compared.outputs, label=f"{label} of outputs{compared.label}"),
                replace(compared.targets, label=f"{label} of targets{compared.label}"),
            )
            scores |= values
            self.settings |= {f"{name}{compared.label}": v for name, v in settings.items()}
        return scores

    def _measure_recovery(self, compared: Comparison) -> dict[str, float]:
        if compared.inputs is None or self._recognise is None or self._palette is None:
            raise InputError(
                "--metrics recovery needs --recogniser, --palette and the inputs: measure a run, "
                "or a folder that test wrote"
            )
        outputs = replace(compared.outputs, label=f"recovery{compared.label}")
        return labels.recovery(
            outputs, compared.inputs, recognise=self._recognise, palette=self._palette
        )


def write(
    folder: Path,
    rows: Sequence[Row],
    *,
    title: str,
    options: Mapping[str, Any],
    measured: Mapping[str, Any],
    checkpoint: Path | None = None,
) -> Path:
    """Writes metrics.json and the report, and prints the numbers.

    Args:
        folder: Output folder.
        rows: The report's rows, with metrics.
        title: Heading of the page.
        options: The options of the command, with its "mode".
        measured: What `Scorer.measure` returned.
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
