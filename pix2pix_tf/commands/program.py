"""The interface of a program to the commands; pix2pix-tf and cyclegan-tf differ only in it."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pix2pix_tf.config import Config
from pix2pix_tf.data.check import Contents

if TYPE_CHECKING:
    import tensorflow as tf

    from pix2pix_tf.data.decode import Reading
    from pix2pix_tf.data.pipelines import Load
    from pix2pix_tf.training.gan import GAN
    from pix2pix_tf.training.steps import ToImages

# Image files, or pairs of files.
Examples = Sequence[Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Direction:
    """Names of the results of one direction.

    Attributes:
        output: Kind of the translated images.
        target: Kind of their targets.
        label: Ending of the names of metrics, such as " AtoB".
        prefix: Beginning of the names of results, such as "A-".
    """

    output: str
    target: str
    label: str = ""
    prefix: str = ""


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
class Training:
    """The program's part in the training of one run.

    Attributes:
        examples: Examples per pass over the data.
        epochs: Epochs after which training ends, or None.
        longer: Flag that makes training end later, where --max_steps does not end it.
        build: Function of the steps per epoch to the compiled model.
        load: What reads and augments an example, as `pipelines.batches` takes it.
        readings: (files, how they are read) of each set, to name a file that cannot be decoded.
        progress: Dict from short names to losses, for the progress bar.
        images: Function of a batch and the tensors of `forward` to images for TensorBoard.
        names: Function of a step to the names of the examples in its batch.
        translate: Function of (model, batch) to what `callbacks.OutputCheck` compares.
        inversion: Whether outputs should have the colours of their inputs.
        undecided: As `callbacks.DiscriminatorCheck` takes it.
        validation: Function of the model to what `callbacks.Validation` takes as `measure`, which
            gives the means of `metrics.QUICK`; or None.
    """

    examples: int
    epochs: int | None
    longer: str
    build: Callable[[int], "GAN"]
    load: "Load"
    readings: Sequence[tuple[Sequence[str], "Reading"]]
    progress: dict[str, str]
    images: "ToImages"
    names: Callable[[int], Sequence[str]]
    translate: Callable[["GAN", Any], dict[str, tuple["tf.Tensor", "tf.Tensor"]]]
    inversion: bool = False
    undecided: Mapping[str, float]
    validation: Callable[["GAN"], Callable[[int], tuple[dict, dict]]] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """One of the two programs, as its `cli` passes it to the commands.

    Functions in it import TensorFlow when they are called, not before.

    Attributes:
        name: Name of the command; options.json stores it.
        title: What reports call the method.
        config_class: Dataclass of the options.
        summary: Paragraphs that `--help` shows.
        directions: What the results of each direction are called.
        data_sets: Function of a config to the sets that `--check_data` reads, by their names.
        training_examples: Function of a config to (the config with percentiles resolved, the
            checked training data: a dict from names to examples, "val" for validation; the types
            of the files of each domain).
        test_examples: Function of (config, explicit options) to the files to translate, checked:
            a dict from directions to examples.
        reading: Function of (config, direction) to how the inputs of such examples are read.
        is_paired: Whether targets are part of the examples.
        target_files: Function of (config, direction) to the files of the target set, or None
            for the targets of the examples.
        parts: Imports and returns the module of what needs TensorFlow. Its functions:
            `training` of (config, training data) makes the `Training`;
            `translations` of (config, checkpoint file, with_targets=bool) the functions that
            translate files, see `inference.files`: a dict from directions;
            `predictors` of (config, checkpoint file, exported=bool) the generators as functions
            of images: a dict from directions to `Predictor`.
        demo: The demonstration.
    """

    name: str
    title: str
    config_class: type[Config]
    summary: str
    directions: Mapping[str, Direction]
    data_sets: Callable[[Any], dict[str, Contents]]
    training_examples: Callable[[Any], tuple[Any, Mapping[str, Examples], dict[str, str]]]
    test_examples: Callable[[Any, Collection[str]], Mapping[str, Examples]]
    reading: Callable[[Any, str], "Reading"]
    is_paired: bool
    target_files: Callable[[Any, str], Sequence[str] | None]
    parts: Callable[[], ModuleType]
    demo: Demo
