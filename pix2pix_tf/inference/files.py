"""Folders of images: translated and measured, as test, evaluate and validation do."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pix2pix_tf.data import codecs, decode, images, listing, pipelines, tiff
from pix2pix_tf.data.decode import Reading
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.samples import Depth, Range, full_range
from pix2pix_tf.data.sizes import Framing
from pix2pix_tf.evaluation import metrics, report, results
from pix2pix_tf.inference import large_files
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.layers import dropout_seeds

# Validation keeps the images of so many examples.
SAMPLES = 4

# Of a batch of (inputs, targets) or (inputs,) and the number of its first image, the images in
# [0, 1] by their kinds.
Look = Callable[[tuple[tf.Tensor, ...], tf.Tensor], dict[str, tf.Tensor]]


class Translated(NamedTuple):
    """A batch of results.

    Attributes:
        images: Dict from kinds ("inputs", ...) to n arrays [h, w, c], uint8 or uint16; of a file
            that was translated by windows in a smaller size.
        metrics: Dict from names to float32 [n]; empty without targets.
        outputs: n arrays [h, w, c] of the sources' types, or one `large_files.Result`, which is
            closed when the next one is asked for.
        depths: `samples.Depth` of each of the n outputs.
        sources: Files of the n inputs.
    """

    images: dict[str, list[np.ndarray]]
    metrics: dict[str, np.ndarray]
    outputs: list[np.ndarray] | list[large_files.Result]
    depths: list[Depth]
    sources: list[str]


Translate = Callable[[Sequence[Example]], Iterator[Translated]]


def pairs(
    predictor: Predictor,
    *,
    reading: Reading,
    framing: Framing,
    batch_size: int = 1,
    seed: int | None = None,
) -> Translate:
    """Makes the function that translates the inputs of pairs and measures by the targets.

    Args:
        predictor: The generator; weights that change between two calls of the function count.
            Results of inputs alone have its `target_type`, or the inputs' where that is None.
        reading: How examples become (inputs, targets), or inputs alone.
        framing: Which size they get.
        batch_size: Images that are translated together.
        seed: Of dropout; None switches it off.

    Returns:
        Function of examples (files, or pairs of files, as `reading` takes them) that yields
        `Translated` with "inputs", "outputs" and "targets" for each batch, in their order. It
        raises `InputError` for a file that cannot be decoded; the message names it. Large TIFFs
        are translated one by one in bounded memory if the predictor has a tile and keep their
        size.
    """

    @predictor.compiled
    def look(batch: tuple[tf.Tensor, ...], first: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, targets = batch if len(batch) == 2 else (*batch, None)
        outputs = predictor.signed(inputs, dropout_seeds=_seeds(seed, first, inputs))
        return images.units(inputs, targets, outputs, lab=reading.lab, direction=reading.direction)

    def measure(signed: dict[str, np.ndarray], spans: np.ndarray) -> dict[str, np.ndarray]:
        if "targets" not in signed:
            return {}
        return _scores(
            signed["targets"], signed["outputs"], unchanged=signed["inputs"], spans=spans
        )

    return _Translation(
        look=look,
        measure=measure,
        predictor=predictor,
        reading=reading,
        framing=framing,
        batch_size=batch_size,
        seed=seed,
        kinds=("inputs", "outputs", "targets"),
    )


def cycles(
    predictor: Predictor,
    back: Predictor,
    *,
    direction: str,
    framing: Framing,
    with_targets: bool = False,
    batch_size: int = 1,
    seed: int | None = None,
) -> Translate:
    """Makes the function that translates images there and back and measures the difference.

    Args:
        predictor: The generator from the source's domain to the target's.
        back: The generator of the way back.
        direction: "AtoB" or "BtoA".
        framing: Which size images get.
        with_targets: Whether examples are pairs of a file and its true translation, which
            results are then compared with.
        batch_size: Images that are translated together.
        seed: Of dropout; None switches it off.

    Returns:
        Function of examples (files, or pairs of files) that yields `Translated` for each batch,
        in their order; with direction "AtoB" of "real_A", "fake_B", "rec_A", where the channels
        are equal "idt_A", and "true_B" if known; of large TIFFs neither "rec_A" nor "idt_A". It
        raises as that of `pairs`.
    """
    source, target = ("A", "B") if direction == "AtoB" else ("B", "A")
    real, fake, true = f"real_{source}", f"fake_{target}", f"true_{target}"
    reading = Reading(dataset_mode="folders" if with_targets else "single", sides=predictor.sides)

    @predictor.compiled
    def look(batch: tuple[tf.Tensor, ...], first: tf.Tensor) -> dict[str, tf.Tensor]:
        seeds = _seeds(seed, first, batch[0])
        signed = {real: batch[0], fake: predictor.signed(batch[0], dropout_seeds=seeds)}
        signed[f"rec_{source}"] = back.signed(signed[fake], dropout_seeds=seeds)
        if predictor.channels == back.channels:
            signed[f"idt_{source}"] = back.signed(batch[0], dropout_seeds=seeds)
        if with_targets:
            signed[true] = batch[1]
        return {kind: images.from_signed(images_in) for kind, images_in in signed.items()}

    def measure(signed: dict[str, np.ndarray], spans: np.ndarray) -> dict[str, np.ndarray]:
        measured = {f"cycle L1 {source}": metrics.l1(signed[real], signed[f"rec_{source}"])}
        if true in signed:
            scores = _scores(signed[true], signed[fake], unchanged=signed[real], spans=spans)
            measured |= {f"{name} {direction}": values for name, values in scores.items()}
        return measured

    return _Translation(
        look=look,
        measure=measure,
        predictor=predictor,
        reading=reading,
        framing=framing,
        batch_size=batch_size,
        seed=seed,
        kinds=(real, fake, true),
    )


def _scores(
    targets: np.ndarray, outputs: np.ndarray, *, unchanged: np.ndarray, spans: np.ndarray
) -> dict[str, np.ndarray]:
    """The metrics of pairs, and those that the unchanged inputs have where their shape allows it.

    Args:
        targets: Float32 [n, h, w, c] in [-1, 1].
        outputs: Likewise.
        unchanged: The inputs, likewise; of any shape.
        spans: [n], the widths of the targets' ranges of values, in their units.
    """

    def measured(images_in: np.ndarray) -> dict[str, np.ndarray]:
        found = metrics.pair_metrics(targets, images_in)
        return {**found, "MAE": found["L1"] * spans / metrics.DATA_RANGE}

    found = measured(outputs)
    if unchanged.shape == targets.shape:
        found |= {f"{name}{report.OF_INPUT}": v for name, v in measured(unchanged).items()}
    return found


def _seeds(seed: int | None, first: tf.Tensor, batch: tf.Tensor) -> tf.Tensor | None:
    if seed is None:
        return None
    return dropout_seeds(seed, first, tf.shape(batch, tf.int64)[0])


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Translation:
    """A function of examples that yields `Translated`; what `pairs` and `cycles` share.

    Attributes:
        look: Makes the images of a batch.
        measure: Makes metrics of them, float32 [n, h, w, c] in [-1, 1] by their kinds (as files
            of the sources' types hold them), and of the widths [n] of results' ranges of values.
        predictor: The generator.
        reading: How examples become batches.
        framing: Which size they get.
        batch_size: Images that are translated together.
        seed: Of dropout; None switches it off.
        kinds: What inputs, results and their targets are called; other kinds are like inputs.
    """

    look: Look
    measure: Callable[[dict[str, np.ndarray], np.ndarray], dict[str, np.ndarray]]
    predictor: Predictor
    reading: Reading
    framing: Framing
    batch_size: int
    seed: int | None
    kinds: tuple[str, str, str]

    def __call__(self, examples: Sequence[Example]) -> Iterator[Translated]:
        """Translates examples in their order, large ones by windows."""
        number = 0
        for by_windows, group in itertools.groupby(examples, self._is_large):
            chosen = list(group)
            yield from (self._by_windows if by_windows else self._whole)(chosen, number)
            number += len(chosen)

    def _source(self, example: Example) -> str:
        return listing.source(example, self.reading.direction)

    def _is_large(self, example: Example) -> bool:
        windowed = self.predictor.tile and self.framing.preprocess == "none"
        return bool(windowed) and not self.reading.lab and tiff.is_large(self._source(example))

    def _depth(self, example: Example) -> Depth:
        """How the result of an example is stored: as its target, else as the targets' type."""
        is_pair = self.reading.dataset_mode != "single" or not isinstance(example, str)
        target = listing.target(example, self.reading.direction)
        depth = codecs.depth(target, self.reading.sides[0].selection)
        dtype = self.predictor.target_type
        return depth if is_pair or dtype is None else Depth(dtype, depth.suffix)

    def _whole(self, examples: Sequence[Example], number: int) -> Iterator[Translated]:
        """Translates images in batches; `number` is that of the first one."""
        batches = pipelines.test_pairs(
            examples, reading=self.reading, framing=self.framing, batch_size=self.batch_size
        )
        first = 0
        with decode.bad_files_named(listing.files(examples), self.reading):
            for batch in batches:
                units = self.look(batch, tf.constant(number + first, tf.int64))
                chosen = examples[first : first + len(batch[0])]
                first += len(chosen)
                yield self._finished(units, chosen)

    def _finished(self, units: dict[str, tf.Tensor], examples: Sequence[Example]) -> Translated:
        """The results of a batch, from its images in [0, 1]."""
        _, *of_target = self.kinds
        files = [self._source(example) for example in examples]
        found = [self._depth(example) for example in examples]
        inputs = [codecs.depth(path, self.reading.sides[0].selection) for path in files]
        ranges = {kind: self.predictor.sides[kind in of_target].value_range for kind in units}
        samples = results.quantize(
            {kind: unit.numpy() for kind, unit in units.items()},
            {kind: found if kind in of_target else inputs for kind in units},
            ranges,
        )
        signed = {kind: results.to_signed(samples[kind], ranges[kind]) for kind in samples}
        measured = self.measure(signed, _spans(found, ranges[self.kinds[1]]))
        views = results.viewable(samples, ranges)
        return Translated(views, measured, samples[self.kinds[1]], found, files)

    def _by_windows(self, examples: Sequence[Example], number: int) -> Iterator[Translated]:
        """Translates large TIFFs one by one; `number` is that of the first one."""
        for at, example in enumerate(examples, number):
            yield from self._large(
                example, None if self.seed is None else dropout_seeds(self.seed, at, 1)[0]
            )

    def _large(self, example: Example, dropout_seed: tf.Tensor | None) -> Iterator[Translated]:
        reading, predictor, depth = self.reading, self.predictor, self._depth(example)
        halves: tuple[int | None, int | None] = (None, None)
        if reading.dataset_mode == "aligned":
            halves = (0, 1) if reading.direction == "AtoB" else (1, 0)
        source = self._source(example)
        result = large_files.translate_tiff(
            predictor.generator,
            source,
            sides=predictor.sides,
            tile=predictor.tile,
            dtype=depth.dtype,
            half=halves[0],
            dropout_seed=dropout_seed,
            scratch_dir=predictor.scratch_dir,
        )
        found: dict[str, np.ndarray] = {}
        with contextlib.ExitStack() as stack:
            shown: dict[str, large_files.TiffSource | large_files.Result] = {}
            inputs = large_files.TiffSource(source, predictor.sides[0], half=halves[0])
            shown[self.kinds[0]], shown[self.kinds[1]] = inputs, result
            if reading.dataset_mode != "single":
                path = listing.target(example, reading.direction)
                target = large_files.TiffSource(path, predictor.sides[1], half=halves[1])
                span = float(_spans([depth], predictor.sides[1].value_range)[0])
                shown[self.kinds[2]], found = target, large_files.compare(target, result, span=span)
                if inputs.shape == target.shape:
                    scores = large_files.compare(target, inputs, span=span)
                    found |= {f"{name}{report.OF_INPUT}": value for name, value in scores.items()}
            for image in shown.values():
                stack.enter_context(image)
            units = {k: (large_files.reduced(image)[None] + 1) / 2 for k, image in shown.items()}
            samples = results.quantize(units, dict.fromkeys(units, [Depth()]), {})
            yield Translated(results.viewable(samples, {}), found, [result], [depth], [source])


def _spans(depths: list[Depth], value_range: Range) -> np.ndarray:
    """The widths [n] of the ranges of values of results, in their units."""
    limits = [value_range or full_range(depth.dtype) for depth in depths]
    return np.array([high - low for low, high in limits])


def summary(
    batches: Iterator[Translated],
) -> tuple[dict[str, float], dict[str, list[np.ndarray]]]:
    """Means of the metrics, and the images of the first SAMPLES examples.

    Args:
        batches: What `pairs` or `cycles` yields.

    Returns:
        (dict from names to means, dict from kinds to lists of arrays [h, w, c]).
    """
    first: dict[str, list[np.ndarray]] = {}
    rows: dict[str, list[np.ndarray]] = {}
    for batch in batches:
        for name, values in batch.metrics.items():
            rows.setdefault(name, []).append(values)
        for kind, arrays in batch.images.items():
            kept = first.setdefault(kind, [])
            kept += arrays[: SAMPLES - len(kept)]
    return {name: float(np.mean(np.concatenate(values))) for name, values in rows.items()}, first
