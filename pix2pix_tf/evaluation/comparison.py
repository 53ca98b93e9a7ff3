"""The images that evaluation compares: pairs and sets, from a run, a test or two folders."""

import dataclasses
import enum
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import inspection, listing
from pix2pix_tf.data.samples import DomainSpec, full_range, to_unit, with_channels
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.evaluation import results
from pix2pix_tf.evaluation.report import OF_INPUT
from pix2pix_tf.evaluation.results import Row, progress, read_image

# Files that test writes beside a PNG that cannot hold the result.
EXACT = (".tif", ".npy", ".dcm")
_MOST_NAMES = 5  # in one message


class Pairing(enum.Enum):
    """Whether the images of two folders have to be pairs."""

    NONE = enum.auto()
    IF_NAMES_MATCH = enum.auto()
    REQUIRED = enum.auto()


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """A set of files that are read in the same way: of images float32 [h, w, c] in [0, 1].

    Attributes:
        paths: Paths of the images.
        side: How they are read, and which samples stand for 0 and 1.
        label: Text of a progress bar, or nothing for none.
    """

    paths: Sequence[str]
    side: DomainSpec = DomainSpec()
    label: str = ""

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[np.ndarray]:
        for path in progress(self.paths, self.label) if self.label else self.paths:
            yield to_unit(read_image(path, self.side.selection), self.side.value_range)


@dataclasses.dataclass(frozen=True)
class Pair:
    """An image to measure and its ground truth.

    Attributes:
        row: The report's row, which gets the metrics.
        output: Path of the image to measure.
        target: Path of its ground truth.
        sides: How the two files are read, and which samples stand for 0 and 1.
    """

    row: Row
    output: str
    target: str
    sides: tuple[DomainSpec, DomainSpec] = (DomainSpec(), DomainSpec())

    def read(self) -> "ImagePair":
        """Reads both images.

        Raises:
            InputError: If a file cannot be read or the sizes differ.
        """
        output, target = (
            read_image(path, side.selection)
            for path, side in zip((self.output, self.target), self.sides, strict=True)
        )
        if output.shape[:2] != target.shape[:2]:
            sizes = " and ".join(f"{a.shape[1]}x{a.shape[0]}" for a in (output, target))
            raise InputError(
                f"Expected pairs of one size. Received: {self.output} and {self.target}, "
                f"{sizes} px; --metrics fid,kid takes any sizes"
            )
        ranges = [side.value_range for side in self.sides]
        return ImagePair(
            to_unit(output, ranges[0]),
            to_unit(target, ranges[1]),
            ranges[1] or full_range(target.dtype),
        )


@dataclasses.dataclass(frozen=True)
class ImagePair:
    """An image and its ground truth, of one size.

    Attributes:
        output: float32 [h, w, c] in [0, 1].
        target: float32 [h, w, c] in [0, 1]; its number of channels may be another.
        value_range: The samples of the target's file that stand for 0 and 1.
    """

    output: np.ndarray
    target: np.ndarray
    value_range: tuple[float, float] = (0.0, 1.0)

    @functools.cached_property
    def signed(self) -> tuple[np.ndarray, np.ndarray]:
        """(target, output) in [-1, 1], float32 [1, h, w, c]; RGB if their channels differ."""
        units = [self.target, self.output]
        if self.target.shape != self.output.shape:
            units = [with_channels(unit, 3) for unit in units]
        target, output = (unit[None] * 2 - 1 for unit in units)
        return target, output


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared in one direction.

    Attributes:
        pairs: Images with a ground truth each.
        outputs: The set to measure.
        targets: The ground-truth set.
        label: Ending of the names of the results, such as " AtoB".
        inputs: What the outputs were made from, in their order, or None.
    """

    pairs: list[Pair]
    outputs: ImageFiles
    targets: ImageFiles
    label: str = ""
    inputs: ImageFiles | None = None


def from_rows(
    rows: Sequence[Row],
    folder: Path,
    *,
    input: str,  # noqa: A002 (as the other two)
    output: str,
    target: str,
    targets: Sequence[str] | None,
    label: str,
    side: DomainSpec,
) -> Comparison:
    """Compares images that a model has just translated.

    Args:
        rows: The report's rows.
        folder: Folder of the results.
        input: Kind of the images that were translated, such as "inputs".
        output: Kind of the images to measure, such as "outputs".
        target: Kind of their ground truth, where there is any.
        targets: Paths of the ground-truth set, or None for the targets of the pairs.
        label: As in `Comparison`.
        side: How `targets` are read.
    """
    images = [row["images"] for row in rows]
    pairs = [
        Pair(row, str(folder / row["images"][output]), str(folder / row["images"][target]))
        for row in rows
        if {output, target} <= row["images"].keys()
    ]
    outputs, inputs = (
        ImageFiles([str(folder / kinds[kind]) for kinds in images if output in kinds])
        for kind in (output, input)
    )
    if targets is None:
        target_files = ImageFiles([pair.target for pair in pairs])
    else:
        target_files = ImageFiles(targets, side)
    return Comparison(pairs, outputs, target_files, label, inputs)


def from_test_folder(source: Path, folder: Path) -> Comparison:
    """Compares the outputs and targets in the folder that test wrote, or in its images/.

    Args:
        source: Folder.
        folder: Folder of the results, which gets copies of the images.

    Raises:
        InputError: If there is no NAME-outputs.png with a NAME-targets.png.
    """
    files = {kind: _find_images(source, kind) for kind in ("inputs", "outputs", "targets")}
    metrics, pairs = _read_metrics(source), []
    names = [name for name in files["outputs"] if name in files["targets"]]
    for name in progress(names, "copying images") if names else ():
        row = _copy(
            folder, name, {kind: files[kind][name] for kind in files if name in files[kind]}
        )
        row["metrics"] |= metrics.get(name, {})
        pairs.append(Pair(row, files["outputs"][name], files["targets"][name]))
    if not pairs:
        raise InputError(
            "Expected --checkpoint, --target_dir, or an --input_dir with NAME-outputs.png and "
            f"NAME-targets.png as test writes them. Received: {source}"
        )
    outputs, targets = (ImageFiles([getattr(p, k) for p in pairs]) for k in ("output", "target"))
    inputs = [files["inputs"][name] for name in names if name in files["inputs"]]
    has_inputs = len(inputs) == len(names)
    return Comparison(pairs, outputs, targets, inputs=ImageFiles(inputs) if has_inputs else None)


def _read_metrics(folder: Path) -> dict[str, dict[str, float]]:
    """Of each image the metrics that PNG files do not contain: in units, and of the input."""
    path = folder / run_folder.METRICS
    images = run_folder.read_json(path).get("per_image", {}) if path.is_file() else {}
    return {
        name: {
            title: value
            for title, value in values.items()
            if value is not None and (title == "MAE" or OF_INPUT in title)
        }
        for name, values in images.items()
    }


def from_folders(
    source: Path,
    targets: Path,
    folder: Path,
    *,
    kind: str,
    pairing: Pairing,
    side: DomainSpec,
) -> Comparison:
    """Compares the images of two folders.

    Args:
        source: Folder of the images to measure; where test wrote it, only those of `kind` count.
        targets: Folder of the ground truth.
        folder: Folder of the results, which gets copies of pairs.
        kind: Kind of test's images, such as "outputs".
        pairing: Whether images of the same names are pairs, and have to be.
        side: How the files are read, and which samples stand for 0 and 1.

    Raises:
        InputError: If a folder contains no image, an image cannot be read, or pairs are missing.
    """
    # Where test wrote a PNG to look at and a file of the values, the latter counts.
    views = _find_images(source, kind)
    exact = {n: p for suffix in EXACT for n, p in _find_images(source, kind, suffix).items()}
    output_files = {**views, **exact} or _by_name(listing.list_images(source))
    target_files = _by_name(ground_truth(targets, side=side))
    inspection.check_images(list(output_files.values()), sides=((side,),))
    sides = (DomainSpec() if views and not exact else side, side)
    pairs = []
    if pairing is not Pairing.NONE and _same_names(output_files, target_files, pairing=pairing):
        for name, output in progress(output_files.items(), "copying images"):
            files = {"outputs": output, "targets": target_files[name]}
            row = _copy(folder, name, files, dict(zip(files, sides, strict=True)))
            pairs.append(Pair(row, output, target_files[name], sides))
    outputs, truth = map(
        ImageFiles, map(list, (output_files.values(), target_files.values())), sides
    )
    return Comparison(pairs, outputs, truth)


def ground_truth(folder: Path, *, side: DomainSpec) -> list[str]:
    """Lists the images of a folder after a look at each.

    Args:
        folder: Path of a folder.
        side: How its files are read.

    Raises:
        InputError: If there are none, or one cannot be read.
    """
    files = listing.list_images(folder, option="target_dir")
    inspection.check_images(files, sides=((side,),))
    return files


def _same_names(
    outputs: Mapping[str, str], targets: Mapping[str, str], *, pairing: Pairing
) -> bool:
    """Whether two dicts have the same keys; reports those that are in one only."""
    single = sorted(outputs.keys() ^ targets.keys())
    if not single:
        return True
    reason = (
        "Expected the same names in --input_dir and --target_dir for pairs. Received in one only: "
        f"{', '.join(single[:_MOST_NAMES])}{' ...' * (len(single) > _MOST_NAMES)}"
    )
    if pairing is Pairing.REQUIRED:
        raise InputError(reason)
    print_line(f"Pairs are not measured. {reason}")
    return False


def _find_images(folder: Path, kind: str, suffix: str = ".png") -> dict[str, str]:
    """Dict from names to the images NAME-KIND.png of a folder or of its images/."""
    end = f"-{kind}{suffix}"
    files = sorted(folder.glob(f"?*{end}"))
    files = files or sorted((folder / run_folder.IMAGES).glob(f"?*{end}"))
    return {path.name.removesuffix(end): str(path) for path in files}


def _by_name(files: Sequence[str]) -> dict[str, str]:
    return dict(zip(listing.names(files), files, strict=True))


def _copy(
    folder: Path, name: str, files: Mapping[str, str], sides: Mapping[str, DomainSpec] | None = None
) -> Row:
    """Writes copies that a browser shows; returns the report's row."""
    sides = sides or dict.fromkeys(files, DomainSpec())
    samples = {kind: [read_image(path, sides[kind].selection)] for kind, path in files.items()}
    ranges = {kind: side.value_range for kind, side in sides.items()}
    (row,) = results.write_images(folder, [name], results.viewable(samples, ranges))
    row["metrics"] = {}
    return row
