"""Networks evaluated window by window: memory follows from the window, not from the image.

Each stage of a generator is evaluated over windows of its map, which read as much of their sources
as the kernel reaches, so no window has a border of its own. The statistics of a normalisation are
accumulated over the whole map before anything reads it normalised. The result is that of the whole
image up to the order in which float32 numbers are added.

Maps hold the results of convolutions. Normalisation, activation and dropout are applied to the
windows that are read from them. Maps that exceed their share of memory are stored in files; a map
that is cheaper to compute again than to store is computed again.
"""

import contextlib
import dataclasses
import itertools
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf.data import resize
from pix2pix_tf.errors import InputError
from pix2pix_tf.networks import layers
from pix2pix_tf.networks.normalization import moments
from pix2pix_tf.networks.stages import Stage, last_readers, to_image

# Sides of windows have at least this many pixels of the smaller one of two maps: below, the rows
# and columns that neighbouring windows compute twice would take more time than they save memory.
LEAST_SIDE = 64
# Windows start and end at multiples of this where they can: `networks.cpu` splits images with an
# even number of rows and computes four neighbouring pixels at once.
ALIGNMENT = 4
# A window and what it reads are as large as so many tiles of a map of the first level. With one, an
# image of 2 to 4 tiles a side takes 1.1 to 1.3 times as long: windows overlap more.
WINDOW_TILES = 3
# Maps are kept in memory up to so many of these tiles, all together.
KEPT_TILES = 12
# Elements whose statistics are computed at once, in float64: more take no less time.
PART_ELEMENTS = 2**22
# Multiply-adds per element up to which a map is computed again instead of stored in a file: the
# first and the last but one level of a ResNet, and the first of a U-Net.
CHEAP = 300


@dataclasses.dataclass(frozen=True)
class Window:
    """Part of a map: rows `top` to `bottom` and columns `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def scaled(self, factor: int) -> "Window":
        """The same part of a map that is larger by an integer factor."""
        return Window(*(factor * side for side in dataclasses.astuple(self)))

    def extended(self, reach: int, shape: tuple[int, int]) -> "Window":
        """The window and `reach` pixels around it, as far as a map of `shape` has them.

        Sides grow to multiples of ALIGNMENT where the map has the pixels.
        """

        def side(start: int, stop: int, size: int) -> tuple[int, int]:
            start, stop = max(start - reach, 0), min(stop + reach, size)
            missing = -(stop - start) % ALIGNMENT
            after = min(missing, size - stop)
            return max(start - (missing - after), 0), stop + after

        return Window(
            *side(self.top, self.bottom, shape[0]), *side(self.left, self.right, shape[1])
        )

    def of(self, x: tf.Tensor, outer: "Window") -> tf.Tensor:
        """Cuts this window out of `x` [1, h, w, c], which is the window `outer`."""
        if self == outer:
            return x
        rows = slice(self.top - outer.top, self.bottom - outer.top)
        return x[:, rows, self.left - outer.left : self.right - outer.left]


def cut(shape: tuple[int, int], sides: tuple[int, int]) -> Iterator[Window]:
    """Cuts a map of `shape` into windows of nearly equal size, at most `sides` each way."""

    def spans(size: int, side: int) -> list[tuple[int, int]]:
        count = math.ceil(size / side)
        ends = [size * index // count for index in range(count + 1)]
        return list(itertools.pairwise(ends))

    for rows in spans(shape[0], sides[0]):
        for columns in spans(shape[1], sides[1]):
            yield Window(*rows, *columns)


def best_sides(shape: tuple[int, int], area: int) -> tuple[int, int]:
    """Rows and columns of windows of at most `area` pixels that overlap least in a map of `shape`.

    Bands of the whole width have no neighbours beside them and lie in memory in one piece, so they
    are usually best; maps that are wide for the area are cut into columns too.
    """

    def overlap(sides: tuple[int, int]) -> float:
        pairs = zip(sides, shape, strict=True)
        return math.prod(1 + ALIGNMENT / side for side, size in pairs if side < size)

    counts = range(1, math.ceil(shape[1] / LEAST_SIDE) + 1)
    widths = [math.ceil(shape[1] / count) for count in counts]
    heights = [min(max(area // width, 1), shape[0]) for width in widths]
    return min(zip(heights, widths, strict=True), key=overlap)


class Memory:
    """A map [h, w, c] in memory, as the windows that it was written in, without a copy."""

    def __init__(self) -> None:
        self._bands: dict[tuple[int, int], dict[Window, tf.Tensor]] = {}

    def read(self, window: Window) -> tf.Tensor:
        """Reads [1, rows, columns, c]."""
        bands = []
        for (top, bottom), parts in self._bands.items():
            top, bottom = max(top, window.top), min(bottom, window.bottom)
            if top < bottom:
                bands.append(self._band(parts, dataclasses.replace(window, top=top, bottom=bottom)))
        return (bands[0] if len(bands) == 1 else tf.concat(bands, 0))[None]

    def _band(self, parts: dict[Window, tf.Tensor], window: Window) -> tf.Tensor:
        columns = []
        for part, values in parts.items():
            left, right = max(part.left, window.left), min(part.right, window.right)
            if left < right:
                # Rows of a tensor are taken without a copy.
                values = values[window.top - part.top : window.bottom - part.top]
                is_all = (left, right) == (part.left, part.right)
                columns.append(
                    values if is_all else values[:, left - part.left : right - part.left]
                )
        return columns[0] if len(columns) == 1 else tf.concat(columns, 1)

    def write(self, window: Window, values: tf.Tensor) -> None:
        """Writes [1, rows, columns, c]; later only the same windows again."""
        self._bands.setdefault((window.top, window.bottom), {})[window] = values[0]

    def close(self) -> None:
        """Frees the memory."""
        self._bands.clear()


class Scratch:
    """A map [h, w, c] in an unlinked file, which disappears however the process ends.

    Reads and writes by position rather than mapped memory: the pages of a mapping would count as
    memory of the process until the system takes them away.

    Args:
        shape: (h, w, c).
        dtype: NumPy's type of the elements.
        folder: Where the file lies; None for the system's folder of temporary files.
    """

    def __init__(
        self, shape: tuple[int, int, int], dtype: np.dtype, folder: Path | None = None
    ) -> None:
        self._shape, self._dtype = shape, dtype
        self._file = tempfile.TemporaryFile(dir=folder, prefix="pix2pix-", buffering=0)

    def _segments(self, window: Window, values: np.ndarray) -> Iterator[tuple[int, memoryview]]:
        """Offsets in the file, and the bytes of `values` that lie there in one piece."""
        _, width, channels = self._shape
        pixel = channels * self._dtype.itemsize
        rows, columns = window.shape
        together = rows if columns == width else 1
        for row in range(0, rows, together):
            first = (window.top + row) * width + window.left
            part: Any = values[0, row : row + together].view(np.uint8)
            yield first * pixel, memoryview(part).cast("B")

    def read(self, window: Window) -> np.ndarray:
        """Reads [1, rows, columns, c]."""
        values = np.empty((1, *window.shape, self._shape[2]), self._dtype)
        for offset, part in self._segments(window, values):
            while part:  # the system may read less than it is asked for, at most 2 GiB
                count = os.preadv(self._file.fileno(), [part], offset)
                if not count:
                    raise EOFError("a scratch file ends too early")
                part, offset = part[count:], offset + count
        return values

    def write(self, window: Window, values: np.ndarray | tf.Tensor) -> None:
        """Writes [1, rows, columns, c]."""
        for offset, part in self._segments(window, np.ascontiguousarray(values)):
            while part:
                count = os.pwrite(self._file.fileno(), part, offset)
                part, offset = part[count:], offset + count

    def close(self) -> None:
        """Frees the space."""
        self._file.close()


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The alignment of a convolution's input and output maps.

    Attributes:
        down: Pixels of the source per pixel of the smaller map, along a side.
        up: Pixels of the result per pixel of the smaller map, along a side.
        reach: Pixels of the smaller map that a result depends on, on each side of its own.
        cost: Multiply-adds per element of the result.
    """

    down: int
    up: int
    reach: int
    cost: int

    @classmethod
    def of(cls, convolution: keras.layers.Layer) -> "Geometry":
        """The geometry of a convolution of a generator; sides change by its scale exactly."""
        doubles = isinstance(
            convolution, keras.layers.Conv2DTranspose | layers.UpsampleSeparableConv
        )
        down, up = (1, 2) if doubles else (convolution.strides[0], 1)
        kernels = sum(math.prod(w.shape) for w in convolution.weights if len(w.shape) == 4)
        return cls(
            down=down,
            up=up,
            reach=math.ceil(convolution.kernel_size[0] // 2 / max(down, up)),
            cost=kernels // convolution.filters // up**2,
        )


@dataclasses.dataclass
class Map:
    """The result of a stage while a network is evaluated.

    Attributes:
        stage: The stage.
        geometry: Of its convolution.
        cells: (h, w) of the smaller one of its sources' maps and its own.
        sides: Rows and columns of the windows, in pixels of the smaller map.
        place: "memory", "file" or "none" for a map that is computed again when it is read.
        store: `Memory`, `Scratch` or None.
        statistics: Mean and variance for the normalisation, once they are known.
        finished: Whether the store has the result of the whole stage, not of its convolution.
    """

    stage: Stage
    geometry: Geometry
    cells: tuple[int, int]
    sides: tuple[int, int]
    place: str = "memory"
    store: Memory | Scratch | None = None
    statistics: tuple[tf.Tensor, tf.Tensor] | None = None
    finished: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the stage's result."""
        return self.cells[0] * self.geometry.up, self.cells[1] * self.geometry.up

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, c) of the stage's result."""
        return (*self.size, self.stage.level.filters)

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of the elements."""
        return np.dtype(tf.as_dtype(self.stage.level.compute_dtype).as_numpy_dtype)

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def passes(self) -> int:
        """How often the whole convolution is computed for the map."""
        return 0 if self.place == "none" and self.stage.level.norm is None else 1

    def windows(self) -> list[Window]:
        """The windows of the result."""
        return [window.scaled(self.geometry.up) for window in cut(self.cells, self.sides)]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Where the maps of a generator are stored, for images of one size.

    Attributes:
        maps: The map of each stage.
        last: Number of the stage after which a map is not needed any more, by the map's number.
        disk: The largest size of all files together, in bytes.
    """

    maps: tuple[Map, ...]
    last: dict[int, int]
    disk: int


def plan(stages: tuple[Stage, ...], shape: tuple[int, int, int], *, tile: int) -> Plan:
    """Plans the evaluation of a generator.

    Args:
        stages: Stages of the generator.
        shape: (h, w, c) of the image, h and w multiples that the generator takes.
        tile: Memory is bounded to a multiple of what a map of `tile` x `tile` pixels with the
            channels of the first level takes, see `evaluate`.

    Returns:
        `Plan`.
    """
    channels, sizes, maps = [shape[2]], [shape[:2]], []
    last, budget = last_readers(stages), tile**2 * stages[0].level.filters
    for stage in stages:
        geometry = Geometry.of(stage.level.convolution)
        height, width = sizes[stage.sources[0]]
        read = geometry.down**2 * sum(channels[source] for source in stage.sources)
        written = geometry.up**2 * stage.level.filters
        area = max(WINDOW_TILES * budget // (read + written), LEAST_SIDE**2)
        cells = (height // geometry.down, width // geometry.down)
        maps.append(Map(stage, geometry, cells, best_sides(cells, area)))
        channels.append(stage.level.filters)
        sizes.append(maps[-1].size)
    used, disk = {"memory": 0, "file": 0, "none": 0}, 0
    for number, feature_map in enumerate(maps, 1):
        again = feature_map.geometry.cost <= CHEAP and feature_map.stage.add is None
        again &= all(not at or maps[at - 1].place != "none" for at in feature_map.stage.sources)
        if number == len(maps):  # The image is written as soon as it is made.
            feature_map.place = "none"
        elif used["memory"] + feature_map.bytes > KEPT_TILES * budget * feature_map.dtype.itemsize:
            feature_map.place = "none" if again else "file"
        if feature_map.place == "none":
            for source in feature_map.stage.sources:
                last[source] = max(last[source], last.get(number, number))
        used[feature_map.place] += feature_map.bytes
        disk = max(disk, used["file"])
        for at, other in enumerate(maps[:number], 1):
            if last.get(at) == number:
                used[other.place] -= other.bytes
    return Plan(tuple(maps), last, disk)


class Source(Protocol):
    """An image that is read by windows: an array, or a file.

    Attributes:
        shape: (h, w, c).
    """

    shape: tuple[int, int, int]

    def read(self, window: Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]."""


class Sink(Protocol):
    """An image that is written by windows."""

    def write(self, window: Window, values: np.ndarray) -> None:
        """Writes float32 [1, rows, columns, c] in [-1, 1]; each pixel is written once."""


class Reflected:
    """An image, reflection-padded below and on the right to multiples of a number of pixels.

    Args:
        source: The image.
        multiple: In pixels.
    """

    def __init__(self, source: Source, multiple: int) -> None:
        self._source, (height, width, channels) = source, source.shape
        height, width = (resize.rounded_up(side, multiple) for side in (height, width))
        self.shape = (height, width, channels)

    def read(self, window: Window) -> np.ndarray:
        """Reads float32 [1, rows, columns, c] in [-1, 1]."""
        height, width, _ = self._source.shape
        rows = _reflected(height, window.top, window.bottom)
        columns = _reflected(width, window.left, window.right)
        inner = Window(rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
        values = self._source.read(inner)
        if inner == window:
            return values
        return values[:, (rows - inner.top)[:, None], columns - inner.left]


def _reflected(size: int, start: int, stop: int) -> np.ndarray:
    """Indices in an axis of `size` that stand at `start` to `stop` of its reflected one."""
    period = max(2 * (size - 1), 1)
    index = np.arange(start, stop) % period
    return np.minimum(index, period - index)


class Evaluation:
    """One evaluation of a generator on one image.

    Args:
        plan: Its `Plan`.
        source: The image, padded.
        seed: int64 [2], the image's dropout seed, or None.
        folder: Folder of the files.
        progress: Called with the share of the work that is done, in [0, 1].
    """

    def __init__(
        self,
        plan: Plan,
        source: Source,
        *,
        seed: tf.Tensor | None,
        folder: Path | None,
        progress: Callable[[float], None],
    ) -> None:
        self._plan, self._source, self._seed, self._folder = plan, source, seed, folder
        self._progress, self._done = progress, 0
        work = [
            feature_map.passes * math.prod(feature_map.shape) * feature_map.geometry.cost
            for feature_map in plan.maps
        ]
        self._work = sum(work) + math.prod(plan.maps[-1].shape) * plan.maps[-1].geometry.cost

    def run(self, sink: Sink, shape: tuple[int, int]) -> None:
        """Evaluates all stages and writes what belongs to an image of `shape` without padding."""
        maps = self._plan.maps
        try:
            for number, feature_map in enumerate(maps, 1):
                self._compute(feature_map)
                for at, other in enumerate(maps[: number if number < len(maps) else 0], 1):
                    if self._plan.last.get(at) == number and other.store is not None:
                        other.store.close()
                        other.store = None
            for window in maps[-1].windows():
                values = to_image(self._value(len(maps), window)).numpy()
                bottom, right = min(window.bottom, shape[0]), min(window.right, shape[1])
                if window.top < bottom and window.left < right:
                    inner = Window(window.top, bottom, window.left, right)
                    sink.write(inner, values[:, : inner.shape[0], : inner.shape[1]])
                self._count(maps[-1], window)
        finally:
            for feature_map in maps:
                if feature_map.store is not None:
                    feature_map.store.close()

    def _compute(self, feature_map: Map) -> None:
        """Computes the map of a stage as far as it is stored, and its statistics."""
        if feature_map.place == "memory":
            feature_map.store = Memory()
        elif feature_map.place == "file":
            feature_map.store = Scratch(feature_map.shape, feature_map.dtype, self._folder)
        windows = feature_map.windows()
        if len(windows) == 1 and feature_map.store is not None:
            feature_map.store.write(windows[0], self._whole(feature_map))
            feature_map.finished = True
            self._count(feature_map, windows[0])
            return
        statistics = Statistics(feature_map.shape[2])
        for window in windows if feature_map.passes else ():
            y = self._convolved(feature_map, window)
            if feature_map.stage.level.norm is not None:
                statistics.add(y)
            if feature_map.store is not None:
                feature_map.store.write(window, y)
            self._count(feature_map, window)
        if feature_map.stage.level.norm is not None:
            feature_map.statistics = statistics.result()
        # Else a chain of blocks would be computed at every read.
        if feature_map.stage.add is not None and feature_map.store is not None:
            for window in windows:
                y = self._finished(feature_map, feature_map.store.read(window), window)
                feature_map.store.write(window, y)
            feature_map.finished = True

    def _whole(self, feature_map: Map) -> tf.Tensor:
        """The result of a stage whose map is one window, computed as for whole images."""
        values = [None] * (max(feature_map.stage.reads) + 1)
        for number in feature_map.stage.reads:
            shape = self._plan.maps[number - 1].size if number else self._source.shape
            values[number] = tf.constant(self._value(number, Window(0, shape[0], 0, shape[1])))
        seeds = None if self._seed is None else self._seed[None]
        return feature_map.stage(values, dropout_seeds=seeds)

    def _value(self, number: int, window: Window) -> tf.Tensor:
        """A window of the result of stage `number`, or of the image."""
        if not number:
            return self._source.read(window)
        feature_map = self._plan.maps[number - 1]
        if feature_map.store is None:
            return self._finished(feature_map, self._convolved(feature_map, window), window)
        values = feature_map.store.read(window)
        return values if feature_map.finished else self._finished(feature_map, values, window)

    def _convolved(self, feature_map: Map, window: Window) -> tf.Tensor:
        """The result of a stage's convolution in a window."""
        up, down = feature_map.geometry.up, feature_map.geometry.down
        cells = Window(
            window.top // up, -(-window.bottom // up), window.left // up, -(-window.right // up)
        )
        outer = cells.extended(feature_map.geometry.reach, feature_map.cells)
        read = [self._value(source, outer.scaled(down)) for source in feature_map.stage.sources]
        x = feature_map.stage.merge_inputs(read)
        return window.of(feature_map.stage.level.convolution(x), outer.scaled(up))

    def _finished(self, feature_map: Map, x: tf.Tensor, window: Window) -> tf.Tensor:
        """Applies what follows the convolution of a stage to its result in a window."""
        stage, mask = feature_map.stage, None
        if stage.level.norm is not None and feature_map.statistics is not None:
            x = stage.level.norm.normalized(x, *feature_map.statistics)
        if stage.dropout is not None and self._seed is not None:
            seed = layers.offset_seeds(self._seed, stage.dropout)
            mask = layers.dropout_window(
                seed,
                feature_map.shape,
                slice(window.top, window.bottom),
                slice(window.left, window.right),
            )
        return stage.apply_tail(
            x, mask, None if stage.add is None else self._value(stage.add, window)
        )

    def _count(self, feature_map: Map, window: Window) -> None:
        self._done += math.prod(window.shape) * feature_map.shape[2] * feature_map.geometry.cost
        self._progress(self._done / self._work)


class Statistics:
    """Mean and variance of each channel over all windows of a map, in float64.

    Args:
        channels: Number of channels.

    Reference:
        Chan, Golub and LeVeque 1979: each window has its own mean, so nothing cancels.
    """

    def __init__(self, channels: int) -> None:
        self._count, self._mean, self._squares = 0, np.zeros(channels), np.zeros(channels)

    def add(self, x: tf.Tensor) -> None:
        """Adds a window [1, h, w, c], in parts of whose float64 copies there is little."""
        rows = max(PART_ELEMENTS // math.prod(x.shape[2:]), 1)
        for top in range(0, x.shape[1], rows):
            part = x[0][top : top + rows][None]
            count = math.prod(part.shape[1:3])
            mean, variance = (
                np.asarray(feature_map, np.float64).reshape(-1) for feature_map in moments(part)
            )
            total, apart = self._count + count, mean - self._mean
            self._squares += variance * count + apart**2 * (self._count * count / total)
            self._mean += apart * (count / total)
            self._count = total

    def result(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance, float32 [1, 1, 1, c] each."""
        pair = (self._mean, self._squares / self._count)
        return tuple(tf.constant(part[None, None, None], tf.float32) for part in pair)


def evaluate(
    generator: keras.Model,
    source: Source,
    sink: Sink,
    *,
    tile: int,
    dropout_seed: tf.Tensor | None = None,
    scratch_dir: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Translates an image of any size with a generator in bounded memory.

    The result is that of the whole image. Where memory does not suffice for the maps of the
    network, they are stored in files without a name, which vanish however the process ends.

    Args:
        generator: A built `UNet` or `ResNet`.
        source: The image.
        sink: Where the result goes, of the same height and width.
        tile: Side in pixels. The memory used is at most about 40 times that of one map of `tile` x
            `tile` pixels with as many channels as the generator's first level.
        dropout_seed: int64 [2], or None for no dropout.
        scratch_dir: Folder of the files. One that does not exist is made, and removed at once.
            None for the system's.
        progress: Called with the share of the work that is done, in [0, 1], or None.

    Raises:
        InputError: If the folder cannot be used or has too little space.
    """
    padded = Reflected(source, generator.multiple)
    window_plan = plan(generator.stages, padded.shape, tile=tile)
    with scratch_folder(scratch_dir, window_plan.disk) as folder:
        Evaluation(
            window_plan,
            padded,
            seed=dropout_seed,
            folder=folder,
            progress=progress or (lambda share: None),
        ).run(sink, source.shape[:2])


@contextlib.contextmanager
def scratch_folder(folder: Path | None, needed: int) -> Iterator[Path]:
    """Makes the folder, checks its space in bytes and removes it if it was not there before."""
    path = folder or Path(tempfile.gettempdir())
    is_new = not path.exists()
    try:
        path.mkdir(exist_ok=True)
        free = shutil.disk_usage(path).free
        if free < needed:
            raise InputError(
                f"The maps of this image need {needed / 2**30:.1f} GiB in {path}, which has "
                f"{free / 2**30:.1f} GiB free; choose another folder as scratch_dir"
            )
        yield path
    except OSError as error:
        raise InputError(f"Cannot use {path} as scratch_dir: {error.strerror}") from error
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                path.rmdir()
