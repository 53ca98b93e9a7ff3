"""The six data sets of pix2pix for TensorFlow Datasets, and its data sets as folders of images.

`tfds:NAME/CONFIG` as --input_dir names any data set of TensorFlow Datasets that contains images:
`tfds:pix2pix/facades` one of those below, `tfds:cycle_gan/horse2zebra` one for CycleGAN.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from pix2pix_tf.data.image_file import JPEG_MARK
from pix2pix_tf.errors import InputError

HOST = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"
# What testing uses, the first that is there.
TEST_SPLITS = ("test", "val", "validation")
UNPAIRED_SPLITS = ("trainA", "trainB", "testA", "testB")

_CITATION = """
@inproceedings{isola2017image,
  title={Image-to-Image Translation with Conditional Adversarial Networks},
  author={Isola, Phillip and Zhu, Jun-Yan and Zhou, Tinghui and Efros, Alexei A.},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2017}
}
"""
# What lies left (A) and right (B), and under which terms the original images are.
_CONTENTS = {
    "facades": ("photos of facades", "labels", "CMP Facade Database: no licence is stated"),
    "cityscapes": (
        "street photos",
        "semantic labels",
        "Cityscapes: non-commercial use under its own terms",
    ),
    "maps": ("aerial photos", "maps", "Google Maps imagery: under Google's terms"),
    "edges2shoes": ("edges", "shoes", "UT Zappos50K: academic, non-commercial use"),
    "edges2handbags": ("edges", "handbags", "iGAN's Amazon images: no licence is stated"),
    "night2day": ("scenes by night", "by day", "Transient Attributes: no licence is stated"),
}


class Pix2pixConfig(tfds.core.BuilderConfig):
    """One of the data sets.

    Args:
        url: Address of its archive, a tar.gz with the folders NAME/train, val and perhaps test.
    """

    def __init__(self, *, url: str | None = None, **kwargs: Any) -> None:
        super().__init__(version=tfds.core.Version("1.0.0"), **kwargs)
        self.url = url or f"{HOST}/{self.name}.tar.gz"


class Pix2pix(tfds.core.GeneratorBasedBuilder):
    """Pairs of images as they were published: side by side in one file."""

    BUILDER_CONFIGS = [
        Pix2pixConfig(name=name, description=f"Left (A) {a}, right (B) {b}.")
        for name, (a, b, _) in _CONTENTS.items()
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        terms = _CONTENTS.get(self.builder_config.name, ("", "", "not stated"))[2]
        return self.dataset_info_from_configs(
            description="Pairs of images for image-to-image translation, A left and B right.",
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(None, None, 3)), "name": tfds.features.Text()}
            ),
            homepage="https://phillipi.github.io/pix2pix/",
            citation=_CITATION,
            license=terms,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict]]]:
        root = Path(dl_manager.download_and_extract(self.builder_config.url))
        splits = {path.name: path for path in sorted(root.glob("*/*")) if path.is_dir()}
        splits = {name: path for name, path in splits.items() if name in ("train", *TEST_SPLITS)}
        if "train" not in splits:
            raise InputError(
                f"Expected NAME/train in {self.builder_config.url}. Received: "
                f"{sorted(str(path.relative_to(root)) for path in root.glob('*/*'))[:5]}"
            )
        return {name: self._generate_examples(path) for name, path in splits.items()}

    def _generate_examples(self, folder: Path) -> Iterator[tuple[str, dict]]:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
                yield path.name, {"image": str(path), "name": path.stem}


def unpack(address: str, *, training: bool, data_dir: str | None = None) -> tuple[str, str]:
    """Prepares a data set and writes its images into folders, once.

    Args:
        address: "tfds:NAME/CONFIG", with ":SPLIT" for another split than the usual one.
        training: Whether the split for training is wanted, or that for testing.
        data_dir: Folder of TensorFlow Datasets, or None for its own choice.

    Returns:
        (folder, dataset_mode): "aligned" where an example has one image, "folders" (with A and B)
        where it has two.

    Raises:
        InputError: If there is no such data set or split, or its examples hold no images.
    """
    name, _, split = address.removeprefix("tfds:").partition(":")
    builder = _prepared(name, data_dir)
    split = split or _usual_split(builder, training)
    if split not in builder.info.splits:
        raise InputError(
            f"Expected a split of {name}: {', '.join(builder.info.splits)}. Received: {split}"
        )
    kinds = _kinds(builder, most=2)
    folder = _unpacked(builder, split, kinds=kinds)
    return str(folder), "aligned" if len(kinds) == 1 else "folders"


def unpack_unpaired(address: str, *, data_dir: str | None = None) -> str:
    """Prepares a data set of two unpaired sets and writes its images into folders, once.

    Args:
        address: "tfds:NAME/CONFIG", such as "tfds:cycle_gan/horse2zebra".
        data_dir: Folder of TensorFlow Datasets, or None for its own choice.

    Returns:
        Path of the folder that contains trainA, trainB, testA and testB.

    Raises:
        InputError: If there is no such data set, it has other splits, or its examples are not of
            one image.
    """
    name = address.removeprefix("tfds:")
    builder = _prepared(name, data_dir)
    if missing := [split for split in UNPAIRED_SPLITS if split not in builder.info.splits]:
        raise InputError(
            f"Expected the splits {', '.join(UNPAIRED_SPLITS)} of {name}. Received: "
            f"{', '.join(builder.info.splits)}, without {missing[0]}"
        )
    kinds = _kinds(builder, most=1)
    for split in UNPAIRED_SPLITS:
        folder = _unpacked(builder, split, kinds=kinds)
    return str(folder.parent)


def _prepared(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    own = name.split("/")
    try:
        if own[0] == "pix2pix":
            builder = Pix2pix(config=own[1] if len(own) > 1 else None, data_dir=data_dir)
        else:
            builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, tfds.core.DatasetNotFoundError) as error:
        why = str(error).splitlines()[0]
        raise InputError(
            f"Expected a data set of TensorFlow Datasets. Received: {name} ({why})"
        ) from None
    builder.download_and_prepare()
    return builder


def _kinds(builder: tfds.core.DatasetBuilder, *, most: int) -> list[str]:
    """The names of the images of an example, one up to `most`."""
    features = builder.info.features
    kinds = [key for key in features if isinstance(features[key], tfds.features.Image)]
    if not 1 <= len(kinds) <= most:
        wanted = "one image" if most == 1 else "one or two images"
        raise InputError(
            f"Expected {wanted} per example. Received: {builder.info.full_name}, {features}"
        )
    return kinds


def _unpacked(builder: tfds.core.DatasetBuilder, split: str, *, kinds: list[str]) -> Path:
    """The folder of a split's images, which is written if it is not there."""
    folder = Path(builder.data_dir) / "images" / split
    if not folder.is_dir():
        _write(builder, split, kinds=kinds, folder=folder)
    return folder


def _usual_split(builder: tfds.core.DatasetBuilder, training: bool) -> str:
    wanted = ("train",) if training else TEST_SPLITS
    return next((split for split in wanted if split in builder.info.splits), wanted[0])


def _write(
    builder: tfds.core.DatasetBuilder, split: str, *, kinds: list[str], folder: Path
) -> None:
    """Writes the encoded images as they are stored, into `folder` or its folders A and B."""
    decoders = {kind: tfds.decode.SkipDecoding() for kind in kinds}
    sides = [folder.name] if len(kinds) == 1 else [f"{folder.name}/A", f"{folder.name}/B"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as temporary:
        for side in sides:
            (Path(temporary) / side).mkdir(parents=True)
        examples = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
        for number, example in enumerate(tfds.as_numpy(examples)):
            stem = _stem(example.get("name"), number)
            for kind, side in zip(kinds, sides, strict=True):
                contents = example[kind]
                suffix = ".jpg" if contents.startswith(JPEG_MARK) else ".png"
                (Path(temporary) / side / f"{stem}{suffix}").write_bytes(contents)
        os.replace(Path(temporary) / folder.name, folder)
        shutil.rmtree(temporary, ignore_errors=True)


def _stem(name: bytes | None, number: int) -> str:
    """The name that an example carries, if it is one for a file, or its number."""
    text = name.decode("utf-8", errors="replace") if isinstance(name, bytes) else ""
    plain = text and "/" not in text and "\0" not in text and not text.startswith(".")
    return text if plain else f"{number:06d}"
