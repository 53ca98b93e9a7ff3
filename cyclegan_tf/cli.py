"""The command cyclegan-tf: what the commands need to know of it."""

import dataclasses
import functools
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import cli, run_folder
from pix2pix_tf.commands import datasets, runs
from pix2pix_tf.commands.program import Demo, Direction, Examples, Program
from pix2pix_tf.config import ONE
from pix2pix_tf.data import sizes
from pix2pix_tf.data.check import Contents
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError
from pix2pix_tf.training import runtime

SUMMARY = """
Learns to translate between two unpaired sets of images (CycleGAN), on TensorFlow 2 and Keras 3.

  cyclegan-tf                                       a demonstration on data that it draws itself
  cyclegan-tf train --input_dir DIR --output_dir RUN         (DIR/trainA and DIR/trainB)
  cyclegan-tf check_data --input_dir DIR            the contents of a data set and their faults
  cyclegan-tf test --input_dir DIR --output_dir OUT --checkpoint RUN     (DIR/testA, DIR/testB)
  cyclegan-tf evaluate --input_dir DIR --output_dir OUT --checkpoint RUN
  cyclegan-tf evaluate --input_dir OUTPUTS --target_dir TARGETS --output_dir OUT
  cyclegan-tf export --output_dir OUT --checkpoint RUN --direction both
  cyclegan-tf serve --checkpoint RUN --direction both       a page, and HTTP

`cyclegan-tf train --help` shows the flags of train alone; `--mode train` is the same as `train`.
"""
WAYS = ("AtoB", "BtoA")


def _unpack(config: CycleGANConfig) -> CycleGANConfig:
    """`config` with a data set of TensorFlow Datasets replaced by folders of its images."""
    if not runs.names_catalog(config.input_dir):
        return config
    catalog = runs.load_catalog(config.input_dir)
    return dataclasses.replace(config, input_dir=catalog.unpack_unpaired(config.input_dir))


def _is_folder(path: str | None) -> bool:
    return path is not None and run_folder.place(path).is_dir()


def _data_sets(config: CycleGANConfig) -> dict[str, Contents]:
    """The sets of both domains; only the named folders, or those that --input_dir contains."""
    named = {"A": config.input_dir_A, "B": config.input_dir_B}
    places = {domain: folder for domain, folder in named.items() if folder}
    if folder := config.input_dir:
        rest = [domain for domain in named if domain not in places]
        inside = [f"{phase}{domain}" for phase in ("train", "test") for domain in rest]
        places |= {name: os.path.join(folder, name) for name in inside}
    found = {name for name, folder in places.items() if _is_folder(folder)}
    if found & {"trainA", "trainB"}:
        # Training needs both domains, test one.
        found |= {"trainA", "trainB"} & places.keys()
    found |= {"A", "B"} & places.keys()
    places = {name: folder for name, folder in places.items() if name in found}
    # A folder of images is a set of the domain that test would translate from.
    places = places or {"B" if config.direction == "BtoA" else "A": config.input_dir}
    return {name: datasets.unpaired(config, folder, name[-1]) for name, folder in places.items()}


def _train(config: CycleGANConfig, explicit: Collection[str]) -> int:
    """Trains a new run or resumes one; returns the exit code."""
    with runs.begin_run(config, explicit, program=PROGRAM) as start:
        config = _unpack(start.config)
        start = dataclasses.replace(start, config=config)
        sets = [datasets.unpaired(config, _folder(config, "train", d), d) for d in "AB"]
        config, paths = datasets.training_examples(config, sets)
        start = dataclasses.replace(start, config=config)
        runs.store(config, program=PROGRAM)
        runs.announce(config, explicit)
        print("examples count =", *map(len, paths))
        runtime.load_tensorflow(starting=config.strategy == ONE)

        from cyclegan_tf import modes
        from pix2pix_tf.commands.train import train as run

        make = functools.partial(modes.training, paths=paths)
        step, stopped = run(start, make, files=[*paths[0], *paths[1]])
    return runs.ended(config, step=step, stopped=stopped)


def _folder(config: CycleGANConfig, phase: str, domain: str) -> str:
    """The folder of a domain for "train" or "test"."""
    folder = config.domains(phase)["AB".index(domain)]
    if getattr(config, f"input_dir_{domain}") is None and not _is_folder(folder):
        raise InputError(
            f"Expected --input_dir to contain the folder {phase}{domain}, or --input_dir_{domain}. "
            f"Received: {config.input_dir}"
        )
    return folder


def _checked(config: CycleGANConfig, folder: str, domain: str) -> Examples:
    """The images of a folder of domain "A" or "B", each looked at."""
    return datasets.checked(config, datasets.unpaired(config, folder, domain))


def _test_examples(config: CycleGANConfig, explicit: Collection[str]) -> dict[str, Examples]:
    """The files of each direction: of testA and testB, or of one folder of images."""
    has = dict(zip(WAYS, map(_is_folder, config.domains("test")), strict=True))
    ways = WAYS if config.direction == "both" else (config.direction,)
    if config.mode == "evaluate" and "direction" not in explicit and all(has.values()):
        ways = WAYS
    named = config.input_dir_A if ways[0] == "AtoB" else config.input_dir_B
    if len(ways) == 2 or named or any(has.values()):
        return {way: _checked(config, _folder(config, "test", way[0]), way[0]) for way in ways}
    return {ways[0]: _checked(config, config.input_dir, ways[0][0])}


def _target_files(config: CycleGANConfig, direction: str) -> list[str]:
    """The files of the domain that is translated to; none where its folder is not there."""
    from pix2pix_tf.evaluation import comparison

    domain = direction[-1]
    sides = config.file_sides(domain)
    folder = config.target_dir or config.domains("test")["AB".index(domain)]
    if folder is None or not (config.target_dir or _is_folder(folder)):
        return []
    return comparison.ground_truth(folder, sides=sides)


def _results(
    config: CycleGANConfig,
    examples: Mapping[str, Examples],
    *,
    checkpoint: Path,
    targets: Mapping[str, Examples] | None = None,
) -> Iterator[dict[str, Any]]:
    from cyclegan_tf import modes

    return modes.results(config, examples, checkpoint=checkpoint, truths=targets)


def _served(config: CycleGANConfig, checkpoint: Path) -> dict[str, tuple[Any, Any]]:
    from cyclegan_tf import modes

    return modes.served(config, checkpoint)


def _draw_demo(folder: Path, config: CycleGANConfig) -> None:
    print("drawing 300 facades by day and by night")
    facades.write_unpaired(
        folder, 150, seed=config.seed, test_count=20, size=max(sizes.sides(config.crop_size))
    )


def _demo_summary(mean: Mapping[str, Any]) -> tuple[list[str], bool]:
    lines, has_learned = [], True
    for way, words in zip(WAYS, ("day to night", "night to day"), strict=True):
        found, nothing = mean[f"L1 {way}"], mean[f"L1 of the input {way}"]
        lines.append(f"{words}: held-out L1 {found:.3f}; of the unchanged input {nothing:.3f}")
        has_learned = has_learned and found < nothing
    return lines, has_learned


CYCLEGAN = Program(
    name=PROGRAM,
    title="CycleGAN",
    config_class=CycleGANConfig,
    summary=SUMMARY,
    directions={
        "AtoB": Direction(output="fake_B", target="true_B", label=" AtoB"),
        "BtoA": Direction(output="fake_A", target="true_A", label=" BtoA"),
        "both": Direction(output="fake_B", target="true_B"),
    },
    train=_train,
    unpack=_unpack,
    data_sets=_data_sets,
    test_examples=_test_examples,
    is_paired=False,
    target_files=_target_files,
    results=_results,
    served=_served,
    demo=Demo(
        settings={
            "crop_size": 128,
            "direction": "both",
            "flip": False,
            "load_size": 128,
            "lr": 0.0005,
            "n_epochs": 4,
            "n_epochs_decay": 3,
            "ndf": 16,
            "netG": "resnet_6blocks",
            "ngf": 16,
            "output_dir": "cyclegan-demo",
            "seed": 1,
        },
        train_options={"direction": "AtoB"},
        draw=_draw_demo,
        # Drawn by day and by night: image by image the same houses.
        targets=lambda examples: {"AtoB": examples["BtoA"], "BtoA": examples["AtoB"]},
        context=lambda config, folder: {},
        summary=_demo_summary,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs cyclegan-tf; returns the exit code."""
    return cli.run(CYCLEGAN, argv)


if __name__ == "__main__":
    sys.exit(main())
