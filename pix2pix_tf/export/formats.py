"""Exports of a generator for other runtimes; each is reloaded by its runtime and compared."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pix2pix_tf import optional, run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.export import keras_functional, saved_model
from pix2pix_tf.networks.resnet import ResNet
from pix2pix_tf.networks.unet import UNet

# From images float32 [n, h, w, c] in [0, 1] to images of the same kind.
Translate = Callable[[np.ndarray], np.ndarray]

# The file of each format in the export's folder; a SavedModel is the folder itself.
FILES = {
    "litert": "model.tflite",
    "onnx": "model.onnx",
    "keras": "model.keras",
    "pict": "model.pict",
}
# The largest difference allowed between the model and the same float32 weights in another
# runtime, in [0, 1]: a quarter of a level of 8 bits. Measured: 2e-6, in Lab mode 1e-5, with
# instance normalisation in Keras 2e-4.
TOLERANCE = 1e-3
# The least agreement of weights that were made coarser. Below it the image looks different.
DECIBELS = 20.0
# Operations of LiteRT that "int8_calibrated" keeps in float32: all but convolutions.
IN_FLOAT = (
    "ADD CONCATENATION GATHER LEAKY_RELU LOGISTIC MEAN MUL PAD MIRROR_PAD RELU RESHAPE RSQRT "
    "SQUARED_DIFFERENCE STRIDED_SLICE SLICE SUB TANH"
).split()
# The newest operators that tf2onnx writes.
OPSET = 18


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Args:
        path: The file, or the folder of a SavedModel.
        difference: The largest difference between the model and the reloaded export, in units
            of [0, 1].
        decibels: Peak signal-to-noise ratio of the export's images, the model's being the
            signal.
    """

    path: Path
    difference: float
    decibels: float

    def __str__(self) -> str:
        """Describes the result in one line."""
        text = f"exported to {self.path}; largest difference when reloaded {self.difference:.1e}"
        return text + (f" ({self.decibels:.1f} dB)" if math.isfinite(self.decibels) else "")


def export_generator(
    generator: UNet | ResNet,
    served: saved_model.ServedModel,
    folder: str | Path,
    *,
    export_format: str,
    quantize: str = "none",
    image_size: tuple[int, int] | None = None,
    calibration: Sequence[np.ndarray] = (),
) -> ExportResult:
    """Writes a generator in another format, reloads it with that format's own runtime, compares.

    Nothing is left behind unless the comparison succeeds.

    Args:
        generator: A built `UNet` or `ResNet`.
        served: Its `ServedModel`. LiteRT and ONNX files hold its signature `serving_default`:
            `images` float32 [n, h, w, c] in [0, 1] of any size to `outputs` of the same kind.
            Keras files hold the generator itself, .pict files its weights.
        folder: Where the file goes.
        export_format: "saved_model", "litert", "onnx", "keras" or "pict".
        quantize: "none", or for LiteRT "float16", "int8" (activations get their scales when the
            model runs) or "int8_calibrated" (fixed scales, for hardware that needs those).
        image_size: For LiteRT: (height, width) in pixels of the one image that the file takes, or
            None for any number of any size, for which LiteRT is slower.
        calibration: Float32 [1, h, w, c] in [0, 1] of that size, for "int8_calibrated": images that
            the model will meet. The export is compared on them.

    Returns:
        `ExportResult`.

    Raises:
        InputError: If a package is missing, the format cannot hold the generator or weights of
            that kind, or the reloaded export differs from the model.
    """
    if quantize != "none" and export_format != "litert":
        raise InputError(
            "Expected --quantize only with --export_format litert. "
            f"Received: --export_format {export_format}"
        )
    folder = Path(folder)
    if export_format == "saved_model":
        with _remove_on_failure(folder):
            return ExportResult(folder, saved_model.export_saved_model(served, folder), math.inf)
    expected = _default_signature(served)
    path, lossy = folder / FILES[export_format], quantize != "none"
    with _remove_on_failure(folder), run_folder.atomic(path) as temporary:
        if export_format == "litert":
            received = _litert(
                served,
                temporary,
                quantize=quantize,
                image_size=image_size,
                calibration=calibration,
            )
        elif export_format == "onnx":
            received = _onnx(served, temporary)
        elif export_format == "keras":
            expected, received = _keras(generator, temporary)
        else:
            received, lossy = _pict(generator, expected, temporary), True
        channels = input_channels(generator) if export_format == "keras" else served.channels
        batches = calibration or _probes(channels, generator.multiple, image_size)
        worst, decibels = agreement(expected(batch) - received(batch) for batch in batches)
        if not (decibels >= DECIBELS if lossy else worst <= TOLERANCE):
            raise InputError(
                f"the reloaded export differs from the model by {worst:.1e} ({decibels:.1f} dB)"
            )
    return ExportResult(path, worst, decibels)


def _default_signature(served: saved_model.ServedModel) -> Translate:
    return lambda images: served.serving_default(tf.constant(images))["outputs"].numpy()


def _probes(channels: int, multiple: int, image_size: tuple[int, int] | None) -> list[np.ndarray]:
    """Images to compare an export on: of `image_size`, or of two sizes in batches of 1 and 2."""
    if image_size:
        return [probe((1, *image_size, channels))]
    # Sides that the generator takes as they are: all its multiples are powers of two.
    side = max(256, multiple)
    return [probe((1, side, side, channels)), probe((2, side, 2 * side, channels))]


@contextlib.contextmanager
def _remove_on_failure(folder: Path) -> Iterator[None]:
    """Removes the folder after a failure in the block, if it is new and empty."""
    is_new = not folder.exists()
    try:
        yield
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # it was never created
                folder.rmdir()
        raise


def input_channels(generator: UNet | ResNet) -> int:
    """Number of channels of a built generator's inputs."""
    return generator.encoders[0].convolution.weights[0].shape[2]


def _litert(
    served: saved_model.ServedModel,
    path: Path,
    *,
    quantize: str,
    image_size: tuple[int, int] | None,
    calibration: Sequence[np.ndarray],
) -> Translate:
    runtime = import_runtime("ai_edge_litert.interpreter", extra="litert")
    function = served.portable(image_size).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], served)
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8_calibrated":
        converter.representative_dataset = lambda: ([image] for image in calibration)
        # It is the public way to keep operations in float32: normalisation in int8 costs 9 dB.
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=IN_FLOAT)
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=converter.representative_dataset,
            debug_options=options,
        )
        path.write_bytes(debugger.get_nondebug_quantized_model())
    else:
        path.write_bytes(converter.convert())
    run = runtime.Interpreter(str(path)).get_signature_runner("serving_default")
    return lambda batch: run(images=batch)["outputs"]


def _onnx(served: saved_model.ServedModel, path: Path) -> Translate:
    runtime = import_runtime("onnxruntime", extra="onnx")
    model = to_onnx(served.portable(), sizes="nhw", extra="onnx")
    path.write_bytes(model.SerializeToString())
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda batch: session.run(["outputs"], {"images": batch})[0]


def to_onnx(function: Any, *, sizes: str, extra: str) -> Any:
    """Converts a `tf.function`.

    Args:
        function: Has an input signature.
        sizes: A letter for each of the first dimensions of inputs and outputs, its name.
        extra: What installs tf2onnx.

    Returns:
        ONNX's `ModelProto`.
    """
    converter = import_runtime("tf2onnx", extra=extra)
    model, _ = converter.convert.from_function(
        function, input_signature=function.input_signature, opset=OPSET
    )
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, sizes, strict=False):
            dimension.dim_param = name
    return model


def _keras(generator: UNet | ResNet, path: Path) -> tuple[Translate, Translate]:
    keras_functional.rebuild(generator, channels=input_channels(generator)).save(path)
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)

    def in_unit(network: keras.Model) -> Translate:
        return lambda batch: network(batch * 2 - 1).numpy() / 2 + 0.5

    return in_unit(generator), in_unit(loaded)


def _pict(generator: UNet, translate: Translate, path: Path) -> Translate:
    needed_by = "--export_format pict"
    write_pict = optional.load("pict", "pict_file:write_pict", needed_by=needed_by)
    read_pict = optional.load("pict", "pict_file:read_pict", needed_by=needed_by)
    write_pict(path, {variable.path: variable.numpy() for variable in generator.variables})
    arrays = read_pict(path)

    def translate_with_arrays(batch: np.ndarray) -> np.ndarray:
        exact = generator.get_weights()
        try:
            generator.set_weights([arrays[variable.path] for variable in generator.variables])
            return translate(batch)
        finally:
            generator.set_weights(exact)

    return translate_with_arrays


def import_runtime(module: str, *, extra: str) -> Any:
    """Imports a package that the format `extra` needs; an `InputError` if it is not installed."""
    return optional.import_package(module, extra=extra, needed_by=f"--export_format {extra}")


def agreement(differences: Iterable[np.ndarray]) -> tuple[float, float]:
    """The largest of the differences of images in [0, 1], and the agreement in decibels."""
    worst, squares = 0.0, []
    for difference in differences:
        # np.max, unlike max, does not lose a NaN.
        worst = float(np.max([worst, np.abs(difference).max()]))
        squares.append(np.mean(np.square(difference)))
    mean = float(np.mean(squares))
    # Of NaN the logarithm is NaN, which agrees with nothing.
    return worst, math.inf if mean == 0 else -10 * math.log10(mean)


def probe(shape: Sequence[int]) -> np.ndarray:
    """Squares of 16x16 pixels in random colours, with a little noise."""
    n, height, width, channels = shape
    rng = np.random.default_rng(0)
    squares = rng.random((n, -(-height // 16), -(-width // 16), channels), np.float32)
    squares = squares.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    return np.clip(squares + rng.normal(0, 0.02, shape), 0, 1).astype(np.float32)
