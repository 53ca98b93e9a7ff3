"""From models to a server: the address, the life and the end of the process."""

import contextlib
import signal
import socket
import warnings

import uvicorn
from PIL import Image

from pix2pix_tf.errors import InputError
from pix2pix_tf.server.app import application
from pix2pix_tf.server.worker import Worker


def listen(host, port):
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
        listener.bind(address)
    except OSError as error:
        raise InputError(
            f"Expected --host and --port to be free. Received: {host}:{port} "
            f"({error.strerror or error})"
        ) from None
    return listener


def run(models, *, limits, origins, listener):
    """Serves until SIGINT or SIGTERM, then finishes the requests in flight.

    Args:
        models: List of objects with `name`, `version`, `about` and `signatures`.
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
        # A request may take the timeout twice: to be read, and to be answered.
        timeout_graceful_shutdown=int(2 * limits.timeout) + 1,
    )
    server = _Server(settings)
    try:
        with _signals(server), warnings.catch_warnings():
            # `check_file` looks at sizes itself.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            server.run(sockets=[listener])
    finally:
        worker.close()


class _Server(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets=None):
        await super().startup(sockets)
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"serving at http://{shown}:{port} until Ctrl-C", flush=True)


@contextlib.contextmanager
def _signals(server):
    """Ends the server at a signal that comes before uvicorn listens to signals.

    Uvicorn raises the signals that it caught again once it has ended; here they find a handler, so
    that a server that was told to stop ends well.
    """

    def stop(*_):
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
