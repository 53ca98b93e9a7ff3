"""A web page that translates in the browser: the page of `serve`, ONNX Runtime Web, models.

One file that opens from the file system, or a folder for a static host. The page is the server's;
only the client differs: `server.js` asks a server, `local.js` runs `worker.js`, which runs the
model. See `runtime` for ONNX Runtime Web.
"""

import base64
import dataclasses
import gzip
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pix2pix_tf import optional, run_folder
from pix2pix_tf.data import images
from pix2pix_tf.data.samples import LUMINANCE
from pix2pix_tf.errors import InputError
from pix2pix_tf.export import formats
from pix2pix_tf.export.saved_model import FILE_CHANNELS, ServedModel
from pix2pix_tf.extras.web import runtime
from pix2pix_tf.extras.web.runtime import WASM, WEBGPU

# Arrays of fewer elements stay float32: biases, scales, constants of the graph.
_MIN_QUANTIZED_SIZE = 1024
# In the order in which the page's modules need each other.
_SCRIPTS = ("drawing.js", "local.js", "client.js", "page.js")
_NOTICE = f"ONNX Runtime Web {runtime.VERSION}, Copyright (c) Microsoft Corporation, MIT License."
# Nothing is loaded from anywhere: what is in the file is all there is.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' {source} blob:; "
    "style-src 'unsafe-inline' {source}; img-src {source} blob: data:; media-src blob:; "
    "worker-src {source} blob:; connect-src {source} blob:; base-uri 'none'; form-action 'none'"
)


@dataclasses.dataclass(frozen=True)
class PageModel:
    """A model on the page.

    Args:
        served: Its `ServedModel`.
        about: What the page shows of it, for JSON: `name`, `from`, `to`, `editor`, `palette`,
            `examples`; see `serve.page.describe`.
    """

    served: ServedModel
    about: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class WebPage:
    """The result of the export.

    Args:
        path: index.html.
        size: Bytes of the file, or of all files of the folder.
        runtime_size: The runtime's share of that.
        difference: The largest difference of all models, in units of [0, 1].
        decibels: The least agreement of a model's images with those of the float32 model.
    """

    path: Path
    size: int
    runtime_size: int
    difference: float
    decibels: float

    def __str__(self) -> str:
        """One line for a person."""
        return (
            f"exported to {self.path}; {self.size / 1e6:.1f} MB, of which the runtime is "
            f"{self.runtime_size / 1e6:.1f} MB; largest difference of the stored weights "
            f"{self.difference:.1e} ({self.decibels:.1f} dB)"
        )


def export_page(
    models: Sequence[PageModel],
    folder: str | os.PathLike[str],
    *,
    quantize: str = "float16",
    single_file: bool = True,
    runtime_dir: str | None = None,
) -> WebPage:
    """Writes the page; every model is run by ONNX Runtime and compared before anything appears.

    Args:
        models: At least one; their names differ.
        folder: Where index.html goes.
        quantize: What the weights are stored as: "float16", "int8", or "none" for float32. They
            are float32 again when the page computes.
        single_file: Everything in index.html; otherwise scripts, runtime and models beside it.
        runtime_dir: Folder with the runtime's files or its npm archive, or None for the user's
            cache and a download.

    Returns:
        `WebPage`.

    Raises:
        InputError: If the runtime cannot be had, a package is missing, a model takes other
            channels than files hold, or its stored weights change the images too much.
    """
    files = runtime.load_runtime(runtime_dir)
    converted = [convert(model.served, quantize=quantize) for model in models]
    contents, differences, decibels = zip(*converted, strict=True)
    folder = Path(folder)
    abouts = [model.about for model in models]
    write = _write_file if single_file else _write_folder
    size, runtime_size = write(folder, abouts, contents, files)
    path = folder / "index.html"
    return WebPage(path, size, runtime_size, max(differences), min(decibels))


def convert(served: ServedModel, *, quantize: str) -> tuple[bytes, float, float]:
    """Makes the ONNX model of a page: `pixels` to `result`, uint8 [h, w, 4] RGBA of any size.

    Args:
        served: The model.
        quantize: See `export_page`.

    Returns:
        (the file's contents, the largest difference to the model in units of [0, 1], decibels).

    Raises:
        InputError: See `export_page`.
    """
    if served.channels not in FILE_CHANNELS:
        raise InputError(
            "Expected a model whose inputs have 1, 3 or 4 channels, as images in a browser, for "
            f"--export_format web. Received: {served.channels}"
        )
    onnx, onnxruntime = (
        optional.import_package(name, extra="web", needed_by="--export_format web")
        for name in ("onnx", "onnxruntime")
    )
    translate = _on_pixels(served)
    model = formats.to_onnx(translate, sizes="hw", extra="web")
    if quantize != "none":
        _store_smaller(onnx, model, quantize)
    contents = model.SerializeToString()
    session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])

    differences = []
    for shape in ((256, 256, 4), (200, 320, 4)):
        pixels = np.rint(formats.probe((1, *shape))[0] * 255).astype(np.uint8)
        pixels[..., 3] = 255
        expected = translate(tf.constant(pixels))["result"].numpy()
        (received,) = session.run(["result"], {"pixels": pixels})
        differences.append((expected.astype(np.int16) - received) / 255)
    worst, decibels = formats.agreement(differences)
    if decibels < formats.DECIBELS:
        raise InputError(
            f"The page's images agree with the model's by {decibels:.1f} dB only; at least "
            f"{formats.DECIBELS:.0f} dB are needed. Export with --quantize float16 or none."
        )
    return contents, worst, min(decibels, 120.0)  # infinite if the images are equal


def _on_pixels(served: ServedModel) -> Any:
    """The model from RGBA pixels to RGBA pixels: the page computes nothing itself."""
    signature = [tf.TensorSpec([None, None, 4], tf.uint8, "pixels")]

    @tf.function(input_signature=signature, autograph=False)
    def translate(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        image = images.to_unit(pixels)[None]
        if served.channels == 1:
            luminance = tf.constant([[weight] for weight in LUMINANCE], tf.float32)
            image = tf.tensordot(image[..., :3], luminance, 1)
        elif served.channels == 3:
            image = image[..., :3]
        result = images.from_unit(images.viewable(served.serving_default(image)["outputs"]))[0]
        if result.shape[-1] == 1:
            result = tf.repeat(result, 3, axis=-1)
        if result.shape[-1] == 3:
            opaque = tf.ones_like(result[..., :1]) * 255
            result = tf.concat([result, opaque], -1)
        return {"result": result}

    return translate


def _store_smaller(onnx: Any, model: Any, quantize: str) -> None:
    """Replaces large float32 arrays of an ONNX model by smaller ones that are cast when it loads.

    int8 has a scale for each output channel. The runtime folds the casts into float32 constants,
    so the page computes as fast as with float32 weights.
    """
    helper, numpy_helper, graph = onnx.helper, onnx.numpy_helper, model.graph
    axes = {
        node.input[1]: 1 if node.op_type == "ConvTranspose" else 0
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose")
    }
    added = []
    for initializer in list(graph.initializer):
        is_float = initializer.data_type == onnx.TensorProto.FLOAT
        if not is_float or np.prod(initializer.dims) < _MIN_QUANTIZED_SIZE:
            continue
        name, value = initializer.name, numpy_helper.to_array(initializer)
        stored, cast, to = f"{name}:stored", f"{name}:cast", onnx.TensorProto.FLOAT
        graph.initializer.remove(initializer)
        if quantize == "float16":
            small = value.clip(-65504, 65504).astype(np.float16)
            added.append(helper.make_node("Cast", [stored], [name], to=to))
        else:
            axis = axes.get(name, value.ndim - 1)
            others = tuple(other for other in range(value.ndim) if other != axis)
            scale = np.maximum(np.abs(value).max(others, keepdims=True), 1e-12) / 127
            small = np.rint(value / scale).astype(np.int8)
            scales = numpy_helper.from_array(scale.astype(np.float32), f"{name}:scale")
            graph.initializer.append(scales)
            added.append(helper.make_node("Cast", [stored], [cast], to=to))
            added.append(helper.make_node("Mul", [cast, f"{name}:scale"], [name]))
        graph.initializer.append(numpy_helper.from_array(small, stored))
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _packed(contents: bytes) -> str:
    """Bytes as text: gzip in base64. The time in the header is zero, so equal inputs stay equal."""
    return base64.b64encode(gzip.compress(contents, 9, mtime=0)).decode()


def _static() -> Path:
    """The folder of the page's files."""
    return optional.load("serve", "page:STATIC", needed_by="--export_format web")


def _source(name: str) -> str:
    return (_static() / name).read_text(encoding="utf-8")


def _script(abouts: Sequence[dict[str, Any]], *, files: dict[str, Any] | None) -> str:
    """The page's modules as one: imports and exports between them disappear."""
    setup = json.dumps({"files": files, "models": abouts})
    lines = ["const SETUP = " + setup.replace("<", "\\u003c") + ";"]  # ends no script element
    for name in _SCRIPTS:
        text = re.sub(r"^import .*? from .*?;\n", "", _source(name), flags=re.MULTILINE | re.DOTALL)
        lines.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n".join(lines)


def _page(*, head: str, scripts: str, policy: str) -> str:
    """index.html with other links to styles and scripts."""
    text = _source("index.html")
    icon = base64.b64encode((_static() / "icon.svg").read_bytes()).decode()
    text = text.replace("/page/icon.svg", f"data:image/svg+xml;base64,{icon}")
    text = re.sub(r"^<(link rel=\"stylesheet\"|script).*\n", "", text, flags=re.MULTILINE)
    meta = f'<meta http-equiv="content-security-policy" content="{policy}">\n'
    text = text.replace("<title>", meta + "<title>", 1)
    text = text.replace("</head>", f"{head}\n</head>", 1)
    return text.replace("</body>", f"{scripts}\n<!-- {_NOTICE} -->\n</body>", 1)


def _write_file(
    folder: Path,
    abouts: Sequence[dict[str, Any]],
    contents: Sequence[bytes],
    runtime_files: Mapping[str, bytes],
) -> tuple[int, int]:
    """Writes the page as one file; returns its bytes and the runtime's share."""
    parts = {
        "runtime-script": _packed(runtime_files[WASM[0]]),
        "runtime-wasm": _packed(runtime_files[WASM[1]]),
    }
    runtime_size = sum(map(len, parts.values()))
    parts |= {f"model-{number}": _packed(data) for number, data in enumerate(contents)}
    parts["worker-script"] = _source("worker.js")
    scripts = [
        f"<script>\n{_source('check.js')}</script>",
        *(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in parts.items()),
        f'<script type="module">\n{_script(abouts, files=None)}</script>',
    ]
    page = _page(
        head=f"<style>\n{_source('page.css')}</style>",
        scripts="\n".join(scripts),
        policy=_POLICY.format(source="").replace("  ", " "),
    )
    run_folder.write_text(folder / "index.html", page)
    return (folder / "index.html").stat().st_size, runtime_size


def _write_folder(
    folder: Path,
    abouts: Sequence[dict[str, Any]],
    contents: Sequence[bytes],
    runtime_files: Mapping[str, bytes],
) -> tuple[int, int]:
    """Writes the page as a folder; returns the bytes of all files and of the runtime's."""
    names = [f"model-{number}.onnx" for number in range(len(contents))]
    files = {"models": names, "runtime": WASM, "webgpu": WEBGPU, "worker": "worker.js"}
    texts = {
        "page.js": _script(abouts, files=files),
        **{name: _source(name) for name in ("page.css", "worker.js", "check.js")},
        "index.html": _page(
            head='<link rel="stylesheet" href="page.css">\n<script src="check.js"></script>\n'
            '<script type="module" src="page.js"></script>',
            scripts="",
            policy=_POLICY.format(source="'self'").replace("'unsafe-inline' ", ""),
        ),
    }
    blobs = dict(zip(names, contents, strict=True))
    blobs |= runtime_files
    blobs |= {name: text.encode() for name, text in texts.items()}
    for name, data in blobs.items():  # index.html last: a page that opens is whole
        with run_folder.atomic(folder / name) as temporary:
            temporary.write_bytes(data)
    return sum(map(len, blobs.values())), sum(map(len, runtime_files.values()))
