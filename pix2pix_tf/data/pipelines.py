"""tf.data pipelines of image pairs, and of images from two unpaired sets.

The order never changes: list, shuffle, decode, jitter, batch, prefetch. Shuffling and jitter are
functions of (seed, number of the example since the start of training), so any batch can be made
again without the ones before it: a resumed run sees what an uninterrupted one would have seen.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pix2pix_tf.data.augment import eval_transform, jitter
from pix2pix_tf.data.decode import ExampleFormat, FileReader
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.samples import DomainSpec, Range
from pix2pix_tf.data.sizes import ResizeSpec, Size

# From the index of an example, an int64 scalar, to what `ExampleFormat.decode` gives.
Fetch = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
# From the number of an example, an int64 scalar counted from the start of training, to its images.
Load = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]


def example_index(number: tf.Tensor | int, count: int, seed: int) -> tf.Tensor:
    """The file that is the `number`-th example of training.

    Every epoch is a permutation of all files; batches run across the border of two epochs.

    Args:
        number: int64 scalar, counted from the start of training.
        count: How many files there are.
        seed: The run's seed, an int.

    Returns:
        int64 scalar in [0, count).
    """
    number = tf.convert_to_tensor(number, tf.int64)
    if count == 1:
        return tf.zeros_like(number)
    seeds = tf.stack([tf.constant(seed, tf.int64), number // count])
    return tf.random.experimental.index_shuffle(number % count, seeds, count - 1)


def batch_paths(
    paths: Sequence[Example], step: int, *, batch_size: int, seed: int
) -> list[Example]:
    """The examples of the batch that the update after `step` updates uses."""
    numbers = range(step * batch_size, (step + 1) * batch_size)
    return [paths[int(example_index(number, len(paths), seed))] for number in numbers]


def training_pairs(
    paths: Sequence[Example],
    *,
    batch_size: int = 1,
    seed: int = 0,
    first_step: int = 0,
    crop_size: Size = 256,
    scale_size: Size = 286,
    preprocess: str = "resize_and_crop",
    multiple: int = 1,
    flip: bool = True,
    dataset_mode: str = "aligned",
    direction: str = "AtoB",
    lab: bool = False,
    channels: tuple[int, int] = (3, 3),
    value_ranges: tuple[Range, Range] = (None, None),
) -> tf.data.Dataset:
    """Endless batches for training, for `Pix2Pix.fit`.

    Args:
        paths: Image files; side-by-side pairs, or single images with `lab`, or pairs of files
            with `dataset_mode` "folders".
        batch_size: Pairs per batch.
        seed: Of the order, of mirroring and of crops.
        first_step: Number of updates already made, which are skipped.
        crop_size: Size in pixels of the random crops, an int or "HEIGHTxWIDTH".
        scale_size: Size in pixels before the crop, at least `crop_size`.
        preprocess: "resize_and_crop", "crop", "scale_width", "scale_width_and_crop" or "none".
        multiple: What sides are rounded to, in pixels, where `preprocess` does not crop.
        flip: Mirror at random.
        dataset_mode: "aligned" for A left and B right in one file, or "folders".
        direction: "AtoB" or "BtoA".
        lab: Split single images into lightness (A) and colour (B).
        channels: Channels of (A, B).
        value_ranges: The (low, high) samples of A and of B that become -1 and 1; None for the
            whole range of the files' type.

    Returns:
        tf.data.Dataset of (inputs, targets), float32 [batch_size, h, w, c] in [-1, 1]; h and w are
        those of `crop_size`.
    """
    a, b = (
        DomainSpec(channels=c, value_range=r) for c, r in zip(channels, value_ranges, strict=True)
    )
    load = pair_loader(
        paths,
        reading=ExampleFormat(
            dataset_mode=dataset_mode, direction=direction, lab=lab, sides=(a, b)
        ),
        framing=ResizeSpec(
            preprocess=preprocess, scale_size=scale_size, crop_size=crop_size, multiple=multiple
        ),
        seed=seed,
        flip=flip,
    )
    return batches(load, batch_size=batch_size, first_step=first_step)


def pair_loader(
    paths: Sequence[Example],
    *,
    reading: ExampleFormat,
    framing: ResizeSpec,
    seed: int,
    flip: bool = True,
    fetch: Fetch | None = None,
) -> Load:
    """Makes the function that `batches` reads and augments pairs with; it is traced once.

    Args:
        paths: Files, or pairs of files.
        reading: How examples become pairs.
        framing: Which size they get.
        seed: The run's seed.
        flip: Mirror at random.
        fetch: Function that `cache.make` made of the same files, or None to decode them again.

    Returns:
        Function of the number of an example to (input, target), float32 [h, w, c] in [-1, 1].
    """
    decoded = fetch or _from_files(paths, reading)

    @_traced
    def load(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        images = decoded(example_index(number, len(paths), seed))
        pair = reading.assemble(images, alike=framing.preprocess != "resize_and_crop")
        draw = tf.stack([tf.constant(seed, tf.int64), number])
        return tuple(jitter(pair, draw, framing, flip=flip))

    return load


def _from_files(paths: Sequence[Example], reading: ExampleFormat) -> Fetch:
    """Decodes an example whenever it is asked for."""
    files = tf.constant(np.asarray(paths, dtype=object), tf.string)
    return lambda index: reading.decode(files[index])


def _traced(load: Load) -> Load:
    """One graph for all data sets that call `load`."""
    return tf.function(load, autograph=False, input_signature=[tf.TensorSpec([], tf.int64)])


def batches(
    load: Load,
    *,
    batch_size: int,
    first_step: int = 0,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Endless batches of the examples that `load` makes, from one step on.

    Args:
        load: Result of `pair_loader` or `unpaired_loader`.
        batch_size: Examples per batch of all replicas.
        first_step: Number of updates already made.
        context: The batches are those of this worker's replicas, each the next one's share of a
            batch; None for whole batches. The replicas' shares of a batch lie behind each other:
            together they are the batch that one device would have.

    Returns:
        tf.data.Dataset of pairs, float32 [n, h, w, c] in [-1, 1].
    """
    context = context or tf.distribute.InputContext()
    share = context.get_per_replica_batch_size(batch_size)
    here = batch_size // context.num_input_pipelines
    first = context.input_pipeline_id * here

    # The number of examples of this worker before one, turned into that one's number in all.
    @tf.autograph.experimental.do_not_convert
    def numbered(number: tf.Tensor) -> tf.Tensor:
        return number // here * batch_size + first + number % here

    numbers = tf.data.Dataset.range(first_step * here, np.iinfo(np.int64).max)
    # It would take 10**10 years, but workers that know that there is no end need not ask for it.
    numbers = numbers.repeat()
    if here < batch_size:
        numbers = numbers.map(numbered)
    examples = numbers.map(load, tf.data.AUTOTUNE).batch(share, drop_remainder=True)
    return examples.prefetch(tf.data.AUTOTUNE)


def unpaired_indices(
    number: tf.Tensor | int, counts: tuple[int, int], seed: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The files of A and of B that are the `number`-th example of training.

    An epoch has as many examples as the larger set has files. It runs over a permutation; the
    smaller A is gone through more than once, and B is drawn independently, with replacement.

    Args:
        number: int64 scalar, counted from the start of training.
        counts: (files of A, files of B).
        seed: The run's seed, an int.

    Returns:
        (index of A, index of B), int64 scalars.

    Reference:
        PyTorch CycleGAN, data/unaligned_dataset.py.
    """
    index_a = example_index(number, max(counts), seed) % counts[0]
    drawn = tf.random.stateless_uniform(
        [], _stream(number, seed, 0), maxval=counts[1], dtype=tf.int64, alg="philox"
    )
    return index_a, drawn


def _stream(number: tf.Tensor | int, seed: int, stream: int) -> tf.Tensor:
    """A seed of its own for each example and purpose."""
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.convert_to_tensor(number, tf.int64)])
    return tf.random.experimental.stateless_fold_in(seeds, stream)


def unpaired_paths(
    paths_a: Sequence[str], paths_b: Sequence[str], step: int, *, batch_size: int, seed: int
) -> tuple[list[str], list[str]]:
    """The files of the batch that the update after `step` updates uses: (of A, of B)."""
    counts = (len(paths_a), len(paths_b))
    numbers = range(step * batch_size, (step + 1) * batch_size)
    indices = [unpaired_indices(number, counts, seed) for number in numbers]
    return [paths_a[int(a)] for a, _ in indices], [paths_b[int(b)] for _, b in indices]


def training_unpaired(
    paths_a: Sequence[str],
    paths_b: Sequence[str],
    *,
    batch_size: int = 1,
    seed: int = 0,
    first_step: int = 0,
    crop_size: Size = 256,
    load_size: Size = 286,
    preprocess: str = "resize_and_crop",
    multiple: int = 1,
    flip: bool = True,
    channels: tuple[int, int] = (3, 3),
    value_ranges: tuple[Range, Range] = (None, None),
) -> tf.data.Dataset:
    """Endless batches of unpaired images for training, for `CycleGAN.fit`.

    Both images of an example are mirrored and cropped independently.

    Args:
        paths_a: Image files of A.
        paths_b: Image files of B.
        batch_size: Images of each set per batch.
        seed: Of the order, of mirroring and of crops.
        first_step: Number of updates already made, which are skipped.
        crop_size: Size in pixels of the random crops, an int or "HEIGHTxWIDTH".
        load_size: Size in pixels before the crop, at least `crop_size`.
        preprocess: "resize_and_crop", "crop", "scale_width", "scale_width_and_crop" or "none".
        multiple: What sides are rounded to, in pixels, where `preprocess` does not crop.
        flip: Mirror at random.
        channels: Channels of (A, B).
        value_ranges: As of `training_pairs`.

    Returns:
        tf.data.Dataset of (images of A, images of B), float32 [batch_size, h, w, c] in [-1, 1]; h
        and w are those of `crop_size`.
    """
    format_a, format_b = (
        ExampleFormat(
            dataset_mode="single", sides=(DomainSpec(channels=count, value_range=values),) * 2
        )
        for count, values in zip(channels, value_ranges, strict=True)
    )
    load = unpaired_loader(
        paths_a,
        paths_b,
        readings=(format_a, format_b),
        framing=ResizeSpec(
            preprocess=preprocess,
            scale_size=load_size,
            crop_size=crop_size,
            multiple=multiple,
            method="bicubic",
        ),
        seed=seed,
        flip=flip,
    )
    return batches(load, batch_size=batch_size, first_step=first_step)


def unpaired_loader(
    paths_a: Sequence[str],
    paths_b: Sequence[str],
    *,
    readings: tuple[ExampleFormat, ExampleFormat],
    framing: ResizeSpec,
    seed: int,
    flip: bool = True,
    fetches: tuple[Fetch | None, Fetch | None] = (None, None),
) -> Load:
    """As `pair_loader`, for images of two unpaired sets.

    Args:
        paths_a: Image files of A.
        paths_b: Image files of B.
        readings: `ExampleFormat` of A and of B, with `dataset_mode` "single".
        framing: Which size images get.
        seed: The run's seed.
        flip: Mirror at random.
        fetches: For A and B the functions that `cache.make` made of the same files, or None.

    Returns:
        Function of the number of an example to (image of A, image of B), float32 [h, w, c] in
        [-1, 1].
    """
    decoded = [
        fetch or _from_files(paths, reading)
        for paths, reading, fetch in zip((paths_a, paths_b), readings, fetches, strict=True)
    ]
    counts = (len(paths_a), len(paths_b))

    @_traced
    def load(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        def one(side: int, index: tf.Tensor) -> tf.Tensor:
            image = readings[side].assemble(decoded[side](index), alike=False)
            return jitter(image, _stream(number, seed, side + 1), framing, flip=flip)[0]

        return tuple(map(one, (0, 1), unpaired_indices(number, counts, seed)))

    return load


def test_pairs(
    paths: Sequence[Example],
    *,
    reading: ExampleFormat = ExampleFormat(),  # noqa: B008 (frozen)
    framing: ResizeSpec = ResizeSpec(),  # noqa: B008 (frozen)
    batch_size: int = 1,
    reader: FileReader = FileReader(),  # noqa: B008 (without state)
) -> tf.data.Dataset:
    """Every example once, in order, neither mirrored nor cropped.

    Args:
        paths: Image files, or pairs of files with `dataset_mode` "folders".
        reading: How examples become pairs.
        framing: Which size they get; see `augment.eval_transform`.
        batch_size: Pairs per batch; the last one may be smaller. Images that keep their size come
            one by one.
        reader: What reads the files.

    Returns:
        tf.data.Dataset of (inputs, targets), or of (inputs,) with `dataset_mode` "single", float32
        [n, h, w, c] in [-1, 1]; the crop size with "resize_and_crop".
    """
    resized = framing.preprocess == "resize_and_crop"

    @tf.autograph.experimental.do_not_convert
    def load(example: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pair = reading.assemble(reading.decode(example, reader), alike=not resized)
        return tuple(eval_transform(pair, framing))

    files = tf.constant(np.asarray(paths, dtype=object), tf.string)
    dataset = tf.data.Dataset.from_tensor_slices(files).map(load, tf.data.AUTOTUNE)
    return dataset.batch(batch_size if resized else 1).prefetch(tf.data.AUTOTUNE)
