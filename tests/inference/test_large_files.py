"""Images that are measured window by window."""

import numpy as np
import pytest

from pix2pix_tf.evaluation import metrics
from pix2pix_tf.inference import large_files, translate

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("height", "width"), [(11, 60), (90, 41), (8, 200)])
def test_comparing_by_windows_is_comparing_whole_images(monkeypatch, height, width):
    monkeypatch.setattr(large_files, "WINDOW", 16)
    target = RNG.random((height, width, 3), np.float32) * 2 - 1
    output = np.clip(target + RNG.normal(0, 0.2, target.shape).astype(np.float32), -1, 1)
    expected = metrics.pair_metrics(target[None], output[None])
    found = large_files.compare(translate.Pixels(target), translate.Pixels(output))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4)
