"""scripts/strip.py: which image lands where."""

import numpy as np
from PIL import Image
from support import refused

KINDS = ("inputs", "outputs", "targets")


def write(folder, names, *, size=(20, 10)):
    """One colour per image: red is the name's number, green the kind's."""
    (folder / "images").mkdir(parents=True)
    for red, name in enumerate(names):
        for green, kind in enumerate(KINDS):
            color = (10 * red, 50 * green, 7)
            Image.new("RGB", size, color).save(folder / "images" / f"{name}-{kind}.png")


def test_names_are_columns_and_kinds_are_rows(run_tool, tmp_path):
    names = ["10", "2", "1", "b-3"]
    write(tmp_path, names)
    file = tmp_path / "new" / "strip.png"
    flags = {"input_dir": tmp_path, "output_file": file, "size": 8, "gap": 2}
    for columns, kinds, chosen in (
        (["1", "2", "10", "b-3"], KINDS, {}),
        (["b-3", "2"], KINDS[::-2], {"names": "b-3,2", "kinds": "targets,inputs"}),
    ):
        done = run_tool("strip", flags=flags | chosen)
        assert done.returncode == 0, done.stderr
        strip = np.asarray(Image.open(file))
        assert strip.shape == (len(kinds) * 10 - 2, len(columns) * 18 - 2, 3)
        for column, name in enumerate(columns):
            for row, kind in enumerate(kinds):
                tile = strip[row * 10 : row * 10 + 8, column * 18 : column * 18 + 16]
                assert (tile == (10 * names.index(name), 50 * KINDS.index(kind), 7)).all()
        assert (strip[8:10] == 255).all() and (strip[:, 16:18] == 255).all()


def test_missing_images_are_one_line(run_tool, tmp_path):
    write(tmp_path, ["a"])
    flags = {"input_dir": tmp_path, "output_file": tmp_path / "strip.png", "names": "x"}
    assert "x-inputs.png" in refused(run_tool("strip", flags=flags))
    assert not (tmp_path / "strip.png").exists()
