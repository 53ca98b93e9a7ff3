"""The jitter of pix2pix in PyTorch's plain form, for benchmarks/benchmark.py to compare with.

Pairs side by side are opened with Pillow, resized to 286, cropped to 256, mirrored and scaled to
[-1, 1] in the worker processes of a DataLoader.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch.utils import data

LOAD, CROP = 286, 256
# One per core of the smallest machine that the numbers of the README come from.
WORKERS = 2


class Pairs(data.Dataset):
    """Side-by-side pairs.

    Args:
        paths: Image files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        """(input, target), float32 [3, 256, 256] in [-1, 1]."""
        with Image.open(self._paths[index]) as file:
            image = file.convert("RGB")
        middle, height = image.width // 2, image.height
        halves = image.crop((0, 0, middle, height)), image.crop((middle, 0, 2 * middle, height))
        left, top = random.randint(0, LOAD - CROP), random.randint(0, LOAD - CROP)
        mirrored = random.random() < 0.5
        return tuple(self._jitter(half, (left, top), mirrored=mirrored) for half in halves)

    def _jitter(
        self, image: Image.Image, corner: tuple[int, int], *, mirrored: bool
    ) -> torch.Tensor:
        image = image.resize((LOAD, LOAD), Image.Resampling.BICUBIC)
        image = image.crop((*corner, corner[0] + CROP, corner[1] + CROP))
        if mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        return pixels.float().div(127.5).sub(1)


def endless(paths: Sequence[str], *, batch_size: int) -> Iterator[list[torch.Tensor]]:
    """Yields batches, epoch after epoch."""
    loader = data.DataLoader(
        Pairs(paths), batch_size, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )
    while True:
        yield from loader
