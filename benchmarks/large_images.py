#!/usr/bin/env python3
"""Measures the memory, disk and time that images take with `--tile`; draws docs/pictures.

    python benchmarks/large_images.py --sizes 1024 2048 4096 --tile 512 --output large_images.csv
    python benchmarks/large_images.py --output large_images.csv --plot large_images.svg

Each measurement is a process of its own: the peak is that of the process above its size after
TensorFlow is loaded, the generator is built and a small image has been translated. `--whole`
measures whole images instead.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

KINDS = ("unet", "resnet_9blocks")
FIELDS = ("kind", "tile", "size", "memory_mib", "disk_mib")


def measure(kind: str, *, size: int, tile: int, ngf: int) -> dict[str, object]:
    """Translates one image of `size` x `size` pixels; `tile` 0 for the whole image."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import numpy as np

    from pix2pix_tf.inference import windows
    from pix2pix_tf.networks.factory import make_generator

    class Pattern:
        """An image that takes no memory."""

        shape = (size, size, 3)

        def read(self, window: windows.Window) -> np.ndarray:
            rows = np.arange(window.top, window.bottom, dtype=np.float32)[:, None]
            columns = np.arange(window.left, window.right, dtype=np.float32)
            shades = np.sin(rows / 31) * np.cos(columns / 17)
            return np.repeat(shades[None, ..., None], 3, -1).astype(np.float32)

    class Nowhere:
        """A sink that keeps nothing."""

        def write(self, window: windows.Window, values: np.ndarray) -> None:
            if not np.isfinite(values).all():
                raise ArithmeticError("the result is not finite")

    generator = make_generator(kind, ngf=ngf)
    generator.build((None, None, None, 3))
    generator(np.zeros((1, 256, 256, 3), np.float32))
    before, started = peak(), time.monotonic()
    if tile:
        windows.evaluate(generator, Pattern(), Nowhere(), tile=tile)
    else:
        generator(Pattern().read(windows.Window(0, size, 0, size)))
    seconds, disk = time.monotonic() - started, 0
    if tile:
        disk = windows.plan(generator.stages, (size, size, 3), tile=tile).disk
    return {
        "kind": kind,
        "tile": tile,
        "size": size,
        "seconds": round(seconds, 1),
        "memory_mib": round((peak() - before) / 2**20),
        "disk_mib": round(disk / 2**20),
    }


def peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def plot(rows: list[dict[str, str]], path: Path) -> None:
    """Draws peak memory and disk over the side of the image."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "large images"
    import matplotlib.pyplot as plt

    names = {"unet": "U-Net", "resnet_9blocks": "ResNet-9"}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, field, title in zip(
        axes, ("memory_mib", "disk_mib"), ("Peak memory above start", "Disk"), strict=True
    ):
        for kind, tile in sorted({(row["kind"], int(row["tile"])) for row in rows}):
            chosen = [row for row in rows if (row["kind"], int(row["tile"])) == (kind, tile)]
            chosen.sort(key=lambda row: int(row["size"]))
            if field == "disk_mib" and not tile:
                continue
            label = f"{names[kind]}, {f'--tile {tile}' if tile else 'whole image'}"
            sizes = [int(row["size"]) for row in chosen]
            values = [int(row[field]) / 1024 for row in chosen]
            style = "o-" if tile else "s--"
            colour = f"C{KINDS.index(kind)}"
            axis.plot(sizes, values, style, color=colour, label=label)
        axis.set(title=title, xlabel="side of the image in pixels", ylabel="GiB", ylim=0)
        axis.set_xscale("log", base=2)
        ticks = sorted({int(row["size"]) for row in rows})
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measures and draws what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--sizes", nargs="*", type=int, default=[])
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--ngf", type=int, default=64)
    parser.add_argument("--whole", action="store_true", help="measure whole images")
    parser.add_argument("--output", type=Path, help="CSV file that rows are added to")
    parser.add_argument("--plot", type=Path, help="SVG file to draw from --output")
    parser.add_argument("--one", action="store_true", help="measure here, print JSON")
    args = parser.parse_args()
    tile = 0 if args.whole else args.tile
    if args.one:
        print(json.dumps(measure(args.kinds[0], size=args.sizes[0], tile=tile, ngf=args.ngf)))
        return
    for kind in args.kinds:
        for size in args.sizes:
            words = ["--one", "--kinds", kind, "--sizes", str(size), "--tile", str(args.tile)]
            words += ["--ngf", str(args.ngf)] + ["--whole"] * args.whole
            command = [sys.executable, __file__, *words]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            row = json.loads(found.splitlines()[-1])
            print(row, flush=True)
            if args.output:
                new = not args.output.exists()
                with args.output.open("a", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(
                        file, FIELDS, lineterminator="\n", extrasaction="ignore"
                    )
                    if new:
                        writer.writeheader()
                    writer.writerow(row)
    if args.plot:
        with args.output.open(newline="", encoding="utf-8") as file:
            plot(list(csv.DictReader(file)), args.plot)


if __name__ == "__main__":
    main()
