"""Settings of the process that are made before a model is built."""

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from pix2pix_tf.errors import InputError
from pix2pix_tf.training import hardware

# What has to fit into the folder for temporary files.
TEMPORARY_BYTES = 2**14
# Exit codes of a shell for a process that a signal ended.
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences TensorFlow's start-up messages; Python's own errors still propagate.

    TF_CPP_MIN_LOG_LEVEL under 3 set by the user brings the messages back.
    """
    # At level 3, which tf2onnx sets for all child processes too, some messages would still come.
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
    if level != "3":
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = level
    # They come from C++, which knows no sys.stderr.
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
        # TensorFlow has read it by now; children of this process decide for themselves.
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]


@contextlib.contextmanager
def handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Handles a signal in the block, as `signal.signal`; without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def terminable() -> contextlib.AbstractContextManager[None]:
    """Lets SIGTERM end the process as Ctrl-C does: unfinished files are removed first."""

    def stop(number: int, frame: object) -> NoReturn:
        raise SystemExit(EXIT_CODES[signal.SIGTERM])

    return handled(signal.SIGTERM, stop)


def prefer_onednn() -> None:
    """Turns on TensorFlow's oneDNN kernels, unless the user decided or TensorFlow is loaded.

    TensorFlow leaves them off on processors without AVX-512 VNNI or AVX-VNNI, where they make a
    training step about a quarter faster as well.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras quietly, with oneDNN; it looks for no device yet.

    Raises:
        InputError: If they cannot be loaded, or Keras runs on another backend than TensorFlow.
    """
    prefer_onednn()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with quiet():
            import keras
            import tensorflow  # noqa: F401
    except (ImportError, ValueError) as error:  # Keras raises both
        why = str(error).strip().splitlines()
        raise InputError(
            f"Expected TensorFlow, and Keras on it, to load. Received: {why[-1] if why else error}"
            f" (KERAS_BACKEND={os.environ['KERAS_BACKEND']})"
        ) from error
    if (name := keras.backend.backend()) != "tensorflow":
        raise InputError(f"Expected Keras to run on TensorFlow. Received: KERAS_BACKEND={name}")


def load_tensorflow(*, starting: bool = True) -> None:
    """Imports TensorFlow and Keras, and starts TensorFlow on the devices of this machine.

    Args:
        starting: Whether it starts: not where its devices are yet to be split or connected.

    Raises:
        InputError: As `import_tensorflow`, or if the folder for temporary files is full.
    """
    import_tensorflow()
    _check_temporary_folder()
    if not starting:
        return
    import tensorflow as tf

    # The first operation looks for devices, which logs as well.
    with quiet():
        grow_memory()
        tf.zeros([])


def grow_memory() -> None:
    """Lets TensorFlow take GPU memory as it needs it, so that serve and train can share a GPU."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # TensorFlow has started
            tf.config.experimental.set_memory_growth(gpu, True)


def _check_temporary_folder() -> None:
    """Refuses a full one: without space, AutoGraph runs code that it has not converted."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(bytes(TEMPORARY_BYTES))
    except OSError as error:
        folder = tempfile.gettempdir()
        raise InputError(
            f"no space for temporary files in {folder} ({error.strerror}); free some or set TMPDIR "
            "to another folder"
        ) from None


def report_hardware(precision: str) -> None:
    """Prints what TensorFlow runs on, with a warning if that is slow in `precision`."""
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    name, flags = hardware.processor()
    print(hardware.description(name, flags, gpus), flush=True)
    if warning := hardware.slow_precision(precision, flags, gpus):
        print(warning, file=sys.stderr)


def prepare(*, seed: int, deterministic: bool) -> None:
    """Seeds what Keras draws and, if asked to, forbids operations that are not deterministic."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def draw_seed() -> int:
    """A seed as the reference draws it, in [0, 2**31 - 1]."""
    return random.SystemRandom().randint(0, 2**31 - 1)
