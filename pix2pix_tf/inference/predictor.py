"""A generator as a function from images to images, for arrays, files and exports."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pix2pix_tf import run_folder
from pix2pix_tf.data import color, image_file, images
from pix2pix_tf.data.image_file import ImageFile
from pix2pix_tf.data.samples import DomainSpec, from_unit, to_unit, visible_channels
from pix2pix_tf.errors import InputError
from pix2pix_tf.inference import large_files
from pix2pix_tf.inference.translate import translate
from pix2pix_tf.networks.layers import Network

# What a result is written as where the suffix asks for no other type.
ENCODED = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
EXACT = (".npy", ".tif", ".tiff")
# Beyond 0 and 1 by more than this, floats are taken for another range of values.
SLACK = 0.5


class Predictor:
    """Translates images of any size; what `load` returns.

    Args:
        generator: Network from [n, h, w, c] to [n, h, w, c'] in [-1, 1].
        sides: How images that go in, and images that come out, correspond to [0, 1]; without
            effect with `lab`.
        lab: Whether the generator works on Lab colour: images are then RGB, and the half that it
            does not predict is taken from the input.
        direction: With `lab`: "AtoB" from lightness to colour, or "BtoA".
        tile: Images with a side of more pixels are translated in the memory that such a tile
            needs, with the same result; 0 for whole images. Not for exports.
        scratch_dir: Folder for what `tile` does not keep in memory; None for the system's.
        target_type: NumPy's name of the type of the files that the generator was trained to make,
            or None.
    """

    def __init__(
        self,
        generator: Network,
        *,
        sides: tuple[DomainSpec, DomainSpec] = (DomainSpec(), DomainSpec()),
        lab: bool = False,
        direction: str = "AtoB",
        tile: int = 0,
        scratch_dir: Path | None = None,
        target_type: str | None = None,
    ) -> None:
        self.target_type = target_type
        self.generator, self.sides = generator, (DomainSpec(), DomainSpec()) if lab else sides
        self.lab, self.direction = lab, direction
        self.tile, self.scratch_dir = tile, scratch_dir
        self._translate = self.compiled(self.unit)

    @property
    def channels(self) -> int:
        """Channels of the input images."""
        return 3 if self.lab else self.generator.input_channels

    def signed(self, inputs: tf.Tensor, *, dropout_seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Applies the generator to inputs of any size.

        Args:
            inputs: Float [n, h, w, c] in [-1, 1]; with `lab`, what the generator takes of them.
            dropout_seeds: int64 [n, 2], one per image; None switches dropout off.

        Returns:
            float32 [n, h, w, c'] in [-1, 1].
        """
        return translate(
            self.generator,
            inputs,
            multiple=self.generator.multiple,
            tile=self.tile,
            scratch_dir=self.scratch_dir,
            dropout_seeds=dropout_seeds,
        )

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that calls this object, as a graph unless it works tile by tile."""
        if self.tile:
            return function
        return tf.function(function, reduce_retracing=True, autograph=False)

    def unit(self, images_in: tf.Tensor) -> tf.Tensor:
        """Translates images in [0, 1], without dropout; also in graphs.

        Args:
            images_in: Float [n, h, w, `channels`] in [0, 1].

        Returns:
            float32 [n, h, w, c'] in [0, 1].
        """
        if not self.lab:
            return images.from_signed(self.signed(images.to_signed(images_in)))
        lightness, colour = color.split(images_in)
        if self.direction == "AtoB":
            return color.join(lightness, self.signed(lightness))
        return color.join(self.signed(colour), colour)

    def __call__(self, images_in: ArrayLike) -> np.ndarray:
        """Translates one image or a batch of images of one size, without dropout.

        Args:
            images_in: Array [h, w, c] or [n, h, w, c], c being `channels`: uint8, uint16 or
                another integer type over its whole range, or floats in [0, 1]; of a run with a
                range of values, samples in that range.

        Returns:
            Array of the same size and type; of a run with a range of values, in the units of its
            targets, and integers in their type. Floats are else in [0, 1].

        Raises:
            InputError: If the array has another type or shape, or its floats another range.
        """
        array = np.asarray(images_in)
        self._check(array)
        unit = to_unit(array, self.sides[0].value_range)
        result = self._translate(tf.constant(unit.reshape(-1, *array.shape[-3:]))).numpy()
        result = from_unit(result, self._type(array.dtype), self.sides[1].value_range)
        return result.reshape(*array.shape[:-1], -1)

    def _type(self, dtype: np.dtype) -> np.dtype:
        """The type of results: integers in the targets' units need a type that can hold those."""
        if dtype.kind == "f" or self.target_type is None or self.sides[1].value_range is None:
            return dtype
        return np.dtype(self.target_type)

    def _check(self, array: np.ndarray) -> None:
        shaped = array.ndim in (3, 4) and array.shape[-1] == self.channels and array.size
        if array.dtype.kind not in "uif" or not shaped:
            count = self.channels
            raise InputError(
                f"Expected uint8, uint16 or float arrays [h, w, {count}] or [n, h, w, {count}]. "
                f"Received: {array.dtype} {list(array.shape)}"
            )
        if array.dtype.kind == "f" and self.sides[0].value_range is None:
            low, high = float(array.min()), float(array.max())
            if not -SLACK <= low <= high <= 1 + SLACK:
                raise InputError(
                    f"Expected float images in [0, 1]. Received: values from {low:g} to {high:g} "
                    "(uint8 and uint16 arrays need no scaling)"
                )

    def translate_file(self, source: str | os.PathLike, target: str | os.PathLike) -> None:
        """Translates one image file, or all slices of a volume, without dropout.

        Args:
            source: Image of any format that training reads: the input alone, not a pair.
            target: Where the result goes: .png (16 bits where the source has them), .jpg, .npy or
                .tif in the source's type (in that of the targets where a range of values gives
                their units), or in the source's own format and geometry where that has one, as
                DICOM files and volumes have.

        Raises:
            InputError: If the source cannot be read, or the target's format cannot hold the
                result.
        """
        target = run_folder.as_path(target)
        if image_file.is_container(source):
            self._translate_container(str(source), target)
            return
        windowed = bool(self.tile) and not self.lab
        with self._open(source, windowed=windowed) as file:
            suffix = target.suffix.lower()
            exact = (*EXACT, *file.native_suffixes)
            if suffix not in (*ENCODED, *exact):
                raise InputError(
                    f"Expected a result that ends with {', '.join((*ENCODED, *exact))}. "
                    f"Received: {target}"
                )
            if file.is_large:
                self._translate_large(file, target)
            elif suffix in exact:
                self._translate_like(file, target)
            else:
                result = visible_channels(self._result(file))  # first: it names damaged files
                dtype = "uint16" if file.dtype == np.uint16 and suffix == ".png" else "uint8"
                pixels = from_unit(result, dtype)
                pixels = pixels[..., :3] if ENCODED[suffix] == "jpeg" else pixels
                with run_folder.atomic(target) as temporary:
                    contents = images.encode(pixels, filetype=ENCODED[suffix]).numpy()
                    temporary.write_bytes(contents)

    def _open(self, source: str | os.PathLike, *, windowed: bool = False) -> ImageFile:
        try:
            return image_file.open_image(source, self.sides[0].selection, windowed=windowed)
        except ValueError as error:
            raise InputError(f"{source} cannot be translated: {error}") from None

    def _result(self, file: ImageFile) -> np.ndarray:
        """The result for a file, float32 [h, w, c] in [0, 1]."""
        try:
            unit = self.sides[0].to_unit(file.samples())
        except ValueError as error:
            raise InputError(f"{file.path} cannot be translated: {error}") from None
        return self._translate(tf.constant(unit[None]))[0].numpy()

    def _translate_like(self, file: ImageFile, target: Any) -> None:
        """Writes the result in the type of the source, or of the targets."""
        result = self._result(file)
        file.write(target, from_unit(result, self._type(file.dtype), self.sides[1].value_range))

    def _translate_container(self, source: str, target: Any) -> None:
        """Translates all images of a container into another one."""
        for name in image_file.list_items(source):
            with self._open(name) as file:
                if not str(target).lower().endswith(file.native_suffixes):
                    raise InputError(
                        f"Expected a result that ends with {' or '.join(file.native_suffixes)}. "
                        f"Received: {target}"
                    )
                self._translate_like(file, target)
        if file.container is not None:
            file.container.finish()

    def _translate_large(self, file: ImageFile, target: Any) -> None:
        """Translates a large image, neither of which comes into memory."""
        if target.suffix.lower() not in (".tif", ".tiff"):
            raise InputError(
                f"Expected the result of a large image to end with .tif. Received: {target}"
            )
        result = large_files.translate_large(
            self.generator,
            large_files.WindowedImage(file, self.sides[0]),
            tile=self.tile,
            dtype=self._type(file.dtype).name,
            value_range=self.sides[1].value_range,
            scratch_dir=self.scratch_dir,
        )
        with contextlib.closing(result):
            file.write(target, result)
