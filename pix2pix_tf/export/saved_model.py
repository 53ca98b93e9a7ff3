"""The exported program: a SavedModel with three signatures."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.data import decode, images
from pix2pix_tf.data.samples import Range
from pix2pix_tf.errors import InputError
from pix2pix_tf.networks.portable import portable_graph

# The largest difference allowed between the model and the reloaded export, in [0, 1].
TOLERANCE = 1e-5
# Channels that PNG files can hold.
FILE_CHANNELS = (1, 3, 4)


class ServedModel(tf.Module):
    """A translator of images with the signatures of the export.

    serving_default: `images` float32 [n, h, w, channels] in [0, 1] to `outputs` of the same kind.
    serve_image_bytes: `input` string [n], PNG or JPEG files, to `output` string [n].
    serve_base64: `input` and `key` string [n], web-safe base64 of such files, to `output`
        (web-safe base64 without padding) and `key`, unchanged.
    The latter two exist if PNG files can hold the channels.

    Args:
        generator: Keras model; its variables are saved.
        translate: Function from float32 [n, h, w, channels] in [0, 1] to images of that kind.
        filetype: "png" or "jpeg".
        channels: Channels of the input images.
        value_ranges: The samples of files, in and out, that become 0 and 1; None for the whole
            range of their type.
        target_type: NumPy's name of the type of the run's targets. With an explicit range uint8
            and uint16 are written as PNG files of that type.

    Reference:
        pix2pix.py, mode export: the contract of serve_base64.
    """

    def __init__(
        self,
        generator: keras.Model,
        translate: Callable[[tf.Tensor], tf.Tensor],
        *,
        filetype: str,
        channels: int = 3,
        value_ranges: tuple[Range, Range] = (None, None),
        target_type: str = "uint8",
    ) -> None:
        super().__init__(name="served_model")
        self._weights = [variable.value for variable in generator.variables]
        self._translate, self._filetype, self.channels = translate, filetype, channels
        self._ranges, self._target_type = value_ranges, target_type
        self.serving_default = self._function(None, None, None)

    def _function(self, *batch: int | None) -> Any:
        """`_translate_batch` for a number of images, a height and a width, None for any."""
        spec = tf.TensorSpec([*batch, self.channels], tf.float32, "images")
        return tf.function(self._translate_batch, input_signature=[spec], autograph=False)

    def portable(self, size: tuple[int, int] | None = None) -> Any:
        """`serving_default` with the operations that other runtimes have.

        Args:
            size: Height and width in pixels of the one image that it takes; None for any batch.

        Returns:
            A traced function.
        """
        function = self._function(1, *size) if size else self._function(None, None, None)
        with portable_graph():
            function.get_concrete_function()
        return function

    def _translate_batch(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates a batch of images of one size."""
        return {"outputs": self._translate(images)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "input")], autograph=False)
    def serve_image_bytes(self, input: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 (the signature's name)
        """Translates image files, each by itself: they may differ in size."""
        return {"output": tf.map_fn(self._file, input)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "input"),
            tf.TensorSpec([None], tf.string, "key"),
        ],
        autograph=False,
    )
    def serve_base64(self, input: tf.Tensor, key: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002
        """Translates image files in web-safe base64 and passes `key` through."""
        files = self.serve_image_bytes(tf.io.decode_base64(input))["output"]
        return {"output": tf.io.encode_base64(files), "key": tf.identity(key)}

    def _file(self, contents: tf.Tensor) -> tf.Tensor:
        image = decode.decode_unit(contents, channels=self.channels, value_range=self._ranges[0])
        outputs = self.serving_default(image[None])["outputs"]
        result = self._samples(images.viewable(outputs))[0]
        result = result[..., :3] if self._filetype == "jpeg" else result
        return images.encode(result, filetype=self._filetype)

    def _samples(self, unit: tf.Tensor) -> tf.Tensor:
        """uint8 or uint16 of results in [0, 1]."""
        exact = self._filetype == "png" and self._target_type in ("uint8", "uint16")
        if self._ranges[1] is None or not exact:
            return images.from_unit(unit)
        low, high = self._ranges[1]
        values = tf.round(tf.clip_by_value(unit, 0.0, 1.0) * (high - low) + low)
        return tf.saturate_cast(values, self._target_type)

    @property
    def signatures(self) -> dict[str, Any]:
        """Dict from names to the functions of this module."""
        files = {"serve_image_bytes": self.serve_image_bytes, "serve_base64": self.serve_base64}
        default = {"serving_default": self.serving_default}
        return default | files if self.channels in FILE_CHANNELS else default


def export_saved_model(served: ServedModel, folder: str | Path) -> float:
    """Saves a SavedModel, reloads it and compares it with the model it was made from.

    The folder gets the model only after the comparison, so a wrong export never appears there.

    Args:
        served: `ServedModel`.
        folder: Where the SavedModel goes; files of an earlier export there are replaced.

    Returns:
        The largest difference, in units of [0, 1].

    Raises:
        InputError: If the reloaded export differs by more than 1e-5.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as temporary:
        tf.saved_model.save(served, temporary, signatures=served.signatures)
        difference = _compare(served, temporary)
        for name in ("variables", "assets"):
            shutil.rmtree(folder / name, ignore_errors=True)
        # saved_model.pb last: it makes the folder a model.
        for path in sorted(
            Path(temporary).iterdir(), key=lambda path: path.name == "saved_model.pb"
        ):
            os.replace(path, folder / path.name)
    return difference


def _compare(served: ServedModel, folder: str) -> float:
    loaded = tf.saved_model.load(folder).signatures
    image = np.random.default_rng(0).random((256, 256, served.channels), np.float32)
    batch = tf.constant(image[None])
    expected = served.serving_default(batch)["outputs"]
    received = loaded["serving_default"](images=batch)["outputs"]
    difference = float(tf.reduce_max(tf.abs(expected - received)))
    same = "serve_base64" not in loaded or _same_files(loaded, image)
    if not (difference <= TOLERANCE and same):  # NaN is no agreement
        raise InputError(f"the reloaded export differs from the model by {difference}")
    return difference


def _same_files(loaded: Any, image: np.ndarray) -> bool:
    """Whether both signatures that take files give the same result."""
    file = tf.constant([images.encode(images.from_unit(image)).numpy()])
    key = tf.constant(["k"])
    coded = loaded["serve_base64"](input=tf.io.encode_base64(file), key=key)
    plain = loaded["serve_image_bytes"](input=file)["output"]
    same = tf.reduce_all(tf.io.decode_base64(coded["output"]) == plain)
    return bool(same) and coded["key"].numpy()[0] == b"k"
