"""CycleGAN as the commands see it: `CycleGANTask`; runs of it in Python: `load`, `save_run`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import run_folder
from pix2pix_tf.data import listing, sizes
from pix2pix_tf.data.check import DatasetFiles
from pix2pix_tf.data.listing import Example
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError
from pix2pix_tf.task import TFDS, DemoSummary, Direction, Task, TrainingFiles, import_tfds

if TYPE_CHECKING:  # methods that need TensorFlow import it when they are called
    import tensorflow as tf

    from cyclegan_tf.model import CycleGAN
    from pix2pix_tf.data.decode import ExampleFormat
    from pix2pix_tf.data.pipelines import Load
    from pix2pix_tf.inference.files import Translate
    from pix2pix_tf.inference.predictor import Predictor

# The directions and their generators.
GENERATORS = {"AtoB": "gen_ab", "BtoA": "gen_ba"}


class CycleGANTask(Task[CycleGANConfig, "CycleGAN"]):
    """CycleGAN: translation between two unpaired sets, in both directions."""

    name = PROGRAM
    title = "CycleGAN"
    config_class = CycleGANConfig
    directions = {
        "AtoB": Direction(output="fake_B", target="true_B", label=" AtoB", prefix="A-"),
        "BtoA": Direction(output="fake_A", target="true_A", label=" BtoA", prefix="B-"),
    }
    is_paired = False
    extend_flag = "--n_epochs or --n_epochs_decay"
    progress_losses = {
        "cyc": "generator_loss_cycle_A",
        "D": "discriminator_loss_A",
        "G": "generator_loss_GAN_BA",
    }

    def unpack_data(self, config: CycleGANConfig) -> CycleGANConfig:
        if not (name := str(config.input_dir)).startswith(TFDS):
            return config
        unpack = import_tfds("unpack_unpaired", name)
        return dataclasses.replace(config, input_dir=unpack(name))

    def data_sets(self, config: CycleGANConfig) -> dict[str, DatasetFiles]:
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
        folders = folders or {"B" if config.direction == "BtoA" else "A": config.input_folder}
        return {name: self._list(config, folder, name[-1]) for name, folder in folders.items()}

    def training_files(self, config: CycleGANConfig) -> tuple[CycleGANConfig, TrainingFiles]:
        sets = {
            domain: self._list(config, _find_folder(config, "train", domain), domain)
            for domain in "AB"
        }
        return self.check_training_files(config, sets)

    def test_files(
        self, config: CycleGANConfig, explicit: Collection[str] = ()
    ) -> dict[str, list[Example]]:
        """The files of each direction: of testA and testB, or of one folder of images."""
        is_there = [_is_folder(folder) for folder in config.domains("test")]
        directions = config.directions
        if config.mode == "evaluate" and "direction" not in explicit and all(is_there):
            directions = tuple(GENERATORS)
        named = config.input_dir_A if directions[0] == "AtoB" else config.input_dir_B
        if len(directions) == 2 or named or any(is_there):
            folders = {d: _find_folder(config, "test", d[0]) for d in directions}
        else:
            folders = {directions[0]: config.input_folder}
        return {
            direction: self.check_test_files(config, self._list(config, folder, direction[0]))
            for direction, folder in folders.items()
        }

    def target_files(self, config: CycleGANConfig, direction: str) -> list[str] | None:
        """The files of the domain that is translated to; none where its folder is not there."""
        from pix2pix_tf.evaluation import comparison

        domain = "AB".index(direction[-1])
        folder = config.target_dir or config.domains("test")[domain]
        if folder is None or not (config.target_dir or _is_folder(folder)):
            return []
        return comparison.ground_truth(folder, side=config.sides[domain])

    def training_formats(self, config: CycleGANConfig) -> dict[str, ExampleFormat]:
        return dict(zip("AB", config.readings, strict=True))

    def test_format(self, config: CycleGANConfig, direction: str) -> ExampleFormat:
        return config.readings["AB".index(direction[0])]

    def _list(self, config: CycleGANConfig, folder: Path, domain: str) -> DatasetFiles:
        images = listing.list_images(folder, recursive=config.recursive)
        return self.contents(config, images, domain, [folder])

    def epochs(self, config: CycleGANConfig) -> int:
        return config.n_epochs + config.n_epochs_decay

    def describe_model(self, config: CycleGANConfig) -> CycleGAN:
        from cyclegan_tf import model

        return model.make_model(config)

    def build_model(self, config: CycleGANConfig, *, steps_per_epoch: int) -> CycleGAN:
        from cyclegan_tf import model

        return model.build(config, steps_per_epoch=steps_per_epoch)

    def example_loader(self, config: CycleGANConfig, files: TrainingFiles) -> Load:
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

    def batch_names(self, config: CycleGANConfig, files: TrainingFiles, step: int) -> list[str]:
        from pix2pix_tf.data import pipelines

        batch = pipelines.unpaired_paths(
            *_paths(files), step - 1, batch_size=config.batch_size, seed=config.seed or 0
        )
        return [f"{a}-{b}" for a, b in zip(*map(listing.names, batch), strict=True)]

    def sample_images(
        self,
        config: CycleGANConfig,
        batch: tuple[tf.Tensor, tf.Tensor],
        tensors: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        from pix2pix_tf.data import images

        samples = {
            "real_A": batch[0],
            "fake_B": tensors["fake_b"],
            "rec_A": tensors["rec_a"],
            "idt_A": tensors["identity_a"],
            "real_B": batch[1],
            "fake_A": tensors["fake_a"],
            "rec_B": tensors["rec_b"],
            "idt_B": tensors["identity_b"],
        }
        return {
            kind: images.from_unit(images.viewable(images.from_signed(tensor)))
            for kind, tensor in samples.items()
        }

    def translate_batch(
        self, model: CycleGAN, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        real_a, real_b = batch
        return {
            "fake_B": (real_a, model.gen_ab(real_a)),
            "fake_A": (real_b, model.gen_ba(real_b)),
        }

    def chance_losses(self, config: CycleGANConfig) -> dict[str, float]:
        from cyclegan_tf.model import DISCRIMINATOR_WEIGHT
        from pix2pix_tf.training import losses

        return losses.chance_level(
            "discriminator_loss_A",
            "discriminator_loss_B",
            mode=config.gan_mode,
            weight=DISCRIMINATOR_WEIGHT,
        )

    def keeps_colours(self, config: CycleGANConfig) -> bool:
        return len(set(config.channels)) == 1

    def load_predictors(
        self, config: CycleGANConfig, checkpoint: Path, *, exported: bool = False
    ) -> dict[str, Predictor]:
        from cyclegan_tf.model import build_generators
        from pix2pix_tf.inference.predictor import Predictor
        from pix2pix_tf.training import checkpoints

        generators = build_generators(config)
        variables = [variable for network in generators.values() for variable in network.variables]
        checkpoints.restore_weights(checkpoint, variables, averaged=config.ema)
        types = self.stored_types(config)
        return {
            direction: Predictor(
                generators[name],
                sides=config.sides if direction == "AtoB" else config.sides[::-1],
                tile=0 if exported else config.tile,
                scratch_dir=config.scratch_dir,
                target_type=types.get(direction[-1]),
            )
            for direction, name in GENERATORS.items()
        }

    def load_translators(
        self, config: CycleGANConfig, checkpoint: Path, *, with_targets: bool = False
    ) -> dict[str, Translate]:
        """The functions that translate files there and back."""
        from pix2pix_tf.inference import files

        predictors = self.load_predictors(config, checkpoint)
        return {
            direction: files.cycles(
                predictor,
                predictors[f"{direction[-1]}to{direction[0]}"],
                direction=direction,
                framing=config.framing,
                with_targets=with_targets,
                batch_size=config.batch_size,
                seed=config.seed if config.test_dropout and config.dropout else None,
            )
            for direction, predictor in predictors.items()
        }

    demo_options = {
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
    }
    demo_training_options = {"direction": "AtoB"}

    def draw_demo(self, config: CycleGANConfig, folder: Path) -> None:
        print("drawing 300 facades by day and by night")
        size = max(sizes.sides(config.crop_size))
        facades.write_unpaired(folder, 150, seed=config.seed or 0, test_count=20, size=size)

    def demo_targets(self, examples: Mapping[str, list[Example]]) -> Mapping[str, list[Example]]:
        """Image by image the same houses, by day and by night."""
        return {"AtoB": examples["BtoA"], "BtoA": examples["AtoB"]}

    def summarize_demo(
        self, mean: Mapping[str, float], context: Mapping[str, float]
    ) -> DemoSummary:
        lines, has_learned = [], True
        for direction, words in (("AtoB", "day to night"), ("BtoA", "night to day")):
            l1, unchanged = mean[f"L1 {direction}"], mean[f"L1 of the input {direction}"]
            lines.append(f"{words}: held-out L1 {l1:.3f}; of the unchanged input {unchanged:.3f}")
            has_learned = has_learned and l1 < unchanged
        return DemoSummary(lines, has_learned)


def _is_folder(path: Path | None) -> bool:
    return path is not None and path.is_dir()


def _find_folder(config: CycleGANConfig, phase: str, domain: str) -> Path:
    """The folder of a domain for "train" or "test"."""
    folder = config.domains(phase)["AB".index(domain)]
    is_named = {"A": config.input_dir_A, "B": config.input_dir_B}[domain] is not None
    if folder is None or not (is_named or _is_folder(folder)):
        raise InputError(
            f"Expected --input_dir to contain the folder {phase}{domain}, or --input_dir_{domain}. "
            f"Received: {config.input_dir}"
        )
    return folder


def _paths(files: TrainingFiles) -> tuple[Sequence[str], Sequence[str]]:
    """The files of A and of B."""
    return listing.files(files.sets["A"]), listing.files(files.sets["B"])


def load(run: str | os.PathLike[str], *, direction: str = "AtoB", tile: int = 0) -> Predictor:
    """Loads one generator of a trained run.

    Args:
        run: Run folder, or one checkpoint file in it.
        direction: "AtoB" or "BtoA".
        tile: Side in pixels of the tiles in which larger images are translated; 0 for whole
            images.

    Returns:
        `Predictor`: translates image arrays, or files.

    Raises:
        InputError: If there is no run of cyclegan-tf at that place, or its files are damaged.
    """
    from pix2pix_tf import api
    from pix2pix_tf.networks.layers import check_choice

    check_choice("direction", direction, tuple(GENERATORS))
    path = run_folder.as_run_path(run)
    config = CycleGANConfig(
        mode="export", output_dir=Path(), direction=direction, tile=tile, checkpoint=path
    )
    return api.load_predictor(CycleGANTask(), config)


def save_run(model: CycleGAN, config: CycleGANConfig, folder: str | os.PathLike[str]) -> None:
    """Writes a run folder of a model that was trained with `fit`.

    Test, export, serve, `load` and `--resume` accept it as a run of cyclegan-tf. Saving a later
    step to the same folder adds a checkpoint.

    Args:
        model: A built and compiled `CycleGAN`.
        config: `CycleGANConfig` that describes the model; its options of training and of data are
            those that resuming goes by.
        folder: Run folder.

    Raises:
        InputError: If `config` describes another model, the model is not built and compiled, or
            the folder contains a later step.
    """
    from pix2pix_tf import api

    api.save_task_run(CycleGANTask(), model, config, folder)
