"""What benchmarks/benchmark.py measures: functions that prepare one thing and return how to run it.

Each is called in a process of its own, so that allocators and thread pools do not disturb each
other, and returns (function that runs it once, dict of facts about it).
"""

import functools
import itertools
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Case = dict[str, Any]  # the settings of a measurement
Run = Callable[[], Any]
Prepared = tuple[Run, dict[str, Any]]
Prepare = Callable[[Case], Prepared]

# Side of the matrices whose product shows what the hardware can do; files of the pipeline, and how
# many images one run takes from it: far more than what waits in its buffers when the run starts.
PEAK_SIDE, PIPELINE_FILES, PIPELINE_IMAGES = 2048, 64, 256


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def our_config(case: Case, *, starting: bool = True, **options: Any) -> Any:
    """The defaults, but without the innermost normalisation, as in the peer, and `options`."""
    from pix2pix_tf.config import Pix2PixConfig
    from pix2pix_tf.training import runtime

    runtime.load_tensorflow(starting=starting)
    options |= {name: case[name] for name in ("batch_size", "precision", "ngf", "ndf")}
    return Pix2PixConfig(
        mode="train",
        input_dir=Path("in"),
        output_dir=Path("out"),
        seed=0,
        bottleneck_norm=False,
        **options,
    )


def step_flops(model: Any, size: int) -> int:
    """Multiplications and additions of the convolutions of one training step on one image.

    A pass backwards costs as much to the input as to the kernel. The generator goes forwards and
    backwards once; the discriminator forwards twice, backwards to its kernels twice and to its
    inputs three times, once of these for the generator.
    """

    def count(levels: Sequence[Any], sides: Sequence[int]) -> int:
        pairs = zip(levels, sides, strict=True)
        return sum(2 * math.prod(level.convolution.kernel.shape) * side**2 for level, side in pairs)

    smaller = [size >> (level + 1) for level in range(len(model.generator.encoders))]
    generator = count(model.generator.encoders, smaller)
    generator += count(model.generator.decoders, smaller[::-1])
    maps = [size >> 1, size >> 2, size >> 3, (size >> 3) - 1, (size >> 3) - 2]
    return 3 * generator + 7 * count(model.discriminator.levels, maps)


def updates(model: Any, batch: Any) -> Run:
    """Function that makes one update with `batch` as `Model.fit` does, and waits for its losses."""
    model.make_train_function()
    batches = itertools.repeat(batch)

    def run() -> None:
        for value in model.train_function(batches).values():
            value.numpy()

    return run


def our_pair(case: Case) -> tuple[Any, ...]:
    """Two batches of images as TensorFlow takes them."""
    import tensorflow as tf

    size = case["image_size"]
    return tuple(tf.constant(noise(case["batch_size"], size, size, 3, seed=s)) for s in (0, 1))


def peer_pair(case: Case) -> tuple[Any, ...]:
    """Two such batches as PyTorch takes them."""
    import torch

    shape = (case["batch_size"], 3, case["image_size"], case["image_size"])
    return tuple(torch.from_numpy(noise(*shape, seed=seed)) for seed in (0, 1))


def peer_options(case: Case) -> dict[str, Any]:
    """The arguments of a PyTorch model."""
    return {"ngf": case["ngf"], "ndf": case["ndf"], "bfloat16": case["precision"] != "float32"}


def our_step(case: Case) -> Prepared:
    """One update, as the training loop makes it."""
    config = our_config(case)
    from pix2pix_tf import model as models

    model = models.build(config)
    flops = case["batch_size"] * step_flops(model, case["image_size"])
    facts = {"parameters": model.count_params(), "gflop": flops / 1e9}
    return updates(model, our_pair(case)), facts


def peer_step(case: Case) -> Prepared:
    """One update of the PyTorch model."""
    import torch_peer

    model, batch = torch_peer.Pix2Pix(**peer_options(case)), peer_pair(case)
    return lambda: model.train_step(*batch), {"parameters": model.count_params()}


def our_generator(case: Case) -> Prepared:
    """One translation by the generator in a compiled function, without dropout."""
    config = our_config(case)
    import tensorflow as tf

    from pix2pix_tf import model as models

    generator, (x, _) = models.build_generator(config), our_pair(case)
    translate = tf.function(generator)
    return lambda: translate(x).numpy(), {"parameters": generator.count_params()}


def served_generator(case: Case) -> tuple[Any, Any]:
    """(generator, its ServedModel, which takes pictures of any size)."""
    config = our_config(case)
    from pix2pix_tf import model as models
    from pix2pix_tf.export.saved_model import ServedModel
    from pix2pix_tf.task import Pix2PixTask

    generator = models.build_generator(config)
    return generator, ServedModel(
        generator, Pix2PixTask().predictor(config, generator).unit, filetype="png"
    )


def in_unit(case: Case) -> np.ndarray:
    """Pictures in [0, 1], as exports take them."""
    return noise(case["batch_size"], case["image_size"], case["image_size"], 3) / 2 + 0.5


def our_saved_model(case: Case) -> Prepared:
    """One call of the reloaded SavedModel."""
    generator, served = served_generator(case)
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(served, folder, signatures=served.signatures)
        loaded = tf.saved_model.load(folder)
    serve, x = loaded.signatures["serving_default"], tf.constant(in_unit(case))

    def run() -> None:
        return serve(images=x)["outputs"].numpy()

    # The signature does not keep its variables alive.
    run.model = loaded  # type: ignore[attr-defined]
    return run, {"parameters": generator.count_params()}


def exported(
    case: Case, export_format: str, **options: Any
) -> tuple[dict[str, Any], bytes, np.ndarray]:
    """(facts, bytes of the export, pictures for it)."""
    from pix2pix_tf.export import formats

    generator, served = served_generator(case)
    with tempfile.TemporaryDirectory() as folder:
        made = formats.export_generator(
            generator, served, folder, export_format=export_format, **options
        )
        return {"parameters": generator.count_params()}, made.path.read_bytes(), in_unit(case)


def our_litert(case: Case, **options: Any) -> Prepared:
    """One call of LiteRT with a thread per core."""
    facts, model, x = exported(case, "litert", **options)
    from ai_edge_litert.interpreter import Interpreter

    threads = len(os.sched_getaffinity(0))
    interpreter = Interpreter(model_content=model, num_threads=threads)
    serve = interpreter.get_signature_runner("serving_default")
    serve(images=x)
    # Operations of the file, then the groups of them that a delegate has taken over.
    names = [operation["op_name"] for operation in interpreter._get_ops_details()]
    groups = names.count("DELEGATE")
    facts["note"] = f"{threads} threads, {groups} groups of operations in XNNPACK"
    return lambda: serve(images=x)["outputs"], facts


def our_fixed_litert(case: Case, *, quantize: str = "none") -> Prepared:
    """One call of LiteRT for one image of one size."""
    size = (case["image_size"], case["image_size"])
    return our_litert(case, image_size=size, quantize=quantize)


def our_onnx(case: Case) -> Prepared:
    """One call of ONNX Runtime."""
    facts, model, x = exported(case, "onnx")
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda: session.run(["outputs"], {"images": x})[0], facts


def peer_generator(case: Case) -> Prepared:
    """One translation by the PyTorch generator, by the statistics of the image, no dropout."""
    import torch_peer

    model, (x, _) = torch_peer.Pix2Pix(**peer_options(case)), peer_pair(case)
    model.generator.dropout.eval()
    return lambda: model.translate(x), {"parameters": torch_peer.parameters(model.generator)}


def our_cycle(case: Case) -> Prepared:
    """One update of CycleGAN, as the training loop makes it."""
    our_config(case)
    from cyclegan_tf import model as models
    from cyclegan_tf.config import CycleGANConfig

    size = case["image_size"]
    options = {name: case[name] for name in ("batch_size", "precision", "ngf", "ndf")}
    options |= {"crop_size": size, "load_size": size}
    config = CycleGANConfig(
        mode="train", input_dir=Path("in"), output_dir=Path("out"), seed=0, **options
    )
    model = models.build(config, steps_per_epoch=1000)
    return updates(model, our_pair(case)), {"parameters": model.count_params()}


def peer_cycle(case: Case) -> Prepared:
    """One update of CycleGAN in PyTorch."""
    import torch_cycle

    model, batch = torch_cycle.CycleGAN(**peer_options(case)), peer_pair(case)
    return lambda: model.train_step(*batch), {"parameters": model.count_params()}


def pairs_folder(case: Case) -> tuple[list[str], Any]:
    """(list of paths, what keeps the files): the pairs named, or facades made up."""
    from pix2pix_tf.data import listing
    from pix2pix_tf.demo import facades

    if case["pairs"]:
        return listing.list_images(case["pairs"]), None
    folder = tempfile.TemporaryDirectory()
    facades.write_pairs(Path(folder.name), PIPELINE_FILES, seed=0)
    return listing.list_images(folder.name), folder


def take(batches: Iterator[Any], *, batch_size: int, folder: Any) -> Prepared:
    """How to take `PIPELINE_IMAGES` from batches of the files in `folder`, and that number."""
    count = max(1, PIPELINE_IMAGES // batch_size)

    def run() -> None:
        for _ in range(count):
            next(batches)

    # It is removed with its last reference.
    run.folder = folder  # type: ignore[attr-defined]
    return run, {"images": count * batch_size}


def our_pipeline(case: Case) -> Prepared:
    """Batches from files."""
    config = our_config(case)
    from pix2pix_tf.data import pipelines
    from pix2pix_tf.task import Pix2PixTask, TrainingFiles

    paths, folder = pairs_folder(case)
    files = TrainingFiles(sets={"train": paths}, types={})
    load = Pix2PixTask().example_loader(config, files)
    batches = pipelines.batches(load, batch_size=case["batch_size"])
    return take(iter(batches), batch_size=case["batch_size"], folder=folder)


def peer_pipeline(case: Case) -> Prepared:
    """Batches from the same files by torch.utils.data.DataLoader and Pillow."""
    import torch_loader

    paths, folder = pairs_folder(case)
    batches = torch_loader.endless(paths, batch_size=case["batch_size"])
    return take(batches, batch_size=case["batch_size"], folder=folder)


def our_peak(case: Case) -> Prepared:
    """A product of large matrices."""
    our_config(case)
    import tensorflow as tf

    dtype = "float32" if case["precision"] == "float32" else "bfloat16"
    x = tf.cast(noise(PEAK_SIDE, PEAK_SIDE), dtype)
    product = tf.function(lambda: tf.matmul(x, x))
    return lambda: product()[0, 0].numpy(), {"gflop": 2 * PEAK_SIDE**3 / 1e9}


def peer_peak(case: Case) -> Prepared:
    """The same product in PyTorch."""
    import torch

    dtype = torch.float32 if case["precision"] == "float32" else torch.bfloat16
    x = torch.from_numpy(noise(PEAK_SIDE, PEAK_SIDE)).to(dtype)
    return lambda: x @ x, {"gflop": 2 * PEAK_SIDE**3 / 1e9}


# The package that a system needs beside ours.
LITERT = ("litert", "litert_fixed", "litert_int8")
NEEDS = {"torch": "torch", "onnx": "tf2onnx", **dict.fromkeys(LITERT, "ai_edge_litert")}
# Their files are made from float32 only.
FLOAT32_ONLY = {*LITERT, "onnx"}
# Files for one image at a time.
SINGLE = {"litert_fixed", "litert_int8"}
# What is compared in each part: names of systems and how they are prepared.
PARTS: dict[str, dict[str, Prepare]] = {
    "step": {"ours": our_step, "torch": peer_step},
    "inference": {
        "ours": our_generator,
        "saved_model": our_saved_model,
        "litert": our_litert,
        "litert_fixed": our_fixed_litert,
        "litert_int8": functools.partial(our_fixed_litert, quantize="int8"),
        "onnx": our_onnx,
        "torch": peer_generator,
    },
    "pipeline": {"ours": our_pipeline, "torch": peer_pipeline},
    "cycle": {"ours": our_cycle, "torch": peer_cycle},
    "peak": {"ours": our_peak, "torch": peer_peak},
}
