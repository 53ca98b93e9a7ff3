"""`--mode train`: builds a model, batches and callbacks from the options and calls `Model.fit`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import datasets, runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.commands.runs import Start
from pix2pix_tf.config import SINGLE
from pix2pix_tf.data import listing
from pix2pix_tf.errors import print_line
from pix2pix_tf.training import runtime

if TYPE_CHECKING:  # TensorFlow is loaded once the input is checked
    import keras
    import tensorflow as tf

    from pix2pix_tf.commands.program import Training
    from pix2pix_tf.training import callbacks
    from pix2pix_tf.training.gan import GAN


def train(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Trains a new run in the output folder, or resumes one."""
    with runs.begin_run(config, explicit, program=program.name) as start:
        config = runs.unpack(start.config, is_paired=program.is_paired)
        config, examples, types = program.training_examples(config)
        if start.writes:
            folder = run_folder.place(config.output_dir)
            resolved = runs.run_options(config, program=program.name)
            run_folder.write_json(folder / run_folder.OPTIONS, resolved)
            datasets.store_types(folder, types)
        runs.announce(config, explicit)
        print("examples count =", *(len(examples[name]) for name in examples if name != "val"))
        runtime.load_tensorflow(starting=config.strategy == SINGLE)
        runtime.report_hardware(config.precision)
        start = dataclasses.replace(start, config=config)
        step, stopped = _train(program, start, examples)
    return runs.ended(config, step=step, stopped=stopped)


def _train(
    program: Program, start: Start, examples: Mapping[str, Any]
) -> tuple[int, signal.Signals | None]:
    """The number of updates made in all, and the signal that ended training or None."""
    from pix2pix_tf.data import decode
    from pix2pix_tf.training import distribution

    files = [file for some in examples.values() for file in listing.files(some)]
    config = start.config
    with distribution.strategy_scope(
        config.strategy,
        batch_size=config.batch_size,
        norm=config.norm,
        logical_devices=config.logical_devices,
        files=files,
    ):
        runtime.prepare(seed=config.seed, deterministic=config.deterministic)
        training = program.parts().training(config, examples)
        per_epoch = -(-training.examples // config.batch_size)
        last_step = config.max_steps or (training.epochs or 0) * per_epoch or None
        if last_step is not None and start.first_step >= last_step:
            flag = "--max_steps" if config.max_steps else training.longer
            print(f"this run is finished: it ends at step {last_step}; a larger {flag} resumes it")
            return start.first_step, None
        model = _model(start, training.build(per_epoch))
        with contextlib.ExitStack() as stack:
            for of_set, reading in training.readings:
                stack.enter_context(decode.bad_files_named(of_set, reading))
            return _fit(
                program, model, training, start=start, per_epoch=per_epoch, last_step=last_step
            )


def _model(start: Start, model: GAN) -> GAN:
    """The model with the state that training starts from."""
    from pix2pix_tf.training import checkpoints

    if start.weights is not None:
        checkpoints.restore(start.weights, checkpoints.named(model.variables))
        if model.weight_averages is not None:
            model.weight_averages.restart()
        print_line(f"starting from the weights of {start.weights}")
    print("parameter_count =", model.count_params())
    if start.checkpoint is not None:
        model.load_checkpoint(start.checkpoint)
    return model


def _fit(
    program: Program,
    model: GAN,
    training: Training,
    *,
    start: Start,
    per_epoch: int,
    last_step: int | None,
) -> tuple[int, signal.Signals | None]:
    from pix2pix_tf.data import pipelines
    from pix2pix_tf.evaluation import results
    from pix2pix_tf.training import callbacks, distribution
    from pix2pix_tf.training.fit import fit

    config = start.config
    make = functools.partial(pipelines.batches, training.load, batch_size=config.batch_size)
    rate = pipeline_rate(make(first_step=start.first_step), config.batch_size)
    print(f"input pipeline alone: {callbacks.rounded(rate)} image/sec")
    if start.checkpoint is not None:
        print_line(f"resuming at step {start.first_step}: {start.checkpoint}")
    if distribution.is_chief():
        results.remove_later_images(config.output_dir, start.first_step)

    def batches(step: int) -> Any:
        return distribution.distribute_batches(functools.partial(make, first_step=step))

    stop = callbacks.Stop(last_step)
    step = fit(
        model,
        batches,
        first_step=start.first_step,
        last_step=last_step,
        steps_per_epoch=per_epoch,
        callbacks=_callbacks(
            program, model, training, batches, start=start, per_epoch=per_epoch, stop=stop
        ),
    )
    if distribution.is_chief():
        _write_report(program, config)
    return step, stop.signal


def _show(
    program: Program, training: Training, config: Any, step: int, images: Mapping[str, Any]
) -> None:
    """Adds the images of a batch to the run's report."""
    from pix2pix_tf.evaluation import results

    shown = {kind: images[kind] for kind in results.KINDS if kind in images}
    results.write_images(config.output_dir, training.names(step), shown, step=step)
    _write_report(program, config)


def _write_report(program: Program, config: Any) -> None:
    """Writes the run's index.html from the images and the log in its folder."""
    from pix2pix_tf.evaluation import results

    results.write_training_report(
        config.output_dir,
        title=f"{program.title}: training of {Path(config.output_dir).name}",
        options=runs.run_options(config, program=program.name),
    )


def _callbacks(
    program: Program,
    model: GAN,
    training: Training,
    batches: Callable[[int], Any],
    *,
    start: Start,
    per_epoch: int,
    stop: callbacks.Stop,
) -> list[keras.callbacks.Callback]:
    """The callbacks of a training, in the order that `callbacks` asks for."""
    from pix2pix_tf.training import callbacks

    config, last_step = start.config, stop.last_step
    folder = run_folder.place(config.output_dir)
    show = functools.partial(_show, program, training, config)

    # The batch of a step is a function of the step: it is made again, once for all who show it.
    @functools.lru_cache(maxsize=1)
    def batch_at(step: int) -> Any:
        return next(iter(batches(step)))

    def first_batches() -> Iterator[Any]:
        yield from batches(start.first_step)

    tensorboard = callbacks.TensorBoard(
        folder / run_folder.TENSORBOARD,
        config.summary_freq,
        batch_at=batch_at,
        images=training.images,
        options=runs.run_options(config, program=program.name),
        last_step=last_step,
    )
    return [
        callbacks.FiniteCheck(),
        callbacks.Speed(config.batch_size),
        callbacks.Profile(folder / run_folder.TENSORBOARD, config.trace_freq, last_step=last_step),
        tensorboard,
        callbacks.Images(batch_at, training.images, show, config.display_freq, last_step=last_step),
        callbacks.Log(
            folder / run_folder.LOG, model.LOSSES, config.progress_freq, last_step=last_step
        ),
        callbacks.Progress(
            training.progress,
            config.progress_freq,
            last_step=last_step,
            steps_per_epoch=per_epoch,
            batch_size=config.batch_size,
        ),
        *_checks(model, training, first_batches()),
        *_validation(model, training, tensorboard, config=config, last_step=last_step),
        stop,
        callbacks.Checkpoints(
            folder,
            config.save_freq,
            keep=config.keep_checkpoints,
            keep_every=config.keep_every,
            last_step=last_step,
        ),
    ]


def _checks(
    model: GAN, training: Training, batches: Iterator[Any]
) -> list[keras.callbacks.Callback]:
    """Callbacks that warn when training goes wrong."""
    from pix2pix_tf.training import callbacks

    translate = functools.partial(training.translate, model)
    return [
        callbacks.DiscriminatorCheck(training.undecided),
        callbacks.OutputCheck(batches, translate, inversion=training.inversion),
        callbacks.WaitingCheck(),
    ]


def _validation(
    model: GAN,
    training: Training,
    tensorboard: callbacks.TensorBoard,
    *,
    config: Any,
    last_step: int | None,
) -> list[keras.callbacks.Callback]:
    """The measurement of other images, if there are any."""
    from pix2pix_tf.evaluation import metrics
    from pix2pix_tf.training import callbacks

    if training.validation is None:
        return []
    return [
        callbacks.Validation(
            config.output_dir,
            training.validation(model),
            metrics.QUICK,
            config.val_freq,
            tensorboard=tensorboard,
            last_step=last_step,
        )
    ]


def pipeline_rate(batches: tf.data.Dataset, batch_size: int) -> float:
    """Images per second that the pipeline makes alone, over 64 batches or a quarter of a second."""
    iterator = iter(batches)
    next(iterator)
    start, count = time.monotonic(), 0
    while count < 64 * batch_size and time.monotonic() - start < 0.25:
        next(iterator)
        count += batch_size
    return count / (time.monotonic() - start)
