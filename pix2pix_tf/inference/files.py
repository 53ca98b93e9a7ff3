"""Folders of images: translated and measured, as test, evaluate and validation do."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pix2pix_tf.data import decode, images, listing, pipelines
from pix2pix_tf.data.decode import ExampleFormat
from pix2pix_tf.data.image_file import Container, ImageFile
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.samples import Range, StoredType, full_range
from pix2pix_tf.data.sizes import ResizeSpec
from pix2pix_tf.evaluation import metrics, report, results
from pix2pix_tf.inference import large_files
from pix2pix_tf.inference.large_files import LargeResult, WindowedImage
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.layers import dropout_seeds

# Validation keeps the images of so many examples.
SAMPLES = 4

# Of a batch of (inputs, targets) or (inputs,) and the number of its first image, the images in
# [0, 1] by their kinds.
ToImages = Callable[[tuple[tf.Tensor, ...], tf.Tensor], dict[str, tf.Tensor]]


class TranslatedBatch(NamedTuple):
    """A batch of results.

    Attributes:
        images: Dict from kinds ("inputs", ...) to n arrays [h, w, c], uint8 or uint16; of a file
            that was translated by windows in a smaller size.
        metrics: Dict from names to float32 [n]; empty without targets.
        outputs: n arrays [h, w, c] of the types to store, or one `LargeResult`, which is closed
            when the next batch is asked for.
        files: The n files of the inputs, open until then.
        types: How each of the n outputs is stored.
        kind: Kind of the outputs.
        half: 0 or 1 if the inputs are the left or right halves of their files.
    """

    images: dict[str, list[np.ndarray]]
    metrics: dict[str, np.ndarray]
    outputs: Sequence[np.ndarray | LargeResult]
    files: list[ImageFile]
    types: list[StoredType]
    kind: str
    half: int | None

    @property
    def is_large(self) -> bool:
        """Whether the only output is too large for memory."""
        return self.files[0].is_large

    def save(self, index: int, stem: Path) -> Path | None:
        """Writes an output like its input's file; see `ImageFile.save_like`."""
        view = None if self.is_large else self.images[self.kind][index]
        suffix = self.types[index].suffix
        return self.files[index].save_like(
            self.outputs[index], stem, suffix=suffix, view=view, half=self.half
        )


Translate = Callable[[Sequence[Example]], Iterator[TranslatedBatch]]


def pairs(
    predictor: Predictor,
    *,
    reading: ExampleFormat,
    framing: ResizeSpec,
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
        `TranslatedBatch` with "inputs", "outputs" and "targets" for each batch, in their order. It
        raises `InputError` for a file that cannot be decoded; the message names it. Large files
        are translated one by one in bounded memory if the predictor has a tile and keep their
        size.
    """

    @predictor.compiled
    def to_images(batch: tuple[tf.Tensor, ...], first: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, targets = batch if len(batch) == 2 else (*batch, None)
        outputs = predictor.signed(inputs, dropout_seeds=_seeds(seed, first, inputs))
        return images.units(inputs, targets, outputs, lab=reading.lab, direction=reading.direction)

    def measure(signed: dict[str, np.ndarray], spans: np.ndarray) -> dict[str, np.ndarray]:
        if "targets" not in signed:
            return {}
        return _scores(
            signed["targets"], signed["outputs"], unchanged=signed["inputs"], spans=spans
        )

    return FolderTranslator(
        to_images=to_images,
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
    framing: ResizeSpec,
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
        Function of examples (files, or pairs of files) that yields `TranslatedBatch` for each
        batch, in their order; with direction "AtoB" of "real_A", "fake_B", "rec_A", where the
        channels are equal "idt_A", and "true_B" if known; of large files neither "rec_A" nor
        "idt_A". It raises as that of `pairs`.
    """
    source, target = ("A", "B") if direction == "AtoB" else ("B", "A")
    real, fake, true = f"real_{source}", f"fake_{target}", f"true_{target}"
    reading = ExampleFormat(
        dataset_mode="folders" if with_targets else "single", sides=predictor.sides
    )

    @predictor.compiled
    def to_images(batch: tuple[tf.Tensor, ...], first: tf.Tensor) -> dict[str, tf.Tensor]:
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

    return FolderTranslator(
        to_images=to_images,
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

    def measure(images_in: np.ndarray) -> dict[str, np.ndarray]:
        scores = metrics.pair_metrics(targets, images_in)
        return {**scores, "MAE": scores["L1"] * spans / metrics.DATA_RANGE}

    scores = measure(outputs)
    if unchanged.shape == targets.shape:
        scores |= {f"{name}{report.OF_INPUT}": v for name, v in measure(unchanged).items()}
    return scores


def _seeds(seed: int | None, first: tf.Tensor, batch: tf.Tensor) -> tf.Tensor | None:
    if seed is None:
        return None
    return dropout_seeds(seed, first, tf.shape(batch, tf.int64)[0])


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderTranslator:
    """A function of examples that yields `TranslatedBatch`; what `pairs` and `cycles` share.

    Each file is opened once.

    Attributes:
        to_images: Makes the images of a batch.
        measure: Makes metrics of them, float32 [n, h, w, c] in [-1, 1] by their kinds (as files
            of the sources' types hold them), and of the widths [n] of results' ranges of values.
        predictor: The generator.
        reading: How examples become batches.
        framing: Which size they get.
        batch_size: Images that are translated together.
        seed: Of dropout; None switches it off.
        kinds: What inputs, results and their targets are called; other kinds are like inputs.
    """

    to_images: ToImages
    measure: Callable[[dict[str, np.ndarray], np.ndarray], dict[str, np.ndarray]]
    predictor: Predictor
    reading: ExampleFormat
    framing: ResizeSpec
    batch_size: int
    seed: int | None
    kinds: tuple[str, str, str]

    def __call__(self, examples: Sequence[Example]) -> Iterator[TranslatedBatch]:
        """Translates examples in their order, large ones by windows."""
        container: Container | None = None
        for batch in self._batches(examples):
            yield batch
            # The results of the batch have been written by now.
            for file in batch.files:
                if container is not None and file.container is not container:
                    container.finish()
                container = file.container
        if container is not None:
            container.finish()

    def _batches(self, examples: Sequence[Example]) -> Iterator[TranslatedBatch]:
        keeper = decode.FileKeeper(
            self.reading.sides[0].selection,
            windowed=bool(self.predictor.tile)
            and self.framing.preprocess == "none"
            and not self.reading.lab,
            source=int(self.reading.direction == "BtoA"),
        )
        batches = pipelines.test_pairs(
            examples,
            reading=self.reading,
            framing=self.framing,
            batch_size=self.batch_size,
            reader=keeper,
        )
        first = 0
        with decode.name_bad_files(listing.files(examples), self.reading):
            for batch in batches:
                chosen = examples[first : first + len(batch[0])]
                with contextlib.ExitStack() as stack:
                    # The input's and the target's file of each example, which may be one.
                    pairs = [
                        [stack.enter_context(keeper.take(p)) for p in listing.files([example])]
                        for example in chosen
                    ]
                    pairs = [p[:: -1 if self.reading.direction == "BtoA" else 1] for p in pairs]
                    if pairs[0][0].is_large:
                        yield from self._translate_large(pairs[0], first)
                    else:
                        units = self.to_images(batch, tf.constant(first, tf.int64))
                        yield self._finish(units, pairs)
                first += len(chosen)

    def _half(self, of_target: bool) -> int | None:
        """0 or 1 for the half of a file that contains the input or the target, or None."""
        if self.reading.dataset_mode != "aligned" or self.reading.lab:
            return None
        return int(of_target == (self.reading.direction == "AtoB"))

    def _stored_type(self, files: Sequence[ImageFile]) -> StoredType:
        """How a result is stored: as its target, else as the targets' type."""
        stored, dtype = files[-1].stored_type, self.predictor.target_type
        if self.reading.dataset_mode != "single" or dtype is None:
            return stored
        return StoredType(dtype, stored.suffix)

    def _finish(
        self, units: dict[str, tf.Tensor], pairs: Sequence[Sequence[ImageFile]]
    ) -> TranslatedBatch:
        """The results of a batch, from its images in [0, 1]."""
        _, *of_target = self.kinds
        stored = [self._stored_type(files) for files in pairs]
        types = [item.dtype for item in stored]
        input_types = [files[0].dtype.name for files in pairs]
        ranges = {kind: self.predictor.sides[kind in of_target].value_range for kind in units}
        samples = results.quantize(
            {kind: unit.numpy() for kind, unit in units.items()},
            {kind: types if kind in of_target else input_types for kind in units},
            ranges,
        )
        signed = {kind: results.to_signed(samples[kind], ranges[kind]) for kind in samples}
        output = self.kinds[1]
        return TranslatedBatch(
            images=results.viewable(samples, ranges),
            metrics=self.measure(signed, _spans(types, ranges[output])),
            outputs=samples[output],
            files=[files[0] for files in pairs],
            types=stored,
            kind=output,
            half=self._half(of_target=False),
        )

    def _translate_large(self, files: Sequence[ImageFile], index: int) -> Iterator[TranslatedBatch]:
        """Translates a large image by windows; `index` is that of its example."""
        predictor, dtype = self.predictor, self._stored_type(files).dtype
        halves, sides = (self._half(of_target=False), self._half(of_target=True)), predictor.sides
        inputs = WindowedImage(files[0], sides[0], half=halves[0])
        result = large_files.translate_large(
            predictor.generator,
            inputs,
            tile=predictor.tile,
            dtype=dtype,
            value_range=sides[1].value_range,
            dropout_seed=None if self.seed is None else dropout_seeds(self.seed, index, 1)[0],
            scratch_dir=predictor.scratch_dir,
        )
        with contextlib.closing(result):
            parts: dict[str, WindowedImage | LargeResult] = {
                self.kinds[0]: inputs,
                self.kinds[1]: result,
            }
            scores: dict[str, np.ndarray] = {}
            if self.reading.dataset_mode != "single":
                target = WindowedImage(files[-1], sides[1], half=halves[1])
                span = float(_spans([dtype], sides[1].value_range)[0])
                parts[self.kinds[2]] = target
                scores = large_files.compare(target, result, span=span)
                if inputs.shape == target.shape:
                    unchanged = large_files.compare(target, inputs, span=span)
                    scores |= {f"{name}{report.OF_INPUT}": v for name, v in unchanged.items()}
            units = {k: (large_files.thumbnail(image)[None] + 1) / 2 for k, image in parts.items()}
            samples = results.quantize(units, dict.fromkeys(units, ["uint8"]), {})
            yield TranslatedBatch(
                images=results.viewable(samples, {}),
                metrics=scores,
                outputs=[result],
                files=[files[0]],
                types=[StoredType(dtype, ".tif")],
                kind=self.kinds[1],
                half=halves[0],
            )


def _spans(types: Sequence[str], value_range: Range) -> np.ndarray:
    """The widths [n] of the ranges of values of results, in their units."""
    limits = [value_range or full_range(dtype) for dtype in types]
    return np.array([high - low for low, high in limits])


def summary(
    batches: Iterator[TranslatedBatch],
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
            samples = first.setdefault(kind, [])
            samples += arrays[: SAMPLES - len(samples)]
    return {name: float(np.mean(np.concatenate(values))) for name, values in rows.items()}, first
