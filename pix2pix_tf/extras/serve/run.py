"""Runs the server: its address, its start and its shutdown."""

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from PIL import Image

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.serve import connections
from pix2pix_tf.extras.serve.app import application
from pix2pix_tf.extras.serve.limits import Limits
from pix2pix_tf.extras.serve.worker import Worker

if TYPE_CHECKING:  # it loads TensorFlow, and the address is taken before that
    from pix2pix_tf.extras.serve.models import Model

# Seconds to send the headers of a request.
_HEADER_SECONDS = 10.0


def listen(host: str, port: int) -> socket.socket:
    """Takes the address before anything slow happens.

    Args:
        host: Name or address.
        port: Number, 0 for any free one.

    Returns:
        A bound socket that does not listen yet.

    Raises:
        InputError: If the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        with contextlib.suppress(AttributeError, OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(AttributeError, OSError):
            # The rest of an answer waits here, where its progress is seen, not in the system.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 2**16)
        listener.bind(address)
    except OSError as error:
        raise InputError(
            f"Expected --host and --port to be free. Received: {host}:{port} "
            f"({error.strerror or error})"
        ) from None
    return listener


def run(
    models: Sequence["Model"],
    *,
    limits: Limits,
    origins: Sequence[str],
    listener: socket.socket,
) -> None:
    """Serves until SIGINT or SIGTERM, then finishes the requests in flight.

    Args:
        models: Loaded models.
        limits: `Limits`.
        origins: Origins allowed by CORS, a list of strings.
        listener: Bound socket.
    """
    worker = Worker(max_batch=limits.max_batch, max_pixels=limits.max_pixels)
    settings = uvicorn.Config(
        application(models, limits=limits, origins=origins, worker=worker),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        backlog=connections.BACKLOG,
        http=functools.partial(  # type: ignore[arg-type]  # it is called, whatever it is
            connections.BoundedProtocol,
            max_connections=connections.connection_limit(),
            header_seconds=min(_HEADER_SECONDS, limits.timeout),
        ),
        # A request may take the timeout twice: to be read, and to be answered.
        timeout_graceful_shutdown=int(2 * limits.timeout) + 1,
    )
    server = _Server(settings)
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(connections.RateLimit())
    try:
        with _signals(server), warnings.catch_warnings():
            # `check_file` looks at sizes itself, and damaged files are answered.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", module="PIL")
            _serve(server, listener)
    finally:
        worker.close()


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Runs the server; in a thread of its own where an event loop runs, as in notebooks."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        server.run(sockets=[listener])
        return
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        thread.join()
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    """Announces when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()[:2]
        address = f"[{host}]" if ":" in host else host
        print(f"serving at http://{address}:{port} (Ctrl-C stops it)", flush=True)


@contextlib.contextmanager
def _signals(server: uvicorn.Server) -> Iterator[None]:
    """Ends the server at a signal that comes before uvicorn listens to signals.

    Uvicorn raises the signals that it caught again after it has ended. This handler receives them,
    so that a stopped server exits with code 0.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    if threading.current_thread() is not threading.main_thread():
        yield  # Python gives other threads no signals
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
