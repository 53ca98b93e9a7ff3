"""LPIPS of pairs by torchmetrics, in a process of its own.

PyTorch and TensorFlow do not always bear each other in one process. torchmetrics carries the linear
weights but not AlexNet's: torchvision keeps those in PyTorch's cache, and without leave to download
they have to be there.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from pix2pix_tf.data import codecs
from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation import reading

# torchvision's AlexNet_Weights.IMAGENET1K_V1.
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
# AlexNet's pooling leaves nothing of smaller images.
LPIPS_SIZE = 31


class Lpips:
    """Measures LPIPS (AlexNet, version 0.1) of pairs of files.

    Args:
        download: Whether torchvision may fetch AlexNet's weights.

    Raises:
        InputError: If the extra is not installed, or the weights are not there.

    Reference:
        Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features
        as a Perceptual Metric", 2018.
    """

    def __init__(self, *, download=False):
        words = [sys.executable, "-m", __name__, *(["--download"] if download else [])]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
        self._answer()

    def __call__(self, target, output):
        """LPIPS of two files of at least 31x31 px: a float, at least 0 (equal)."""
        self._process.stdin.write(json.dumps([str(target), str(output)]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else "the process that measures LPIPS has ended"
        if isinstance(answer, str):
            self.close()
            raise InputError(answer)
        return answer

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _load(download):
    try:
        import torch
        import torchvision  # noqa: F401
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    except ImportError as error:
        raise InputError(
            "Expected the extra of --metrics lpips: pip install 'pix2pix-tf[lpips]'. "
            f"Received: no module {error.name}"
        ) from None
    cached = Path(torch.hub.get_dir(), "checkpoints", ALEXNET_FILE)
    if not (cached.is_file() or download):
        raise InputError(
            f"Expected AlexNet's weights for LPIPS. Put torchvision's {ALEXNET_FILE} to {cached}, "
            "or allow the download with --download_weights. Received: no such file"
        )
    measure = LearnedPerceptualImagePatchSimilarity(net_type="alex")

    def lpips(files):
        units = [codecs.with_channels(codecs.to_unit(reading.read(file)), 3) for file in files]
        planes = [np.moveaxis(unit, -1, 0)[None].clip(0, 1) * 2 - 1 for unit in units]
        value = float(measure(*map(torch.from_numpy, planes)))
        measure.reset()
        return value

    return lpips


def _serve():
    """Answers each line, the names of two files, by their LPIPS; by a text if that fails."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # where torchvision shows a download
    try:
        measure = _load("--download" in sys.argv)
        print(0, file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(measure(json.loads(line))), file=answers, flush=True)
    except Exception as error:
        print(json.dumps(f"{error}".partition("\n")[0]), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
