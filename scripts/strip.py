"""Joins images of a test or an evaluation side by side in one PNG.

Usage: python scripts/strip.py --input_dir TEST --output_file STRIP.png [flags]

Every name becomes a column, every kind a row. The kinds of pix2pix-tf are inputs, outputs and
targets; those of cyclegan-tf real_A, fake_B, rec_A, idt_A, true_B and the reverse.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli

FLAGS = flags.FlagValues()
flags.DEFINE_string("input_dir", None, "folder that test wrote", flag_values=FLAGS)
flags.DEFINE_string("output_file", None, "the PNG to write", flag_values=FLAGS)
flags.DEFINE_list("names", None, "names of the report (default: the first 6)", flag_values=FLAGS)
flags.DEFINE_list("kinds", ["inputs", "outputs", "targets"], "in this order", flag_values=FLAGS)
flags.DEFINE_integer("size", 128, "height of a picture", lower_bound=8, flag_values=FLAGS)
flags.DEFINE_integer("gap", 4, "pixels between two", lower_bound=0, flag_values=FLAGS)


def first_names(folder: Path, *, kind: str, count: int = 6) -> list[str]:
    """The names that have an image of a kind, in natural order."""
    ending = f"-{kind}.png"
    names = [path.name.removesuffix(ending) for path in folder.glob(f"?*{ending}")]
    if not names:
        raise ValueError(f"expected NAME{ending} in {str(folder)!r}, found none")
    return sorted(names, key=lambda name: (name.zfill(12), name))[:count]


def load(path: Path, *, height: int) -> Image.Image:
    """Loads an image in colour, scaled to a height."""
    with Image.open(path) as image:
        width = max(1, round(image.width * height / image.height))
        return image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def assemble(rows: Sequence[Sequence[Image.Image]], *, gap: int) -> Image.Image:
    """Joins rows of images of one height on white."""
    widths = [max(image.width for image in column) for column in zip(*rows, strict=True)]
    height = rows[0][0].height
    size = (sum(widths) + gap * (len(widths) - 1), len(rows) * (height + gap) - gap)
    strip = Image.new("RGB", size, "white")
    for number, row in enumerate(rows):
        left = 0
        for image, width in zip(row, widths, strict=True):
            strip.paste(image, (left, number * (height + gap)))
            left += width + gap
    return strip


def main() -> None:
    """Writes the strip."""
    folder = Path(FLAGS.input_dir, "images")
    names = FLAGS.names or first_names(folder, kind=FLAGS.kinds[0])
    rows = [
        [load(folder / f"{name}-{kind}.png", height=FLAGS.size) for name in names]
        for kind in FLAGS.kinds
    ]
    strip = assemble(rows, gap=FLAGS.gap)
    Path(FLAGS.output_file).parent.mkdir(parents=True, exist_ok=True)
    strip.save(FLAGS.output_file, format="PNG", optimize=True)
    print(f"wrote {FLAGS.output_file}, {strip.width}x{strip.height}")


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["input_dir", "output_file"])
