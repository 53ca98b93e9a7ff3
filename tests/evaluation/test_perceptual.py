"""LPIPS against its definition, with a random AlexNet in PyTorch's cache.

PyTorch is loaded in other processes only: after TensorFlow some of its builds do not load.
"""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pix2pix_tf.evaluation import perceptual

needs_extra = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("torch", "torchvision", "torchmetrics"))),
    reason="needs the extra [lpips]",
)

# Writes a random AlexNet and prints the LPIPS of two files by the definition.
DEFINITION = """
import json, pathlib, sys
import numpy as np, torch, torchvision
import torchmetrics.functional.image.lpips as carrier
from PIL import Image

cached, *files = sys.argv[1:]
torch.manual_seed(0)
alexnet = torchvision.models.alexnet(weights=None)
pathlib.Path(cached).parent.mkdir(parents=True)
torch.save(alexnet.state_dict(), cached)
images = np.stack([np.asarray(Image.open(file)) for file in files]) / 127.5 - 1
images = (images - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
maps, found = torch.tensor(images, dtype=torch.float32).movedim(-1, 1), 0.0
file = pathlib.Path(carrier.__file__).parent / "lpips_models/alex.pth"
linear = torch.load(file, map_location="cpu")
for index, layer in enumerate(alexnet.features[:12]):
    maps = layer(maps)
    if index in (1, 4, 7, 9, 11):  # the five ReLUs
        unit = maps / maps.norm(dim=1, keepdim=True)
        weights = linear[f"lin{(1, 4, 7, 9, 11).index(index)}.model.1.weight"][0, :, 0, 0]
        found += float((((unit[0] - unit[1]) ** 2).movedim(0, -1) @ weights).mean())
print(found)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """AlexNet's place in an empty cache of PyTorch."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints" / perceptual.ALEXNET_FILE


def write_images(folder, *, size=(40, 33)):
    random = np.random.default_rng(0)
    files = [folder / f"{name}.png" for name in "ab"]
    for file in files:
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(file)
    return files


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no', name='torch')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    with pytest.raises(ValueError, match="pip install 'pix2pix-tf.lpips.'. Received: no module"):
        perceptual.Lpips()


@needs_extra
def test_weights_are_not_downloaded_silently(home):
    with pytest.raises(ValueError, match="--download_weights") as raised:
        perceptual.Lpips()
    assert str(home) in str(raised.value)
    assert not home.parent.exists()


@needs_extra
def test_lpips_is_its_definition(home, tmp_path):
    a, b = write_images(tmp_path)
    words = [sys.executable, "-c", DEFINITION, home, a, b]
    expected = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    measure = perceptual.Lpips()
    assert measure(a, b) == pytest.approx(expected, rel=1e-4) and expected > 0.01
    assert measure(a, a) == 0
    (tmp_path / "small").mkdir()
    size = (perceptual.LPIPS_SIZE, perceptual.LPIPS_SIZE)
    assert measure(*write_images(tmp_path / "small", size=size)) > 0.01
    with pytest.raises(ValueError, match="too small"):
        measure(*write_images(tmp_path / "small", size=(size[0] - 1, size[0])))
