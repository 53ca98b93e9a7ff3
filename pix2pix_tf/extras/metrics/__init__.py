"""LPIPS, FID and KID: metrics on features of networks, computed by PyTorch.

PyTorch and TensorFlow do not always load into one process, so PyTorch runs in another. The folder
that it is started in holds nothing but what this package wrote: Python imports from there first.

Reference:
    Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric", 2018. Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs Trained
    by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017. Binkowski,
    Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018.
"""

import importlib.util

for _name in ("torch", "torchvision", "torch_fidelity", "torchmetrics"):
    if importlib.util.find_spec(_name) is None:
        raise ModuleNotFoundError(f"No module named '{_name}'", name=_name)
