"""Slow clients over real sockets; the application answers without a model."""

import contextlib
import functools
import socket
import time

import pytest
from threaded_server import threaded

from pix2pix_tf.extras.serve import connections

SIZE = 12_000_000


async def application(scope, receive, send):
    """GET /large: many bytes; any POST: the number of bytes in the body."""
    size, more = 0, scope["method"] == "POST"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = bytes(SIZE) if scope["path"] == "/large" else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def listen(monkeypatch):
    """Runs the application in a thread; returns its port."""
    with contextlib.ExitStack() as stack:

        def listen(*, max_connections=20, header_seconds=1.0, span=0.5):
            monkeypatch.setattr(connections, "_SPAN", span)
            protocol = functools.partial(
                connections.BoundedProtocol,
                max_connections=max_connections,
                header_seconds=header_seconds,
            )
            return stack.enter_context(threaded(application, http=protocol))

        yield listen


def ask(port, words=b"GET / HTTP/1.1", *, headers=b"", buffer=None):
    """A connection over which a request was sent."""
    client = socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(30)
    client.connect(("127.0.0.1", port))
    client.sendall(words + b"\r\nHost: h\r\n" + headers + b"\r\n")
    return client


def is_open(client):
    """Whether the server has not closed a connection over which nothing was answered."""
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_an_answer_is_read_at_leisure(listen):
    """It takes many times the seconds after which a silent client is closed."""
    port = listen(header_seconds=0.3)
    with ask(port, b"GET /large HTTP/1.1", buffer=2**16) as client:
        began, count = time.monotonic(), 0
        while count < SIZE:
            chunk = client.recv(2**18)
            assert chunk, f"cut off after {count} bytes"
            count += len(chunk)
            time.sleep(len(chunk) / 6_000_000)
        assert time.monotonic() - began > 1.5
        time.sleep(1)
        assert not is_open(client)  # idle now


def test_a_client_that_stops_reading_is_closed(listen, capfd):
    port = listen()
    with ask(port, b"GET /large HTTP/1.1", buffer=2**16) as client:
        client.recv(1000)
        time.sleep(2.5)
        count = 0
        with contextlib.suppress(ConnectionError):
            while chunk := client.recv(2**20):
                count += len(chunk)
        assert count < SIZE
    assert "reads the answer too slowly" in capfd.readouterr().err


def test_at_the_limit_the_slowest_body_makes_room(listen):
    port = listen(max_connections=10, header_seconds=60)
    with contextlib.ExitStack() as stack:
        length = b"Content-Length: 1000000\r\n"

        def send(contents):
            client = stack.enter_context(ask(port, b"POST / HTTP/1.1", headers=length))
            client.sendall(contents)
            return client

        diligent = send(bytes(900_000))
        slow = [send(b"abc") for _ in range(9)]
        time.sleep(0.5)
        for _ in range(4):
            with ask(port) as client:
                assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert sum(map(is_open, slow)) < 9
        diligent.sendall(bytes(100_000))
        assert b"200 OK" in diligent.recv(1000)


def test_headers_have_a_time(listen):
    port = listen(header_seconds=0.5)
    client = socket.create_connection(("127.0.0.1", port), 30)
    with client:
        began = time.monotonic()
        for letter in b"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
            time.sleep(0.05)
            try:
                client.sendall(bytes([letter]))
            except ConnectionError:
                break
        else:
            pytest.fail("a byte now and then kept the connection open")
        assert time.monotonic() - began < 5
