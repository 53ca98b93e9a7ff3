import math
import re
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser

import pytest
from support import GOLDENS

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
    """Reads a page strictly: every element closes in order."""

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
    return Page(write_report(folder, title="Façades", rows=rows, **options))


def test_the_page_is_the_golden_one(tmp_path):
    """All kinds of cells. After a change of report.py: write `shown` to goldens/report.html."""
    metrics = {"L1": 1 / 3, "PSNR": math.inf, "FID": 12345.678, "tiny": 1e-7}
    rows = [row("a", step=400, metrics={"L1": 0.12345}), row("b", step=800, metrics=metrics)]
    rows += [row("c", step=800, kinds=("real_A", "fake_B"))]
    options = {"ngf": 64, "checkpoint": None, "versions": {"python": "3.12"}}
    summary = {"images": 5000, "PSNR": 20.0, "mean": math.nan}
    page = write_page(tmp_path / "run", rows, options=options, summary=summary)
    shown = re.sub(r"(<(style|script)[^>]*>).*?(</\2>)", r"\1\3", page.source, flags=re.DOTALL)
    assert shown == (GOLDENS / "report.html").read_text(encoding="utf-8")
    exact = [a["data-value"] for a, _ in page.all("td", **{"data-label": "L1"})]
    assert exact == [repr(1 / 3), "", "0.12345"]


def test_the_page_loads_nothing_from_elsewhere(tmp_path):
    page = write_page(tmp_path, [row(metrics={"L1": 0.5})])
    for _, attributes in page.elements:
        for url in (attributes.get("src"), attributes.get("href")):
            assert url is None or url.startswith(("data:", "images/"))
    assert "http" not in page.source.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in page.source and "url(" not in page.source


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


def test_rows_without_steps_keep_their_order_and_none_are_reported(tmp_path):
    assert write_page(tmp_path, [row("b"), row("a")]).names() == ["b", "a"]
    page = write_page(tmp_path, [])
    assert page.all("p", id="nothing")[0][1] == "No images yet."
    assert page.all("table", id="rows", hidden=None)
    assert not page.all("dl") and not page.all("details")
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
