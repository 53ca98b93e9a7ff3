"""Data set summaries: one screen for --check_data, a few lines before training."""

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pix2pix_tf.data import image_file, inspection, listing
from pix2pix_tf.data.inspection import FileInfo
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.samples import DomainSpec, full_range

# How many sizes, files or pairs of files one line names.
_NAMED = 4
# Folders that belong to one data set.
SETS = ("train", "val", "validation", "test")
# Samples for percentiles are all of a set up to this number, then evenly spaced ones.
_MOST_SAMPLES = 2**26
# A set that uses less of its range than this trains on hardly any contrast.
_SLIVER = 1 / 8
# Width by height of two images of nearly equal sides; photographs have up to 1.78 (16:9).
_PLAIN_RATIO = (1.8, 2.25)


@dataclasses.dataclass(frozen=True)
class DatasetFiles:
    """A set of images, as `report` and `notes` take it.

    Attributes:
        examples: Files, or pairs of files.
        sides: For each file of an example what is made of it.
        domains: For each file of an example the domains in it: "AB" for a side-by-side pair.
        ignored_files_note: A line about files that are not read, or None.
    """

    examples: Sequence[Example]
    sides: Sequence[Sequence[DomainSpec]] = ((DomainSpec(),),)
    domains: Sequence[str] = ("A",)
    ignored_files_note: str | None = None

    @property
    def is_side_by_side(self) -> bool:
        """Whether a file contains both domains."""
        return self.domains[0] == "AB"

    def inspect(
        self, *, with_digest: bool = False, sampled: int = 0, windowed: bool = False
    ) -> list[FileInfo]:
        """Decodes every file once; see `inspection.inspect_files`."""
        return inspection.inspect_files(
            self.examples,
            self.sides,
            minimum_width=2 if self.is_side_by_side else 1,
            with_digest=with_digest,
            sampled=sampled,
            windowed=windowed,
        )


def data_sets(folder: Path) -> dict[str, Path]:
    """Finds the sets that a folder belongs to, or contains: {name: folder}.

    Images in the folder itself are its first set; a folder named like one of `SETS` brings its
    neighbours, and a folder without images of its own brings those it contains.
    """
    home = folder.parent if folder.name in SETS else folder
    near = {name: home / name for name in SETS if (home / name).is_dir()}
    first = {} if home == folder and near and not has_images(folder) else {folder.name: folder}
    return first | near


def has_images(folder: Path) -> bool:
    """Whether a folder itself, or its folder A, contains images."""
    places = [place for place in (folder, folder / "A") if place.is_dir()]
    return any(map(image_file.is_image, itertools.chain(*map(listing.regular_files, places))))


def percentile_range(
    infos: Sequence[FileInfo], domains: Sequence[str], domain: str, percentiles: tuple[float, float]
) -> tuple[float, float]:
    """The values of a domain at two percentiles over the samples of all its files.

    Args:
        infos: Result of an inspection with samples.
        domains: As of `DatasetFiles`.
        domain: "A" or "B".
        percentiles: Two numbers from 0 to 100.

    Returns:
        (low, high), low < high.
    """
    samples = [
        info.sample[place]
        for info, letters in zip(infos, itertools.cycle(domains), strict=False)
        for place, letter in enumerate(letters)
        if letter == domain and info.sample
    ]
    joined = np.concatenate(samples)
    values = joined[np.isfinite(joined)].astype(np.float64)
    low, high = (np.percentile(values, percentile) for percentile in percentiles)
    return float(low), float(high if high > low else low + 1)


def samples_per_file(count: int) -> int:
    """Number of samples per file that `percentile_range` uses."""
    return max(1, _MOST_SAMPLES // max(count, 1))


def types(infos: Sequence[FileInfo], domains: Sequence[str]) -> dict[str, str]:
    """The type that most files of each domain have: {"A": "int16", "B": "uint8"}."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for info, letters in zip(infos, itertools.cycle(domains), strict=False):
        for letter in letters:
            if info.dtype:
                counts[letter][info.dtype] += 1
    return {letter: found.most_common(1)[0][0] for letter, found in counts.items()}


def label_domains(contents: DatasetFiles, infos: Sequence[FileInfo]) -> set[str]:
    """The domains of a set whose files contain label ids."""
    return {
        letter
        for info, letters, sides in zip(
            infos, itertools.cycle(contents.domains), itertools.cycle(contents.sides), strict=False
        )
        for letter, side in zip(letters, itertools.cycle(sides), strict=False)
        if info.dtype and side.has_labels(info.channels, np.dtype(info.dtype))
    }


def notes(
    contents: DatasetFiles, infos: Sequence[FileInfo], *, direction: str | None = None
) -> list[str]:
    """Notes on a data set for the user, before training or testing.

    Args:
        contents: The set.
        infos: Result of its inspection.
        direction: "AtoB" or "BtoA" of paired data, which is then stated, or None.

    Returns:
        Lines of text, each about one thing.
    """
    readable = [info for info in infos if info.width]
    lines = [contents.ignored_files_note] if contents.ignored_files_note else []
    lines += _layout_notes(contents, readable, direction)
    used = max(side.channels for sides in contents.sides for side in sides)
    groups = {
        f"transparency is dropped; {used + 1} channels keep it": [
            info for info in readable if info.is_transparent
        ],
        "some channels are not used; --input_channels or --output_channels takes all": [
            info for info in readable if info.is_reduced
        ],
        "pixels without data are black to the networks, in losses and in metrics": [
            info for info in readable if info.missing
        ],
    }
    for text, group in groups.items():
        if group:
            lines.append(f"warning: {text}: {_files(group)}")
    for domain, dtype, side, values in _ranges(contents, infos):
        lines += _range_notes(domain, dtype, side, values)
    return lines


def _files(group: Sequence[FileInfo]) -> str:
    return f"{len(group)} file{'s' * (len(group) > 1)} ({_name(group[0].path)} ...)"


def _layout_notes(
    contents: DatasetFiles, infos: Sequence[FileInfo], direction: str | None
) -> list[str]:
    lines = []
    if contents.is_side_by_side:
        odd = [s for s in infos if not _PLAIN_RATIO[0] < s.width / s.height < _PLAIN_RATIO[1]]
        alike = [info for info in infos if info.is_one_image]
        if odd or len(alike) > len(infos) * 0.8:
            info = (odd or alike)[0]
            half = info.width // 2
            reason = "" if odd else ", though its halves look like one image"
            lines.append(
                f"warning: each file is split into A {half}x{info.height} and B "
                f"{info.width - half}x{info.height}{reason} ({_name(info.path)} ...); "
                "--dataset_mode single or folders takes whole images"
            )
    elif len(contents.domains) == 2:
        pairs = list(zip(infos[::2], infos[1::2], strict=False))
        if differ := [(a, b) for a, b in pairs if a.size != b.size]:
            a, b = differ[0]
            lines.append(
                f"warning: {len(differ)} pairs differ in size and are resized to fit "
                f"({_name(a.path)} {a.size} and {b.size} ...)"
            )
    if direction:
        sides = {"A": "A", "B": "B"}
        if contents.is_side_by_side:
            sides = {"A": "A (left half)", "B": "B (right half)"}
        first, last = direction[0], direction[-1]
        lines.append(f"direction {direction}: {sides[first]} to {sides[last]}")
    return lines


def _ranges(
    contents: DatasetFiles, infos: Sequence[FileInfo]
) -> Iterator[tuple[str, str, DomainSpec, tuple[float, float]]]:
    """(domain, type, side, (least, largest)) for each domain and type of the files."""
    spans_of: dict[tuple[str, str], list] = {}
    of_domain = {}
    for info, letters, sides in zip(
        infos, itertools.cycle(contents.domains), itertools.cycle(contents.sides), strict=False
    ):
        for place, values in enumerate(info.values):
            letter = letters[place]
            of_domain[letter] = sides[min(place, len(sides) - 1)]
            spans_of.setdefault((letter, info.dtype), []).append(values)
    for (letter, dtype), spans in spans_of.items():
        lows, highs = zip(*spans, strict=True)
        yield letter, dtype, of_domain[letter], (min(lows), max(highs))


def _range_notes(
    domain: str, dtype: str, side: DomainSpec, values: tuple[float, float]
) -> list[str]:
    """Warnings about values that lie outside of the range, or in a sliver of it."""
    if side.is_labelled or dtype == "bool":
        return []
    low, high = side.value_range or full_range(dtype)
    text = f"{domain}: values {_span(values)} of {_span((low, high))}"
    if values[0] < low or values[1] > high:
        clipped = "they are clipped" if side.value_range else f"--value_range_{domain} sets it"
        return [f"warning: {text}: outside of the range; {clipped}"]
    if values[1] - values[0] < (high - low) * _SLIVER and values[1] > values[0]:
        return [
            f"warning: {text}: a sliver of the range; --value_range_{domain} "
            f"{values[0]:g},{values[1]:g} uses all of it, --label_palette colours label ids"
        ]
    return []


def _span(values: tuple[float, float]) -> str:
    return f"{values[0]:g}-{values[1]:g}" if values[0] >= 0 else f"{values[0]:g} to {values[1]:g}"


def report(sets: dict[str, DatasetFiles]) -> tuple[list[str], bool]:
    """Reads every file of the sets.

    Args:
        sets: Dict from names.

    Returns:
        (lines of text, whether all files can be used).
    """
    lines, digests, is_usable, others = [], {}, True, False
    for name, contents in sets.items():
        infos = contents.inspect(with_digest=True)
        lines += _set_lines(name, contents, infos)
        digests[name] = _by_digest(infos)
        is_usable = is_usable and not any(info.fault for info in infos)
        others = others or bool(contents.ignored_files_note)
    summary = "all files can be used" if not others else "all files that are read can be used"
    if not is_usable:
        summary = "training or testing would fail"
    return [*lines, *_duplicate_lines(digests), summary], is_usable


def _set_lines(name: str, contents: DatasetFiles, infos: Sequence[FileInfo]) -> list[str]:
    lines = [f"{name}: {len(contents.examples)} examples in {len(infos)} files"]
    readable = [info for info in infos if info.width]
    lines.append("  sizes        " + _counted(info.size for info in readable))
    kinds = (f"{info.channels} x {info.dtype}" for info in readable)
    lines.append("  channels     " + _counted(kinds))
    spans = [
        f"{domain}: {_span(values)} of {_span(side.value_range or full_range(dtype))}"
        for domain, dtype, side, values in _ranges(contents, readable)
    ]
    lines.append("  values       " + _some(spans))
    odd = [info for info in readable if info.width % 2 and contents.is_side_by_side]
    bad = [info for info in infos if info.fault]
    for word, group in (("odd widths", odd), ("unusable", bad)):
        if group:
            names = [_name(info.path, info.fault) for info in group]
            lines.append(f"  {word:<12} {len(group)}: {_some(names)}")
    return lines + [f"  {note}" for note in notes(contents, infos)]


def _by_digest(infos: Sequence[FileInfo]) -> dict[bytes, list[str]]:
    paths = defaultdict(list)
    for info in infos:
        if info.digest:
            paths[info.digest].append(info.path)
    return paths


def _name(path: str, fault: str | None = None) -> str:
    # A line break in a file's name would spoil the screen.
    name = Path(path).name.encode("unicode_escape").decode("ascii")
    return f"{name} ({fault})" if fault else name


def _counted(values: Iterable[str]) -> str:
    common = Counter(values).most_common()
    texts = [f"{value} ({count})" for value, count in common]
    return _some(texts) if texts else "none"


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def _duplicate_lines(digests: dict[str, dict[bytes, list[str]]]) -> list[str]:
    """One line per set with files of equal pixels, and per two sets that share some."""
    lines = []
    for name, paths_of in digests.items():
        alike = [paths for paths in paths_of.values() if len(paths) > 1]
        if alike:
            text = _some([f"{_name(a)} = {_name(b)}" for a, b, *_ in alike])
            lines.append(f"equal images within {name}: {len(alike)}: {text}")
    for first, second in itertools.combinations(digests, 2):
        shared = [key for key in digests[first] if key in digests[second]]
        if shared:
            pairs = [(digests[first][key][0], digests[second][key][0]) for key in shared]
            text = _some([f"{_name(a)} = {_name(b)}" for a, b in pairs])
            lines.append(f"equal images in {first} and {second}: {len(shared)}: {text}")
    return lines
