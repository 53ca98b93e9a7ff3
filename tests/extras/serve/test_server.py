"""The server as clients meet it: a process and HTTP."""

import base64
import concurrent.futures
import contextlib
import io
import json
import logging
import re
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from contents import pillow as file
from PIL import Image
from support import ROOT, refused, run_forked

import pix2pix_tf
from pix2pix_tf import run_folder
from pix2pix_tf.extras.serve.connections import RateLimit


@pytest.fixture(scope="module")
def signatures(served):
    return tf.saved_model.load(str(served / "exported")).signatures


def pixels(size=(256, 256), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)


def levels(contents):
    return np.asarray(Image.open(io.BytesIO(contents)), np.int16)


def b64(contents):
    return {"b64": base64.b64encode(contents).decode()}


def test_health_status_and_metadata(server):
    assert server.ask("GET", "/health")[::2] == (200, b"OK")
    status, _, body = server.ask("GET", "/v1/models")
    names = [{"name": name, "version": "1"} for name in ("exported", "facades")]
    assert (status, json.loads(body)) == (200, {"models": names})
    for path in ("/v1/models/facades", "/v1/models/exported/versions/1"):
        status, _, body = server.ask("GET", path)
        assert status == 200
        assert json.loads(body) == {
            "model_version_status": [
                {
                    "version": "1",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }
    for path in ("/v1/models/none", "/v1/models/facades/versions/7", "/v1/models/facades/x"):
        status, _, body = server.ask("GET", path)
        assert status == 404 and list(json.loads(body)) == ["error"]
    metadata = json.loads(server.ask("GET", "/v1/models/facades/metadata")[2])
    definitions = metadata["metadata"]["signature_def"]["signature_def"]
    images = definitions["serving_default"]["inputs"]["images"]
    assert images["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in images["tensor_shape"]["dim"]] == ["-1", "-1", "-1", "3"]
    assert set(definitions["serve_base64"]["outputs"]) == {"output", "key"}


@pytest.mark.parametrize("model", ["facades", "exported"])
def test_rows_and_columns_equal_the_exports_default_signature(server, signatures, model):
    x = np.random.default_rng(1).random((2, 64, 96, 3)).astype(np.float32)
    expected = signatures["serving_default"](images=tf.constant(x))["outputs"].numpy()
    requests = {
        "predictions": [
            {"instances": x.tolist()},
            {"instances": [{"images": i} for i in x.tolist()]},
        ],
        "outputs": [{"inputs": x.tolist()}, {"inputs": {"images": x.tolist()}}],
    }
    for key, both in requests.items():
        for request in both:
            status, answer = server.predict(request, model=model)
            assert status == 200 and list(answer) == [key]
            np.testing.assert_allclose(np.array(answer[key]), expected, atol=1e-5)


def test_files_equal_the_exports_signature(server, signatures):
    files = [file(pixels()), file(pixels((70, 33))), file(pixels(), "JPEG")]
    outputs = signatures["serve_image_bytes"](input=tf.constant(files))["output"].numpy()
    name = "serve_image_bytes"
    _, rows = server.predict({"signature_name": name, "instances": [b64(f) for f in files]})
    _, columns = server.predict(
        {"signature_name": name, "inputs": {"input": [b64(f) for f in files]}}
    )
    for index, expected in enumerate(outputs):
        _, headers, raw = server.ask("POST", "/facades", files[index])
        assert headers["content-type"] == "image/png"
        for found in (
            base64.b64decode(rows["predictions"][index]["b64"]),
            base64.b64decode(columns["outputs"][index]["b64"]),
            raw,
        ):
            assert np.abs(levels(found) - levels(expected)).max() <= 1


def test_the_references_base64_contract(server, signatures):
    text = base64.urlsafe_b64encode(file(pixels())).rstrip(b"=")
    inputs = {"input": tf.constant([text]), "key": tf.constant(["a"])}
    expected = signatures["serve_base64"](**inputs)["output"].numpy()[0]
    instance = {"input": text.decode(), "key": "a"}
    status, answer = server.predict({"signature_name": "serve_base64", "instances": [instance]})
    assert status == 200
    (row,) = answer["predictions"]
    assert row["key"] == "a"
    decode = lambda t: base64.urlsafe_b64decode(t + b"=" * (-len(t) % 4))  # noqa: E731
    found, wanted = decode(row["output"].encode()), decode(expected)
    assert np.abs(levels(found) - levels(wanted)).max() <= 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not valid JSON"),
        (b'{"instances": ', "the body is not valid JSON"),
        (b"[" * 100000, "the body is not valid JSON"),
        (b"[1]", "a JSON object"),
        (b"{}", 'either "instances" or "inputs"'),
        (b'{"instances": []}', "at least one element"),
        (b'{"instances": [[[1, 2, 3]]]}', "of shape"),
        (b'{"instances": [[[["1", "2", "3"]]]]}', "lists of numbers"),
        (b'{"instances": [[[[1, 2, 3]], [[1, 2, 3], [1, 2, 3]]]]}', "lists of numbers"),
        (b'{"instances": [[[[1e99, 0, 0]]]]}', "finite"),
        (b'{"inputs": {"image": [[[[1, 2, 3]]]]}}', "the inputs images"),
        (b'{"signature_name": "no", "inputs": 1}', "signature_name"),
        (b'{"signature_name": "serve_base64", "instances": ["a"]}', "by name"),
        (b'{"signature_name": "serve_image_bytes", "instances": [{"b64": "?"}]}', "base64"),
        (b'{"signature_name": "serve_image_bytes", "instances": ["no image"]}', "image file"),
        (
            b'{"signature_name": "serve_base64", "instances": [{"input": "*", "key": ""}]}',
            "web-safe",
        ),
        (b'{"signature_name": "serve_base64", "inputs": {"input": ["YQ"], "key": []}}', "shape"),
    ],
)
def test_malformed_requests_are_refused_with_a_reason(server, body, message):
    status, answer = server.predict(body)
    assert status == 400
    assert list(answer) == ["error"] and message in answer["error"]
    assert "\n" not in answer["error"] and len(answer["error"]) < 400


def test_damaged_images_are_refused(server):
    whole = file(pixels())
    for body in (b"", b"hello", whole[:40], whole[:5000], file(pixels(), "JPEG")[:300]):
        status, _, answer = server.ask("POST", "/facades", body)
        assert status == 400, answer
        assert re.search("Expected an image|is damaged", json.loads(answer)["error"])
    assert server.ask("POST", "/nobody", whole)[0] == 404
    assert server.ask("POST", "/facades", whole, **{"Content-Encoding": "gzip"})[0] == 415
    assert server.ask("POST", "/facades", whole)[0] == 200


def test_too_long_too_large_and_too_many_pixels(server):
    status, _, answer = server.ask("POST", "/facades", bytes(17 * 2**20))
    assert status == 413 and "bytes" in json.loads(answer)["error"]
    # A file of a few kilobytes that would become 100 million pixels.
    huge = file(np.zeros((10000, 10000), bool))
    assert len(huge) < 20000
    start = time.monotonic()
    assert server.ask("POST", "/facades", huge)[0] == 413
    request = {"signature_name": "serve_image_bytes", "instances": [b64(huge)]}
    assert server.predict(request)[0] == 413
    # Few numbers that would become many: sides are continued to multiples of 256.
    for shape in ((1, 1, 50000, 3), (65, 1, 1, 3)):
        assert server.predict({"inputs": np.zeros(shape).tolist()})[0] == 413
    assert time.monotonic() - start < 10


def test_many_clients_at_once_get_their_own_answers(server, served):
    translate = pix2pix_tf.load(served / "facades")
    sizes = [(256, 256), (64, 64), (100, 40)]
    inputs = [pixels(sizes[n % 3], seed=n) for n in range(24)]

    def ask(n):
        if n % 4 == 3:
            status, answer = server.predict({"instances": [(inputs[n] / 255).tolist()]})
            return status, np.array(answer["predictions"][0]) * 255.5
        model = ("facades", "exported")[n % 2]
        status, _, answer = server.ask("POST", f"/{model}", file(inputs[n]))
        return status, levels(answer)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(24)))
    for (status, found), given in zip(answers, inputs, strict=True):
        assert status == 200
        assert np.abs(found - translate(given)).max() <= 2


def test_pages_of_other_origins_are_refused_and_the_page_is_sealed(server):
    _, headers, body = server.ask("GET", "/", Origin="http://elsewhere.example")
    assert body.startswith(b"<!doctype html>")
    assert "access-control-allow-origin" not in headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert server.ask("GET", "/page/../server.py")[0] == 404
    assert server.ask("GET", "/page/%2e%2e/server.py")[0] == 404


def half_sent(server, contents):
    """A connection over which a request was begun."""
    connection = socket.create_connection(("127.0.0.1", server.port), 60)
    head = f"POST /facades HTTP/1.1\r\nHost: h\r\nContent-Length: {len(contents)}\r\n\r\n"
    connection.sendall(head.encode() + contents[:10])
    return connection


def test_queue_time_origins_and_a_graceful_stop(start):
    origin = "https://allowed.example"
    flags = ["--max_queue", 1, "--cors_origin", origin]
    contents = file(pixels((64, 64)))
    with start(*flags, "--output_filetype", "jpeg") as server:
        _, headers, answer = server.ask("POST", "/facades", contents, Origin=origin)
        assert headers["access-control-allow-origin"] == origin
        assert headers["content-type"] == "image/jpeg" and answer.startswith(b"\xff\xd8")
        large = file(pixels((1024, 1024)))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.ask("POST", "/facades", large), range(8)))
        refusals = [headers for status, headers, _ in answers if status == 503]
        assert {status for status, *_ in answers} == {200, 503}
        assert refusals[0]["retry-after"] == "1"
        with half_sent(server, contents) as flying:
            time.sleep(0.5)
            server.terminate()
            time.sleep(0.5)
            with pytest.raises(OSError), server.connect() as connection:
                connection.request("GET", "/health")
                connection.getresponse()
            flying.sendall(contents[10:])
            assert flying.recv(4096).startswith(b"HTTP/1.1 200")
        assert server.wait() == 0
        assert server.log == ""


def test_slow_bodies_are_no_work_and_are_dropped(start):
    contents = file(pixels((64, 64)))
    with start("--max_queue", 2) as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(half_sent(server, contents)) for _ in range(20)]
        time.sleep(0.5)  # the server has begun to read
        assert server.ask("POST", "/facades", contents)[0] == 200
        began = time.monotonic()
        assert all(one.recv(4096).startswith(b"HTTP/1.1 408") for one in slow)
        assert time.monotonic() - began < 30  # long before the timeout of 60 s
        assert server.log == ""


def test_half_sent_headers_keep_nobody_out(start):
    """300 connections that never finish their headers, to a server of 256 files."""
    contents = file(pixels((64, 64)))
    with start("--timeout", 5, files=256) as server, contextlib.ExitStack() as stack:
        idle = []
        for number in range(300):
            connection = socket.create_connection(("127.0.0.1", server.port), 30)
            idle.append(stack.enter_context(connection))
            with contextlib.suppress(OSError):  # the oldest are closed as newer ones come
                connection.sendall(b"GET /health HTTP/1.1\r\nX-" + str(number).encode())
        assert server.ask("GET", "/health")[::2] == (200, b"OK")
        assert server.ask("POST", "/facades", contents)[0] == 200
        for connection in idle:
            connection.settimeout(20)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""
        assert server.ask("GET", "/health")[0] == 200
        assert len(server.log) < 10_000


def test_the_log_has_a_rate(caplog):
    logger = logging.getLogger("server rate")
    logger.addFilter(RateLimit(records=3, seconds=0.3))
    for number in range(10):
        logger.warning("line %d", number)
    assert caplog.messages[:2] == ["line 0", "line 1"] and len(caplog.messages) == 3
    assert "line 2 (more such lines" in caplog.messages[2]
    time.sleep(0.4)
    logger.warning("later")
    assert caplog.messages[-1] == "later"


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_formats_that_training_reads_are_taken(server, kind):
    array = pixels((70, 33))
    lossless = {"lossless": True} if kind == "WEBP" else {}
    expected = server.ask("POST", "/facades", file(array))
    found = server.ask("POST", "/facades", file(array, kind, **lossless))
    assert (found[0], found[2]) == (200, expected[2])
    deep = file(np.full((40, 50), 30_000, np.uint16), "TIFF")
    assert server.ask("POST", "/facades", deep)[0] == 200
    assert server.ask("POST", "/facades", file(array, kind)[:60])[0] == 400


@pytest.mark.process
def test_a_taken_port_and_missing_runs_are_one_line(server, served, tmp_path):
    words = ["--mode", "serve", "--checkpoint", served]
    line = refused(run_forked("pix2pix-tf", *words, "--port", server.port))
    assert "--port to be free" in line and str(server.port) in line
    line = refused(run_forked("pix2pix-tf", "--mode", "serve", "--checkpoint", tmp_path))
    assert "Expected --checkpoint" in line
    line = refused(run_forked("cyclegan-tf", "--mode", "serve"))
    assert "needs --checkpoint" in line


@pytest.mark.process
def test_what_a_folder_holds_is_named_and_what_cannot_be_used_left_out(served, start, tmp_path):
    """A run is served as a run, although somebody's SavedModel lies in its folder."""
    folder = tmp_path / "all"
    folder.mkdir()
    shutil.copytree(served / "facades", folder / "run")
    shutil.copytree(served / "exported", folder / "run", dirs_exist_ok=True)
    shutil.copytree(served / "exported", folder / "export")
    shutil.copytree(served / "facades", folder / "bad")
    (folder / "bad" / run_folder.OPTIONS).write_text("[]")
    with start(run=folder) as server:
        models = json.loads(server.ask("GET", "/v1/models")[2])["models"]
        assert [model["name"] for model in models] == ["export", "run"]
        assert f"warning: {folder / 'bad'} is left out: Expected a JSON object" in server.log
        printed = (tmp_path / "printed").read_text()
        assert f"run: {folder / 'run'} (run)" in printed
        assert f"export: {folder / 'export'} (SavedModel, which can execute anything" in printed
    words = ("--mode", "serve", "--port", 0, "--checkpoint")
    assert "Expected a JSON object" in refused(run_forked("pix2pix-tf", *words, folder / "bad"))


def test_runs_of_other_channels(start, make_run):
    grey = make_run("grey", crop_size=32, input_channels=1, output_channels=4)
    with start("--tile", 32, run=grey) as server:
        x = np.full((1, 40, 50, 1), 0.25)
        status, answer = server.predict({"instances": x.tolist()}, model="grey")
        assert status == 200 and np.shape(answer["predictions"]) == (1, 40, 50, 4)
        _, _, answer = server.ask("POST", "/grey", file(np.full((40, 50, 3), 64, np.uint8)))
        assert Image.open(io.BytesIO(answer)).mode == "RGBA" and levels(answer).shape == (40, 50, 4)
    five = make_run("five", crop_size=32, input_channels=5)
    line = refused(run_forked("pix2pix-tf", "--mode", "serve", "--checkpoint", five))
    assert "1, 3 or 4 channels" in line and "five has 5" in line


@pytest.mark.process
def test_the_load_test_counts_answers_and_failures(server, tmp_path):
    (tmp_path / "in.png").write_bytes(file(pixels((64, 64))))
    tool = [sys.executable, ROOT / "benchmarks" / "load_test.py", "--file", tmp_path / "in.png"]
    tool += ["--clients", "3", "--seconds", "1"]
    for model, code in (("facades", 0), ("nobody", 1)):
        url = f"http://127.0.0.1:{server.port}/{model}"
        shown = subprocess.run(
            [*map(str, tool), "--url", url], capture_output=True, text=True, timeout=60
        )
        assert shown.returncode == code, shown.stderr
        assert (", 0 failed" in shown.stdout) == (code == 0)
        assert ("longest" in shown.stdout) == (code == 0)
