"""`--mode demo`: draws a data set, trains on it, tests on held-out images and exports."""

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.export import export
from pix2pix_tf.commands.test import translate
from pix2pix_tf.commands.train import train
from pix2pix_tf.errors import InputError, print_line
from pix2pix_tf.task import ConfigT, ModelT, Task


def demo(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Runs the whole demonstration, or resumes it."""
    given = {name: value for name, value in task.demo_options.items() if name not in explicit}
    config = dataclasses.replace(config, **given)
    folder = run_folder.local(config.output_folder, mode="demo")
    data, run = folder / "data", folder / "run"
    run_folder.prepare_folder(folder)
    runs.warn_without_effect(config, explicit)
    trained = dataclasses.replace(
        config,
        mode="train",
        input_dir=data / task.demo_train_dir,
        output_dir=run,
        resume=True,
        **task.demo_training_options,
    )
    if not run_folder.checkpoints(run):
        task.draw_demo(config, data)
    if task.demo_palettes:
        run_folder.update_data(Path(run), palettes=task.demo_palettes)
    # The others are for the tests and the export that follow.
    used = set(explicit) - trained.without_effect(explicit).keys()
    if code := train(task, trained, used):
        return code
    tested = dataclasses.replace(
        config,
        mode="test",
        checkpoint=run,
        input_dir=data / task.demo_test_dir,
        output_dir=folder / "test",
    )
    resolved, checkpoint = runs.use_run(tested, set(), program=task.name)
    examples = task.test_files(resolved)
    translate(
        task,
        resolved,
        examples,
        checkpoint=checkpoint,
        targets=task.demo_targets(resolved, examples),
        context=task.demo_context(resolved, data),
    )
    exported = dataclasses.replace(tested, mode="export", output_dir=folder / "export")
    export(task, exported, set())
    web_page = _page(task, exported, folder / "page")
    metrics = json.loads((folder / "test" / run_folder.METRICS).read_text(encoding="utf-8"))
    summary = task.summarize_demo(metrics["mean"], metrics["context"])
    print("", *summary.lines, sep="\n")
    if not summary.has_learned:
        print_line(
            "The model is no better than a constant or unchanged image: train longer, without a "
            "small --max_steps."
        )
    print_line(f"images:         {folder / 'test' / run_folder.INDEX}")
    print_line(f"curves:         tensorboard --logdir {folder / 'run'}")
    print_line(f"exported model: {folder / 'export'}")
    print_line(f"web page:       {web_page}")
    return 0


def _page(task: Task[ConfigT, ModelT], config: ConfigT, folder: Path) -> str:
    """Exports the web page if its runtime is available; returns its path or the reason why not."""
    config = dataclasses.replace(
        config, export_format="web", output_dir=folder, quantize=None, tile=0
    )
    try:
        export(task, config, set())
    except InputError as error:
        return f"not written: {error}"
    return str(folder / run_folder.INDEX)
