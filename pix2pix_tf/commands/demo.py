"""`--mode demo`: draws a data set, trains on it, tests on held-out images and exports."""

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.export import export
from pix2pix_tf.commands.program import Program
from pix2pix_tf.commands.test import translate
from pix2pix_tf.commands.train import train
from pix2pix_tf.errors import InputError, print_line


def demo(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Runs the whole demonstration, or resumes it."""
    shown = program.demo
    given = {name: value for name, value in shown.settings.items() if name not in explicit}
    config = dataclasses.replace(config, **given)
    folder = run_folder.local(config.output_dir, mode="demo")
    data, run = folder / "data", str(folder / "run")
    run_folder.prepare_folder(folder)
    runs.warn_without_effect(config, explicit)
    trained = dataclasses.replace(
        config,
        mode="train",
        input_dir=str(data / shown.train_dir),
        output_dir=run,
        resume=True,
        **shown.train_options,
    )
    if not run_folder.checkpoints(run):
        shown.draw(data, config)
    # The others are for the tests and the export that follow.
    used = set(explicit) - trained.without_effect(explicit).keys()
    if code := train(program, trained, used):
        return code
    tested = dataclasses.replace(
        config,
        mode="test",
        checkpoint=run,
        input_dir=str(data / shown.test_dir),
        output_dir=str(folder / "test"),
    )
    resolved, checkpoint = runs.use_run(tested, set(), program=program.name)
    examples = program.test_examples(resolved, set())
    translate(
        program,
        resolved,
        examples,
        checkpoint=checkpoint,
        targets=shown.targets(examples),
        context=shown.context(resolved, data),
    )
    exported = dataclasses.replace(tested, mode="export", output_dir=str(folder / "export"))
    export(program, exported, set())
    web_page = _page(program, exported, folder / "page")
    metrics = json.loads((folder / "test" / run_folder.METRICS).read_text(encoding="utf-8"))
    lines, has_learned = shown.summary({**metrics["mean"], "context": metrics["context"]})
    print("", *lines, sep="\n")
    if not has_learned:
        print_line(
            "The model is no better than a constant or unchanged image: train longer, without a "
            "small --max_steps."
        )
    print_line(f"images:         {folder / 'test' / run_folder.INDEX}")
    print_line(f"curves:         tensorboard --logdir {folder / 'run'}")
    print_line(f"exported model: {folder / 'export'}")
    print_line(f"web page:       {web_page}")
    return 0


def _page(program: Program, config: Any, folder: Path) -> str:
    """Exports the web page if its runtime is available; returns its path or the reason why not."""
    config = dataclasses.replace(
        config, export_format="web", output_dir=str(folder), quantize=None, tile=0
    )
    try:
        export(program, config, set())
    except InputError as error:
        return f"not written: {error}"
    return str(folder / run_folder.INDEX)
