"""What the commands need to know of a program: pix2pix-tf and cyclegan-tf differ in this alone."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pix2pix_tf.data.check import Contents

# Image files, or pairs of files.
Examples = Sequence[Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Direction:
    """What the results of one direction are called.

    Attributes:
        output: Kind of the translated images.
        target: Kind of their targets.
        label: Ending of the names of metrics, such as " AtoB".
    """

    output: str
    target: str
    label: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demo:
    """The demonstration of a program.

    Attributes:
        settings: Options in place of the defaults: what 2 CPU cores learn in about three minutes.
        train_options: Options of training alone.
        draw: Function of (folder, config) that draws the data set.
        train_dir: Where in the data set's folder the training images are.
        test_dir: Where the test images are.
        targets: Function of the test's examples to their targets, or None if those are part of
            the examples.
        context: Function of (config, data folder) to other numbers for the report.
        summary: Function of the means in metrics.json to (lines of text, whether the result is
            better than doing nothing).
    """

    settings: Mapping[str, Any]
    train_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    draw: Callable[[Path, Any], None]
    train_dir: str = "."
    test_dir: str = "."
    targets: Callable[[Mapping[str, Examples]], Mapping[str, Examples] | None]
    context: Callable[[Any, Path], Mapping[str, float]]
    summary: Callable[[Mapping[str, Any]], tuple[Sequence[str], bool]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """One of the two programs, as its cli hands it to the commands.

    Functions in it import TensorFlow when they are called, not before.

    Attributes:
        name: Name of the command; options.json stores it.
        title: What reports call the method.
        config_class: Dataclass of the options.
        summary: Paragraphs that `--help` shows.
        directions: What the results of each direction are called.
        train: Function of (config, names of the explicit options) that returns the exit code.
        unpack: Function of a config whose `input_dir` names a data set of TensorFlow Datasets to
            one with folders of its images.
        data_sets: Function of a config to the sets that `--check_data` reads, by their names.
        test_examples: Function of (config, explicit options) to the files to translate, checked:
            a dict from directions to examples.
        is_paired: Whether targets are part of the examples.
        target_files: Function of (config, direction) to the files of the target set, or None
            for the targets of the examples.
        results: Function of (config, examples, checkpoint file, targets or None) that translates
            every file, writes the images and yields the report's rows.
        served: Function of (config, checkpoint file) to the generators as the export serves them:
            a dict from names of folders, "" for the only one, to (generator, `ServedModel`).
        demo: The demonstration.
    """

    name: str
    title: str
    config_class: type
    summary: str
    directions: Mapping[str, Direction]
    train: Callable[[Any, Collection[str]], int]
    unpack: Callable[[Any], Any]
    data_sets: Callable[[Any], Mapping[str, Contents]]
    test_examples: Callable[[Any, Collection[str]], Mapping[str, Examples]]
    is_paired: bool
    target_files: Callable[[Any, str], Sequence[str] | None]
    results: Callable[..., Iterator[dict[str, Any]]]
    served: Callable[[Any, Path], Mapping[str, tuple[Any, Any]]]
    demo: Demo
