"""Trains the model that ships in the package: label maps of drawn facades to their images.

Usage: python scripts/pretrain_facades.py --output_dir DIR [flags]

Draws facades of three sizes, trains on random crops, tests on 100 facades that it has not seen and
writes DIR/facades: options.json, the averaged generator in float16 and a card. A second call
resumes. About an hour on one processor core.
"""

from __future__ import annotations

import json
import shutil
import sys
import types
from pathlib import Path

import numpy as np
from absl import flags

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", None, "folder for data, run and result", flag_values=FLAGS)
flags.DEFINE_integer("max_steps", 34000, "step at which training ends", flag_values=FLAGS)
flags.DEFINE_integer("per_size", 600, "facades of each size", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer("seed", 16, "seed of the facades and of the training", flag_values=FLAGS)

# Crops of 192 pixels give 6 levels, down to 3x3: wide enough below 8 MB, and any size of at least
# 64 pixels can be drawn.
SIZES = (192, 224, 256)
TEST_COUNT = 100
TRAINING = {
    "which_direction": "BtoA",
    "preprocess": "crop",
    "crop_size": 192,
    "scale_size": 192,
    "ngf": 22,
    "ndf": 24,
    "lr": 0.0005,
    "ema_decay": 0.999,
}
SWITCHES = ("--no_flip", "--nobottleneck_norm")
CARD = """# facades

Translates label maps of building facades, twelve flat colors, to images of them.

| | |
|---|---|
| data | {count} facades of {sizes} px drawn by `pix2pix_tf.demo`, seed {seed}; no photographs |
| command | `python {script} --output_dir DIR --max_steps {steps} --seed {seed}` |
| training | {steps} steps of one {crop} px crop: `{flags}` |
| weights | moving average of the generator, {parameters:,} parameters, float16 |
| held-out | {tests} of 256 px: L1 {L1:.3f} in [-1, 1], PSNR {PSNR:.2f} dB, SSIM {SSIM:.3f} |
| the best constant image | L1 {constant:.3f} |
| licence | MIT, as the package |

It knows drawn facades only: label maps of photographs give drawings.
"""


def main() -> None:
    """Draws, trains, tests and packs."""
    folder = Path(FLAGS.output_dir)
    _draw(folder)
    words = [word for name, value in TRAINING.items() for word in (f"--{name}", str(value))]
    words += SWITCHES
    run = str(folder / "run")
    train = ["--mode", "train", "--input_dir", str(folder / "train"), "--output_dir", run]
    train += [*words, "--seed", str(FLAGS.seed), "--max_steps", str(FLAGS.max_steps)]
    _command(*train, "--save_freq", "2000", "--summary_freq", "0", "--resume")
    test = ["--mode", "test", "--input_dir", str(folder / "val"), "--checkpoint", run]
    _command(*test, "--output_dir", str(folder / "test"), "--notest_dropout")
    print("wrote", _pack(folder, " ".join(words)))


def _draw(folder: Path) -> None:
    from pix2pix_tf.demo import facades

    if (folder / "val").is_dir():
        return
    count = FLAGS.per_size
    for part, size in enumerate(SIZES):
        where = {"start": part * count, "size": size}
        facades.write_pairs(folder / "train", count, seed=FLAGS.seed, **where)
    facades.write_pairs(folder / "val", TEST_COUNT, seed=FLAGS.seed, start=len(SIZES) * count)


def _command(*words: str) -> None:
    from pix2pix_tf import cli

    if code := cli.main(list(words)):
        raise SystemExit(code)


def _pack(folder: Path, words: str) -> Path:
    """Writes the run folder that ships."""
    import safetensors.numpy

    from pix2pix_tf import run_folder
    from pix2pix_tf.training import checkpoints

    target = folder / run_folder.PRETRAINED
    shutil.rmtree(target, ignore_errors=True)
    source = run_folder.checkpoints(folder / "run")[-1]
    step = checkpoints.step_of(source)
    weights = {
        name.removeprefix("ema/"): value.astype(np.float16)
        for name, value in safetensors.numpy.load_file(source).items()
        if name.startswith("ema/")
    }
    state = {name: types.SimpleNamespace(numpy=lambda v=v: v) for name, v in weights.items()}
    checkpoints.write(run_folder.checkpoint_path(target, step), step, state)
    options = run_folder.read_json(folder / "run" / run_folder.OPTIONS)
    options |= {"input_dir": "facades/train", "output_dir": "facades", "max_steps": step}
    run_folder.write_json(target / run_folder.OPTIONS, options)
    mean = json.loads((folder / "test" / run_folder.METRICS).read_text(encoding="utf-8"))["mean"]
    card = CARD.format(
        count=len(SIZES) * FLAGS.per_size,
        sizes=", ".join(map(str, SIZES)),
        script="scripts/pretrain_facades.py",
        seed=FLAGS.seed,
        steps=step,
        crop=TRAINING["crop_size"],
        flags=words,
        parameters=sum(value.size for value in weights.values()),
        tests=TEST_COUNT,
        constant=_constant_l1(folder),
        **mean,
    )
    run_folder.write_text(target / "CARD.md", card)
    return target


def _constant_l1(folder: Path) -> float:
    """L1 in [-1, 1] of the best image that looks at no label map: the median of known ones."""
    from PIL import Image

    def targets(paths: list[Path]) -> np.ndarray:
        halves = [np.asarray(Image.open(path).crop((0, 0, 256, 256)), np.float32) for path in paths]
        return np.stack(halves) / 127.5 - 1

    known = sorted((folder / "train").glob("*.png"), key=lambda path: int(path.stem))[-200:]
    unseen = targets(sorted((folder / "val").glob("*.png")))
    return float(np.abs(unseen - np.median(targets(known), axis=0)).mean())


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["output_dir"])
