"""Splits a folder of images into its sub-folders train, val and test.

Usage: python tools/split.py --dir DIR [flags]

The images (and .npy arrays) lying directly in DIR are assigned at random, always in the same way
for the same names: --train_frac of them to DIR/train, --test_frac to DIR/test, the rest to DIR/val.
They are moved; no file is ever overwritten.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import _cli
from absl import flags

FLAGS = flags.FlagValues()
flags.DEFINE_string("dir", None, "folder of images", flag_values=FLAGS)
flags.DEFINE_float(
    "train_frac", 0.8, "share of train", lower_bound=0, upper_bound=1, flag_values=FLAGS
)
flags.DEFINE_float(
    "test_frac", 0.0, "share of test", lower_bound=0, upper_bound=1, flag_values=FLAGS
)
flags.DEFINE_boolean(
    "sort", False, "assign in the order of names: train, test, val", flag_values=FLAGS
)
flags.DEFINE_boolean("copy", False, "copy the files instead of moving them", flag_values=FLAGS)
flags.DEFINE_boolean("dry_run", False, "only print what would be done", flag_values=FLAGS)


def assign(count: int, *, train_frac: float, test_frac: float, shuffle: bool) -> list[str]:
    """The part of each of `count` files: "train", "test" or "val"."""
    if not train_frac + test_frac <= 1 + 1e-9:  # NaN, or more than rounding above 1
        raise ValueError(
            f"expected --train_frac + --test_frac <= 1, received {train_frac} + {test_frac}"
        )
    parts = ["train"] * int(train_frac * count) + ["test"] * int(test_frac * count)
    parts += ["val"] * (count - len(parts))
    if shuffle:
        random.Random(0).shuffle(parts)  # the reference's seed: the same split as its tool
    return parts


def place(moves: Sequence[tuple[Path, Path]], *, copy: bool) -> None:
    """Moves or copies each file to its target.

    Raises:
        ValueError: If a target exists; nothing was moved then.
    """
    taken = [str(target) for _, target in moves if target.exists()]
    if taken:
        raise ValueError(f"these files exist and are never overwritten: {taken}; nothing was moved")
    for source, target in moves:
        target.parent.mkdir(exist_ok=True)
        (shutil.copy2 if copy else shutil.move)(source, target)


def main() -> None:
    """Splits the folder that the flags name."""
    sources = _cli.list_files(FLAGS.dir, suffixes=(*_cli.IMAGE_SUFFIXES, ".npy"))
    parts = assign(
        len(sources),
        train_frac=FLAGS.train_frac,
        test_frac=FLAGS.test_frac,
        shuffle=not FLAGS.sort,
    )
    moves = [
        (source, source.parent / part / source.name)
        for source, part in zip(sources, parts, strict=True)
    ]
    if not FLAGS.dry_run:
        place(moves, copy=FLAGS.copy)
    for source, target in moves:
        print(f"{source} -> {target}")
    print(", ".join(f"{parts.count(part)} {part}" for part in ("train", "val", "test")))


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["dir"])
