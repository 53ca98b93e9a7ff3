"""Training, for both programs: options become a model, batches and callbacks for `Model.fit`."""

import contextlib
import dataclasses
import functools
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from pix2pix_tf import run_folder
from pix2pix_tf.commands.runs import Start
from pix2pix_tf.evaluation import results
from pix2pix_tf.training import callbacks, checkpoints, distribution, runtime
from pix2pix_tf.training.fit import fit
from pix2pix_tf.training.gan import GAN
from pix2pix_tf.training.steps import ToImages

Batches = Callable[..., tf.data.Dataset]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """What a program brings to the training of one run.

    Attributes:
        examples: Examples per pass over the data.
        epochs: Epochs after which training ends, or None.
        longer: Flag that makes training end later, where --max_steps does not end it.
        build: Function of the steps per epoch to the compiled model.
        batches: Function of `first_step` and a tf.distribute.InputContext as `context` to the
            endless batches.
        named: Makes a context in which a file that cannot be decoded becomes an `InputError`.
        progress: Dict from short names to losses, for the progress bar.
        images: Function of a batch and the tensors of `forward` to images for TensorBoard.
        show: Function of (step, such images as arrays) that adds to the run's report.
        write_report: Writes the run's report.
        translate: Function of (model, batch) to what `callbacks.OutputCheck` compares.
        inversion: Whether outputs should have the colours of their inputs.
        undecided: As `callbacks.DiscriminatorCheck` takes it.
        options: All options of the run, as options.json has them.
        validation: Function of the model to what `callbacks.Validation` takes as `measure`, or
            None.
        means: Names of what it measures; the least of the first one is the best.
    """

    examples: int
    epochs: int | None
    longer: str
    build: Callable[[int], GAN]
    batches: Batches
    named: Callable[[], contextlib.AbstractContextManager]
    progress: dict[str, str]
    images: ToImages
    show: Callable[[int, dict[str, Any]], None]
    write_report: Callable[[], Any]
    translate: Callable[[GAN, Any], dict[str, tuple[tf.Tensor, tf.Tensor]]]
    inversion: bool = False
    undecided: Mapping[str, float]
    options: Mapping[str, object]
    validation: Callable[[GAN], Callable[[int], tuple[dict, dict]]] | None = None
    means: Sequence[str] = ()


def train(
    start: Start, make: Callable[[Any], Training], *, files: Sequence[Any]
) -> tuple[int, signal.Signals | None]:
    """Trains the run in the configuration's `output_dir`.

    Args:
        start: What training starts from.
        make: Function of the configuration to the program's `Training`; called once TensorFlow
            knows its devices.
        files: All files of the training, which several workers must share.

    Returns:
        (number of updates made in all, the signal that ended training or None).

    Raises:
        InputError: If a file cannot be decoded (named), or a loss or gradient is not finite.
    """
    config = start.config
    with distribution.entered(
        config.strategy,
        batch_size=config.batch_size,
        norm=config.norm,
        logical_devices=config.logical_devices,
        files=files,
    ):
        runtime.prepare(seed=config.seed, deterministic=config.deterministic)
        training = make(config)
        per_epoch = -(-training.examples // config.batch_size)
        last_step = config.max_steps or (training.epochs or 0) * per_epoch or None
        if last_step is not None and start.first_step >= last_step:
            flag = "--max_steps" if config.max_steps else training.longer
            print(f"this run is finished: it ends at step {last_step}; a larger {flag} resumes it")
            return start.first_step, None
        model = _model(start, training.build(per_epoch))
        with training.named():
            return _fit(model, training, start=start, per_epoch=per_epoch, last_step=last_step)


def _model(start: Start, model: GAN) -> GAN:
    """The model with the state that training starts from."""
    if start.weights is not None:
        checkpoints.restore(start.weights, checkpoints.named(model.variables))
        if model.weight_averages is not None:
            model.weight_averages.restart()
        print(f"starting from the weights of {start.weights}")
    print("parameter_count =", model.count_params())
    if start.checkpoint is not None:
        model.load_checkpoint(start.checkpoint)
    return model


def _fit(
    model: GAN, training: Training, *, start: Start, per_epoch: int, last_step: int | None
) -> tuple[int, signal.Signals | None]:
    config = start.config
    rate = pipeline_rate(training.batches(first_step=start.first_step), config.batch_size)
    print(f"input pipeline alone: {callbacks.rounded(rate)} image/sec")
    if start.checkpoint is not None:
        print(f"continuing at step {start.first_step}: {start.checkpoint}")
    if distribution.leads():
        results.remove_later_images(config.output_dir, start.first_step)

    def batches(step: int) -> Any:
        return distribution.distributed(functools.partial(training.batches, first_step=step))

    stop = callbacks.Stop(last_step)
    step = fit(
        model,
        batches,
        first_step=start.first_step,
        last_step=last_step,
        steps_per_epoch=per_epoch,
        callbacks=_callbacks(
            model,
            training,
            batches,
            config=config,
            first_step=start.first_step,
            per_epoch=per_epoch,
            stop=stop,
        ),
    )
    if distribution.leads():
        training.write_report()
    return step, stop.signal


def _callbacks(
    model: GAN,
    training: Training,
    batches: Callable[[int], Any],
    *,
    config: Any,
    first_step: int,
    per_epoch: int,
    stop: callbacks.Stop,
) -> list[keras.callbacks.Callback]:
    """What happens while training; the order is that of `callbacks`."""
    folder, last_step = run_folder.place(config.output_dir), stop.last_step

    # The batch of a step is a function of the step: it is made again, once for all who show it.
    @functools.lru_cache(maxsize=1)
    def batch_at(step: int) -> Any:
        return next(iter(batches(step)))

    def first_batches() -> Iterator[Any]:
        yield from batches(first_step)

    tensorboard = callbacks.TensorBoard(
        folder / run_folder.TENSORBOARD,
        config.summary_freq,
        batch_at=batch_at,
        images=training.images,
        options=training.options,
        last_step=last_step,
    )
    return [
        callbacks.FiniteCheck(),
        callbacks.Speed(config.batch_size),
        callbacks.Profile(folder / run_folder.TENSORBOARD, config.trace_freq, last_step=last_step),
        tensorboard,
        callbacks.Images(
            batch_at, training.images, training.show, config.display_freq, last_step=last_step
        ),
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
    """Warnings of what goes wrong."""
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
    if training.validation is None:
        return []
    return [
        callbacks.Validation(
            config.output_dir,
            training.validation(model),
            training.means,
            config.val_freq,
            tensorboard=tensorboard,
            last_step=last_step,
        )
    ]


def pipeline_rate(batches: tf.data.Dataset, batch_size: int, *, seconds: float = 0.25) -> float:
    """Images per second that the pipeline makes when nothing else runs."""
    iterator = iter(batches)
    next(iterator)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        next(iterator)
        count += batch_size
    return count / (time.monotonic() - start)
