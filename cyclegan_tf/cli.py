"""The command cyclegan-tf: what the commands need to know of it."""

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import cli, run_folder
from pix2pix_tf.commands import datasets
from pix2pix_tf.commands.program import Demo, Direction, Examples, Program
from pix2pix_tf.data import sizes
from pix2pix_tf.data.check import Contents
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError

SUMMARY = """
Learns to translate between two unpaired sets of images (CycleGAN), on TensorFlow 2 and Keras 3.

  cyclegan-tf                                       a demonstration on data that it draws
  cyclegan-tf train --input_dir DIR --output_dir RUN         (DIR/trainA and DIR/trainB)
  cyclegan-tf check_data --input_dir DIR            summarise a data set and find faults
  cyclegan-tf test --input_dir DIR --output_dir OUT --checkpoint RUN     (DIR/testA, DIR/testB)
  cyclegan-tf evaluate --input_dir DIR --output_dir OUT --checkpoint RUN
  cyclegan-tf evaluate --input_dir OUTPUTS --target_dir TARGETS --output_dir OUT
  cyclegan-tf export --output_dir OUT --checkpoint RUN --direction both
  cyclegan-tf serve --checkpoint RUN --direction both       a web page, and an HTTP API

`cyclegan-tf train --help` shows only the flags of train; `--mode train` is the same as `train`.
Below, pix2pix.py is affinelayer/pix2pix-tensorflow, and the PyTorch code is
junyanz/pytorch-CycleGAN-and-pix2pix.
"""
WAYS = ("AtoB", "BtoA")


def _is_folder(path: str | None) -> bool:
    return path is not None and run_folder.place(path).is_dir()


def _data_sets(config: Any) -> dict[str, Contents]:
    """The sets of both domains; only the named folders, or those that --input_dir contains."""
    named = {"A": config.input_dir_A, "B": config.input_dir_B}
    places: dict[str, Any] = {domain: folder for domain, folder in named.items() if folder}
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


def _training_examples(
    config: Any,
) -> tuple[CycleGANConfig, dict[str, Examples], dict[str, str]]:
    sets = [datasets.unpaired(config, _folder(config, "train", d), d) for d in "AB"]
    config, (a, b), types = datasets.training_examples(config, sets)
    return config, {"A": a, "B": b}, types


def _folder(config: Any, phase: str, domain: str) -> str:
    """The folder of a domain for "train" or "test"."""
    folder = config.domains(phase)["AB".index(domain)]
    if getattr(config, f"input_dir_{domain}") is None and not _is_folder(folder):
        raise InputError(
            f"Expected --input_dir to contain the folder {phase}{domain}, or --input_dir_{domain}. "
            f"Received: {config.input_dir}"
        )
    return folder


def _checked(config: Any, folder: str, domain: str) -> Examples:
    """The images of a folder of domain "A" or "B", each looked at."""
    return datasets.checked(config, datasets.unpaired(config, folder, domain))


def _test_examples(config: Any, explicit: Collection[str]) -> dict[str, Examples]:
    """The files of each direction: of testA and testB, or of one folder of images."""
    has = dict(zip(WAYS, map(_is_folder, config.domains("test")), strict=True))
    ways = config.directions
    if config.mode == "evaluate" and "direction" not in explicit and all(has.values()):
        ways = WAYS
    named = config.input_dir_A if ways[0] == "AtoB" else config.input_dir_B
    if len(ways) == 2 or named or any(has.values()):
        return {way: _checked(config, _folder(config, "test", way[0]), way[0]) for way in ways}
    return {ways[0]: _checked(config, config.input_dir, ways[0][0])}


def _target_files(config: Any, direction: str) -> list[str]:
    """The files of the domain that is translated to; none where its folder is not there."""
    from pix2pix_tf.evaluation import comparison

    domain = "AB".index(direction[-1])
    folder = config.target_dir or config.domains("test")[domain]
    if folder is None or not (config.target_dir or _is_folder(folder)):
        return []
    return comparison.ground_truth(folder, side=config.sides[domain])


def _parts() -> ModuleType:
    from cyclegan_tf import program

    return program


def _draw_demo(folder: Path, config: Any) -> None:
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
        "AtoB": Direction(output="fake_B", target="true_B", label=" AtoB", prefix="A-"),
        "BtoA": Direction(output="fake_A", target="true_A", label=" BtoA", prefix="B-"),
    },
    data_sets=_data_sets,
    training_examples=_training_examples,
    test_examples=_test_examples,
    reading=lambda config, direction: config.readings["AB".index(direction[0])],
    is_paired=False,
    target_files=_target_files,
    parts=_parts,
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
