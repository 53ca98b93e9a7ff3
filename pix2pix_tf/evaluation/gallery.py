"""Pictures in a run folder and the rows of its report."""

import re
from pathlib import Path

from PIL import Image

from pix2pix_tf import runs

_TRAINING_NAME = re.compile(r"(\d{8})-(.*)-(inputs|outputs|targets)\.png")


def write_pictures(folder, names, pictures, *, step=None, aspect_ratio=1.0):
    """Writes one PNG per name and kind: images/[STEP-]NAME-KIND.png.

    Args:
        folder: Run folder.
        names: The images' names, n of them.
        pictures: Dict from kind ("inputs", ...) to uint8 arrays [n, h, w, 1 or 3].
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
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    width = round(image.height * aspect_ratio)
    if aspect_ratio != 1.0 and width != image.width:
        image = image.resize((max(width, 1), image.height), Image.Resampling.BICUBIC)
    with runs.atomic(path, durable=False) as temporary:
        image.save(temporary, format="PNG")


def remove_later(folder, step):
    """Removes the pictures that training wrote after `step`; it goes on from there."""
    for path in (Path(folder) / runs.IMAGES).glob("*.png"):
        found = _TRAINING_NAME.fullmatch(path.name)
        if found and int(found[1]) > step:
            path.unlink()


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
