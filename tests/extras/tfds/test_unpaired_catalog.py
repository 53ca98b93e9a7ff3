"""Data sets of TensorFlow Datasets: a real archive, served over HTTP on the loopback interface."""

import json
import zipfile

import pytest
from archives import jpeg, served
from etils import epath
from support import SMALLEST

from cyclegan_tf import cli
from pix2pix_tf import run_folder
from pix2pix_tf.data import listing
from pix2pix_tf.errors import InputError

pytestmark = pytest.mark.tfds

tfds = pytest.importorskip("tensorflow_datasets", reason="the extra [tfds] is not installed")

from pix2pix_tf.extras.tfds import catalog  # noqa: E402

COUNTS = {"trainA": 3, "trainB": 2, "testA": 2, "testB": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serves horse2zebra.zip; gives (address, dict from folders to the bytes of their images)."""
    folder, contents = tmp_path_factory.mktemp("server"), {}
    with zipfile.ZipFile(folder / "horse2zebra.zip", "w") as archive:
        for start, (name, count) in enumerate(COUNTS.items()):
            contents[name] = {jpeg(10 * start + number) for number in range(count)}
            for number, image in enumerate(contents[name]):
                archive.writestr(f"horse2zebra/{name}/n{number}.jpg", image)
    with served(folder) as address:
        yield f"{address}/horse2zebra.zip", contents


@pytest.fixture
def local(server, monkeypatch):
    """Makes the library's own builder use the local server."""
    from tensorflow_datasets.image_classification import cycle_gan

    monkeypatch.setitem(cycle_gan._DL_URLS, "horse2zebra", server[0])
    return server[1]


def test_a_data_set_becomes_four_folders_of_its_own_files(local, tmp_path):
    for _ in range(2):
        folder = catalog.unpack_unpaired("tfds:cycle_gan/horse2zebra", data_dir=tmp_path)
        for name, images in local.items():
            paths = listing.list_images(f"{folder}/{name}")
            assert len(paths) == COUNTS[name]
            found = set()
            for path in paths:
                with open(path, "rb") as file:
                    found.add(file.read())
            assert found == images


@pytest.mark.slow
def test_it_is_trained_tested_and_checked(local, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"))
    source = ("--input_dir", "tfds:cycle_gan/horse2zebra")
    words = ("--mode", "train", *source, "--output_dir", tmp_path / "run", "--max_steps", 1)
    words += (*SMALLEST["cyclegan-tf"], "--run_eagerly")
    assert cli.main([str(word) for word in words]) == 0
    assert "examples count = 3 2" in capsys.readouterr().out
    words = ("--mode", "test", *source, "--output_dir", str(tmp_path / "out"), "--checkpoint",
             str(tmp_path / "run"), "--direction", "both")  # fmt: skip
    assert cli.main(words) == 0
    assert json.loads((tmp_path / "out" / run_folder.METRICS).read_text())["count"] == 3
    capsys.readouterr()
    assert cli.main(("--check_data", *source)) == 0
    assert "trainA: 3 examples in 3 files" in capsys.readouterr().out


def test_missing_data_sets_are_named(tmp_path):
    with pytest.raises(InputError, match="Received: cycle_gan/unicorn2zebra"):
        catalog.unpack_unpaired("tfds:cycle_gan/unicorn2zebra", data_dir=tmp_path)


def test_other_data_sets_are_refused(tmp_path):
    class Paired(tfds.core.GeneratorBasedBuilder):
        """One set of images."""

        # Not the folder that a package called "tests" was installed in.
        pkg_dir_path = epath.Path(tmp_path)
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(None, None, 3))
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict({"image": image})
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield 0, {"image": jpeg(0)}

    with pytest.raises(InputError, match="Received: train, without trainA"):
        catalog.unpack_unpaired("tfds:paired", data_dir=tmp_path)
