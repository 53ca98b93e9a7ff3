"""FID, KID and LPIPS: what is asked of PyTorch's programs, and with the extra their numbers."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import runs
from PIL import Image

from pix2pix_tf import run_folder

PACKAGES = ("torch", "torchvision", "torch_fidelity", "torchmetrics")
needs_torch = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PACKAGES)), reason="needs the extra [metrics]"
)
# A program that answers as torch-fidelity's does, and writes down what it was asked.
FIDELITY = """
import json, os, pathlib, sys

words = dict(word[2:].partition("=")[::2] for word in sys.argv[1:])
if "fail" in words["feature-extractor-weights-path"]:
    print("Processing samples: 50%|", file=sys.stderr)
    raise RuntimeError("no weights\\n\\tof layer 1")
files = {name: sorted(os.listdir(words[name])) for name in ("input1", "input2")}
safe = os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]
pathlib.Path(os.environ["ASKED"]).write_text(json.dumps({**words, **files, "safe": safe}))
scores = {"frechet_inception_distance": -1e-9, "kernel_inception_distance_mean": -0.5}
print("KID values slightly less than 0 are valid")
print(json.dumps({**scores, "kernel_inception_distance_std": 0.25}))
"""
FOLDERS = ("--input_dir", "outputs", "--target_dir", "targets", "--output_dir", "out")


def evaluate(*words, program="pix2pix-tf"):
    return runs.command(program, "evaluate", *FOLDERS, *words)


def scores(*words):
    process = evaluate(*words)
    assert process.returncode == 0, process.stderr
    with open(f"out/{run_folder.METRICS}") as file:
        return json.load(file)


def refusal(*words):
    process = evaluate(*words)
    assert process.returncode == 1 and "Traceback" not in process.stderr
    return process.stderr.splitlines()[-1]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder: outputs and targets of several sizes and modes, and an empty cache."""
    random = np.random.default_rng(0)
    modes = ("RGB", "RGBA", "L", "RGB", "RGB")
    for kind, count in (("outputs", 5), ("targets", 6)):
        (tmp_path / kind).mkdir()
        for number in range(count):
            small = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
            size = (64 + 8 * (number % 2), 48)
            image = small.resize(size, Image.Resampling.BICUBIC).convert(modes[number % 5])
            image.save(tmp_path / kind / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def stub(tmp_path_factory, monkeypatch):
    """Replaces the packages of the extra; returns a function that reads what was asked."""
    place = tmp_path_factory.mktemp("packages")
    for name in PACKAGES:
        (place / name).mkdir()
        (place / name / "__init__.py").write_text("")
    (place / "torch_fidelity" / "fidelity.py").write_text(FIDELITY)
    asked = place / "asked.json"
    monkeypatch.syspath_prepend(place)
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("ASKED", str(asked))
    return lambda: json.loads(asked.read_text())


def test_torch_fidelity_is_asked_for_both_sets(stub, folder):
    (folder / "any.pth").write_bytes(b"weights")
    words = ("--inception_weights", "any.pth", "--kid_subsets", 7, "--seed", 3)
    found = scores(*words, "--metrics", "fid,kid", "--statistics", "kept")
    assert found["sets"] == {"FID": 0, "KID": -0.5, "KID_std": 0.25}
    asked = stub()
    assert (len(asked["input1"]), len(asked["input2"])) == (5, 6)
    assert {"fid", "kid", "cpu", "json"} <= asked.keys() and asked["safe"] == "1"
    expected = {"kid-subsets": "7", "kid-subset-size": "2", "rng-seed": "3", "batch-size": "1"}
    assert expected.items() <= asked.items()
    assert asked["feature-extractor-weights-path"] == str(folder / "any.pth")
    assert asked["cache-root"] == str(folder / "kept")
    assert found["settings"]["kid"]["kid_subset_size"] == 2
    assert found["settings"]["fid"]["weights_file"] == "any.pth"
    # Features are kept under a name that follows from the targets and the weights.
    name = asked["input2-cache-name"]
    scores(*words, "--metrics", "fid")
    assert stub()["input2-cache-name"] == name and "kid" not in stub()
    (folder / "any.pth").write_bytes(b"other weights")
    scores(*words, "--metrics", "fid")
    assert stub()["input2-cache-name"] != name
    (folder / "any.pth").write_bytes(b"weights")
    (folder / "targets" / "0.png").rename(folder / "targets" / "9.png")  # another order
    scores(*words, "--metrics", "fid")
    assert stub()["input2-cache-name"] != name


@pytest.mark.slow
def test_cyclegan_is_measured_in_both_directions(stub, folder, tiny_run, unpaired):
    (folder / "any.pth").write_bytes(b"weights")
    words = ("--input_dir", unpaired, "--checkpoint", tiny_run("cyclegan-tf"))
    words += ("--inception_weights", "any.pth", "--output_dir", "out")
    runs.succeed("cyclegan-tf", "evaluate", *words)
    found = json.loads((folder / "out" / run_folder.METRICS).read_text())
    assert set(found["mean"]) == {"cycle L1 A", "cycle L1 B"}
    assert {"FID AtoB", "KID BtoA", "KID_std BtoA"} < found["sets"].keys()
    count = len(list((unpaired / "testA").iterdir()))
    assert found["samples"]["targets BtoA"] == count == len(stub()["input2"])
    assert len(stub()["input1"]) == len(list((unpaired / "testB").iterdir()))


def test_nothing_is_imported_from_the_current_folder(stub, folder):
    (folder / "any.pth").write_bytes(b"weights")
    for name in ("json", "numpy", "os", "pathlib", "runpy", "torch", "torch_fidelity", "encodings"):
        (folder / f"{name}.py").write_text("open('executed', 'w')")
    scores("--inception_weights", "any.pth", "--metrics", "fid")
    cached = folder / "cache" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"")
    (folder / "targets" / "5.png").unlink()
    assert "LPIPS cannot be measured: " in refusal("--metrics", "lpips")  # of an empty package
    assert not (folder / "executed").exists()


def test_what_is_missing_is_one_line(stub, folder):
    inception = folder / "cache/hub/checkpoints/weights-inception-2015-12-05-6726825d.pth"
    line = refusal("--metrics", "kid")
    assert str(inception) in line and "--inception_weights" in line and "--download_w" in line
    assert "no file" in refusal("--metrics", "fid", "--inception_weights", "no.pth")
    assert "alexnet" in (line := refusal("--metrics", "lpips")) and "--inception" not in line
    assert not inception.parent.exists()
    (folder / "fail.pth").write_bytes(b"")
    words = ("--metrics", "fid", "--inception_weights", "fail.pth")
    assert "fail.pth" in (line := refusal(*words)) and line.endswith(": RuntimeError: no weights")
    (folder / "true.npz").write_bytes(b"")
    assert "--statistics to be a folder" in refusal(*words, "--statistics", "true.npz")
    line = refusal(*words[2:], "--metrics", "fid,kid", "--kid_subset_size", 6)
    assert "at least 6 images. Received: 5" in line


def test_without_weights_or_extra_they_are_left_out_or_one_line(stub, folder, monkeypatch):
    (folder / "targets" / "5.png").unlink()
    process = evaluate()
    assert process.returncode == 0
    assert "FID and KID are left out. FID and KID need weights" in process.stdout
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "packages" not in path])
    for name in [name for name in sys.modules if name.startswith("pix2pix_tf.extras.metrics")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    process = evaluate()
    assert "left out. --metrics fid,kid needs an extra: pip install 'pix2pix-tf[metrics]'" in (
        process.stdout
    )
    for name in ("lpips", "kid"):
        line = refusal("--metrics", name)
        assert f"--metrics {name} needs an extra: pip install 'pix2pix-tf[metrics]'" in line


def test_a_download_that_fails_leaves_nothing(stub, folder, monkeypatch):
    from pix2pix_tf.extras.metrics import torch_process

    (folder / "weights-0123abcd.pth").write_bytes(b"not these")
    monkeypatch.setattr(torch_process, "INCEPTION_URL", (folder / "weights-0123abcd.pth").as_uri())
    with pytest.raises(ValueError, match="starts with 0123abcd from file:.*Received: "):
        torch_process.find_weights(torch_process.INCEPTION_URL, purpose="FID", download=True)
    assert not list((folder / "cache" / "hub" / "checkpoints").iterdir())


# ---- With the extra

# Weights of the real form, and the features of files.
WEIGHTS = """
import sys, torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

torch.manual_seed(0)
torch.save({}, sys.argv[1])
FeatureExtractorInceptionV3.load_state_dict = lambda *_: None
network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=sys.argv[1])
for weight in network.parameters():
    if weight.ndim == 4:
        torch.nn.init.kaiming_uniform_(weight, nonlinearity="relu")
torch.save(network.state_dict(), sys.argv[1])
"""
FEATURES = """
import sys, numpy, torch
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=sys.argv[1])
images = (numpy.array(Image.open(path).convert("RGB")) for path in sys.argv[3:])
features = [network(torch.from_numpy(image).movedim(-1, 0)[None])[0] for image in images]
numpy.save(sys.argv[2], torch.cat(features).numpy())
"""


def python(code, *words):
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, stdout=subprocess.PIPE)
    return done.stdout


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "seeded.pth"
    python(WEIGHTS, path)
    return path


def frechet_distance(a, b):
    """Of few images: the root's trace is that of the small product of the centred sets."""
    a, b = (x.astype(float) for x in (a, b))
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    root_trace = np.linalg.norm(centred[0] @ centred[1].T, "nuc")
    spread = sum(np.square(x).sum() for x in centred) - 2 * root_trace
    return np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + spread


def squared_mmd(x, y):
    """The unbiased squared MMD with the kernel (x.y / d + 1)^3, pair by pair."""

    def kernel(a, b):
        return (np.dot(a.astype(float), b) / len(a) + 1) ** 3

    m = len(x)
    others = [(i, j) for i in range(m) for j in range(m) if i != j]
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in others) / len(others)
    return within - 2 * np.mean([kernel(a, b) for a in x for b in y])


@needs_torch
def test_fid_and_kid_are_their_definitions(folder, weights):
    words = ("--inception_weights", weights, "--kid_subset_size", 5, "--kid_subsets", 1)
    words += ("--metrics", "fid,kid")
    found = scores(*words)
    features = {}
    for kind in ("outputs", "targets"):
        python(FEATURES, weights, folder / "x.npy", *sorted((folder / kind).iterdir()))
        features[kind] = np.load(folder / "x.npy")
    expected = frechet_distance(*features.values())
    assert found["sets"]["FID"] == pytest.approx(expected, rel=1e-3) and expected > 0.01
    # Of six targets one is not drawn: which one, the seed decides.
    possible = [
        squared_mmd(features["outputs"], np.delete(features["targets"], left_out, axis=0))
        for left_out in range(6)
    ]
    assert any(found["sets"]["KID"] == pytest.approx(value, rel=1e-2) for value in possible)
    process = evaluate(*words)
    assert "features of targets: " in process.stdout
    assert scores(*words)["sets"] == pytest.approx(found["sets"], rel=1e-6)


@needs_torch
@pytest.mark.parametrize("place", ["weights", "statistics"])
def test_a_pickle_that_runs_code_is_not_loaded(folder, weights, place):
    words = ("--metrics", "fid", "--inception_weights")
    scores(*words, weights)
    (kept,) = (folder / "out" / "statistics").iterdir()
    code = (
        "import sys, pathlib, torch\n"
        "class Evil:\n"
        "    def __reduce__(self):\n"
        "        return pathlib.Path.touch, (pathlib.Path(sys.argv[2]),)\n"
        "torch.save({'x': Evil()}, sys.argv[1])"
    )
    evil = folder / "evil.pth" if place == "weights" else kept
    python(code, evil, folder / "executed")
    line = refusal(*words, evil if place == "weights" else weights)
    assert "torch-fidelity fails" in line and not (folder / "executed").exists()


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


@needs_torch
def test_lpips_is_its_definition(folder):
    for kind in ("outputs", "targets"):
        Image.new("RGB", (30, 40)).save(folder / kind / "5.png")
    cached = folder / "cache" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    expected = json.loads(python(DEFINITION, cached, "outputs/0.png", "targets/0.png"))
    found = scores("--metrics", "lpips")["per_image"]
    assert found["0"]["LPIPS"] == pytest.approx(expected, rel=1e-4) and expected > 0.01
    assert found["5"]["LPIPS"] is None  # AlexNet leaves nothing of 30 pixels
    (folder / "targets" / "0.png").write_bytes((folder / "outputs" / "0.png").read_bytes())
    assert scores("--metrics", "lpips")["per_image"]["0"]["LPIPS"] == 0
