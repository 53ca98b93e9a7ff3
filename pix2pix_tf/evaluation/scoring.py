"""Measuring image files: pairs one by one, label pictures, sets as wholes."""

import numpy as np

from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import distances, inception, labels, metrics, perceptual, reading

# The columns of pairs and how they are measured, on float [1, h, w, c] in [-1, 1].
TITLES = {"l1": "L1", "psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "lpips": "LPIPS"}
_MEASURES = {name: getattr(metrics, name) for name in ("l1", "psnr", "ssim", "ms_ssim")}
SETS = ("fid", "kid")
# The column of label pictures; the scores of the whole set are not its mean.
LABEL_TITLE = "label accuracy"
# Smaller images have no value.
_LEAST = {
    "ssim": metrics.SSIM_WINDOW,
    "ms_ssim": metrics.MS_SSIM_SIZE,
    "lpips": perceptual.LPIPS_SIZE,
}
_SSIM = {
    "window": metrics.SSIM_WINDOW,
    "sigma": metrics.SSIM_SIGMA,
    "k1": metrics.SSIM_K1,
    "k2": metrics.SSIM_K2,
    "channels": "mean over each",
}
# What decides the values of pairs, for metrics.json.
_SETTINGS = {
    "l1": {"range": "images in [-1, 1]"},
    "psnr": {"peak": metrics.DATA_RANGE, "range": "images in [-1, 1]"},
    "ssim": _SSIM,
    "ms_ssim": {**_SSIM, "weights": list(metrics.MS_SSIM_WEIGHTS)},
    "lpips": {"network": "AlexNet", "version": "0.1"},
}
# Binkowski et al. 2018: KID over subsets of this size.
_SUBSET_SIZE = 1000
# With fewer images the covariance of 2048 features is singular, and FID grows as they get fewer.
_ENOUGH = inception.FEATURES


class Scorer:
    """What one command measures; whatever is missing for it is found missing at the start.

    Args:
        names: Metrics asked for; empty for all that the images and the weights allow.
        palette: Name of a palette, for "labels"; see `labels.find_palette`.
        inception_weights: As in `inception.find_weights`.
        download: Whether weights may be fetched.
        kid_subsets: How many subsets KID draws.
        kid_subset_size: Images of each, or None for 1000 or half of the smaller set.
        seed: Int, of those draws.

    Raises:
        OSError: If weights or the palette's file are missing.
        InputError: If they are damaged, or an extra is not installed.
    """

    def __init__(
        self,
        names,
        *,
        palette=None,
        inception_weights=None,
        download=False,
        kid_subsets=100,
        kid_subset_size=None,
        seed=0,
    ):
        self.names, self._asked = tuple(names) or (*_MEASURES, *SETS), bool(names)
        self._palette = labels.find_palette(palette) if "labels" in self.names else None
        self._lpips = perceptual.Lpips(download=download) if "lpips" in self.names else None
        self._network, self._seed = {"weights": inception_weights}, seed
        self._subsets, self._subset_size = kid_subsets, kid_subset_size
        self.settings = {}
        if palette:
            self.settings["labels"] = {"palette": palette, "classes": len(self._palette.classes)}
        if {*SETS} & {*self.names}:
            self._find_inception(download and not inception_weights)

    def _find_inception(self, download):
        if download:
            inception.download_weights()
        try:
            inception.find_weights(**self._network)
        except FileNotFoundError as error:
            if self._asked:
                raise
            self._leave_out(str(error))

    def _leave_out(self, reason):
        self.names = tuple(name for name in self.names if name not in SETS)
        print(f"FID and KID are left out. {reason}")

    @property
    def wants_pairs(self):
        """Whether a metric was asked for that only pairs have; None if none was asked for."""
        return bool({*self.names} - {*SETS}) if self._asked else None

    def pair(self, output, target, *, known):
        """Measures one pair of files.

        Args:
            output: Path of the image to judge.
            target: Path of the true one, of the same size.
            known: Values that are there already, a dict from titles.

        Returns:
            (dict from titles to floats, NaN where an image is too small, confusion matrix of
            labels or None).

        Raises:
            InputError: If a file cannot be read or the sizes differ.
        """
        arrays = reading.read(output), reading.read(target)
        if arrays[0].shape[:2] != arrays[1].shape[:2]:
            sizes = " and ".join(f"{a.shape[1]}x{a.shape[0]}" for a in arrays)
            raise InputError(
                f"Expected pairs of one size. Received: {output} and {target}, {sizes} px; "
                "--metrics fid,kid takes any sizes"
            )
        titles = {name: TITLES[name] for name in self.names if name in TITLES}
        self.settings |= {name: _SETTINGS[name] for name in titles}
        found = {title: known[title] for title in titles.values() if title in known}
        missing = [name for name, title in titles.items() if title not in found]
        found |= self._measure(missing, (target, output), arrays=arrays[::-1])
        if self._palette is None:
            return found, None
        confusion = self._palette.confusion(*map(reading.pixels, arrays[::-1]))
        scored = max(confusion.sum(), 1)
        return found | {LABEL_TITLE: float(np.trace(confusion) / scored)}, confusion

    def _measure(self, names, files, *, arrays):
        found, signed = {}, reading.signed(*arrays) if names else ()
        for name in names:
            if min(arrays[0].shape[:2]) < _LEAST.get(name, 1):
                found[TITLES[name]] = np.nan
            elif name == "lpips":
                found[TITLES[name]] = self._lpips(*files)
            else:
                found[TITLES[name]] = float(_MEASURES[name](*signed)[0])
        return found

    def sets(self, outputs, targets, *, cache, label=""):
        """Measures FID and KID of two sets of files, as far as they were asked for.

        Args:
            outputs: Paths of the images to judge.
            targets: Paths of the true ones.
            cache: `true_set.Cache` of the true ones.
            label: Ending of the names, such as " AtoB".

        Returns:
            Dict from "FID", "KID" and "KID_std" to floats.

        Raises:
            InputError: If a set is too small, a file cannot be read or the cache is another's.
        """
        smaller = min(len(outputs), len(targets))
        if not self._measures_sets(smaller, label):
            return {}
        bar = reading.progress(outputs, f"features of outputs{label}")
        features = inception.features(map(reading.pixels, map(reading.read, bar)), **self._network)
        described = inception.describe(**self._network)
        true = cache.get(targets, described, **self._network, keep="kid" in self.names)
        made = described | {"outputs": len(features), "targets": true.count}
        found = {}
        if "fid" in self.names:
            self.settings[f"fid{label}"] = made
            found[f"FID{label}"] = _fid(features, true)
        if "kid" in self.names:
            size = self._subset_size or max(2, min(_SUBSET_SIZE, smaller // 2))
            draws = {"subsets": self._subsets, "subset_size": size, "seed": self._seed}
            self.settings[f"kid{label}"] = made | draws
            mean, deviation = distances.kernel_distance(features, true.features, **draws)
            found |= {f"KID{label}": mean, f"KID_std{label}": deviation}
        return found

    def _measures_sets(self, smaller, label):
        """Whether sets are measured; refuses what was asked for of too few images."""
        if not {*SETS} & {*self.names}:
            return False
        least = max(2, "kid" in self.names and self._subset_size or 2)
        if smaller >= least:
            return True
        reason = f"Expected sets of at least {least} images{label}. Received: {smaller}"
        if self._asked:
            raise InputError(reason)
        self._leave_out(reason)
        return False


def _fid(features, true):
    smaller = min(len(features), true.count)
    if smaller < _ENOUGH:
        print(f"note: FID of {smaller} images compares only with FID of as many")
    if true.features is not None and max(len(features), true.count) <= _ENOUGH:
        return distances.frechet_distance_of_few(features, true.features)
    statistics = distances.gaussian_statistics(features)
    return distances.frechet_distance(*statistics, true.mean, true.covariance)
