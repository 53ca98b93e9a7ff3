"""The routes over real sockets, with a model that does what a test wants."""

import base64
import concurrent.futures
import contextlib
import http.client
import io
import json
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from threaded_server import threaded

from pix2pix_tf.extras.serve.app import application
from pix2pix_tf.extras.serve.limits import Limits
from pix2pix_tf.extras.serve.rest import Tensor
from pix2pix_tf.extras.serve.worker import Worker

FLOATS, STRINGS = Tensor("float32", (None, None, None, 3)), Tensor("string", (None,))
LIMITS = {"max_request_bytes": 2**24, "max_pixels": 2**22, "max_queue": 64, "max_batch": 1}


def png(size=(8, 8)):
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def serve():
    """Serves a model of one function of files and returns how to ask it."""
    with contextlib.ExitStack() as stack:

        def serve(translate=lambda input: {"output": input}, *, timeout=30.0, **limits):
            files = SimpleNamespace(
                inputs={"input": STRINGS}, outputs={"output": STRINGS}, call=translate, ranged=False
            )
            floats = SimpleNamespace(
                inputs={"images": FLOATS},
                outputs={"outputs": FLOATS},
                call=lambda images: {"outputs": images},
                ranged=False,
            )
            model = SimpleNamespace(
                name="model",
                version="1",
                about={},
                signatures={"serve_image_bytes": files, "serving_default": floats},
            )
            worker = Worker(max_batch=1, max_pixels=2**22)
            stack.callback(worker.close)
            bounds = Limits(**{**LIMITS, "timeout": timeout, **limits})
            app = application([model], limits=bounds, origins=[], worker=worker)
            port = stack.enter_context(threaded(app, log_level="warning"))

            def ask(method, path, body=None, **headers):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                with contextlib.closing(connection):
                    connection.request(method, path, body, headers)
                    answer = connection.getresponse()
                    return answer.status, answer.headers, answer.read()

            return SimpleNamespace(port=port, ask=ask)

        yield serve


def test_a_wrong_method_is_told_the_right_one(serve):
    server = serve()
    for method, path, allowed in (
        ("GET", "/model", {"POST"}),
        ("GET", "/v1/models/model:predict", {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("DELETE", "/v1/models/model", {"GET", "HEAD"}),
    ):
        status, headers, body = server.ask(method, path)
        assert status == 405 and "error" in json.loads(body)
        assert set(headers["allow"].split(", ")) == allowed


def test_nothing_is_computed_for_clients_that_left(serve):
    translated, first = [], threading.Event()

    def translate(input):
        translated.append(input[0])
        first.wait(20)
        return {"output": input}

    server = serve(translate)
    body = png()
    head = f"POST /model HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    clients = []
    for _ in range(8):
        clients.append(socket.create_connection(("127.0.0.1", server.port), 30))
        clients[-1].sendall(head + body)
        time.sleep(0.1)
    for client in clients[1:]:
        client.close()
    time.sleep(0.5)
    first.set()
    assert clients[0].recv(100).startswith(b"HTTP/1.1 200")
    clients[0].close()
    assert server.ask("POST", "/model", body)[0] == 200
    assert len(translated) == 2


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("can't start new thread")], ids=["memory", "thread"]
)
def test_memory_that_runs_out_is_a_503(serve, error, capfd):
    def translate(input):
        raise error

    server = serve(translate)
    row = {"b64": base64.b64encode(png()).decode()}
    rows = json.dumps({"signature_name": "serve_image_bytes", "instances": [row]})
    for path, body in (("/model", png()), ("/v1/models/model:predict", rows)):
        status, headers, answer = server.ask("POST", path, body)
        assert (status, headers["retry-after"]) == (503, "1")
        assert b"out of memory" in answer
    log = capfd.readouterr().err
    assert "out of memory" in log and "Traceback" not in log


def test_the_timeout_covers_the_whole_answer(serve):
    server = serve(lambda input: time.sleep(3) or {"output": input}, timeout=0.5)
    began = time.monotonic()
    assert server.ask("POST", "/model", png())[0] == 504
    assert time.monotonic() - began < 2


@pytest.mark.slow
def test_long_json_holds_nobody_up(serve):
    """Bodies of 16 MB of lists, several at a time, while health is asked for."""
    server = serve()
    row = b"[" + b",".join([b"[0,0,0]"] * 1000) + b"]"
    image = b"[" + b",".join([row] * 1000) + b"]"
    bodies = [
        b'{"inputs":[' + b",".join([b"[]"] * 5_500_000) + b"]}",
        b'{"inputs":[' + image + b"]}",
        b'{"inputs":[[[' + b",".join([b'[0,"a",0]'] * 1_600_000) + b"]]]}",
        b'{"instances":[' + b",".join([b'{"b64":""}'] * 1_400_000) + b"]}",
    ]
    waits = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(server.ask, "POST", "/v1/models/model:predict", b) for b in bodies]
        while not all(answer.done() for answer in answers):
            began = time.monotonic()
            assert server.ask("GET", "/health")[0] == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
    assert [answer.result()[0] for answer in answers] == [400, 200, 413, 413]
    assert np.shape(json.loads(answers[1].result()[2])["outputs"]) == (1, 1000, 1000, 3)
    assert max(waits) < 3, waits
