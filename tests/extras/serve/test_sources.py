"""What `--checkpoint` means to the server."""

import pytest

from pix2pix_tf import run_folder
from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.serve import sources


def run(folder):
    path = run_folder.checkpoint_path(folder, 7)
    path.parent.mkdir(parents=True)
    path.touch()
    run_folder.write_json(folder / run_folder.OPTIONS, {})
    return path


def saved_model(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / sources.SAVED_MODEL).touch()


def found(text):
    return [(source.name, source.path, source.version) for source in sources.find(str(text))]


def test_runs_checkpoints_and_saved_models(tmp_path):
    checkpoint = run(tmp_path / "maps")
    saved_model(tmp_path / "night")
    assert found(tmp_path / "maps") == [("maps", tmp_path / "maps", "1")]
    assert found(checkpoint) == [("maps", checkpoint, "1")]
    assert found(tmp_path / "night") == [("night", tmp_path / "night", "1")]
    assert sources.find(str(tmp_path / "night"))[0].is_saved_model


def test_a_run_is_served_whatever_else_is_in_its_folder(tmp_path):
    run(tmp_path / "maps")
    saved_model(tmp_path / "maps")
    saved_model(tmp_path / "maps" / "2")
    for place in (tmp_path / "maps", tmp_path):
        assert [source.is_saved_model for source in sources.find(str(place))] == [False]


def test_tensorflow_servings_layout_takes_the_newest_version(tmp_path):
    for version in ("2", "10", "9"):
        saved_model(tmp_path / "maps" / version)
    (tmp_path / "maps" / "11").mkdir()
    assert found(tmp_path / "maps") == [("maps", tmp_path / "maps" / "10", "10")]


def test_several_places_names_and_folders_of_runs(tmp_path):
    run(tmp_path / "all" / "b")
    saved_model(tmp_path / "all" / "a")
    (tmp_path / "all" / "data").mkdir()
    assert [name for name, *_ in found(tmp_path / "all")] == ["a", "b"]
    text = f"x={tmp_path / 'all' / 'a'},{tmp_path / 'all' / 'b'}"
    assert [name for name, *_ in found(text)] == ["x", "b"]


def test_names_of_any_script_are_served_and_impossible_ones_skipped(tmp_path, capsys):
    for name in ("実行", "a b", "b\n"):
        run(tmp_path / name)
    assert [name for name, *_ in found(tmp_path)] == ["実行"]
    assert capsys.readouterr().out.count("is left out") == 2


def test_an_equals_sign_in_a_path(tmp_path):
    run(tmp_path / "lr=1")
    assert found(f"x={tmp_path / 'lr=1'}")[0][0] == "x"
    with pytest.raises(InputError, match="a model's name"):
        found(tmp_path / "lr=1")


@pytest.mark.parametrize("text", ["", ",", "nowhere", "x=nowhere"])
def test_places_without_a_model(text):
    with pytest.raises(InputError, match="--checkpoint (to name|with at least one run)"):
        sources.find(text)


def test_names_must_differ_and_fit_into_addresses(tmp_path):
    for name in ("a", "b"):
        run(tmp_path / name / "run")
    both = f"{tmp_path / 'a' / 'run'},{tmp_path / 'b' / 'run'}"
    with pytest.raises(InputError, match="different names"):
        found(both)
    for name in ("v1", "page", "a b", "a%b"):
        with pytest.raises(InputError, match="a model's name"):
            found(f"{name}={tmp_path / 'a' / 'run'}")
