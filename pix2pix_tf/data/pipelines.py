"""tf.data pipelines of image pairs, and of images from two sets that are not paired.

The order never changes: list, shuffle, decode, jitter, batch, prefetch. Shuffling and jitter are
functions of (seed, number of the example since the start of training), so any batch can be made
again without the ones before it: a resumed run sees what an uninterrupted one would have seen.
"""

import numpy as np
import tensorflow as tf

from pix2pix_tf.data.augment import jitter, still
from pix2pix_tf.data.pairs import Reader

# pix2pix.py: CROP_SIZE.
CROP_SIZE = 256
# How colour images of both sets are read.
SINGLE = (Reader(dataset_mode="single"),) * 2


def example_index(number, count, seed):
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


def batch_paths(paths, step, *, batch_size, seed):
    """The files of the batch that the update after `step` updates uses."""
    numbers = range(step * batch_size, (step + 1) * batch_size)
    return [paths[int(example_index(number, len(paths), seed))] for number in numbers]


def training_pairs(
    paths,
    *,
    batch_size=1,
    seed=0,
    first_step=0,
    context=None,
    preprocess="resize_and_crop",
    scale_size=286,
    crop_size=CROP_SIZE,
    multiple=1,
    flip=True,
    fetch=None,
    **reading,
):
    """Endless batches for training.

    Args:
        paths: Image files; side-by-side pairs, or single images with `lab`, or pairs of files
            with `dataset_mode` "folders".
        batch_size: Pairs per batch.
        seed: The run's seed, an int.
        first_step: Number of updates already made: where the data goes on.
        context: tf.distribute.InputContext: then the batches are those of this worker's replicas,
            each the next one's share of a batch; None for whole batches.
        preprocess: One of `sizes.PREPROCESS`.
        scale_size: `sizes.Size` before the random crop.
        crop_size: `sizes.Size` of the crop.
        multiple: What sides are rounded to, in pixels, where `preprocess` does not crop.
        flip: Mirror at random.
        fetch: Function that `cache.make` made of the same files, or None to decode them anew.
        reading: `direction`, `lab` and the others of `pairs.Reader`.

    Returns:
        tf.data.Dataset of (inputs, targets), float32 [batch_size, h, w, c] in [-1, 1]; h and w are
        those of `crop_size`.
    """
    reader, count = Reader(**reading), len(paths)
    size = {"preprocess": preprocess, "scale_size": scale_size, "crop_size": crop_size}
    files = None if fetch else tf.constant(np.asarray(paths, dtype=object), tf.string)

    @tf.autograph.experimental.do_not_convert
    def load(number):
        index = example_index(number, count, seed)
        decoded = fetch(index) if fetch else reader.decode(files[index])
        pair = reader.assemble(decoded, alike=preprocess != "resize_and_crop")
        draw = tf.stack([tf.constant(seed, tf.int64), number])
        return tuple(jitter(pair, draw, flip=flip, multiple=multiple, **size))

    return _batched(load, batch_size=batch_size, first_step=first_step, context=context)


def _batched(load, *, batch_size, first_step, context):
    """Endless batches of `load` of the numbers of the examples, from one step on.

    The replicas' shares of a batch lie behind each other: together they are the batch that one
    device would have.
    """
    context = context or tf.distribute.InputContext()
    share = context.get_per_replica_batch_size(batch_size)
    here = batch_size // context.num_input_pipelines
    first = context.input_pipeline_id * here

    # The number of examples of this worker before one, turned into that one's number in all.
    def numbered(number):
        return number // here * batch_size + first + number % here

    numbers = tf.data.Dataset.range(first_step * here, np.iinfo(np.int64).max)
    # It would take 10**10 years, but workers that know that there is no end need not ask for it.
    numbers = numbers.repeat()
    if here < batch_size:
        numbers = numbers.map(numbered)
    batches = numbers.map(load, tf.data.AUTOTUNE).batch(share, drop_remainder=True)
    return batches.prefetch(tf.data.AUTOTUNE)


def unpaired_indices(number, counts, seed):
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


def _stream(number, seed, stream):
    """A seed of its own for each example and purpose."""
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.convert_to_tensor(number, tf.int64)])
    return tf.random.experimental.stateless_fold_in(seeds, stream)


def unpaired_paths(paths_a, paths_b, step, *, batch_size, seed):
    """The files of the batch that the update after `step` updates uses: (of A, of B)."""
    counts = (len(paths_a), len(paths_b))
    numbers = range(step * batch_size, (step + 1) * batch_size)
    indices = [unpaired_indices(number, counts, seed) for number in numbers]
    return [paths_a[int(a)] for a, _ in indices], [paths_b[int(b)] for _, b in indices]


def training_unpaired(
    paths_a,
    paths_b,
    *,
    readers=SINGLE,
    fetches=(None, None),
    batch_size=1,
    seed=0,
    first_step=0,
    context=None,
    flip=True,
    multiple=1,
    **framing,
):
    """Endless batches of unpaired images for training, mirrored and cropped independently.

    Args:
        paths_a: Image files of A.
        paths_b: Image files of B.
        readers: (`pairs.Reader` of A, of B) with `dataset_mode` "single".
        fetches: For A and B what `cache.make` made of the same files, or None to decode them anew.
        batch_size: Images of each set per batch.
        seed: The run's seed, an int.
        first_step: Number of updates already made: where the data goes on.
        context: tf.distribute.InputContext: then the batches are those of this worker's replicas,
            each the next one's share of a batch; None for whole batches.
        flip: Mirror at random.
        multiple: What sides are rounded to, in pixels, where `preprocess` does not crop.
        framing: `preprocess`, `scale_size` and `crop_size` of `jitter`.

    Returns:
        tf.data.Dataset of (images of A, images of B), float32 [batch_size, h, w, c] in [-1, 1]; h
        and w are those of `crop_size`.
    """
    files = [
        None if fetch else tf.constant(np.asarray(paths, dtype=object), tf.string)
        for paths, fetch in zip((paths_a, paths_b), fetches, strict=True)
    ]
    counts = (len(paths_a), len(paths_b))
    size = {"scale_size": 286, "crop_size": CROP_SIZE, **framing, "multiple": multiple}

    @tf.autograph.experimental.do_not_convert
    def load(number):
        def one(side, index):
            reader, fetch = readers[side], fetches[side]
            decoded = fetch(index) if fetch else reader.decode(files[side][index])
            image = reader.assemble(decoded, alike=False)
            draw = _stream(number, seed, side + 1)
            return jitter(image, draw, flip=flip, method="bicubic", **size)[0]

        return tuple(map(one, (0, 1), unpaired_indices(number, counts, seed)))

    return _batched(load, batch_size=batch_size, first_step=first_step, context=context)


def test_pairs(
    paths,
    *,
    batch_size=1,
    preprocess="resize_and_crop",
    scale_size=286,
    crop_size=CROP_SIZE,
    method="area",
    **reading,
):
    """Every example once, in order, neither mirrored nor cropped.

    Args:
        paths: Image files, or pairs of files with `dataset_mode` "folders".
        batch_size: Pairs per batch; the last one may be smaller. Images that keep their size come
            one by one.
        preprocess: One of `sizes.PREPROCESS`; see `jitter.still`.
        scale_size: `sizes.Size`.
        crop_size: `sizes.Size`.
        method: "area" as pix2pix.py, or "bicubic" as the PyTorch code.
        reading: `direction`, `lab` and the others of `pairs.Reader`.

    Returns:
        tf.data.Dataset of (inputs, targets), or of (inputs,) with `dataset_mode` "single", float32
        [n, h, w, c] in [-1, 1]; the crop size with "resize_and_crop".
    """
    reader = Reader(**reading)
    size = {"preprocess": preprocess, "scale_size": scale_size, "crop_size": crop_size}

    @tf.autograph.experimental.do_not_convert
    def load(example):
        pair = reader.assemble(reader.decode(example), alike=preprocess != "resize_and_crop")
        return tuple(still(pair, method=method, **size))

    files = tf.constant(np.asarray(paths, dtype=object), tf.string)
    dataset = tf.data.Dataset.from_tensor_slices(files).map(load, tf.data.AUTOTUNE)
    count = batch_size if preprocess == "resize_and_crop" else 1
    return dataset.batch(count).prefetch(tf.data.AUTOTUNE)
