"""What the commands need of a program: the abstract class `Task`, and `Pix2PixTask`."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from pix2pix_tf import optional, run_folder
from pix2pix_tf.config import PROGRAM, TESTING, Config, Pix2PixConfig
from pix2pix_tf.data import check, inspection, listing, sizes
from pix2pix_tf.data.check import DatasetFiles
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.samples import DomainSpec, parse_percentiles
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.training import runtime

if TYPE_CHECKING:  # methods that need TensorFlow import it when they are called
    import numpy as np
    import tensorflow as tf

    from pix2pix_tf.data.decode import ExampleFormat
    from pix2pix_tf.data.pipelines import Load
    from pix2pix_tf.export.saved_model import ServedModel
    from pix2pix_tf.inference.files import Translate
    from pix2pix_tf.inference.predictor import Predictor
    from pix2pix_tf.inference.validation import ValidationSet
    from pix2pix_tf.model import Pix2Pix
    from pix2pix_tf.networks.layers import Network
    from pix2pix_tf.training.gan import GAN

# Beginning of an --input_dir that names a data set of TensorFlow Datasets.
TFDS = "tfds:"
ConfigT = TypeVar("ConfigT", bound=Config)
ModelT = TypeVar("ModelT", bound="GAN")


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
class TrainingFiles:
    """The files of one training, each decoded once and usable.

    Attributes:
        sets: Dict from names to examples: "train" of pairs, or "A" and "B" of unpaired images.
        validation: Pairs that are measured during training.
        types: Dict from "A" and "B" to NumPy's name of the type that most of its files have.
        label_domains: Those of "A" and "B" whose files contain label ids.
    """

    sets: Mapping[str, Sequence[Example]]
    validation: Sequence[Example] = ()
    types: Mapping[str, str]
    label_domains: Collection[str] = ()

    @property
    def examples_per_epoch(self) -> int:
        """Examples of one pass over the data: those of the largest set."""
        return max(map(len, self.sets.values()))

    @property
    def paths(self) -> list[str]:
        """Every file."""
        return [path for s in (*self.sets.values(), self.validation) for path in listing.files(s)]


class ServedGenerator(NamedTuple):
    """A generator, and the signatures of it that exports and servers offer."""

    network: Network
    served: ServedModel


class DemoSummary(NamedTuple):
    """The end of a demonstration: lines of text, and whether the model beats doing nothing."""

    lines: list[str]
    has_learned: bool


class Task(abc.ABC, Generic[ConfigT, ModelT]):
    """One program, as the commands see it.

    A subclass names its configuration and model, says where its images are, how they become
    batches, and how a model is built, loaded and applied. Methods that need TensorFlow import it
    when they are called, so that `--help` and faults of the input need not wait for it.

    Attributes:
        name: Name of the command; options.json stores it.
        title: Name of the method in reports.
        config_class: Dataclass of the options.
        directions: Dict from "AtoB" and "BtoA" to the names of their results.
        is_paired: Whether targets are part of the examples.
        extend_flag: The flag that makes training longer where --max_steps does not end it.
        progress_losses: Dict from short names to losses, for the progress bar.
        demo_options: Options of the demonstration in place of the defaults: what 2 CPU cores learn
            in about three minutes.
        demo_training_options: Further ones of its training alone.
        demo_palettes: Palettes of its label maps, by domain.
        demo_train_dir: Folder of the training images in the folder that `draw_demo` fills.
        demo_test_dir: Folder of the test images, likewise.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    config_class: type[ConfigT]
    directions: ClassVar[Mapping[str, Direction]]
    is_paired: ClassVar[bool]
    extend_flag: ClassVar[str]
    progress_losses: ClassVar[Mapping[str, str]]
    demo_options: ClassVar[Mapping[str, Any]]
    demo_training_options: ClassVar[Mapping[str, Any]] = {}
    demo_palettes: ClassVar[Mapping[str, str]] = {}
    demo_train_dir: ClassVar[str] = "."
    demo_test_dir: ClassVar[str] = "."

    # ---- Files

    @abc.abstractmethod
    def unpack_data(self, config: ConfigT) -> ConfigT:
        """`config` with a data set of TensorFlow Datasets replaced by folders of its images.

        Raises:
            InputError: If that package is not installed, or has no such data set.
        """

    @abc.abstractmethod
    def data_sets(self, config: ConfigT) -> dict[str, DatasetFiles]:
        """The sets that --check_data reads, by their names."""

    @abc.abstractmethod
    def training_files(self, config: ConfigT) -> tuple[ConfigT, TrainingFiles]:
        """Lists and checks the training data; prints notes about them.

        Returns:
            (`config` with ranges of values in place of percentiles, the files).

        Raises:
            InputError: If a file cannot be used, unless `config.skip_bad_files`.
        """

    @abc.abstractmethod
    def test_files(
        self, config: ConfigT, explicit: Collection[str] = ()
    ) -> dict[str, list[Example]]:
        """Lists and checks the files to translate.

        Args:
            config: Resolved options.
            explicit: Names of the options that were given.

        Returns:
            Dict from directions to examples.

        Raises:
            InputError: If a file cannot be used, unless `config.skip_bad_files`.
        """

    @abc.abstractmethod
    def target_files(self, config: ConfigT, direction: str) -> list[str] | None:
        """The ground-truth set of a direction; None for the targets of the examples."""

    @abc.abstractmethod
    def training_formats(self, config: ConfigT) -> dict[str, ExampleFormat]:
        """How the examples of each of the `TrainingFiles.sets` are read."""

    @abc.abstractmethod
    def test_format(self, config: ConfigT, direction: str) -> ExampleFormat:
        """How the examples of `test_files` are read."""

    def domain_sides(self, config: ConfigT, domains: str) -> tuple[DomainSpec, ...]:
        """What the networks see of the domains in a file, such as "A" or "AB"."""
        return tuple(config.sides["AB".index(domain)] for domain in domains)

    def contents(
        self,
        config: ConfigT,
        examples: Sequence[Example],
        domains: Sequence[str],
        folders: Iterable[Any],
    ) -> DatasetFiles:
        """Describes listed examples.

        Args:
            config: Resolved options.
            examples: Files, or pairs of files.
            domains: For each file of an example the domains in it: "AB" for a side-by-side pair.
            folders: Where they were listed.
        """
        notes = [
            listing.ignored_files_note(folder, recursive=config.recursive) for folder in folders
        ]
        return DatasetFiles(
            examples,
            tuple(self.domain_sides(config, letters) for letters in domains),
            tuple(domains),
            ignored_files_note="; ".join(filter(None, notes)) or None,
        )

    def check_test_files(
        self, config: ConfigT, contents: DatasetFiles, *, direction: str | None = None
    ) -> list[Example]:
        """Decodes every file once, prints notes and returns the usable examples.

        Args:
            config: Resolved options.
            contents: The files.
            direction: As of `check.notes`.

        Raises:
            InputError: If a file cannot be used, unless `config.skip_bad_files`.
        """
        infos = contents.inspect(windowed=config.reads_windows)
        examples = inspection.filter_usable(contents.examples, infos, skip=config.skip_bad_files)
        for line in check.notes(contents, infos, direction=direction):
            print_line(line)
        return examples

    def check_training_files(
        self, config: ConfigT, sets: Mapping[str, DatasetFiles], *, direction: str | None = None
    ) -> tuple[ConfigT, TrainingFiles]:
        """Decodes every file once, prints notes and measures percentiles.

        Args:
            config: Options of a run that is about to be trained.
            sets: The files, by the names that `TrainingFiles.sets` gives them.
            direction: As of `check.notes`.

        Returns:
            (`config` with ranges of values in place of percentiles, the files).

        Raises:
            InputError: If a file cannot be used, unless `config.skip_bad_files`.
        """
        percentiles = {
            domain: limits
            for domain, text in zip("AB", config.range_texts, strict=True)
            if (limits := parse_percentiles(text))
        }
        types: dict[str, str] = {}
        label_domains: set[str] = set()
        infos_of_sets = {}
        usable = {}
        for name, contents in sets.items():
            wanted = sorted(percentiles.keys() & {*"".join(contents.domains)})
            infos = contents.inspect(
                sampled=check.samples_per_file(len(contents.examples)) if wanted else 0
            )
            infos_of_sets[name] = infos
            usable[name] = inspection.filter_usable(
                contents.examples, infos, skip=config.skip_bad_files
            )
            types |= check.types(infos, contents.domains)
            label_domains |= check.label_domains(contents, infos)
            for domain in wanted:
                low, high = check.percentile_range(
                    infos, contents.domains, domain, percentiles[domain]
                )
                value_range: dict[str, Any] = {f"value_range_{domain}": f"{low:.9g},{high:.9g}"}
                config = dataclasses.replace(config, **value_range)
        for name, contents in sets.items():
            sides = tuple(self.domain_sides(config, letters) for letters in contents.domains)
            resolved = dataclasses.replace(contents, sides=sides)
            for line in check.notes(resolved, infos_of_sets[name], direction=direction):
                print_line(line)
        return config, TrainingFiles(sets=usable, types=types, label_domains=label_domains)

    # ---- Training

    @abc.abstractmethod
    def epochs(self, config: ConfigT) -> int | None:
        """The epochs after which training ends where --max_steps does not end it, or None."""

    @abc.abstractmethod
    def describe_model(self, config: ConfigT) -> ModelT:
        """Makes the model, without weights and optimizers."""

    @abc.abstractmethod
    def build_model(self, config: ConfigT, *, steps_per_epoch: int) -> ModelT:
        """Makes the compiled model with initial weights; equal seeds give equal weights."""

    @abc.abstractmethod
    def example_loader(self, config: ConfigT, files: TrainingFiles) -> Load:
        """Makes the function that reads and augments one example, as `pipelines.batches` takes it.

        With --cache it decodes every file first.
        """

    @abc.abstractmethod
    def batch_names(self, config: ConfigT, files: TrainingFiles, step: int) -> list[str]:
        """Names of the examples in the batch of a step, counted from 1."""

    @abc.abstractmethod
    def sample_images(
        self,
        config: ConfigT,
        batch: tuple[tf.Tensor, tf.Tensor],
        tensors: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Images of a training batch for TensorBoard and the report.

        Args:
            config: Resolved options.
            batch: What the model was trained on.
            tensors: What its `forward` returned of it.

        Returns:
            Dict from kinds to uint8 [n, h, w, c].
        """

    @abc.abstractmethod
    def translate_batch(
        self, model: ModelT, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Dict from kinds of outputs to (inputs, outputs) in [-1, 1], dropout off."""

    @abc.abstractmethod
    def chance_losses(self, config: ConfigT) -> dict[str, float]:
        """The losses of discriminators that predict the same for every image."""

    def keeps_colours(self, config: ConfigT) -> bool:
        """Whether outputs should have the colours of their inputs."""
        return False

    def validation(
        self, config: ConfigT, model: ModelT, files: TrainingFiles
    ) -> ValidationSet | None:
        """The pairs that are measured during training, or None."""
        return None

    # ---- Translation

    @abc.abstractmethod
    def load_predictors(
        self, config: ConfigT, checkpoint: Path, *, exported: bool = False
    ) -> dict[str, Predictor]:
        """Loads the generators of a run, by their directions.

        Args:
            config: Options with the run's architecture; without `ema` the weights are those of the
                last step.
            checkpoint: Checkpoint file.
            exported: Whether they become parts of an export, which is a graph.
        """

    @abc.abstractmethod
    def load_translators(
        self, config: ConfigT, checkpoint: Path, *, with_targets: bool = False
    ) -> dict[str, Translate]:
        """Makes the functions that translate and measure files, by their directions.

        Args:
            config: Options with the run's architecture.
            checkpoint: Checkpoint file.
            with_targets: Whether examples of unpaired sets are pairs of a file and its target.
        """

    def stored_types(self, config: ConfigT) -> Mapping[str, str]:
        """The types of the files of A and B that the run in `config.checkpoint` was trained on."""
        folder, _ = run_folder.locate(config.run_path)
        return run_folder.read_data(folder).get("types", {})

    def load_served(self, config: ConfigT, checkpoint: Path) -> dict[str, ServedGenerator]:
        """Loads the generators of a run as exports and servers use them, by their directions."""
        from pix2pix_tf.export.saved_model import ServedModel

        predictors = self.load_predictors(config, checkpoint, exported=config.mode != "serve")
        served = {}
        for direction in config.directions:
            predictor = predictors[direction]
            model = ServedModel(
                predictor.generator,
                predictor.unit,
                filetype=config.output_filetype,
                channels=predictor.channels,
                value_ranges=(predictor.sides[0].value_range, predictor.sides[1].value_range),
                target_type=predictor.target_type or "uint8",
            )
            served[direction] = ServedGenerator(predictor.generator, model)
        return served

    # ---- Demonstration

    @abc.abstractmethod
    def draw_demo(self, config: ConfigT, folder: Path) -> None:
        """Draws the data set."""

    def demo_targets(
        self, config: ConfigT, examples: Mapping[str, list[Example]]
    ) -> Mapping[str, list[Example]] | None:
        """The targets of the test's examples; None if they are part of the examples."""
        return None

    def demo_context(self, config: ConfigT, folder: Path) -> dict[str, float]:
        """Other numbers to compare the metrics of the test with.

        Args:
            config: Resolved options of the test.
            folder: What `draw_demo` filled.
        """
        return {}

    @abc.abstractmethod
    def summarize_demo(
        self, mean: Mapping[str, float], context: Mapping[str, float]
    ) -> DemoSummary:
        """Summarises the means of the test's metrics beside `demo_context`."""


def import_tfds(function: str, name: str) -> Any:
    """Imports a function of `extras.tfds.catalog` that reads the data set `name`."""
    runtime.import_tensorflow()
    return optional.load("tfds", f"catalog:{function}", needed_by=f"--input_dir {name}")


# ---- pix2pix

CONSTANT = "L1 of the best constant image"


class Pix2PixTask(Task[Pix2PixConfig, "Pix2Pix"]):
    """pix2pix: translation that is learned from pairs."""

    name = PROGRAM
    title = "pix2pix"
    config_class = Pix2PixConfig
    directions = dict.fromkeys(("AtoB", "BtoA"), Direction(output="outputs", target="targets"))
    is_paired = True
    extend_flag = "--max_epochs"
    progress_losses = {
        "L1": "generator_loss_L1",
        "D": "discriminator_loss",
        "G": "generator_loss_GAN",
    }

    def unpack_data(self, config: Pix2PixConfig) -> Pix2PixConfig:
        if not (name := str(config.input_dir)).startswith(TFDS):
            return config
        unpack = import_tfds("unpack", name)
        folder, dataset_mode = unpack(name, training=config.mode not in TESTING)
        return dataclasses.replace(config, input_dir=folder, dataset_mode=dataset_mode)

    def data_sets(self, config: Pix2PixConfig) -> dict[str, DatasetFiles]:
        try:
            if config.input_dir_A and config.input_dir_B:
                return {"A and B": self._list_pairs(config, None)}
            return {
                name: self._list_pairs(config, folder)
                for name, folder in check.data_sets(config.input_folder).items()
            }
        except FileNotFoundError:
            raise InputError(
                f"Expected --input_dir to be a folder. Received: {config.input_dir}"
            ) from None

    def training_files(self, config: Pix2PixConfig) -> tuple[Pix2PixConfig, TrainingFiles]:
        pairs = {"train": self._list_pairs(config, config.input_dir)}
        config, files = self.check_training_files(config, pairs, direction=config.which_direction)
        if config.val_dir:
            files = dataclasses.replace(files, validation=self._check_pairs(config, config.val_dir))
        return config, files

    def test_files(
        self, config: Pix2PixConfig, explicit: Collection[str] = ()
    ) -> dict[str, list[Example]]:
        return {config.which_direction: self._check_pairs(config, config.input_dir)}

    def target_files(self, config: Pix2PixConfig, direction: str) -> list[str] | None:
        from pix2pix_tf.evaluation import comparison

        if not config.target_dir:
            return None
        side = config.sides["AB".index(direction[-1])]
        return comparison.ground_truth(config.target_dir, side=side)

    def training_formats(self, config: Pix2PixConfig) -> dict[str, ExampleFormat]:
        return {"train": config.reading}

    def test_format(self, config: Pix2PixConfig, direction: str) -> ExampleFormat:
        return config.reading

    def domain_sides(self, config: Pix2PixConfig, domains: str) -> tuple[DomainSpec, ...]:
        if config.lab_colorization:  # of RGB files
            return (DomainSpec(selection=config.sides[0].selection),)
        return super().domain_sides(config, domains)

    def _list_pairs(self, config: Pix2PixConfig, folder: Path | None) -> DatasetFiles:
        examples: Sequence[Example]
        if config.dataset_mode == "folders":
            is_main = folder == config.input_dir
            given = (config.input_dir_A, config.input_dir_B) if is_main else (None, None)
            folders = listing.folders_of_pairs(folder, given)
            examples = listing.list_pairs(*folders, by=config.pair_by, recursive=config.recursive)
        else:
            folders = [folder or config.input_folder]
            examples = listing.list_images(folders[0], recursive=config.recursive)
        domains = {
            "aligned": ("A",) if config.lab_colorization else ("AB",),
            "folders": ("A", "B"),
            "single": (config.which_direction[0],),
        }
        return self.contents(config, examples, domains[config.dataset_mode], folders)

    def _check_pairs(self, config: Pix2PixConfig, folder: Path | None) -> list[Example]:
        contents = self._list_pairs(config, folder)
        return self.check_test_files(config, contents, direction=config.which_direction)

    def epochs(self, config: Pix2PixConfig) -> int | None:
        return config.max_epochs

    def describe_model(self, config: Pix2PixConfig) -> Pix2Pix:
        from pix2pix_tf import model

        return model.make_model(config)

    def build_model(self, config: Pix2PixConfig, *, steps_per_epoch: int) -> Pix2Pix:
        from pix2pix_tf import model

        return model.build(config)

    def example_loader(self, config: Pix2PixConfig, files: TrainingFiles) -> Load:
        from pix2pix_tf.data import cache, pipelines

        pairs, reading = files.sets["train"], config.reading
        folder = config.output_folder / run_folder.CACHE
        return pipelines.pair_loader(
            pairs,
            reading=reading,
            framing=config.framing,
            seed=config.seed or 0,
            flip=config.flip,
            fetch=cache.make(config.cache, reading, pairs, folder=folder),
        )

    def batch_names(self, config: Pix2PixConfig, files: TrainingFiles, step: int) -> list[str]:
        from pix2pix_tf.data import pipelines

        batch = pipelines.batch_paths(
            files.sets["train"], step - 1, batch_size=config.batch_size, seed=config.seed or 0
        )
        return listing.names(batch)

    def sample_images(
        self,
        config: Pix2PixConfig,
        batch: tuple[tf.Tensor, tf.Tensor],
        tensors: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        import tensorflow as tf

        from pix2pix_tf.data import images

        inputs, targets = batch
        predictions = {
            name: images.from_unit(tf.sigmoid(tensors[name]))
            for name in ("predict_real", "predict_fake")
        }
        units = images.units(
            inputs,
            targets,
            tensors["outputs"],
            lab=config.lab_colorization,
            direction=config.which_direction,
        )
        samples = {kind: images.from_unit(images.viewable(unit)) for kind, unit in units.items()}
        return {**samples, **predictions}

    def translate_batch(
        self, model: Pix2Pix, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        inputs, _ = batch
        return {"outputs": (inputs, model(inputs))}

    def chance_losses(self, config: Pix2PixConfig) -> dict[str, float]:
        from pix2pix_tf.training import losses

        return losses.chance_level("discriminator_loss", mode=config.gan_mode)

    def validation(
        self, config: Pix2PixConfig, model: Pix2Pix, files: TrainingFiles
    ) -> ValidationSet | None:
        if not files.validation:
            return None

        from pix2pix_tf.inference.validation import ValidationSet
        from pix2pix_tf.model import build_generator

        averages = model.weight_averages
        generator = model.generator if averages is None else build_generator(config)
        return ValidationSet(
            files.validation,
            self._translator(config, self.predictor(config, generator)),
            folder=config.output_folder,
            averages=averages,
            averaged=generator,
            freq=config.val_freq,
        )

    def predictor(
        self,
        config: Pix2PixConfig,
        generator: Network,
        *,
        target_type: str | None = None,
        exported: bool = False,
    ) -> Predictor:
        """A generator as a `Predictor`.

        Args:
            config: Options with the generator's architecture.
            generator: The generator.
            target_type: As of `Predictor`.
            exported: As of `load_predictors`.
        """
        from pix2pix_tf.inference.predictor import Predictor

        return Predictor(
            generator,
            sides=config.sides if config.which_direction == "AtoB" else config.sides[::-1],
            lab=config.lab_colorization,
            direction=config.which_direction,
            tile=0 if exported else config.tile,
            scratch_dir=config.scratch_dir,
            target_type=target_type,
        )

    def load_predictors(
        self, config: Pix2PixConfig, checkpoint: Path, *, exported: bool = False
    ) -> dict[str, Predictor]:
        from pix2pix_tf.model import build_generator
        from pix2pix_tf.training import checkpoints

        generator, direction = build_generator(config), config.which_direction
        checkpoints.restore_weights(checkpoint, generator.variables, averaged=config.ema)
        target_type = self.stored_types(config).get(direction[-1])
        return {
            direction: self.predictor(config, generator, target_type=target_type, exported=exported)
        }

    def load_translators(
        self, config: Pix2PixConfig, checkpoint: Path, *, with_targets: bool = False
    ) -> dict[str, Translate]:
        predictors = self.load_predictors(config, checkpoint)
        return {name: self._translator(config, predictor) for name, predictor in predictors.items()}

    def _translator(self, config: Pix2PixConfig, predictor: Predictor) -> Translate:
        from pix2pix_tf.inference import files

        return files.pairs(
            predictor,
            reading=config.reading,
            framing=config.framing,
            batch_size=config.batch_size,
            seed=config.seed if config.test_dropout else None,
        )

    demo_options = {
        "batch_size": 1,
        "bottleneck_norm": False,
        "ema_decay": 0.99,
        "flip": False,
        "lr": 0.001,
        "max_steps": 3000,
        "ndf": 16,
        "ngf": 16,
        "output_dir": "pix2pix-demo",
        "scale_size": 256,
        "seed": 1,
        "summary_freq": 250,
        "which_direction": "BtoA",
    }
    demo_palettes = {"B": "facades"}
    demo_train_dir = "train"
    demo_test_dir = "val"

    def draw_demo(self, config: Pix2PixConfig, folder: Path) -> None:
        print("drawing 440 facades")
        seed, size = config.seed or 0, max(sizes.sides(config.scale_size))
        facades.write_pairs(folder / "train", 400, seed=seed, size=size)
        facades.write_pairs(folder / "val", 40, seed=seed, start=400, size=size)

    def demo_context(self, config: Pix2PixConfig, folder: Path) -> dict[str, float]:
        """The L1 of the best constant image, a baseline that ignores the input.

        Of all constant images the median of the training targets, pixel by pixel, has the least L1
        on them.
        """
        import numpy as np

        train, test = (self._read_targets(config, folder / name) for name in ("train", "val"))
        return {CONSTANT: float(np.abs(test - np.median(train, axis=0)).mean())}

    def _read_targets(self, config: Pix2PixConfig, folder: Path) -> np.ndarray:
        import numpy as np

        from pix2pix_tf.data import pipelines

        pairs = pipelines.test_pairs(
            listing.list_images(folder),
            reading=config.reading,
            framing=config.framing,
            batch_size=16,
        )
        return np.concatenate([targets.numpy() for _, targets in pairs])

    def summarize_demo(
        self, mean: Mapping[str, float], context: Mapping[str, float]
    ) -> DemoSummary:
        constant = context[CONSTANT]
        lines = [
            f"held-out L1 {mean['L1']:.3f}, PSNR {mean['PSNR']:.2f} dB, SSIM {mean['SSIM']:.3f}",
            f"{CONSTANT} {constant:.3f}",
        ]
        return DemoSummary(lines, mean["L1"] < constant)
