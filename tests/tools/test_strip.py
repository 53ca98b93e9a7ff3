"""scripts/strip.py: which picture lands where."""

import numpy as np
from PIL import Image

KINDS = ("inputs", "outputs", "targets")


def write(folder, names, *, size=(20, 10)):
    """One colour per picture: red is the name's number, green the kind's."""
    (folder / "images").mkdir(parents=True)
    for red, name in enumerate(names):
        for green, kind in enumerate(KINDS):
            color = (10 * red, 50 * green, 7)
            Image.new("RGB", size, color).save(folder / "images" / f"{name}-{kind}.png")


def test_names_are_columns_and_kinds_are_rows(run_tool, tmp_path):
    names = ["10", "2", "1", "b-3"]
    write(tmp_path, names)
    file = tmp_path / "new" / "strip.png"
    done = run_tool(
        "strip", flags={"input_dir": tmp_path, "output_file": file, "size": 8, "gap": 2}
    )
    assert done.returncode == 0, done.stderr
    strip = np.asarray(Image.open(file))
    assert strip.shape == (3 * 8 + 2 * 2, 4 * 16 + 3 * 2, 3)
    for column, name in enumerate(["1", "2", "10", "b-3"]):
        for row in range(3):
            tile = strip[row * 10 : row * 10 + 8, column * 18 : column * 18 + 16]
            assert (tile == (10 * names.index(name), 50 * row, 7)).all()
    assert (strip[8:10] == 255).all() and (strip[:, 16:18] == 255).all()


def test_names_and_kinds_can_be_chosen(run_tool, tmp_path):
    write(tmp_path, ["a", "b", "c"])
    flags = {"names": "c,a", "kinds": "targets,inputs", "size": 10, "gap": 0}
    flags |= {"input_dir": tmp_path, "output_file": tmp_path / "strip.png"}
    assert run_tool("strip", flags=flags).returncode == 0
    strip = np.asarray(Image.open(tmp_path / "strip.png"))
    assert strip.shape == (20, 40, 3)
    found = [[strip[5, 5], strip[5, 25]], [strip[15, 5], strip[15, 25]]]
    assert np.array(found)[..., :2].tolist() == [[[20, 100], [0, 100]], [[20, 0], [0, 0]]]


def test_what_is_not_there_is_one_line(run_tool, tmp_path):
    flags = {"input_dir": tmp_path, "output_file": tmp_path / "strip.png"}
    done = run_tool("strip", flags=flags)
    assert done.returncode == 1 and "expected NAME-inputs.png in" in done.stderr
    write(tmp_path, ["a"])
    done = run_tool("strip", flags=flags | {"names": "x"})
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "x-inputs.png" in done.stderr and not (tmp_path / "strip.png").exists()
