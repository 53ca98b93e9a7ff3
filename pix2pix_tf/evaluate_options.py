"""The options of `--mode evaluate`."""

import dataclasses

from pix2pix_tf.errors import InputError
from pix2pix_tf.options import option

# Of pairs, of pairs of label pictures, of sets.
METRICS = ("l1", "psnr", "ssim", "ms_ssim", "lpips", "labels", "fid", "kid")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What is measured and against what; all are "(new)"."""

    target_dir: str | None = option(
        None,
        "(new) Folder of true images. Without --checkpoint those in --input_dir are measured "
        "against it, as pairs where both have the same names; with it, it is the true set of FID "
        "and KID.",
        group="Evaluate",
        adopted="never",
    )
    metrics: str | None = option(
        None,
        "(new) What to measure, separated by commas: l1, psnr, ssim, ms_ssim, lpips (extra "
        "[lpips]) and labels of pairs, fid and kid of sets. When not given, all that the images "
        "allow but lpips and labels; fid and kid if their weights are there.",
        group="Evaluate",
        adopted="never",
    )
    palette: str | None = option(
        None,
        "(new) Colours of the classes for --metrics labels: facades, cityscapes, or a text file "
        "with a line RED GREEN BLUE NAME per class; those named void are not scored.",
        group="Evaluate",
        adopted="never",
    )
    inception_weights: str | None = option(
        None,
        "(new) File with the weights of Keras' InceptionV3 without top, for fid and kid; Keras' "
        "cache when not given.",
        group="Evaluate",
        adopted="never",
    )
    download_weights: bool = option(
        False,
        "(new) Fetch the weights that fid, kid and lpips need to the caches of Keras and PyTorch.",
        group="Evaluate",
        adopted="never",
    )
    statistics: str | None = option(
        None,
        "(new) File that keeps the true set's features and statistics for the next time; "
        "statistics.npz in --output_dir when not given.",
        group="Evaluate",
        adopted="never",
    )
    kid_subsets: int = option(
        100,
        "(new) Random subsets that KID is averaged over.",
        group="Evaluate",
        minimum=1,
        maximum=10_000,
        adopted="never",
    )
    kid_subset_size: int | None = option(
        None,
        "(new) Images per such subset; when not given 1000, or half of the smaller set if that is "
        "less.",
        group="Evaluate",
        minimum=2,
        adopted="never",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.mode != "evaluate":
            self._refuse_typed()
            return
        if self.aspect_ratio != 1:
            raise InputError(
                "Expected no --aspect_ratio with --mode evaluate, which measures pictures as they "
                f"are. Received: {self.aspect_ratio}"
            )
        if ("labels" in self.chosen_metrics) != bool(self.palette):
            raise InputError(
                "Expected --palette and --metrics labels together. Received: "
                f"--palette {self.palette} and --metrics {self.metrics}"
            )

    def _refuse_typed(self):
        for field in dataclasses.fields(EvaluateOptions):
            if getattr(self, field.name) != field.default:
                raise InputError(
                    f"Expected --{field.name} only with --mode evaluate. "
                    f"Received: --mode {self.mode}"
                )

    @property
    def scoring(self):
        """The other options of `comparison.Scorer`, as arguments."""
        names = ("palette", "inception_weights", "kid_subsets", "kid_subset_size")
        found = {name: getattr(self, name) for name in names}
        return {**found, "download_weights": self.download_weights, "seed": self.seed or 0}

    @property
    def chosen_metrics(self):
        """The names in `metrics`, each once; empty if it was not given.

        Raises:
            InputError: If one is unknown.
        """
        names = [name.strip().lower() for name in (self.metrics or "").split(",")]
        chosen = tuple(dict.fromkeys(filter(None, names)))
        if unknown := [name for name in chosen if name not in METRICS]:
            raise InputError(
                f"Expected --metrics of {', '.join(METRICS)}. Received: {', '.join(unknown)}"
            )
        return chosen
