"""The command cyclegan-tf: what each mode does, in the order in which it does it."""

import dataclasses
import functools
import json
import sys

from cyclegan_tf.config import PROGRAM, CycleGANConfig
from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, frame
from pix2pix_tf.config import ONE
from pix2pix_tf.data import check as data_check
from pix2pix_tf.data import sizes
from pix2pix_tf.demo import facades
from pix2pix_tf.training import runtime

SUMMARY = """
Learns to translate between two sets of images that are not paired (CycleGAN), on TensorFlow 2 and
Keras 3.

  cyclegan-tf                                       a demonstration on data that it draws itself
  cyclegan-tf --mode train --input_dir DIR --output_dir RUN         (DIR/trainA and DIR/trainB)
  cyclegan-tf --check_data --input_dir DIR          what is in a data set, and what is wrong
  cyclegan-tf --mode test --input_dir DIR --output_dir OUT --checkpoint RUN     (DIR/testA, B)
  cyclegan-tf --mode evaluate --input_dir DIR --output_dir OUT --checkpoint RUN
  cyclegan-tf --mode evaluate --input_dir OUTPUTS --target_dir TARGETS --output_dir OUT
  cyclegan-tf --mode export --output_dir OUT --checkpoint RUN --direction both
"""


def check(config, _typed):
    """Reads the whole data set and reports on it; returns the exit code."""
    config = _local(config)
    sets = {
        name: datasets.unpaired(config, folder, name[-1])
        for name, folder in _places(config).items()
    }
    lines, usable = data_check.report(sets)
    print("\n".join(lines))
    return 0 if usable else 1


def _local(config):
    """`config` with a data set of TensorFlow Datasets replaced by folders of its images."""
    if not frame.names_catalog(config.input_dir):
        return config
    catalog = frame.load_catalog(config.input_dir)
    return dataclasses.replace(config, input_dir=catalog.unpack_unpaired(config.input_dir))


def _places(config):
    """Dict from names, which end with the domain, to the folders of a data set."""
    if config.input_dir_A and config.input_dir_B:
        return dict(zip("AB", config.domains("train"), strict=True))
    places = {
        f"{phase}{domain}": folder
        for phase in ("train", "test")
        for domain, folder in zip("AB", config.domains(phase), strict=True)
    }
    found = {name for name, folder in places.items() if run_folder.place(folder).is_dir()}
    # Training needs both domains, test one.
    found |= {"trainA", "trainB"} if found & {"trainA", "trainB"} else set()
    alone = {"B" if config.direction == "BtoA" else "A": config.input_dir}
    return {name: places[name] for name in places if name in found} or alone


def train(config, typed):
    """Trains a new run or goes on with one; returns the exit code."""
    begun = frame.begin_run(config, typed, program=PROGRAM, draw_seed=runtime.draw_seed)
    with begun as start:
        config = _local(start.config)
        start = dataclasses.replace(start, config=config)
        folders = zip(config.domains("train"), "AB", strict=True)
        sets = [datasets.unpaired(config, folder, domain) for folder, domain in folders]
        config, paths = datasets.training_examples(config, sets)
        start = dataclasses.replace(start, config=config)
        frame.store(config, program=PROGRAM)
        frame.announce(config, program=PROGRAM)
        print("examples count =", *map(len, paths))
        runtime.load_tensorflow(starting=config.strategy == ONE)

        from cyclegan_tf import modes
        from pix2pix_tf.commands.train import train as run

        make = functools.partial(modes.training, paths=paths)
        step, stopped = run(start, make, files=[*paths[0], *paths[1]])
    return frame.ended(config, step=step, stopped=stopped)


def _checked(config, folder, domain):
    """The images of a folder of domain "A" or "B", each looked at."""
    return datasets.checked(config, datasets.unpaired(config, folder, domain))


def test(config, typed):
    """Translates folders there and back."""
    config, checkpoint = frame.use_run(config, typed, program=PROGRAM)
    config = _local(config)
    paths = _test_paths(config)
    run_folder.prepare_folder(config.output_dir)
    frame.announce(config, program=PROGRAM)
    print("examples count =", *map(len, paths.values()))
    runtime.load_tensorflow()

    from cyclegan_tf import modes

    print("wrote index at", modes.test(config, paths, checkpoint=checkpoint))


def _test_paths(config):
    """Dict from direction to files: of testA and testB, or of one folder of images."""
    directions = ("AtoB", "BtoA") if config.direction == "both" else (config.direction,)
    places = dict(zip(("AtoB", "BtoA"), config.domains("test"), strict=True))
    if (
        not any(run_folder.place(place).is_dir() for place in places.values())
        and len(directions) == 1
    ):
        places[directions[0]] = config.input_dir
    return {way: _checked(config, places[way], way[0]) for way in directions}


def evaluate(config, typed):
    """Measures a run on folders there and back, or pictures against others without any model."""
    run_folder.local(config.output_dir, flag="--output_dir", mode="evaluate")
    paths = checkpoint = None
    if config.checkpoint:
        config, checkpoint = frame.use_run(config, typed, program=PROGRAM)
        config = _local(config)
        if "direction" not in typed and all(
            run_folder.place(one).is_dir() for one in config.domains("test")
        ):
            config = dataclasses.replace(config, direction="both")
        paths = _test_paths(config)
    run_folder.prepare_folder(config.output_dir)
    frame.announce(config, program=PROGRAM)
    runtime.load_tensorflow()

    from cyclegan_tf import evaluating

    print("wrote index at", evaluating.evaluate(config, paths, checkpoint=checkpoint))


def export(config, typed):
    """Writes the generators for another runtime."""
    config, checkpoint = frame.use_run(config, typed, program=PROGRAM)
    with run_folder.locked(run_folder.local(config.output_dir, flag="--output_dir", mode="export")):
        frame.announce(config, program=PROGRAM)
        runtime.load_tensorflow()

        from cyclegan_tf import modes

        for exported in modes.export(config, checkpoint=checkpoint):
            print(exported)


# Settings of the demonstration: what 2 CPU cores learn in about three minutes.
DEMO = {
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
DEMO_IMAGES, DEMO_TEST_IMAGES = 150, 20


def demo(config, typed):
    """Draws facades by day and by night, trains unpaired, tests against the truth and exports."""
    given = {name: value for name, value in DEMO.items() if name not in typed}
    config = dataclasses.replace(config, **given)
    folder = run_folder.local(config.output_dir, flag="--output_dir", mode="demo")
    run, data = str(folder / "run"), folder / "data"
    run_folder.prepare_folder(folder)
    if not run_folder.checkpoints(run):
        print(f"drawing {2 * DEMO_IMAGES} facades by day and by night")
        facades.write_unpaired(
            data,
            DEMO_IMAGES,
            seed=config.seed,
            test_count=DEMO_TEST_IMAGES,
            size=max(sizes.sides(config.crop_size)),
        )
    place = {"input_dir": str(data), "direction": "AtoB"}
    trained = dataclasses.replace(config, mode="train", output_dir=run, resume=True, **place)
    if code := train(trained, typed):
        return code
    place = {"resume": False, "checkpoint": run, "input_dir": str(data)}
    _test_demo(dataclasses.replace(config, mode="test", output_dir=str(folder / "test"), **place))
    place["output_dir"] = str(folder / "export")
    export(dataclasses.replace(config, mode="export", **place), set())
    _report_demo(folder)
    return 0


def _test_demo(config):
    from cyclegan_tf import modes

    config, checkpoint = frame.use_run(config, set(), program=PROGRAM)
    paths = _test_paths(config)
    truths = {"AtoB": paths["BtoA"], "BtoA": paths["AtoB"]}
    modes.test(config, paths, checkpoint=checkpoint, truths=truths)


def _report_demo(folder):
    metrics = json.loads((folder / "test" / run_folder.METRICS).read_text(encoding="utf-8"))
    mean = metrics["mean"]
    print()
    for direction, words in (("AtoB", "day to night"), ("BtoA", "night to day")):
        found, nothing = mean[f"L1 {direction}"], mean[f"L1 of the input {direction}"]
        print(f"{words}: held-out L1 {found:.3f}; of leaving the picture as it is {nothing:.3f}")
    print(f"the pictures:        {folder / 'test' / run_folder.INDEX}")
    print(f"the curves:          tensorboard --logdir {folder / 'run'}")
    print(f"the exported models: {folder / 'export'}")


MODES = {
    "train": train,
    "test": test,
    "evaluate": evaluate,
    "export": export,
    "demo": demo,
    "check_data": check,
}


def main(argv=None):
    """Runs cyclegan-tf; returns the exit code."""
    return frame.run(
        argv, config_class=CycleGANConfig, program=PROGRAM, summary=SUMMARY, modes=MODES
    )


if __name__ == "__main__":
    sys.exit(main())
