"""What the modes of cyclegan-tf do once TensorFlow is loaded."""

import functools
from pathlib import Path

from cyclegan_tf import data
from cyclegan_tf import model as models
from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf.commands import datasets, runs, saving
from pix2pix_tf.commands.train import Training
from pix2pix_tf.data import images, listing, pipelines
from pix2pix_tf.evaluation import results as result_files
from pix2pix_tf.export.saved_model import ServedModel
from pix2pix_tf.inference import files as image_files
from pix2pix_tf.inference.predictor import Predictor
from pix2pix_tf.networks.layers import check_choice
from pix2pix_tf.training import checkpoints, losses, runtime

# The generators that translate there and back, and the domains of what goes in and comes out.
DIRECTIONS = {"AtoB": ("gen_ab", "gen_ba", "A", "B"), "BtoA": ("gen_ba", "gen_ab", "B", "A")}


def training(config, *, paths):
    """The training of one run.

    Args:
        config: `CycleGANConfig` with a seed.
        paths: (files of A, files of B).

    Returns:
        `train.Training`.
    """
    fetches = data.caches(config, paths)
    return Training(
        examples=max(map(len, paths)),
        epochs=config.n_epochs + config.n_epochs_decay,
        longer="--n_epochs or --n_epochs_decay",
        build=lambda steps_per_epoch: models.build(config, steps_per_epoch=steps_per_epoch),
        batches=functools.partial(data.training_batches, config, paths, fetches=fetches),
        named=lambda: data.bad_files_named(config, paths),
        progress={
            "cyc": "generator_loss_cycle_A",
            "D": "discriminator_loss_A",
            "G": "generator_loss_GAN_BA",
        },
        images=_pictures,
        show=functools.partial(_show, config, paths=paths),
        write_report=lambda: _write_report(config),
        translate=lambda model, batch: {
            "fake_B": (batch[0], model.gen_ab(batch[0])),
            "fake_A": (batch[1], model.gen_ba(batch[1])),
        },
        inversion=len(set(config.channels)) == 1,
        undecided=losses.undecided(
            "discriminator_loss_A",
            "discriminator_loss_B",
            mode=config.gan_mode,
            weight=models.DISCRIMINATOR_WEIGHT,
        ),
        options=runs.run_options(config, program=PROGRAM),
    )


def _pictures(batch, tensors):
    found = {"real_A": batch[0], "real_B": batch[1]}
    found |= {"fake_B": tensors["fake_b"], "rec_A": tensors["rec_a"]}
    found |= {"fake_A": tensors["fake_a"], "rec_B": tensors["rec_b"]}
    found |= {"idt_A": tensors["identity_a"], "idt_B": tensors["identity_b"]}
    return {
        kind: images.from_unit(images.viewable(images.from_signed(found[kind])))
        for kind in result_files.KINDS
        if kind in found
    }


def _show(config, step, pictures, *, paths):
    chosen = pipelines.unpaired_paths(
        *paths, step - 1, batch_size=config.batch_size, seed=config.seed
    )
    pairs = zip(*map(listing.names, chosen), strict=True)
    names = [f"{name_a}-{name_b}" for name_a, name_b in pairs]
    result_files.write_images(config.output_dir, names, pictures, step=step)
    _write_report(config)


def _write_report(config):
    result_files.write_training_report(
        config.output_dir,
        title=f"CycleGAN: training of {Path(config.output_dir).name}",
        options=runs.run_options(config, program=PROGRAM),
    )


def load_generators(config, checkpoint):
    """Builds both generators of a run and restores their weights, averaged ones if there are any.

    Args:
        config: `CycleGANConfig` with the run's architecture.
        checkpoint: Checkpoint file.

    Returns:
        Dict from "gen_ab" and "gen_ba" to `keras.Model`.
    """
    found = models.build_generators(config)
    variables = [variable for network in found.values() for variable in network.variables]
    checkpoints.restore_weights(checkpoint, variables, averaged=config.ema)
    return found


def results(config, paths, *, checkpoint, truths=None):
    """Translates every file there and back and writes the pictures.

    Args:
        config: Resolved `CycleGANConfig`.
        paths: Dict from "AtoB" and "BtoA" to the files to translate that way.
        checkpoint: Checkpoint file.
        truths: As in `test`.

    Yields:
        The report's rows, with metrics, one by one.
    """
    runtime.prepare(seed=config.seed, deterministic=config.deterministic)
    generators = load_generators(config, checkpoint)
    for direction, files in paths.items():
        examples = list(zip(files, truths[direction], strict=True)) if truths else files
        yield from _translated(config, generators, examples, direction=direction)


def _translated(config, generators, examples, *, direction):
    """The report's rows of one direction; names are A-NAME or B-NAME, after the input's domain."""
    _, _, source, target = DIRECTIONS[direction]
    names, first = [f"{source}-{name}" for name in listing.names(examples)], 0
    translate = image_files.cycles(
        predictor(config, generators, direction),
        predictor(config, generators, "BtoA" if direction == "AtoB" else "AtoB"),
        direction=direction,
        framing=config.framing,
        with_targets=not isinstance(examples[0], str),
        batch_size=config.batch_size,
        seed=config.seed if config.test_dropout and config.dropout else None,
        target_type=datasets.types(config.checkpoint).get(target),
    )
    for found in translate(examples):
        done = names[first : first + len(found.depths)]
        first += len(done)
        rows = result_files.write_images(
            config.output_dir, done, found.pictures, aspect_ratio=config.aspect_ratio
        )
        result_files.write_exact(
            config.output_dir,
            done,
            outputs=found.outputs,
            depths=found.depths,
            sources=found.sources,
            selection=config.sides[0].selection,
            kind=f"fake_{target}",
        )
        for index, row in enumerate(rows):
            row["metrics"] = {name: float(values[index]) for name, values in found.metrics.items()}
        yield from rows


def predictor(config, generators, direction, *, exported=False):
    """The generator of a direction as a `Predictor`.

    Args:
        config: `CycleGANConfig` with the run's architecture.
        generators: Dict from "gen_ab" and "gen_ba" to the generators.
        direction: "AtoB" or "BtoA".
        exported: Whether it becomes part of an export, which is a graph.
    """
    return Predictor(
        generators[DIRECTIONS[direction][0]],
        sides=config.sides if direction == "AtoB" else config.sides[::-1],
        tile=0 if exported else config.tile,
        blend_tile=config.blend_tile if exported else 0,
        scratch_dir=config.scratch_dir,
    )


def served(config, checkpoint):
    """Dict from names of folders to (generator, `ServedModel` of it)."""
    generators, both = load_generators(config, checkpoint), config.direction == "both"
    found = {}
    for direction in DIRECTIONS if both else (config.direction,):
        exported = config.mode != "serve"
        translate = predictor(config, generators, direction, exported=exported)
        served = ServedModel(
            translate.generator,
            translate.unit,
            filetype=config.output_filetype,
            channels=translate.channels,
            value_ranges=tuple(side.value_range for side in translate.sides),
            target_type=datasets.types(config.checkpoint).get(direction[-1], "uint8"),
        )
        found[direction if both else ""] = (translate.generator, served)
    return found


def load(run, *, direction="AtoB", tile=0):
    """Loads one generator of a trained run.

    Args:
        run: Run folder, or one checkpoint file in it.
        direction: "AtoB" or "BtoA".
        tile: Side in pixels of the tiles in which larger images are translated; 0 for whole
            images.

    Returns:
        `Predictor`: a function from image arrays, or files, to the like.

    Raises:
        InputError: If there is no run of cyclegan-tf at that place, or its files are damaged.
    """
    check_choice("direction", direction, tuple(DIRECTIONS))
    options = {"mode": "export", "output_dir": ".", "direction": direction, "tile": tile}
    config = CycleGANConfig(**options, checkpoint=str(run))
    config, checkpoint = runs.use_run(config, {"direction"}, program=PROGRAM)
    return predictor(config, load_generators(config, checkpoint), direction)


def save_run(model, config, folder):
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
    saving.save_run(model, config, folder, program=PROGRAM, expected=models.describe(config))
