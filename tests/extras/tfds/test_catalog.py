"""The builders of the pix2pix sets: real archives, served over HTTP on the loopback interface."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
from archives import jpeg, served
from etils import epath
from PIL import Image

from pix2pix_tf import cli
from pix2pix_tf.data import listing, pipelines
from pix2pix_tf.errors import InputError

pytestmark = pytest.mark.tfds

tfds = pytest.importorskip("tensorflow_datasets", reason="the extra [tfds] is not installed")

from pix2pix_tf.extras.tfds import catalog  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serves facades.tar.gz with 3 + 2 pairs; gives (address, bytes of each image)."""
    folder, contents = tmp_path_factory.mktemp("server"), {}
    with tarfile.open(folder / "facades.tar.gz", "w:gz") as archive:
        for split, numbers in (("train", (1, 2, 10)), ("val", (4, 5))):
            for number in numbers:
                name = f"facades/{split}/{number}.jpg"
                contents[name] = jpeg(number)
                entry = tarfile.TarInfo(name)
                entry.size = len(contents[name])
                archive.addfile(entry, io.BytesIO(contents[name]))
    with served(folder) as address:
        yield f"{address}/facades.tar.gz", contents


@pytest.fixture
def local(server, monkeypatch):
    """Makes the builder of facades use the local server."""
    config = next(c for c in catalog.Pix2pix.BUILDER_CONFIGS if c.name == "facades")
    monkeypatch.setattr(config, "url", server[0])
    return server


def test_the_six_sets_are_there():
    names = [config.name for config in catalog.Pix2pix.BUILDER_CONFIGS]
    assert names == ["facades", "cityscapes", "maps", "edges2shoes", "edges2handbags", "night2day"]
    for config in catalog.Pix2pix.BUILDER_CONFIGS:
        assert config.url.endswith(f"/{config.name}.tar.gz")


def test_the_builder_prepares_what_the_archive_holds(local, tmp_path):
    builder = catalog.Pix2pix(config="facades", data_dir=tmp_path)
    builder.download_and_prepare()
    counts = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert counts == {"train": 3, "val": 2}
    assert builder.info.citation and builder.info.redistribution_info.license
    found = {
        example["name"].decode(): example["image"]
        for example in tfds.as_numpy(builder.as_dataset(split="train"))
    }
    assert found.keys() == {"1", "2", "10"}
    expected = np.asarray(Image.open(io.BytesIO(local[1]["facades/train/1.jpg"])))
    assert np.abs(found["1"].astype(int) - expected).max() <= 4


def test_an_archive_with_another_checksum_is_refused(local, tmp_path, monkeypatch):
    from tensorflow_datasets.core.download import checksums, download_manager

    # The library remembers checksums by address for the life of the process: take another one.
    url = local[0] + "?registered"
    config = next(c for c in catalog.Pix2pix.BUILDER_CONFIGS if c.name == "facades")
    monkeypatch.setattr(config, "url", url)
    sizes = {"size": tfds.core.utils.Size(1), "filename": "facades.tar.gz"}
    wrong = checksums.UrlInfo(checksum=hashlib.sha256(b"other").hexdigest(), **sizes)

    class Registered(catalog.Pix2pix):
        """The builder with a checksum for the address of facades."""

        url_infos = {url: wrong}

    builder = Registered(config="facades", data_dir=tmp_path)
    with pytest.raises(download_manager.NonMatchingChecksumError):
        builder.download_and_prepare()


def test_a_data_set_becomes_folders_of_its_own_files(local, tmp_path):
    for training, split, names in ((True, "train", ["1", "2", "10"]), (False, "val", ["4", "5"])):
        address = "tfds:pix2pix/facades"
        folder, mode = catalog.unpack(address, training=training, data_dir=tmp_path)
        assert mode == "aligned"
        paths = listing.list_images(folder)
        assert listing.names(paths) == names
        for path, name in zip(paths, names, strict=True):
            with open(path, "rb") as file:
                assert file.read() == local[1][f"facades/{split}/{name}.jpg"]
        again, _ = catalog.unpack(address, training=training, data_dir=tmp_path)
        assert again == folder
        assert next(iter(pipelines.test_pairs(paths)))[0].shape == (1, 256, 256, 3)


def test_the_command_reads_it(local, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    assert cli.main(("--check_data", "--input_dir", "tfds:pix2pix/facades")) == 0
    assert "train: 3 examples in 3 files" in capsys.readouterr().out


def test_missing_data_sets_are_named(local, tmp_path):
    with pytest.raises(InputError, match="split of pix2pix/facades: train, val. Received: test"):
        catalog.unpack("tfds:pix2pix/facades:test", training=True, data_dir=tmp_path)
    with pytest.raises(InputError, match="Received: pix2pix/castles"):
        catalog.unpack("tfds:pix2pix/castles", training=True, data_dir=tmp_path)


def test_two_images_per_example_become_two_folders(tmp_path):
    class Pairs(tfds.core.GeneratorBasedBuilder):
        """Two images per example."""

        # Not the folder that a package called "tests" was installed in.
        pkg_dir_path = epath.Path(tmp_path)
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(None, None, 3))
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict({"left": image, "right": image})
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(3):
                pixels = np.full((4, 4, 3), number, np.uint8)
                yield number, {"left": pixels, "right": 255 - pixels}

    folder, mode = catalog.unpack("tfds:pairs", training=True, data_dir=tmp_path)
    assert mode == "folders"
    examples = listing.list_pairs(f"{folder}/A", f"{folder}/B")
    assert len(examples) == 3
    for a, b in examples:
        left, right = (np.asarray(Image.open(path)) for path in (a, b))
        np.testing.assert_array_equal(left, 255 - right)
