"""Pictures in a run folder and the rows of its report."""

import math
import platform
import re
import sys

import numpy as np
from PIL import Image

from pix2pix_tf import run_folder
from pix2pix_tf.evaluation.report import write_report

# The kinds of pictures in the order of showing: of pix2pix, then of CycleGAN.
KINDS = (
    *("inputs", "outputs", "targets"),
    *(
        "real_A",
        "fake_B",
        "rec_A",
        "idt_A",
        "real_B",
        "fake_A",
        "rec_B",
        "idt_B",
        "true_A",
        "true_B",
    ),
)
_TRAINING_NAME = re.compile(rf"(\d{{8}})-(.*)-({'|'.join(KINDS)})\.png")


def write_pictures(folder, names, pictures, *, step=None, aspect_ratio=1.0):
    """Writes one PNG per name and kind: images/[STEP-]NAME-KIND.png.

    Args:
        folder: Run folder.
        names: The images' names, n of them.
        pictures: Dict from kind ("inputs", ...) to n arrays [h, w, 1, 3 or 4], uint8 or uint16.
        step: Training step for the file names, or None.
        aspect_ratio: Width of a picture becomes round(height * aspect_ratio).

    Returns:
        The report's rows, one per name.
    """
    (run_folder.place(folder) / run_folder.IMAGES).mkdir(parents=True, exist_ok=True)
    prefix = "" if step is None else f"{step:08d}-"
    rows = []
    for index, name in enumerate(names):
        images = {}
        for kind, batch in pictures.items():
            images[kind] = f"{run_folder.IMAGES}/{prefix}{name}-{kind}.png"
            _save(run_folder.place(folder) / images[kind], batch[index], aspect_ratio)
        rows.append({"name": name, "images": images} | ({} if step is None else {"step": step}))
    return rows


def _save(path, pixels, aspect_ratio):
    if pixels.dtype == np.uint16:
        _save_deep(path, pixels, aspect_ratio)
        return
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    width = round(image.height * aspect_ratio)
    if aspect_ratio != 1.0 and width != image.width:
        image = image.resize((max(width, 1), image.height), Image.Resampling.BICUBIC)
    with run_folder.atomic(path, durable=False) as temporary, temporary.open("wb") as file:
        image.save(file, format="PNG")


def remove_later(folder, step):
    """Removes the pictures that training wrote after `step`; it goes on from there."""
    for path in (run_folder.place(folder) / run_folder.IMAGES).glob("*.png"):
        found = _TRAINING_NAME.fullmatch(path.name)
        if found and int(found[1]) > step:
            path.unlink()


def _save_deep(path, pixels, aspect_ratio):
    """Writes 16 bits, which Pillow does for grey alone."""
    from pix2pix_tf.data import images

    height, width = pixels.shape[0], max(round(pixels.shape[0] * aspect_ratio), 1)
    if aspect_ratio != 1.0 and width != pixels.shape[1]:
        planes = np.moveaxis(pixels.astype(np.float32), -1, 0)
        planes = [Image.fromarray(plane) for plane in planes]
        planes = [plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
        pixels = np.clip(np.round(np.stack(planes, -1)), 0, 65535).astype(np.uint16)
    with run_folder.atomic(path, durable=False) as temporary:
        temporary.write_bytes(images.encode(pixels).numpy())


def training_rows(folder):
    """The rows of all pictures that training has written so far, oldest first."""
    rows = {}
    for path in sorted((run_folder.place(folder) / run_folder.IMAGES).glob("*.png")):
        if found := _TRAINING_NAME.fullmatch(path.name):
            step, name, kind = int(found[1]), found[2], found[3]
            row = rows.setdefault((step, name), {"name": name, "step": step, "images": {}})
            row["images"][kind] = f"{run_folder.IMAGES}/{path.name}"
    for row in rows.values():
        row["images"] = {kind: row["images"][kind] for kind in KINDS if kind in row["images"]}
    return list(rows.values())


def write_training_report(folder, *, title, options):
    """Writes a run's index.html from the pictures and the log in its folder.

    Args:
        folder: Run folder.
        title: Heading of the page.
        options: What made the run, a dict.

    Returns:
        Path of the page.
    """
    log = run_folder.place(folder) / run_folder.LOG
    return write_report(
        folder, title=title, rows=training_rows(folder), options=options | versions(), log=log
    )


def write_results(folder, rows, *, title, options, facts):
    """Writes what test or evaluate found: metrics.json, the options and index.html.

    JSON has no infinity and no NaN: such values are null, and means are those of the others.

    Args:
        folder: Output folder.
        rows: The report's rows, with metrics.
        title: Heading of the page.
        options: What made the results, a dict with the "mode".
        facts: What else metrics.json holds, a dict; "context" and "sets", dicts of numbers, stand
            beside the means on the page, and so do the training curves of the "checkpoint".

    Returns:
        Path of index.html.
    """
    folder = run_folder.place(folder)
    mean, left_out = means(rows)
    per_image = {
        row["name"]: {k: v if math.isfinite(v) else None for k, v in row["metrics"].items()}
        for row in rows
    }
    found = {"mean": mean, "left_out": left_out, "per_image": per_image, "count": len(rows)}
    run_folder.write_json(folder / f"{options['mode']}_{run_folder.OPTIONS}", options)
    run_folder.write_json(folder / run_folder.METRICS, found | facts)
    summary = mean | facts.get("sets", {}) | facts.get("context", {})
    log = run_folder.place(facts.get("checkpoint") or "").parent.parent / run_folder.LOG
    return write_report(
        folder,
        title=title,
        rows=rows,
        options=options | versions(),
        summary={name: value for name, value in summary.items() if value is not None},
        log=log if facts.get("checkpoint") and log.is_file() else None,
    )


def means(rows):
    """The mean of each metric over the rows that have a finite value of it.

    Returns:
        (dict from names to means, None without any; dict from names to the number of images left
        out because their value is infinite or NaN).
    """
    mean, left_out = {}, {}
    for name in dict.fromkeys(name for row in rows for name in row["metrics"]):
        values = [row["metrics"][name] for row in rows if name in row["metrics"]]
        finite = [value for value in values if math.isfinite(value)]
        mean[name] = float(np.mean(finite)) if finite else None
        left_out |= {name: len(values) - len(finite)} if len(finite) < len(values) else {}
    return mean, left_out


def versions():
    """The versions of what this process has loaded, for the report."""
    loaded = (name for name in ("tensorflow", "keras", "numpy") if name in sys.modules)
    found = {name: sys.modules[name].__version__ for name in loaded}
    return {"versions": {"python": platform.python_version(), **found}}
