"""What programs that learn from two unpaired sets share: `UnpairedConfig` and `UnpairedTask`."""

import dataclasses
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pix2pix_tf import options, run_folder
from pix2pix_tf.config import (
    CHECK_DATA,
    COMMANDS,
    COMPARE,
    MOST_PIXELS,
    MOST_STEPS,
    Config,
    data_option,
    override_option,
    run_option,
    training_option,
)
from pix2pix_tf.data import listing, sizes
from pix2pix_tf.data.check import DatasetFiles
from pix2pix_tf.data.listing import Example
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError
from pix2pix_tf.task import TFDS, DemoSummary, ModelT, Task, TrainingFiles, import_tfds

if TYPE_CHECKING:  # methods that need TensorFlow import it when they are called
    from pix2pix_tf.data.decode import ExampleFormat
    from pix2pix_tf.data.pipelines import Load
    from pix2pix_tf.training.schedules import EpochSchedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnpairedConfig(Config):
    """Options of one command of such a program, with the PyTorch code's names and defaults."""

    # Without validation, training translates nothing as test does.
    COMMANDS = {**COMMANDS, "train": dataclasses.replace(COMMANDS["train"], extra="")}
    resize_method, scale_option = "bicubic", "load_size"

    # Run
    input_dir: Path | None = override_option(
        "input_dir",
        help="Folder with the folders trainA and trainB (train), testA and testB (test), or "
        "tfds:cycle_gan/NAME for a data set of TensorFlow Datasets; test also takes a folder of "
        "images.",
    )
    input_dir_A: Path | None = run_option(
        None, "Folder of images of A, in place of the one in --input_dir.", inherit="run"
    )
    input_dir_B: Path | None = run_option(
        None, "Folder of images of B, in place of the one in --input_dir.", inherit="run"
    )

    # Training
    gan_mode: str = override_option("gan_mode", default="lsgan")
    n_epochs: int = training_option(100, "Epochs at the full learning rate.", ge=0, le=MOST_STEPS)
    n_epochs_decay: int = training_option(
        100,
        "Further epochs, over which --lr_policy linear falls to zero; training ends after them, "
        "or at --max_steps.",
        ge=0,
        le=MOST_STEPS,
    )
    lr_policy: str = training_option(
        "linear",
        "How the learning rate falls: linear; step, to a tenth every --lr_decay_iters epochs; "
        "cosine, to zero over --n_epochs, after which it rises again.",
        choices=("linear", "step", "cosine"),
    )
    lr_decay_iters: int = training_option(
        50,
        "Epochs between two drops of --lr_policy step.",
        ge=1,
        le=MOST_STEPS,
        only_with="lr_policy=step",
    )

    # Data
    direction: str = data_option(
        "AtoB", "Translate A to B or B to A.", choices=("AtoB", "BtoA"), inherit="run"
    )
    load_size: sizes.Size = data_option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        alias="scale_size",
        ge=1,
        le=MOST_PIXELS,
    )
    input_channels: int = override_option(
        "input_channels",
        help="Channels of images of A. 1, 3 and 4 are converted from what files have; other "
        "numbers must match the files.",
    )

    # Model
    netG: str = override_option("netG", default="resnet_9blocks")
    norm: str = override_option("norm", default="instance")
    dropout: bool = override_option("dropout", default=False, help="Dropout in the generators.")

    def _require_input(self) -> None:
        folders = {"A": self.input_dir_A, "B": self.input_dir_B}
        if self.command == COMPARE or not any(folders.values()):
            self._require("input_dir")
        elif self.command != CHECK_DATA:
            domains = {direction[0] for direction in self.directions}
            domains = {*"AB"} if self.mode == "train" else domains
            self._require_sides({domain: folders[domain] for domain in sorted(domains)})

    @property
    def scale_size(self) -> sizes.Size:
        """`load_size`, under the name that both programs share."""
        return self.load_size

    @property
    def directions(self) -> tuple[str, ...]:
        """The direction of the command."""
        return (self.direction,)

    @property
    def readings(self) -> "tuple[ExampleFormat, ExampleFormat]":
        """How images of A and images of B are read."""
        from pix2pix_tf.data.decode import ExampleFormat

        a, b = (ExampleFormat(dataset_mode="single", sides=(side, side)) for side in self.sides)
        return a, b

    def domains(self, phase: str) -> tuple[Path | None, Path | None]:
        """The folders of A and B.

        Args:
            phase: "train" or "test".

        Returns:
            Two paths, None for a domain that no option names.
        """
        folder = self.input_dir
        a, b = (folder and folder / f"{phase}{domain}" for domain in "AB")
        return self.input_dir_A or a, self.input_dir_B or b


unpaired_option = partial(options.override_option, UnpairedConfig)
UnpairedConfigT = TypeVar("UnpairedConfigT", bound=UnpairedConfig)


def learning_rate(config: UnpairedConfig, steps_per_epoch: int | None) -> "float | EpochSchedule":
    """The learning rate of a run; constant without the number of updates per epoch."""
    from pix2pix_tf.training.schedules import EpochSchedule

    if steps_per_epoch is None:
        return config.lr
    return EpochSchedule(
        config.lr,
        policy=config.lr_policy,
        steps_per_epoch=steps_per_epoch,
        n_epochs=config.n_epochs,
        n_epochs_decay=config.n_epochs_decay,
        lr_decay_iters=config.lr_decay_iters,
    )


class UnpairedTask(Task[UnpairedConfigT, ModelT]):
    """The data, the batches and the demonstration of such a program.

    A subclass adds the model, what it shows of a batch, and how it translates.
    """

    is_paired = False
    extend_flag = "--n_epochs or --n_epochs_decay"

    def unpack_data(self, config: UnpairedConfigT) -> UnpairedConfigT:
        if not (name := str(config.input_dir)).startswith(TFDS):
            return config
        unpack = import_tfds("unpack_unpaired", name)
        return dataclasses.replace(config, input_dir=unpack(name))

    def data_sets(self, config: UnpairedConfigT) -> dict[str, DatasetFiles]:
        """The sets of both domains; only the named folders, or those that --input_dir contains."""
        named = {"A": config.input_dir_A, "B": config.input_dir_B}
        folders = {domain: folder for domain, folder in named.items() if folder}
        if config.input_dir:
            unnamed = [domain for domain in named if domain not in folders]
            names = [f"{phase}{domain}" for phase in ("train", "test") for domain in unnamed]
            folders |= {name: config.input_dir / name for name in names}
        existing = {name for name, folder in folders.items() if _is_folder(folder)}
        if existing & {"trainA", "trainB"}:
            # Training needs both domains, test one.
            existing |= {"trainA", "trainB"} & folders.keys()
        existing |= {"A", "B"} & folders.keys()
        folders = {name: folder for name, folder in folders.items() if name in existing}
        # A folder of images is a set of the domain that test would translate from.
        folders = folders or {config.directions[0][0]: config.input_folder}
        return {name: self._list(config, folder, name[-1]) for name, folder in folders.items()}

    def training_files(self, config: UnpairedConfigT) -> tuple[UnpairedConfigT, TrainingFiles]:
        sets = {
            domain: self._list(config, _find_folder(config, "train", domain), domain)
            for domain in "AB"
        }
        return self.check_training_files(config, sets)

    def test_directions(
        self, config: UnpairedConfigT, explicit: Collection[str]
    ) -> tuple[str, ...]:
        """The directions that test and evaluate translate in; see `test_files`."""
        return config.directions

    def test_files(
        self, config: UnpairedConfigT, explicit: Collection[str] = ()
    ) -> dict[str, list[Example]]:
        """The files of each direction: of testA and testB, or of one folder of images."""
        is_there = [_is_folder(folder) for folder in config.domains("test")]
        directions = self.test_directions(config, explicit)
        named = config.input_dir_A if directions[0] == "AtoB" else config.input_dir_B
        if len(directions) == 2 or named or any(is_there):
            folders = {d: _find_folder(config, "test", d[0]) for d in directions}
        else:
            folders = {directions[0]: config.input_folder}
        return {
            direction: self.check_test_files(config, self._list(config, folder, direction[0]))
            for direction, folder in folders.items()
        }

    def target_files(self, config: UnpairedConfigT, direction: str) -> list[str] | None:
        """The files of the domain that is translated to; none where its folder is not there."""
        from pix2pix_tf.evaluation import comparison

        domain = "AB".index(direction[-1])
        folder = config.target_dir or config.domains("test")[domain]
        if folder is None or not (config.target_dir or _is_folder(folder)):
            return []
        return comparison.ground_truth(folder, side=config.sides[domain])

    def training_formats(self, config: UnpairedConfigT) -> "dict[str, ExampleFormat]":
        return dict(zip("AB", config.readings, strict=True))

    def test_format(self, config: UnpairedConfigT, direction: str) -> "ExampleFormat":
        return config.readings["AB".index(direction[0])]

    def _list(self, config: UnpairedConfigT, folder: Path, domain: str) -> DatasetFiles:
        images = listing.list_images(folder, recursive=config.recursive)
        return self.contents(config, images, domain, [folder])

    def epochs(self, config: UnpairedConfigT) -> int:
        return config.n_epochs + config.n_epochs_decay

    def example_loader(self, config: UnpairedConfigT, files: TrainingFiles) -> "Load":
        from pix2pix_tf.data import cache, pipelines

        paths_a, paths_b = _paths(files)
        folder = config.output_folder / run_folder.CACHE
        fetch_a, fetch_b = (
            cache.make(config.cache, reading, paths, folder=folder / domain)
            for reading, paths, domain in zip(
                config.readings, (paths_a, paths_b), "AB", strict=True
            )
        )
        return pipelines.unpaired_loader(
            paths_a,
            paths_b,
            readings=config.readings,
            framing=config.framing,
            seed=config.seed or 0,
            flip=config.flip,
            fetches=(fetch_a, fetch_b),
        )

    def batch_names(self, config: UnpairedConfigT, files: TrainingFiles, step: int) -> list[str]:
        from pix2pix_tf.data import pipelines

        batch = pipelines.unpaired_paths(
            *_paths(files), step - 1, batch_size=config.batch_size, seed=config.seed or 0
        )
        return [f"{a}-{b}" for a, b in zip(*map(listing.names, batch), strict=True)]

    def keeps_colours(self, config: UnpairedConfigT) -> bool:
        return len(set(config.channels)) == 1

    def draw_demo(self, config: UnpairedConfigT, folder: Path) -> None:
        print("drawing 300 facades by day and by night")
        size = max(sizes.sides(config.crop_size))
        facades.write_unpaired(folder, 150, seed=config.seed or 0, test_count=20, size=size)

    def demo_targets(
        self, config: UnpairedConfigT, examples: Mapping[str, list[Example]]
    ) -> Mapping[str, list[Example]]:
        """Image by image the same houses, by day and by night."""
        folders = dict(zip("AB", config.domains("test"), strict=True))
        return {
            direction: [*listing.list_images(folders[direction[-1]] or config.input_folder)]
            for direction in examples
        }

    def summarize_demo(
        self, mean: Mapping[str, float], context: Mapping[str, float]
    ) -> DemoSummary:
        lines, has_learned = [], True
        for direction, words in (("AtoB", "day to night"), ("BtoA", "night to day")):
            if f"L1 {direction}" not in mean:
                continue
            l1, unchanged = mean[f"L1 {direction}"], mean[f"L1 of the input {direction}"]
            lines.append(f"{words}: held-out L1 {l1:.3f}; of the unchanged input {unchanged:.3f}")
            has_learned = has_learned and l1 < unchanged
        return DemoSummary(lines, has_learned)


def _is_folder(path: Path | None) -> bool:
    return path is not None and path.is_dir()


def _find_folder(config: UnpairedConfig, phase: str, domain: str) -> Path:
    """The folder of a domain for "train" or "test"."""
    folder = config.domains(phase)["AB".index(domain)]
    is_named = {"A": config.input_dir_A, "B": config.input_dir_B}[domain] is not None
    if folder is None or not (is_named or _is_folder(folder)):
        raise InputError(
            f"Expected --input_dir to contain the folder {phase}{domain}, or --input_dir_{domain}. "
            f"Received: {config.input_dir}"
        )
    return folder


def _paths(files: TrainingFiles) -> tuple[list[str], list[str]]:
    """The files of A and of B."""
    return listing.files(files.sets["A"]), listing.files(files.sets["B"])
