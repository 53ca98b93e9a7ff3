"""Pictures in a run folder and the rows of its report."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix_tf import runs

_TRAINING_NAME = re.compile(r"(\d{8})-(.*)-(inputs|outputs|targets)\.png")


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
    (Path(folder) / runs.IMAGES).mkdir(parents=True, exist_ok=True)
    prefix = "" if step is None else f"{step:08d}-"
    rows = []
    for index, name in enumerate(names):
        images = {}
        for kind, batch in pictures.items():
            images[kind] = f"{runs.IMAGES}/{prefix}{name}-{kind}.png"
            _save(Path(folder) / images[kind], batch[index], aspect_ratio)
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
    image.save(path)


def _save_deep(path, pixels, aspect_ratio):
    """Writes 16 bits, which Pillow does for grey alone."""
    from pix2pix_tf.data import images

    height, width = pixels.shape[0], max(round(pixels.shape[0] * aspect_ratio), 1)
    if aspect_ratio != 1.0 and width != pixels.shape[1]:
        planes = np.moveaxis(pixels.astype(np.float32), -1, 0)
        planes = [Image.fromarray(plane) for plane in planes]
        planes = [plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
        pixels = np.clip(np.round(np.stack(planes, -1)), 0, 65535).astype(np.uint16)
    path.write_bytes(images.encode(pixels).numpy())


def training_rows(folder):
    """The rows of all pictures that training has written so far, oldest first."""
    rows = {}
    for path in sorted((Path(folder) / runs.IMAGES).glob("*.png")):
        if found := _TRAINING_NAME.fullmatch(path.name):
            step, name, kind = int(found[1]), found[2], found[3]
            row = rows.setdefault((step, name), {"name": name, "step": step, "images": {}})
            row["images"][kind] = f"{runs.IMAGES}/{path.name}"
    order = {"inputs": 0, "outputs": 1, "targets": 2}
    for row in rows.values():
        row["images"] = dict(sorted(row["images"].items(), key=lambda item: order[item[0]]))
    return list(rows.values())
