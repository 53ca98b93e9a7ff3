"""What is compared with what, and the results on disk: the same for both programs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pix2pix_tf import run_folder
from pix2pix_tf.data import listing
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import depths, gallery, labels, reading, scoring
from pix2pix_tf.evaluation.true_set import Cache

# How many names one message shows.
_NAMED = 5
# The file beside the results that keeps the statistics of the true images.
STATISTICS = "statistics.npz"


class Pair(NamedTuple):
    """Two files to compare.

    Attributes:
        row: The report's row, a dict.
        output: Path of the picture to judge.
        target: Path of the true one.
    """

    row: dict
    output: Path
    target: Path


class Comparison(NamedTuple):
    """What is compared in one direction.

    Attributes:
        pairs: List of `Pair`.
        outputs: Paths of the set to judge.
        targets: Paths of the true set.
        label: Ending of the names of the results, such as " AtoB".
    """

    pairs: list
    outputs: list
    targets: list
    label: str = ""


def of_rows(rows, folder, *, output, target, targets=None, label=""):
    """Compares pictures that a model has just made.

    Args:
        rows: The report's rows.
        folder: Folder of the results.
        output: Kind of the pictures to judge, such as "outputs".
        target: Kind of the true ones, where there are any.
        targets: Paths of the true set, or None for the true ones of the pairs.
        label: As in `Comparison`.
    """
    made = [row for row in rows if output in row["images"]]
    pairs = [
        Pair(row, *(Path(folder, row["images"][kind]) for kind in (output, target)))
        for row in made
        if target in row["images"]
    ]
    outputs = [Path(folder, row["images"][output]) for row in made]
    targets = [pair.target for pair in pairs] if targets is None else targets
    return Comparison(pairs, outputs, targets, label)


def of_test(source, folder):
    """Compares the outputs and targets in the folder that test wrote, or in its images/.

    Args:
        source: Folder.
        folder: Folder of the results, which gets copies of the pictures.

    Returns:
        (`Comparison`, the report's rows).

    Raises:
        InputError: If there is no NAME-outputs.png with a NAME-targets.png.
    """
    kinds = ("inputs", "outputs", "targets")
    found = {kind: _of_kind(source, kind) for kind in kinds}
    names = [name for name in found["outputs"] if name in found["targets"]]
    if not names:
        raise InputError(
            "Expected --checkpoint, --target_dir, or an --input_dir with NAME-outputs.png and "
            f"NAME-targets.png as test writes them. Received: {source}"
        )
    rows = []
    for name in reading.progress(names, "copying pictures"):
        files = {kind: found[kind][name] for kind in kinds if name in found[kind]}
        rows.append(_row(folder, name, files))
    pairs = [
        Pair(row, found["outputs"][name], found["targets"][name])
        for row, name in zip(rows, names, strict=True)
    ]
    return Comparison(pairs, *map(list, zip(*(pair[1:] for pair in pairs), strict=True))), rows


def of_folders(source, targets, folder, *, kind, pairs_wanted):
    """Compares the images of two folders.

    Args:
        source: Folder of the images to judge; where test wrote it, only those of `kind` count.
        targets: Folder of the true ones.
        folder: Folder of the results, which gets copies of pairs.
        kind: Kind of test's pictures, such as "outputs".
        pairs_wanted: Whether there have to be pairs, None if images of the same names are some.

    Returns:
        (`Comparison`, the report's rows).

    Raises:
        InputError: If a folder holds no image, an image cannot be read, or there are no pairs.
    """
    outputs = _of_kind(source, kind) or _by_name(listing.list_images(source))
    true = _by_name(true_set(targets))
    listing.check_images(list(map(str, outputs.values())))
    pairs = []
    if pairs_wanted is not False and _same_names(outputs, true, required=pairs_wanted):
        for name, output in reading.progress(outputs.items(), "copying pictures"):
            row = _row(folder, name, {"outputs": output, "targets": true[name]})
            pairs.append(Pair(row, output, true[name]))
    comparison = Comparison(pairs, list(outputs.values()), list(true.values()))
    return comparison, [pair.row for pair in pairs]


def _same_names(outputs, true, *, required):
    """Whether two dicts have the same keys; says which are in one only."""
    lone = sorted(outputs.keys() ^ true.keys())
    if not lone:
        return True
    reason = (
        "Expected the same names in --input_dir and --target_dir for pairs. Received in one only: "
        f"{', '.join(lone[:_NAMED])}{' ...' * (len(lone) > _NAMED)}"
    )
    if required:
        raise InputError(reason)
    print(f"Only sets are measured. {reason}")
    return False


def true_set(folder, *, sides=listing.COLOUR):
    """The images of a folder, each looked at.

    Args:
        folder: Path of a folder.
        sides: As of `listing.check_images`.

    Raises:
        InputError: If there are none, or one cannot be read.
    """
    files = listing.list_images(folder, flag="--target_dir")
    listing.check_images(files, sides=sides)
    return files


def _of_kind(folder, kind):
    """Dict from names to the pictures NAME-KIND.png of a folder or of its images/."""
    files = sorted(run_folder.place(folder).glob(f"?*-{kind}.png"))
    files = files or sorted((run_folder.place(folder) / run_folder.IMAGES).glob(f"?*-{kind}.png"))
    return {path.name.removesuffix(f"-{kind}.png"): path for path in files}


def _by_name(files):
    return dict(zip(listing.names(files), map(run_folder.place, files), strict=True))


def _row(folder, name, files):
    """Writes copies that a browser shows; returns the report's row."""
    samples = {kind: [reading.read(path)] for kind, path in files.items()}
    (row,) = gallery.write_pictures(folder, [name], depths.views(samples, (0.0, 1.0)))
    return row | {"metrics": {}}


def measure(scorer, comparisons, *, folder, statistics=None):
    """Measures pairs, into their rows, and sets.

    Args:
        scorer: `scoring.Scorer`.
        comparisons: List of `Comparison`.
        folder: Folder of the results.
        statistics: Path of the file for the true set's statistics, or None for one in `folder`.

    Returns:
        What metrics.json holds beside the rows: a dict with "sets", "samples" and "settings".

    Raises:
        InputError: If there is nothing to measure, a set is too small or a file cannot be read.
    """
    sets, samples = {}, {}
    for pairs, outputs, targets, label in comparisons:
        if scorer.wants_pairs and not pairs:
            raise InputError(
                f"Expected pairs for --metrics {','.join(scorer.names)}. Received: {len(outputs)} "
                f"outputs{label} without a true image each"
            )
        path = Path(statistics or Path(folder, STATISTICS))
        if len(comparisons) > 1:
            path = path.with_name(f"{path.stem}-{label.strip()}{path.suffix}")
        sets |= _measure_pairs(scorer, pairs, label)
        cache = Cache(path, named=statistics is not None)
        sets |= scorer.sets(outputs, targets, cache=cache, label=label)
        counts = {"pairs": len(pairs), "outputs": len(outputs), "targets": len(targets)}
        samples |= {f"{name}{label}": count for name, count in counts.items()}
    return {"sets": sets, "samples": samples, "settings": scorer.settings}


def _measure_pairs(scorer, pairs, label):
    """Adds the metrics of pairs to their rows; returns the scores of all label pictures."""
    titles = [f"{title}{label}" for title in scoring.TITLES.values()]
    total = 0
    for row, output, target in reading.progress(pairs, f"measuring{label}") if pairs else ():
        metrics = row["metrics"]
        known = {title: metrics.pop(title) for title in titles if title in metrics}
        known = {title.removesuffix(label): value for title, value in known.items()}
        if scorer.wants_pairs is False:
            continue
        found, confusion = scorer.pair(output, target, known=known)
        metrics |= {f"{title}{label}": value for title, value in found.items()}
        total = total if confusion is None else total + confusion
    if np.isscalar(total):
        return {}
    return {f"{name}{label}": value for name, value in labels.label_scores(total).items()}


def write(folder, rows, *, title, options, facts):
    """Writes metrics.json and the report, prints the numbers; returns the path of index.html.

    Raises:
        InputError: If there are no numbers.
    """
    if not facts["sets"] and not any(row["metrics"] for row in rows):
        raise InputError(
            "Expected images of the same names, or what FID and KID need. Received: neither; there "
            "is nothing to measure"
        )
    index = gallery.write_results(folder, rows, title=title, options=options, facts=facts)
    mean, left_out = gallery.means(rows)
    for name, value in {**mean, **facts["sets"]}.items():
        missing = f" ({left_out[name]} images have none)" if name in left_out else ""
        print(f"{name} {'none' if value is None else f'{value:.4f}'}{missing}")
    return index
