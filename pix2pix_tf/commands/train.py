"""`--mode train`: builds a model, batches and callbacks from the options and calls `Model.fit`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.runs import RunStart
from pix2pix_tf.config import SINGLE
from pix2pix_tf.data import listing
from pix2pix_tf.errors import print_line
from pix2pix_tf.task import ConfigT, ModelT, Task, TrainingFiles
from pix2pix_tf.training import runtime

if TYPE_CHECKING:  # TensorFlow is loaded once the input is checked
    import keras
    import numpy as np
    import tensorflow as tf

    from pix2pix_tf.data.pipelines import Load
    from pix2pix_tf.training.step_callback import Batch
    from pix2pix_tf.training.tensorboard import TensorBoard


def train(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Trains a new run in the output folder, or resumes one."""
    with runs.begin_run(config, explicit, program=task.name) as start:
        config = task.unpack_data(start.config)
        config, files = task.training_files(config)
        if start.writes:
            runs.write_description(config, files, program=task.name)
        runs.print_options(config, explicit)
        print("examples count =", *map(len, files.sets.values()))
        runtime.load_tensorflow(starting=config.strategy == SINGLE)
        runtime.report_hardware(config.precision)
        with _strategy_scope(config, files):
            runtime.prepare(seed=config.seed or 0, deterministic=config.deterministic)
            step, stopped = _train(task, dataclasses.replace(start, config=config), files)
    return runs.report_end(config, step=step, stopped=stopped)


def _strategy_scope(config: ConfigT, files: TrainingFiles) -> contextlib.AbstractContextManager:
    from pix2pix_tf.training import distribution

    return distribution.strategy_scope(
        config.strategy,
        batch_size=config.batch_size,
        norm=config.norm,
        logical_devices=config.logical_devices,
        files=files.paths,
    )


def _train(
    task: Task[ConfigT, ModelT], start: RunStart[ConfigT], files: TrainingFiles
) -> tuple[int, signal.Signals | None]:
    """The number of updates made in all, and the signal that ended training or None."""
    config = start.config
    steps_per_epoch = -(-files.examples_per_epoch // config.batch_size)
    epochs = task.epochs(config) or 0
    last_step = config.max_steps or epochs * steps_per_epoch or None
    if last_step is not None and start.first_step >= last_step:
        flag = "--max_steps" if config.max_steps else task.extend_flag
        print(f"this run is finished: it ends at step {last_step}; a larger {flag} resumes it")
        return start.first_step, None

    from pix2pix_tf.training import callbacks
    from pix2pix_tf.training.fit import fit

    with _bad_files_named(task, config, files):
        load = task.example_loader(config, files)
        model = task.build_model(config, steps_per_epoch=steps_per_epoch)
        _restore(model, start)
        _report_pipeline(load, start)
        session = TrainingSession(
            task=task,
            config=config,
            files=files,
            model=model,
            load=load,
            first_step=start.first_step,
            last_step=last_step,
            steps_per_epoch=steps_per_epoch,
        )
        session.remove_later_images()
        stop = callbacks.StopAtStep(last_step)
        step = fit(
            model,
            session.batches,
            first_step=start.first_step,
            last_step=last_step,
            steps_per_epoch=steps_per_epoch,
            callbacks=[*session.callbacks(), stop, session.checkpoints()],
        )
        session.write_report()
    return step, stop.signal


@contextlib.contextmanager
def _bad_files_named(
    task: Task[ConfigT, ModelT], config: ConfigT, files: TrainingFiles
) -> Iterator[None]:
    """Errors of the pipeline name the file that cannot be decoded."""
    from pix2pix_tf.data import decode

    with contextlib.ExitStack() as stack:
        for name, reading in task.training_formats(config).items():
            paths = listing.files(files.sets[name])
            stack.enter_context(decode.name_bad_files(paths, reading))
        yield


def _restore(model: ModelT, start: RunStart[ConfigT]) -> None:
    """Gives a model the state that training starts from."""
    from pix2pix_tf.training import checkpoints

    if start.weights is not None:
        checkpoints.restore(start.weights, checkpoints.named(model.variables))
        if model.weight_averages is not None:
            model.weight_averages.restart()
        print_line(f"starting from the weights of {start.weights}")
    print("parameter_count =", model.count_params())
    if start.checkpoint is not None:
        model.load_checkpoint(start.checkpoint)


def _report_pipeline(load: Load, start: RunStart[ConfigT]) -> None:
    """Prints how fast batches are read, and where training resumes."""
    from pix2pix_tf.data import pipelines
    from pix2pix_tf.training import callbacks

    batch_size = start.config.batch_size
    batches = pipelines.batches(load, batch_size=batch_size, first_step=start.first_step)
    rate = pipeline_rate(batches, batch_size)
    print(f"input pipeline alone: {callbacks.rounded(rate)} image/sec")
    if start.checkpoint is not None:
        print_line(f"resuming at step {start.first_step}: {start.checkpoint}")


def pipeline_rate(batches: tf.data.Dataset, batch_size: int) -> float:
    """Images per second that the pipeline makes alone, over 64 batches or a quarter of a second."""
    iterator = iter(batches)
    next(iterator)
    start, count = time.monotonic(), 0
    while count < 64 * batch_size and time.monotonic() - start < 0.25:
        next(iterator)
        count += batch_size
    return count / (time.monotonic() - start)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSession(Generic[ConfigT, ModelT]):
    """The batches of a training, and the callbacks that show, check and save it.

    Attributes:
        task: The program.
        config: Resolved options.
        files: The training data.
        model: The compiled model, in the state that training starts from.
        load: Reads and augments one example.
        first_step: Number of updates already made.
        last_step: Number of updates after which training ends, or None.
        steps_per_epoch: Updates per pass over the data.
    """

    task: Task[ConfigT, ModelT]
    config: ConfigT
    files: TrainingFiles
    model: ModelT
    load: Load
    first_step: int
    last_step: int | None
    steps_per_epoch: int

    def batches(self, first_step: int) -> Iterable[Batch]:
        """The endless batches of this process' devices that follow so many updates."""
        from pix2pix_tf.data import pipelines
        from pix2pix_tf.training import distribution

        return distribution.distribute_batches(
            functools.partial(
                pipelines.batches,
                self.load,
                batch_size=self.config.batch_size,
                first_step=first_step,
            )
        )

    def batch_at(self, step: int) -> Batch:
        """The batch that follows `step` updates, read again."""
        return next(iter(self.batches(step)))

    def sample_images(self, batch: Batch, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `Task.sample_images`."""
        return self.task.sample_images(self.config, batch, tensors)

    def translate_batch(self, batch: Batch) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """As `Task.translate_batch`."""
        return self.task.translate_batch(self.model, batch)

    def show_images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
        """Adds the images of a batch to the run's report."""
        from pix2pix_tf.evaluation import results

        names = self.task.batch_names(self.config, self.files, step)
        chosen = {kind: list(images[kind]) for kind in results.KINDS if kind in images}
        results.write_images(self.config.output_folder, names, chosen, step=step)
        self.write_report()

    def remove_later_images(self) -> None:
        """Removes the images of steps that are about to be repeated."""
        from pix2pix_tf.evaluation import results
        from pix2pix_tf.training import distribution

        if distribution.is_chief():
            results.remove_later_images(self.config.output_folder, self.first_step)

    def write_report(self) -> None:
        """Writes the run's index.html from the images and the log in its folder."""
        from pix2pix_tf.evaluation import results
        from pix2pix_tf.training import distribution

        if distribution.is_chief():
            results.write_training_report(
                self.config.output_folder,
                title=f"{self.task.title}: training of {self.config.output_folder.name}",
                options=runs.run_options(self.config, program=self.task.name),
            )

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """What shows and checks a training, in the order that `training.callbacks` asks for."""
        from pix2pix_tf.training import callbacks

        config, last_step = self.config, self.last_step
        folder = config.output_folder
        # Shared by all that show a step.
        batch_at = functools.lru_cache(maxsize=1)(self.batch_at)
        tensorboard = callbacks.TensorBoard(
            folder / run_folder.TENSORBOARD,
            config.summary_freq,
            batch_at=batch_at,
            images=self.sample_images,
            options=runs.run_options(config, program=self.task.name),
            last_step=last_step,
        )
        return [
            callbacks.FiniteCheck(),
            callbacks.Speed(config.batch_size),
            callbacks.Profile(
                folder / run_folder.TENSORBOARD, config.trace_freq, last_step=last_step
            ),
            tensorboard,
            callbacks.Images(
                batch_at,
                self.sample_images,
                self.show_images,
                config.display_freq,
                last_step=last_step,
            ),
            callbacks.Log(
                folder / run_folder.LOG,
                self.model.LOSSES,
                config.progress_freq,
                last_step=last_step,
            ),
            callbacks.Progress(
                dict(self.task.progress_losses),
                config.progress_freq,
                last_step=last_step,
                steps_per_epoch=self.steps_per_epoch,
                batch_size=config.batch_size,
            ),
            callbacks.DiscriminatorCheck(self.task.chance_losses(config)),
            callbacks.OutputCheck(
                self.batches(self.first_step),
                self.translate_batch,
                inversion=self.task.keeps_colours(config),
            ),
            callbacks.WaitingCheck(),
            *self._validation(tensorboard),
        ]

    def _validation(self, tensorboard: TensorBoard) -> list[keras.callbacks.Callback]:
        """The measurement of other images, if there are any."""
        from pix2pix_tf.evaluation import metrics
        from pix2pix_tf.training import callbacks

        validation = self.task.validation(self.config, self.model, self.files)
        if validation is None:
            return []
        callback = callbacks.Validation(
            self.config.output_folder,
            validation,
            metrics.QUICK,
            validation.freq,
            tensorboard=tensorboard,
            last_step=self.last_step,
        )
        return [callback]

    def checkpoints(self) -> keras.callbacks.Callback:
        """What saves a training; comes last."""
        from pix2pix_tf.training import callbacks

        return callbacks.Checkpoints(
            self.config.output_folder,
            self.config.save_freq,
            keep=self.config.keep_checkpoints,
            keep_every=self.config.keep_every,
            last_step=self.last_step,
        )
