"""tools/download_dataset.py against a real HTTP server with real archives, good and bad."""

import hashlib
import io
import os
import re
import signal
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from support import ROOT, refused

CONTENT = {
    "train/1.jpg": np.random.default_rng(0).bytes(700_000),
    "train/two words ü.jpg": b"two",
    "val/3.jpg": b"",
}
DIRECT = {"no_proxy": "*"}


def tar_of(files, mode="w:gz"):
    """A tar archive of {name: content}, or of TarInfo objects without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def under(folder):
    return {f"{folder}/{name}": content for name, content in CONTENT.items()}


def tree(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class Server(ThreadingHTTPServer):
    """Serves `files` by path and notes every request as (path, Range header).

    `faults` are used up one by one, one for each answer: a status to fail with, "drop" to hang up
    in the middle of the body, "stall" to stop sending there.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.requests, self.ranges = {}, [], [], True
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers["Range"]
        self.server.requests.append((self.path, wanted))
        body = self.server.files.get(self.path)
        fault = self.server.faults.pop(0) if self.server.faults else None
        if body is None or isinstance(fault, int):
            self.send_error(fault or 404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if wanted and self.server.ranges:
            self.send_response(206 if start < len(body) else 416)
            place = f"{start}-{len(body) - 1}" if start < len(body) else "*"
            self.send_header("Content-Range", f"bytes {place}/{len(body)}")
            body = body[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault else body)
        if fault == "stall":
            self.server.stalled.set()
            self.server.go_on.wait(60)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def out(tmp_path):
    """The folder that `download` writes."""
    return tmp_path / "out"


@pytest.fixture
def download(run_tool, server, out):
    """Serves a body as the archive of the set `set` and runs the script."""

    def run(body, **flags):
        server.files["/archive"] = body
        flags = {"url": server.url("archive"), "output_dir": out, **flags}
        return run_tool("download_dataset", "set", flags=flags, environment=DIRECT)

    return run


@pytest.mark.parametrize(
    "body",
    [
        tar_of(under("./facades"), "w:xz"),
        tar_of(CONTENT),
        zip_of({**under("horse2zebra"), "__MACOSX/horse2zebra/._1.jpg": b"junk"}),
    ],
    ids=["tar.xz", "tar without folder", "zip"],
)
def test_archives_are_unpacked_into_a_folder_of_the_name(download, server, out, body):
    digest = hashlib.sha256(body).hexdigest()
    done = download(body, sha256=digest.upper())
    assert (done.returncode, done.stderr) == (0, "")
    assert f"sha256 {digest}" in done.stdout and tree(out) == under("set")
    done = download(body)
    assert "nothing to do" in done.stdout and len(server.requests) == 1


def test_names_are_downloaded_from_the_projects_host(run_tool, server, tmp_path):
    archives = {"facades": ("pix2pix", tar_of), "ae_photos": ("cyclegan", zip_of)}
    proxy = {"http_proxy": server.url(""), "no_proxy": ""}  # a proxy sees the whole address
    for name, (project, archive) in archives.items():
        suffix = "tar.gz" if archive is tar_of else "zip"
        url = f"http://efrosgans.eecs.berkeley.edu/{project}/datasets/{name}.{suffix}"
        server.files[url] = archive(under(name))
        done = run_tool("download_dataset", name, cwd=tmp_path, environment=proxy)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.requests[-1] == (url, None)
    assert tree(tmp_path) == under("facades") | under("ae_photos")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_lost_connection_is_resumed(download, server, out, ranges):
    body = tar_of(under("facades"))
    server.faults, server.ranges = ["drop", "drop"], ranges
    assert (done := download(body)).returncode == 0, done.stderr
    half, rest = len(body) // 2, len(body) - len(body) // 2
    starts = [half, half + rest // 2 if ranges else half]
    assert [wanted for _, wanted in server.requests[1:]] == [f"bytes={at}-" for at in starts]
    assert tree(out) == under("set")


def test_a_later_run_resumes_the_download(download, server, out):
    body = tar_of(under("facades"))
    server.faults = ["drop", 503]
    line = refused(download(body, tries=1))
    assert "HTTP 503" in line and f"go on from {len(body) // 2 / 1e6:.1f} MB" in line
    assert tree(out) == {"set.part": body[: len(body) // 2]}
    assert download(body).returncode == 0
    assert server.requests[-1] == ("/archive", f"bytes={len(body) // 2}-")
    assert tree(out) == under("set")


def test_a_part_longer_than_the_archive_is_replaced(download, server, out):
    body = tar_of(under("facades"))
    out.mkdir()
    (out / "set.part").write_bytes(body + b"x" * 10)
    assert download(body).returncode == 0
    assert len(server.requests) == 2 and tree(out) == under("set")


def test_a_stopped_download_keeps_its_part(launcher, server, tmp_path, out):
    body = tar_of(under("facades"))
    server.files["/archive"], server.faults = body, ["stall"]
    printed = tmp_path / "printed.txt"
    words = ("set", f"--url={server.url('archive')}", f"--output_dir={out}")
    script = ROOT / "tools" / "download_dataset.py"
    process = launcher.start(script, *words, printed=printed, environment=DIRECT)
    assert server.stalled.wait(30)
    while not (out / "set.part").exists():
        os.kill(process, 0)  # as long as it is there
        time.sleep(0.01)
    os.kill(process, signal.SIGTERM)
    assert launcher.wait(process) == 128 + signal.SIGTERM
    assert "Traceback" not in printed.read_text()
    assert list(tree(out)) == ["set.part"] and body.startswith(tree(out)["set.part"])


def test_failures_are_one_line(download, server, out):
    line = refused(download(None))
    assert "HTTP 404" in line and server.url("archive") in line and "--url" in line
    assert len(server.requests) == 1 and tree(out) == {}
    dead = "http://127.0.0.1:9/x"
    assert f"cannot download {dead}" in refused(download(b"", url=dead, tries=1))
    body = tar_of(under("facades"))
    line = refused(download(body, sha256=64 * "0"))
    assert 64 * "0" in line and hashlib.sha256(body).hexdigest() in line and tree(out) == {}
    (out / "set.part").symlink_to("/dev/full")
    assert "No space left on device" in refused(download(body))


def member(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped_link():
    info = zipfile.ZipInfo("set/link")
    info.external_attr = 0o120777 << 16
    return info


LEAVING = "refused: '"
BROKEN = "broken archive|expected a tar or zip"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (tar_of({"set/a": b"a", "set/../../escaped": b"x"}), LEAVING),
        (tar_of({"set/a": b"a", "..\\escaped": b"x"}), LEAVING),
        (tar_of({"set/a": b"a", member("set/link", tarfile.SYMTYPE, "../.."): b""}), LEAVING),
        (tar_of({"set/a": b"a", member("set/disk", tarfile.BLKTYPE): b""}), LEAVING),
        (zip_of({"set/a": b"a", "/escaped": b"x"}), LEAVING),
        (zip_of({"set/a": b"a", zipped_link(): b"../.."}), LEAVING),
        (b"<html>not found</html>", BROKEN),
        (tar_of(under("facades"))[:300_000], BROKEN),
        (zip_of(under("facades")).replace(CONTENT["train/1.jpg"][:50], bytes(50)), BROKEN),
    ],
    ids="tar.. tar\\ tar-link tar-device zip-root zip-link html cut-tar damaged-zip".split(),
)
def test_bad_archives_leave_nothing(download, tmp_path, out, body, reason):
    assert re.search(reason, refused(download(body)))
    assert list(out.iterdir()) == [] and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("words", "flags", "message"),
    [
        (["facades", "maps"], {}, "['facades', 'maps']"),
        (["facade"], {}, "expected one of facades, cityscapes, maps,"),
        (["../x"], {"url": "http://127.0.0.1/x"}, "received '../x'"),
        (["x"], {"url": "file:///etc/passwd"}, "expected http:// or https://"),
        (["facades"], {"sha256": "123"}, "expected 64 hexadecimal digits"),
    ],
)
def test_bad_flags_are_one_line(run_tool, tmp_path, words, flags, message):
    assert message in refused(run_tool("download_dataset", *words, flags=flags, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []
