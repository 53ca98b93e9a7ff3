"""The command pix2pix-tf: what each mode does, in the order in which it does it."""

import dataclasses
import functools
import json
import sys
from pathlib import Path

from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, frame
from pix2pix_tf.config import ONE, PROGRAM, Pix2PixConfig
from pix2pix_tf.data import check as data_check
from pix2pix_tf.data import listing
from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError
from pix2pix_tf.server import sources
from pix2pix_tf.training import runtime

SUMMARY = """
Learns to translate images from pairs (pix2pix: conditional adversarial networks with a U-Net and
a 70x70 PatchGAN), on TensorFlow 2 and Keras 3.

  pix2pix-tf                                        a demonstration on data that it draws itself
  pix2pix-tf --mode train --input_dir DIR --output_dir RUN
  pix2pix-tf --check_data --input_dir DIR           what is in a data set, and what is wrong
  pix2pix-tf --mode test --input_dir DIR --output_dir OUT --checkpoint RUN
  pix2pix-tf --mode evaluate --input_dir DIR --output_dir OUT --checkpoint RUN
  pix2pix-tf --mode evaluate --input_dir OUTPUTS --target_dir TARGETS --output_dir OUT
  pix2pix-tf --mode export --output_dir OUT --checkpoint RUN [--export_format onnx]
  pix2pix-tf --mode serve --checkpoint RUN          a page to draw on, and HTTP
"""


def check(config, _typed):
    """Reads the whole data set and reports on it; returns the exit code."""
    config = _local(config)
    try:
        if config.input_dir_A and config.input_dir_B:
            sets = {"A and B": datasets.paired(config, None)}
        else:
            sets = {
                name: datasets.paired(config, folder)
                for name, folder in data_check.data_sets(config.input_dir).items()
            }
    except FileNotFoundError:
        raise InputError(
            f"Expected --input_dir to be a folder. Received: {config.input_dir}"
        ) from None
    lines, usable = data_check.report(sets)
    if config.input_dir and not data_check.has_images(config.input_dir):
        usable = False
        lines[-1] = (
            f"training or testing would fail: {config.input_dir} contains no images itself; "
            f"--input_dir {next(iter(data_check.data_sets(config.input_dir).values()))}"
        )
    print("\n".join(lines))
    return 0 if usable else 1


def _local(config):
    """`config` with a data set of TensorFlow Datasets replaced by folders of its images."""
    if not frame.names_catalog(config.input_dir):
        return config
    catalog = frame.load_catalog(config.input_dir)
    training = config.mode not in ("test", "evaluate")
    folder, mode = catalog.unpack(config.input_dir, training=training)
    return dataclasses.replace(config, input_dir=folder, dataset_mode=mode)


def train(config, typed):
    """Trains a new run or goes on with one; returns the exit code."""
    begun = frame.begin_run(config, typed, program=PROGRAM, draw_seed=runtime.draw_seed)
    with begun as start:
        config = _local(start.config)
        start = dataclasses.replace(start, config=config)
        contents = datasets.paired(config, config.input_dir)
        config, (paths,) = datasets.training_examples(
            config, [contents], direction=config.which_direction
        )
        start = dataclasses.replace(start, config=config)
        frame.store(config, program=PROGRAM)
        validated = _checked(config, config.val_dir) if config.val_dir else ()
        frame.announce(config, program=PROGRAM)
        print("examples count =", len(paths))
        runtime.load_tensorflow(starting=config.strategy == ONE)

        from pix2pix_tf.commands import modes
        from pix2pix_tf.commands.train import train as run

        make = functools.partial(modes.training, paths=paths, validated=validated)
        step, stopped = run(start, make, files=[*paths, *validated])
    return frame.ended(config, step=step, stopped=stopped)


def _checked(config, folder):
    """The examples of a folder, each looked at."""
    contents = datasets.paired(config, folder)
    return datasets.checked(config, contents, direction=config.which_direction)


def test(config, typed):
    """Translates a folder of pairs and measures the results."""
    config, checkpoint = frame.use_run(config, typed, program=PROGRAM)
    config = _local(config)
    paths = _checked(config, config.input_dir)
    run_folder.prepare_folder(config.output_dir)
    frame.announce(config, program=PROGRAM)
    print("examples count =", len(paths))
    runtime.load_tensorflow()

    from pix2pix_tf.commands import modes

    index = modes.test(config, paths, checkpoint=checkpoint)
    print("wrote index at", index)
    return 0


def evaluate(config, typed):
    """Measures a run on a folder, or pictures against others without any model."""
    run_folder.local(config.output_dir, flag="--output_dir", mode="evaluate")
    paths = checkpoint = None
    if config.checkpoint:
        config, checkpoint = frame.use_run(config, typed, program=PROGRAM)
        config = _local(config)
        paths = _checked(config, config.input_dir)
    run_folder.prepare_folder(config.output_dir)
    frame.announce(config, program=PROGRAM)
    runtime.load_tensorflow()

    from pix2pix_tf.commands import evaluating

    print("wrote index at", evaluating.evaluate(config, paths, checkpoint=checkpoint))
    return 0


def export(config, typed):
    """Writes the generator for another runtime."""
    config, checkpoint = frame.use_run(config, typed, program=PROGRAM)
    with run_folder.locked(run_folder.local(config.output_dir, flag="--output_dir", mode="export")):
        frame.announce(config, program=PROGRAM)
        runtime.load_tensorflow()

        from pix2pix_tf.commands import modes

        print(modes.export(config, checkpoint=checkpoint))


def serve(config, typed):
    """Serves runs and SavedModels over HTTP, with a page to draw on."""
    try:
        from pix2pix_tf.server import run
    except ImportError as error:
        raise InputError(
            f"Expected the extra of --mode serve: pip install 'pix2pix-tf[serve]'. "
            f"Received: no module {error.name}"
        ) from None
    found = sources.find(config.checkpoint)
    with run.listen(config.host, config.port) as listener:
        runtime.load_tensorflow()

        from pix2pix_tf.commands import serving

        serving.serve(config, found, listener=listener)


# Settings of the demonstration: what 2 CPU cores learn in about three minutes.
DEMO = {
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
DEMO_PAIRS, DEMO_TEST_PAIRS = 400, 40


def demo(config, typed):
    """Draws a data set, trains on it, tests on held-out pairs and exports."""
    given = {name: value for name, value in DEMO.items() if name not in typed}
    config = dataclasses.replace(config, **given)
    folder = run_folder.local(config.output_dir, flag="--output_dir", mode="demo")
    data, run = folder / "data", str(folder / "run")
    run_folder.prepare_folder(folder)
    trained = dataclasses.replace(
        config, mode="train", input_dir=str(data / "train"), output_dir=run, resume=True
    )
    if not run_folder.checkpoints(run):
        print(f"drawing {DEMO_PAIRS + DEMO_TEST_PAIRS} facades")
        facades.write_pairs(data / "train", DEMO_PAIRS, seed=config.seed)
        facades.write_pairs(data / "val", DEMO_TEST_PAIRS, seed=config.seed, start=DEMO_PAIRS)
    if code := train(trained, typed):
        return code
    tested = dataclasses.replace(
        trained,
        resume=False,
        checkpoint=run,
        mode="test",
        input_dir=str(data / "val"),
        output_dir=str(folder / "test"),
    )
    _test_demo(tested)
    export(dataclasses.replace(tested, mode="export", output_dir=str(folder / "export")), set())
    _report_demo(folder)
    return 0


def _test_demo(config):
    from pix2pix_tf.commands import modes

    config, checkpoint = frame.use_run(config, set(), program=PROGRAM)
    paths = listing.list_images(config.input_dir)
    known = listing.list_images(Path(config.input_dir).with_name("train"))
    constant = modes.constant_image_l1(config, known=known, paths=paths)
    modes.test(config, paths, checkpoint=checkpoint, context={CONSTANT: constant})


CONSTANT = "L1 of the best constant image"


def _report_demo(folder):
    metrics = json.loads((folder / "test" / run_folder.METRICS).read_text(encoding="utf-8"))
    mean = metrics["mean"]
    print()
    print(f"held-out L1 {mean['L1']:.3f}, PSNR {mean['PSNR']:.2f} dB, SSIM {mean['SSIM']:.3f}")
    print(f"{CONSTANT} {metrics['context'][CONSTANT]:.3f}")
    print(f"the pictures:       {folder / 'test' / run_folder.INDEX}")
    print(f"the curves:         tensorboard --logdir {folder / 'run'}")
    print(f"the exported model: {folder / 'export'}")


MODES = {
    "train": train,
    "test": test,
    "evaluate": evaluate,
    "export": export,
    "serve": serve,
    "demo": demo,
    "check_data": check,
}


def main(argv=None):
    """Runs pix2pix-tf; returns the exit code."""
    return frame.run(
        argv, config_class=Pix2PixConfig, program=PROGRAM, summary=SUMMARY, modes=MODES
    )


if __name__ == "__main__":
    sys.exit(main())
