"""Files as tensors: decoded in the graph where TensorFlow can, upright and in their bit depth."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf.data import color, image_file, images, resize
from pix2pix_tf.data.image_file import JPEG_MARK, ORIENTATION, PNG_DEPTH_AT, ImageFile
from pix2pix_tf.data.integrity import PNG_MARK
from pix2pix_tf.data.samples import LUMINANCE, MAX_PIXELS, DomainSpec, PlaneSelection, Range
from pix2pix_tf.errors import InputError

# As long as the part of a BMP that ends with its size, the longest of all.
_NOTHING = b"\0" * 26
# Where orientations stand: EXIF in a JPEG and in a PNG, and Adobe's XMP.
_EXIF_MARKS, _XMP_MARK = (b"Exif\0\0", b"eXIf"), b"tiff:Orientation"
# Text chunks before the pixels of a PNG that hide an orientation by compression.
_HIDDEN_EXIF = r"(?s)\C*(?:Raw profile type exif\x00|XML:com\.adobe\.xmp\x00\x01)\C*"


def _decode(contents: tf.Tensor, channels: int) -> tf.Tensor:
    """JPEG, PNG, GIF or BMP bytes to uint8 [h, w, 3], or 4 with alpha, which is added opaque."""

    def colour() -> tf.Tensor:
        image = tf.io.decode_image(contents, channels=3, expand_animations=False)
        return tf.ensure_shape(image, [None, None, 3])

    if channels == 3:
        return colour()
    is_png = tf.strings.substr(contents, 0, 8) == PNG_MARK
    return tf.cond(
        is_png,
        lambda: _png_with_alpha(contents),
        lambda: tf.pad(colour(), [[0, 0], [0, 0], [0, 1]], constant_values=255),
    )


def _png_with_alpha(contents: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 4]; TensorFlow gives grey of 1, 2 and 4 bits an alpha of 1, 3 and 15."""
    image = tf.io.decode_png(contents, channels=4)
    head = tf.io.decode_raw(tf.strings.substr(contents, PNG_DEPTH_AT, 2), tf.uint8)
    is_coarse_grey = (head[0] < 8) & (head[1] == 0)
    opaque = tf.where(image[..., 3:] > 0, tf.constant(255, tf.uint8), image[..., 3:])
    alpha = tf.where(is_coarse_grey, opaque, image[..., 3:])
    return tf.concat([image[..., :3], alpha], -1)


def _size_checks(contents: tf.Tensor) -> list[tf.Operation]:
    """Operations that check sizes before decoding, so that a small file cannot fill memory.

    They raise tf.errors.InvalidArgumentError.
    """
    check = tf.debugging.assert_less_equal(
        tf.reduce_prod(_claimed_size(contents)),
        tf.constant(MAX_PIXELS, tf.int64),
        message=f"Expected an image of at most {MAX_PIXELS} pixels",
    )
    return [] if check is None else [check]


def _claimed_size(contents: tf.Tensor) -> tf.Tensor:
    """The two sides in the head of a file, int64 [2]; zeros if it is of no known kind."""
    head = tf.strings.substr(tf.strings.join([contents, _NOTHING]), 0, len(_NOTHING))
    head = tf.reshape(tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64), [len(_NOTHING)])

    def sides(first: int, weights: list[int]) -> tf.Tensor:
        width, height = tf.split(head[first : first + 2 * len(weights)], 2)
        return tf.stack([tf.reduce_sum(width * weights), tf.reduce_sum(height * weights)])

    def starts(mark: bytes) -> tf.Tensor:
        return tf.reduce_all(head[: len(mark)] == list(mark))

    def bmp() -> tf.Tensor:
        size = sides(18, [1, 2**8, 2**16, 2**24])
        # A negative height is that of an image from the top.
        return tf.minimum(size, 2**32 - size)

    def jpeg() -> tf.Tensor:
        return tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.int64)

    # PNG is big-endian; GIF and BMP are little-endian.
    return tf.case(
        [
            (starts(b"\xff\xd8"), jpeg),
            (starts(b"\x89PNG"), lambda: sides(16, [2**24, 2**16, 2**8, 1])),
            (starts(b"GIF8"), lambda: sides(6, [1, 2**8])),
            (starts(b"BM"), bmp),
        ],
        default=lambda: tf.zeros([2], tf.int64),
    )


def _to_unit(image: tf.Tensor, value_range: Range, *, has_alpha: bool) -> tf.Tensor:
    """uint8 or uint16 to float32 in [0, 1]; a range of values is that of all but alpha."""
    unit = images.to_unit(image)
    if value_range is None:
        return unit
    low, high = value_range
    ranged = tf.clip_by_value((tf.cast(image, tf.float32) - low) / (high - low), 0.0, 1.0)
    return tf.concat([ranged[..., :3], unit[..., 3:]], -1) if has_alpha else ranged


def decode_unit(contents: tf.Tensor, *, channels: int = 3, value_range: Range = None) -> tf.Tensor:
    """Decodes bytes of a JPEG, GIF, BMP, or PNG of 8 or 16 bits, upright.

    Grey is widened, alpha is dropped or added.

    Args:
        contents: String scalar, the bytes of a file.
        channels: 1, 3 or 4.
        value_range: The samples that become 0 and 1, or None for the whole range of the type.

    Returns:
        float32 [h, w, channels] in [0, 1].

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no such image, or claim to be one of more
            than `samples.MAX_PIXELS`: that is refused before any memory is spent on it.
    """
    decoded = max(channels, 3)
    head = tf.strings.substr(contents, 0, 32) + b"\0" * 32
    is_png = tf.strings.substr(head, 0, 8) == PNG_MARK
    is_deep = is_png & (tf.strings.substr(head, PNG_DEPTH_AT, 1) == b"\x10")

    def deep() -> tf.Tensor:
        image = tf.io.decode_png(contents, channels=decoded, dtype=tf.uint16)
        return _to_unit(image, value_range, has_alpha=decoded == 4)

    def usual() -> tf.Tensor:
        return _to_unit(_decode(contents, decoded), value_range, has_alpha=decoded == 4)

    with tf.control_dependencies(_size_checks(contents)):
        image = _upright(tf.cond(is_deep, deep, usual), contents)
    return image if channels > 1 else tf.tensordot(image, [[x] for x in LUMINANCE], 1)


def _upright(image: tf.Tensor, contents: tf.Tensor) -> tf.Tensor:
    """Turns an image as the EXIF or XMP orientation of its file says."""
    orientation = _orientation(contents)

    def turned() -> tf.Tensor:
        upright = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
        for axis, reversing in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
            is_reversed = tf.reduce_any(orientation == reversing)
            upright = tf.where(is_reversed, tf.reverse(upright, [axis]), upright)
        return upright

    upright = tf.cond((orientation > 1) & (orientation <= 8), turned, lambda: image)
    return tf.ensure_shape(upright, [None, None, image.shape[-1]])


def _split(contents: tf.Tensor, mark: tf.Tensor | bytes, most: int) -> tf.Tensor:
    """The parts of a file between the first `most` places of a mark; much faster than a search."""
    return tf.raw_ops.StringSplitV2(
        input=tf.expand_dims(contents, 0), sep=mark, maxsplit=most
    ).values


def _orientation(contents: tf.Tensor) -> tf.Tensor:
    """The orientation of a JPEG or PNG as Pillow finds it, 1 to 8; int32, others count as 1.

    In the graph because exported models read files too.
    """
    is_jpeg = tf.strings.substr(contents, 0, 3) == JPEG_MARK
    parts = _split(contents, tf.where(is_jpeg, *_EXIF_MARKS), 8)
    # In a JPEG the mark follows that of a segment and its length.
    before = tf.strings.substr(tf.strings.join([b"\0\0\0\0", parts[:-1]]), -4, 2)
    chosen = tf.boolean_mask(parts[1:], (before == b"\xff\xe1") | ~is_jpeg)
    of_exif = tf.cond(tf.size(chosen) > 0, lambda: _exif_orientation(chosen[0]), lambda: 0)

    def of_xmp() -> tf.Tensor:
        text = tf.strings.substr(_split(contents, _XMP_MARK, 1)[-1], 0, 3)
        digit = tf.strings.regex_replace(text, r"(?s)^(?:=\"([0-9])|>([0-9])\C?)$", r"\1\2")
        is_found = tf.strings.length(digit) == 1
        return tf.strings.to_number(tf.where(is_found, digit, b"1"), tf.int32)

    return tf.cond(of_exif > 0, lambda: of_exif, of_xmp)


def _exif_orientation(exif: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of an EXIF block; int32, 0 if there is none."""
    exif = tf.strings.substr(exif, 0, 2**16)
    data = tf.cast(tf.io.decode_raw(tf.strings.join([exif, b"\0" * 16]), tf.uint8), tf.int64)
    is_little = tf.strings.substr(exif, 0, 2) == b"II"

    def number(digits: tf.Tensor) -> tf.Tensor:
        digits = tf.where(is_little, tf.reverse(digits, [-1]), digits)
        return tf.reduce_sum(digits * [256**power for power in range(digits.shape[-1])][::-1], -1)

    start = tf.minimum(number(tf.reshape(data[4:8], [4])), tf.size(data, tf.int64) - 16)
    count = number(tf.reshape(data[start : start + 2], [2]))
    count = tf.minimum(count, (tf.size(data, tf.int64) - start - 2) // 12)
    entries = tf.reshape(data[start + 2 : start + 2 + 12 * count], [-1, 12])
    # A short (type 3) stands in the first two of the four bytes of a value.
    value = tf.where(number(entries[:, 2:4]) == 3, number(entries[:, 8:10]), number(entries[:, 8:]))
    orientations = tf.boolean_mask(value, number(entries[:, :2]) == ORIENTATION)
    return tf.cast(tf.clip_by_value(tf.concat([orientations, [0]], 0)[0], 0, 9), tf.int32)


def is_item(path: tf.Tensor) -> tf.Tensor:
    """Whether a name is that of an image in a container."""
    return tf.strings.regex_full_match(path, image_file.item_pattern())


def _contents(path: tf.Tensor) -> tf.Tensor:
    return tf.cond(is_item(path), lambda: tf.constant(b""), lambda: tf.io.read_file(path))


class FileReader:
    """Reads files in a graph; TensorFlow reads their bytes."""

    def contents(self, paths: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The bytes of the files of an example, b"" of images that only Python reads."""
        return [
            tf.cond(
                is_item(path), lambda: tf.constant(b""), lambda path=path: tf.io.read_file(path)
            )
            for path in paths
        ]

    def open(self, path: str, contents: bytes, selection: PlaneSelection) -> ImageFile | None:
        """The object of a file whose bytes TensorFlow does not decode; None for no pixels."""
        if path and not contents:
            return image_file.open_image(path, selection)
        return image_file.from_bytes(contents, selection, path=path)


class FileKeeper(FileReader):
    """Opens the files of examples and keeps them, so that they can write results.

    Args:
        selection: Which image of each file.
        windowed: Whether large images stay in their files; the pixels of such examples are then
            left out.
        source: Index in an example of the file that is translated.
    """

    def __init__(
        self, selection: PlaneSelection, *, windowed: bool = False, source: int = 0
    ) -> None:
        self._selection, self._windowed, self._source = selection, windowed, source
        self._files: dict[str, ImageFile] = {}
        self._left_out: set[str] = set()

    def contents(self, paths: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """As of `FileReader`."""
        encoded = tf.numpy_function(self._open_all, [tf.stack(paths)], tf.string)
        return tf.unstack(tf.ensure_shape(encoded, [len(paths)]))

    def _open_all(self, paths: np.ndarray) -> np.ndarray:
        names = [os.fsdecode(path) for path in paths]
        for name in names:
            self._files[name] = _open_named(name, self._selection, windowed=self._windowed)
        if self._files[names[min(self._source, len(names) - 1)]].is_large:
            self._left_out.update(names)
        return np.array([self._files[name].encoded for name in names], object)

    def open(self, path: str, contents: bytes, selection: PlaneSelection) -> ImageFile | None:
        """As of `FileReader`."""
        return None if path in self._left_out else self._files[path]

    def take(self, path: str) -> ImageFile:
        """Returns a file and no longer keeps it."""
        self._left_out.discard(path)
        file = self._files.pop(path, None)
        return file or _open_named(path, self._selection, windowed=self._windowed)


def _open_named(path: str, selection: PlaneSelection, **options: Any) -> ImageFile:
    """As `image_file.open_image`; errors name the file."""
    try:
        return image_file.open_image(path, selection, **options)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def unreadable(path: str, error: Exception) -> InputError:
    """The error of a file that cannot be decoded."""
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"Expected readable images. Received: {path} ({reason})")


def read(contents: tf.Tensor, side: DomainSpec = DomainSpec()) -> tf.Tensor:  # noqa: B008 (frozen)
    """Decodes the bytes of a file of any supported format; see `read_sides`."""
    return read_sides(tf.constant(b""), tf.convert_to_tensor(contents), (side,))[0]


def read_sides(
    path: tf.Tensor,
    contents: tf.Tensor,
    sides: Sequence[DomainSpec],
    reader: FileReader = FileReader(),  # noqa: B008 (without state)
) -> tuple[tf.Tensor, ...]:
    """Decodes a file of any supported format.

    Usual JPEG and PNG files stay in TensorFlow, all else is decoded in Python.

    Args:
        path: String scalar, the file's name.
        contents: String scalar, the file's bytes.
        sides: What networks see of it.
        reader: What opens it for Python.

    Returns:
        Tuple of float32 [h, w, side.channels] in [0, 1], one for each side.
    """

    def load(path: Any, contents: Any, chosen: Sequence[DomainSpec]) -> list[np.ndarray]:
        image = reader.open(os.fsdecode(_scalar(path)), _scalar(contents), chosen[0].selection)
        if image is None:
            return [np.zeros((2, 2, side.channels), np.float32) for side in chosen]
        return [side.to_unit(image.samples()) for side in chosen]

    def in_python(chosen: Sequence[DomainSpec]) -> list[tf.Tensor]:
        types = [tf.float32] * len(chosen)
        units = tf.numpy_function(lambda p, c: load(p, c, chosen), [path, contents], types)
        return [
            tf.ensure_shape(unit, [None, None, side.channels])
            for unit, side in zip(tf.nest.flatten(units), chosen, strict=True)
        ]

    def usual() -> tuple[tf.Tensor, ...]:
        return tuple(
            decode_unit(contents, channels=side.channels, value_range=side.value_range)
            if side.is_plain
            else in_python([side])[0]
            for side in sides
        )

    if not any(side.is_plain for side in sides):
        return tuple(in_python(sides))
    return tf.cond(_is_usual(contents), usual, lambda: tuple(in_python(sides)))


def _is_usual(contents: tf.Tensor) -> tf.Tensor:
    """Whether TensorFlow decodes a file as Pillow does."""
    is_jpeg = tf.strings.substr(contents, 0, 3) == JPEG_MARK
    is_png = tf.strings.substr(contents, 0, 8) == PNG_MARK

    def is_usual_png() -> tf.Tensor:
        return ~tf.strings.regex_full_match(_split(contents, b"IDAT", 1)[0], _HIDDEN_EXIF)

    return tf.case(
        [
            # TensorFlow takes the four channels of CMYK for three.
            (is_jpeg, lambda: tf.io.extract_jpeg_shape(contents)[2] != 4),
            (is_png, is_usual_png),
        ],
        default=lambda: tf.constant(False),
    )


def _scalar(value: Any) -> bytes:
    """The bytes that TensorFlow passes to Python; outside of graphs they are in an array."""
    return value if isinstance(value, bytes) else value.item()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExampleFormat:
    """How the examples of a data set become pairs.

    An example is a file, or with `dataset_mode` "folders" two of them, A and B.

    Attributes:
        dataset_mode: "aligned" for A and B side by side in one file, "folders" for a file each,
            "single" for inputs without targets.
        direction: "AtoB" or "BtoA".
        lab: Split single images into lightness (A) and colour (B).
        sides: `samples.DomainSpec` of A and of B.
    """

    dataset_mode: str = "aligned"
    direction: str = "AtoB"
    lab: bool = False
    sides: tuple[DomainSpec, DomainSpec] = (DomainSpec(), DomainSpec())

    @property
    def decoded_sides(self) -> tuple[DomainSpec, ...]:
        """The `DomainSpec` of each image that `decode` gives."""
        if self.lab:
            return (DomainSpec(),)
        if self.dataset_mode == "single":
            return (self.sides[0 if self.direction == "AtoB" else 1],)
        # Halves of one file that are read differently are decoded one by one.
        alike = self.dataset_mode == "aligned" and self.sides[0] == self.sides[1]
        return self.sides[:1] if alike else self.sides

    def decode(
        self,
        example: tf.Tensor,
        reader: FileReader = FileReader(),  # noqa: B008 (without state)
    ) -> tuple[tf.Tensor, ...]:
        """Reads an example, each file once.

        Args:
            example: String scalar, a path, or string [2] with `dataset_mode` "folders".
            reader: What reads its files.

        Returns:
            Tuple of float32 [h, w, c] in [0, 1], as many as `decoded_sides`.
        """
        sides = self.decoded_sides
        if self.dataset_mode != "folders":
            (contents,) = reader.contents([example])
            return read_sides(example, contents, sides, reader)
        paths = tf.unstack(example)
        files = zip(paths, reader.contents(paths), sides, strict=True)
        return tuple(read_sides(p, contents, [side], reader)[0] for p, contents, side in files)

    def assemble(self, decoded: Sequence[tf.Tensor], *, alike: bool) -> tuple[tf.Tensor, ...]:
        """Makes a pair of what `decode` gives.

        Args:
            decoded: Sequence of float32 [h, w, c] in [0, 1].
            alike: Whether target and input get the same size.

        Returns:
            Tuple (input, target), or (input,), float32 [h, w, c] in [-1, 1].
        """
        if self.dataset_mode == "single":
            return (images.to_signed(decoded[0]),)
        if self.lab:
            pair = color.split(decoded[0])
        elif self.dataset_mode == "folders":
            pair = tuple(map(images.to_signed, decoded))
        else:
            pair = images.split_pair(decoded[0])[0], images.split_pair(decoded[-1])[1]
        pair = pair if self.direction == "AtoB" else pair[::-1]
        return (pair[0], resize.same_size(*pair)) if alike else pair


@contextlib.contextmanager
def name_bad_files(paths: Sequence[str], reading: ExampleFormat) -> Iterator[None]:
    """Converts TensorFlow's decoding errors to errors that name the file.

    Args:
        paths: Files.
        reading: How they are read.

    Raises:
        InputError: With the name of the file.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError, tf.errors.UnknownError):
        for path in paths:
            try:
                with _open_named(path, reading.sides[0].selection) as image:
                    contents = tf.constant(image.contents)
                    for side in reading.decoded_sides:
                        image.samples()
                        read_sides(tf.constant(path), contents, (side,))
            except InputError:
                raise
            except ValueError as error:
                raise unreadable(path, error) from None
            except tf.errors.OpError as error:
                reason = error.message.splitlines()[0].rpartition("}} ")[2]
                raise unreadable(path, ValueError(reason)) from None
        raise
