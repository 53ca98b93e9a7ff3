"""What FID and KID look at: InceptionV3's features of a set of images, and their cache.

The images are prepared as clean-fid does: resized to 299x299 by Pillow's bicubic filter, which
widens with the reduction (no aliasing), each channel as floats that are never rounded to uint8.

The network is Keras' InceptionV3 for ImageNet, not the graph of 2015 that the first FID code for
TensorFlow 1 brought along and that clean-fid and torch-fidelity use. The numbers therefore compare
only with numbers made the same way; `describe` names the weights for that purpose.

Reference:
    Parmar, Zhang and Zhu, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", 2022.
"""

import hashlib
import itertools
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import distances

FEATURES = 2048
IMAGE_SIZE = 299  # Szegedy et al. 2015, "Rethinking the Inception Architecture", table 1
# The name under which keras.applications keeps the file.
KERAS_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
# Where it has it from, and the file's MD5.
KERAS_URL = (
    f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{KERAS_FILE}"
)
KERAS_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"


class Statistics(NamedTuple):
    """What is kept of one set of images.

    Attributes:
        mean: float64 [d].
        covariance: float64 [d, d].
        count: How many images there were.
        features: float32 [count, d], which KID needs, or None if they were not kept.
    """

    mean: np.ndarray
    covariance: np.ndarray
    count: int
    features: np.ndarray | None


def find_weights(weights=None):
    """Finds the weights of the network; downloads nothing.

    Args:
        weights: Path of a Keras weights file without top (`.h5` or `.weights.h5`), or None for the
            file in Keras' cache (`$KERAS_HOME` or `~/.keras`, folder `models`).

    Returns:
        Path of a file that exists.

    Raises:
        FileNotFoundError: If there is none; the message tells where to put it.
        InputError: If the name does not end in .h5.
    """
    cached = _cached()
    path = Path(weights).expanduser() if weights else cached
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the weights of InceptionV3 for FID and KID. Put {KERAS_FILE} "
            f"(keras.applications' file) to {cached}, name it with --inception_weights, or allow "
            f"the download with --download_weights. Received: no file {path}"
        )
    if path.suffix != ".h5":
        raise InputError(
            f"Expected --inception_weights to end in .h5 or .weights.h5. Received: {path}"
        )
    return path


def _cached():
    return Path(os.environ.get("KERAS_HOME", "~/.keras"), "models", KERAS_FILE).expanduser()


def download_weights():
    """Fetches the weights to Keras' cache and checks their MD5; a file that is there stays.

    Raises:
        InputError: If they cannot be had.
        OSError: If they cannot be written.
    """
    cached = _cached()
    if cached.is_file():
        return
    with run_folder.atomic(cached) as temporary:
        place = {"cache_dir": str(cached.parent.parent), "cache_subdir": cached.parent.name}
        try:
            keras.utils.get_file(temporary.name, KERAS_URL, file_hash=KERAS_MD5, **place)
        except Exception as error:  # get_file raises nothing more special
            raise InputError(f"Expected {KERAS_FILE} from {KERAS_URL}. Received: {error}") from None


def describe(weights=None):
    """Everything that decides what the features are, for metrics.json and for the cache.

    Args:
        weights: As in `find_weights`.

    Returns:
        Dict of strings and ints: network, image_size, resize, weights_file, weights_sha256.

    Raises:
        FileNotFoundError: If there are no weights.
        InputError: If the name does not end in .h5.
    """
    path = find_weights(weights)
    return {
        "network": "keras.applications.InceptionV3, no top, global average pool",
        "image_size": IMAGE_SIZE,
        "resize": "Pillow bicubic with antialiasing, float32 channels, clipped to [0, 255]",
        "weights_file": path.name,
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def resize(image):
    """Brings one image to what the network sees, without rounding.

    Args:
        image: uint8 [h, w, 3], or grey as [h, w, 1] or [h, w].

    Returns:
        float32 [299, 299, 3] in [0, 255]; overshoot of the filter is clipped.

    Raises:
        InputError: If the image is of another kind.
    """
    image = np.asarray(image)
    channels = image[..., None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or channels.ndim != 3 or channels.shape[2] not in (1, 3):
        raise InputError(
            "Expected an image as uint8 [height, width, 3 or 1]. "
            f"Received: {image.dtype} {image.shape}"
        )
    resized = [
        Image.fromarray(channel).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
        for channel in np.moveaxis(channels, 2, 0).astype(np.float32)
    ]
    return np.stack(resized * (3 // len(resized)), axis=-1).clip(0, 255)


def features(images, *, weights=None, batch_size=32):
    """InceptionV3 pool features of a set of images.

    Args:
        images: Iterable of uint8 images [h, w, 3], or grey as [h, w, 1] or [h, w], of any sizes. It
            is read as it is needed, `batch_size` images at a time.
        weights: As in `find_weights`.
        batch_size: Images per call of the network; changes memory and speed only.

    Returns:
        float32 [n, 2048].

    Raises:
        FileNotFoundError: If there are no weights.
        InputError: If the weights do not fit, an image is of another kind or there is none, or
            the batch size is below 1.
    """
    if batch_size < 1:
        raise InputError(f"Expected a batch size of at least 1. Received: {batch_size}")
    extract = _extractor(find_weights(weights))
    prepared = map(resize, images)
    rows = []
    while batch := list(itertools.islice(prepared, batch_size)):
        rows.append(extract(np.stack(batch)).numpy())
    if not rows:
        raise InputError("Expected at least one image for FID and KID. Received: none")
    return np.concatenate(rows)


def save_statistics(path, features, *, settings, keep_features=False):
    """Caches the statistics of a set of features, the whole file or none.

    Args:
        path: Of the .npz file to write.
        features: float [n, d], n at least 2.
        settings: Dict of JSON values, for instance `describe` and the name of the folder; reading
            asks for the same.
        keep_features: Whether the features are kept too (KID needs them).

    Returns:
        The `Statistics` that `load_statistics` will return.

    Raises:
        InputError: If the features have no statistics.
    """
    mean, covariance = distances.gaussian_statistics(features)
    statistics = Statistics(
        mean, covariance, len(features), np.float32(features) if keep_features else None
    )
    arrays = {name: value for name, value in statistics._asdict().items() if value is not None}
    with run_folder.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, settings=json.dumps(settings, sort_keys=True), **arrays)
    return statistics


def load_statistics(path, *, settings):
    """Reads what `save_statistics` wrote.

    Args:
        path: Of the .npz file.
        settings: Dict of JSON values that must equal those it was made with.

    Returns:
        `Statistics`.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is no such cache, or was made with other settings.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        made_with = json.loads(arrays["settings"].item())
        statistics = Statistics(
            arrays["mean"], arrays["covariance"], int(arrays["count"]), arrays.get("features")
        )
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"Expected cached statistics of Inception features. Received: {path}, which is damaged "
            "or something else; delete it to compute them anew"
        ) from None
    _check_settings(made_with, json.loads(json.dumps(settings)), path=path)
    return statistics


def _check_settings(made_with, asked, *, path):
    if made_with == asked:
        return
    different = sorted(
        name for name in made_with.keys() | asked.keys() if made_with.get(name) != asked.get(name)
    )
    raise InputError(
        f"Expected cached statistics made with the same settings. Received: {path}, where "
        + ", ".join(f"{n} is {made_with.get(n)!r} and not {asked.get(n)!r}" for n in different)
        + "; delete it or name another file"
    )


def _extractor(path):
    """A function from float32 [n, 299, 299, 3] in [0, 255] to [n, 2048]."""
    network = _network(path)

    @tf.function(input_signature=[tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, 3])])
    def extract(images):
        # The network was trained on [-1, 1].
        return tf.reduce_mean(network(images / 127.5 - 1, training=False), axis=[1, 2])

    return extract


def _network(path):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # half precision would be another measure
    try:
        network = keras.applications.InceptionV3(
            weights=None, include_top=False, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
        )
    finally:
        keras.config.set_dtype_policy(policy)
    try:
        with warnings.catch_warnings():
            # Keras warns of each group that a file of another Keras version lacks, about 150
            # times, though it then finds the layer elsewhere; if it does not, it raises.
            warnings.filterwarnings("ignore", "Skipping nested container", UserWarning)
            network.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(
            "Expected --inception_weights to be the weights of keras.applications.InceptionV3 "
            f"without top. Received: {path} ({str(error).partition(chr(10))[0]})"
        ) from None
    return network
