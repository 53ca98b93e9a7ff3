import math
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser

import pytest

from pix2pix_tf.evaluation.report import write_report

VOID = {"meta", "link", "img", "input"}
HOSTILE = [
    "<script>alert(1)</script>",
    '" onerror="alert(1)" x=\'y',
    "a b  c#d?e%20f&amp;g",
    "two\nlines\rand\ttab",
    "Zürich 東京 🏛",
    "</style><!-- ]]> ${cards} $title \\u003c",
    "javascript:alert(1)",
    "back\\slash",
]


class Page(HTMLParser):
    """Reads a page strictly: every element closes in order; rows become lists of cells."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], {}
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for index in self.open:
            self.texts[index] = self.texts.get(index, "") + data

    def all(self, tag, **wanted):
        """(attributes, text) of the elements with that tag and those attributes."""
        return [
            (attributes, self.texts.get(index, ""))
            for index, (name, attributes) in enumerate(self.elements)
            if name == tag and wanted.items() <= attributes.items()
        ]

    def names(self):
        return [text.removesuffix("Compare") for _, text in self.all("th", role="rowheader")]


def row(name="1", *, metrics=None, step=None, kinds=("inputs", "outputs", "targets")):
    images = {kind: f"images/{name}-{kind}.png" for kind in kinds}
    extra = {} if metrics is None else {"metrics": metrics}
    return {"name": name, "images": images} | extra | ({} if step is None else {"step": step})


def write_page(folder, rows, **options):
    return Page(write_report(folder, title="Facades", rows=rows, **options))


def test_the_page_is_whole_and_asks_nobody(tmp_path):
    path = write_report(tmp_path / "run", title="Façades", rows=[row(metrics={"L1": 0.5})])
    page = Page(path)
    assert path == tmp_path / "run" / "index.html"
    assert page.source.startswith("<!DOCTYPE html>\n<html lang=")
    assert page.source.endswith("</html>\n")
    assert [text for _, text in page.all("title")] == ["Façades"]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    for _, attributes in page.elements:
        for url in (attributes.get("src"), attributes.get("href")):
            assert url is None or url.startswith(("data:", "images/"))
    assert "http" not in page.source.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in page.source and "url(" not in page.source


def test_a_row_shows_step_name_images_and_metrics_in_order(tmp_path):
    page = write_page(tmp_path, [row("a", step=400, metrics={"L1": 0.12345, "PSNR": 20})])
    cells = [text for attributes, text in page.all("th") + page.all("td") if "scope" in attributes]
    assert cells == [
        "step",
        "name",
        "inputs",
        "outputs",
        "targets",
        "",
        "L1",
        "PSNR (dB)",
        "aCompare",
    ]
    cells = [(attributes["data-label"], text) for attributes, text in page.all("td", role="cell")]
    assert cells[0] == ("step", "400")
    assert cells[1:] == [
        ("inputs", ""), ("outputs", ""), ("targets", ""), ("L1", "0.1235"), ("PSNR", "20.00"),
    ]  # fmt: skip
    images = [attributes for attributes, _ in page.all("img", loading="lazy")]
    assert [image["src"] for image in images] == [
        f"images/a-{kind}.png" for kind in ("inputs", "outputs", "targets")
    ]
    assert [image["alt"] for image in images] == ["inputs of a", "outputs of a", "targets of a"]
    assert [link["href"] for link, _ in page.all("a")] == [image["src"] for image in images]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_shown_and_its_image_found(tmp_path, name):
    page = write_report(
        tmp_path,
        title=name,
        rows=[{"name": name, "images": {name: f"images/{name}.png"}, "metrics": {name: 1.0}}],
        options={name: name},
        summary={name: name},
    )
    page = Page(page)
    assert page.names() == [name]
    assert [text for _, text in page.all("h1")] == [name]
    assert [text for _, text in page.all("dt") + page.all("dd")] == [name, name]
    assert [text for _, text in page.all("th", scope="row")[:1]] == [name]
    assert [text for _, text in page.all("option", value="0")] == [name]
    assert page.all("td", **{"data-label": name, "class": "image"})
    assert page.all("td", **{"data-label": name, "class": "metric"})
    (image, _), *others = page.all("img", loading="lazy")
    assert others == []
    assert urllib.parse.unquote(image["src"]) == f"images/{name}.png"
    assert urllib.parse.urlsplit(image["src"])[:3] == ("", "", image["src"])
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)


def test_a_file_name_that_is_not_utf8_finds_its_file(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    page = write_page(tmp_path, [row(name, kinds=["inputs"])])
    (image, _), *_ = page.all("img", loading="lazy")
    assert image["src"] == "images/caf%E9-inputs.png"
    assert page.names() == ["caf?"]


def test_numbers_are_shown_with_four_digits_and_kept_exactly(tmp_path):
    values = {"L1": 1 / 3, "MSE": 1e-7, "FID": 12345.678, "SSIM": 0}
    values |= {"no": math.nan, "above": math.inf, "below": -math.inf}
    summary = {"images": 5000, "by": "me", "mean": math.nan}
    page = write_page(tmp_path, [row(metrics=values)], summary=summary)
    shown = ["0.3333", "1.000e-07", "12,346", "0.000", "nan", "inf", "-inf"]
    metrics = page.all("td", **{"class": "metric"})
    assert [text for _, text in metrics] == shown
    kept = [float(attributes["data-value"]) for attributes, _ in metrics]
    assert kept == pytest.approx(list(values.values()), rel=0, abs=0, nan_ok=True)
    assert [text for _, text in page.all("dd")] == ["5,000", "me", "nan"]


def test_a_missing_metric_leaves_its_cell_empty(tmp_path):
    page = write_page(tmp_path, [row("1", metrics={"L1": 1.0}), row("2"), row("3", metrics={})])
    cells = [(a["data-value"], text) for a, text in page.all("td", **{"class": "metric"})]
    assert cells == [("1.0", "1.000"), ("", ""), ("", "")]


def test_every_metric_knows_its_better_end(tmp_path):
    page = write_page(tmp_path, [row(step=1, metrics={"L1": 1.0, "PSNR": 2.0, "SSIM": 0.5})])
    options = [
        (a["value"], a["data-best"], text) for a, text in page.all("option") if "data-best" in a
    ]
    assert options == [
        ("1", "ascending", "L1"), ("2", "descending", "PSNR (dB)"), ("3", "descending", "SSIM"),
    ]  # fmt: skip
    headings = [(a["data-sort"], text) for a, text in page.all("button") if "data-sort" in a]
    assert headings == [
        ("0", "step"),
        ("name", "name"),
        ("1", "L1"),
        ("2", "PSNR (dB)"),
        ("3", "SSIM"),
    ]


def test_training_shows_the_newest_step_first_and_testing_keeps_its_order(tmp_path):
    rows = [row(name, step=step) for step in (400, 800) for name in ("b", "a")]
    page = write_page(tmp_path, rows)
    steps = [text for _, text in page.all("td", **{"class": "step"})]
    assert list(zip(steps, page.names(), strict=True)) == [
        ("800", "b"), ("800", "a"), ("400", "b"), ("400", "a"),
    ]  # fmt: skip
    assert page.all("th", **{"class": "step", "aria-sort": "descending"})
    assert write_page(tmp_path, [row("b"), row("a")]).names() == ["b", "a"]


def test_rows_with_different_images_carry_their_own_labels(tmp_path):
    horse, zebra = ("real_A", "fake_B", "rec_A"), ("real_B", "fake_A")
    page = write_page(tmp_path, [row("h", kinds=horse), row("z", kinds=zebra)])
    assert page.all("table", id="rows", **{"class": "mixed"})
    assert [text for _, text in page.all("th", scope="col")] == ["name", "images", ""]
    labels = [a.get("data-label") for a, _ in page.all("td", **{"class": "image"})]
    assert labels == [*horse, *zebra, None]
    pairs = [(a["data-left"], a["data-right"]) for a, _ in page.all("option") if "data-left" in a]
    assert pairs == [
        ("real_A", "fake_B"), ("real_A", "rec_A"), ("fake_B", "rec_A"), ("real_B", "fake_A"),
    ]  # fmt: skip


def test_options_within_options_get_dotted_names(tmp_path):
    made = {"ngf": 64, "checkpoint": None, "versions": {"python": "3.12", "os": {"name": "x"}}}
    page = write_page(tmp_path, [row()], options=made)
    names = [text for a, text in page.all("th", scope="row") if "role" not in a]
    values = [text for a, text in page.all("td") if "role" not in a]
    assert dict(zip(names, values, strict=True)) == {
        "ngf": "64", "checkpoint": "None", "versions.python": "3.12", "versions.os.name": "x",
    }  # fmt: skip


def test_without_rows_the_page_says_so(tmp_path):
    page = write_page(tmp_path, [])
    assert page.all("p", id="nothing")[0][1] == "No images yet."
    assert page.all("table", id="rows", hidden=None)
    assert not page.all("dl") and not page.all("details")


def test_writing_again_replaces_and_leaves_nothing_behind(tmp_path):
    write_page(tmp_path, [row("old")])
    assert write_page(tmp_path, [row("new")]).names() == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_failing_write_leaves_the_page_before_it(tmp_path):
    resource = pytest.importorskip("resource")
    page = write_report(tmp_path, title="kept", rows=[row()])
    before = page.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))  # as on a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            write_report(tmp_path, title="lost", rows=[row()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert page.read_bytes() == before
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "x"}, "Expected name and images in row 0"),
        ({"name": "x", "images": {"inputs": "/etc/x.png"}}, "Received: /etc/x.png"),
        ({"name": "x", "images": {"inputs": "//host/x.png"}}, "Received: //host/x.png"),
    ],
)
def test_rows_that_cannot_be_shown_are_refused(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path, title="x", rows=[wrong])
    assert not list(tmp_path.iterdir())


def test_the_report_needs_neither_tensorflow_nor_matplotlib_until_it_draws():
    code = (
        "import sys, pix2pix_tf.evaluation.report\n"
        "print(sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout.strip() == "[]", process.stderr
