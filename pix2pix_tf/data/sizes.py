"""Sizes of images, 256 or 512x256 (height x width) in pixels, and how images get them."""

import dataclasses
import re

from pix2pix_tf.errors import InputError

# A square's side, or "HEIGHTxWIDTH".
Size = int | str

PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")


class SizeError(InputError):
    """A text that is no size."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizeSpec:
    """Which size images get.

    Attributes:
        preprocess: One of `sizes.PREPROCESS`; "scale_width" and "none" do not crop.
        scale_size: Size in pixels before the random crop.
        crop_size: Size in pixels of the crop.
        multiple: What sides are rounded to, in pixels, where no crop follows.
        method: "area" as pix2pix.py, or "bicubic" as the PyTorch code; see `resize.resize`.
    """

    preprocess: str = "resize_and_crop"
    scale_size: Size = 286
    crop_size: Size = 256
    multiple: int = 1
    method: str = "area"


def sides(size: Size) -> tuple[int, int]:
    """The (height, width) of a `Size`.

    Raises:
        SizeError: If `size` is neither a number nor HEIGHTxWIDTH.
    """
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", str(size))
    if not match:
        raise SizeError(f"Expected a size such as 256 or 512x256 (HxW). Received: {size}")
    return int(match[1]), int(match[2] or match[1])


def parse(text: Size) -> Size:
    """A `Size` in its one spelling: an int for squares, HEIGHTxWIDTH for others."""
    height, width = sides(text)
    return height if height == width else f"{height}x{width}"


def halvings(size: Size) -> int:
    """How often both sides of a `Size` can be halved: the depth of a U-Net that fits it."""
    height, width = sides(size)
    # The lowest bit that is set in either is the largest power of two that divides both.
    both = height | width
    return (both & -both).bit_length() - 1


def same_for_all(preprocess: str) -> bool:
    """Whether images of any sizes get one size in training, so that they fit into a batch."""
    return preprocess in ("resize_and_crop", "crop", "scale_width_and_crop")
