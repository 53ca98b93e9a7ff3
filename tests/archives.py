"""Archives and other files, served over HTTP on the loopback interface."""

import contextlib
import functools
import http.server
import io
import threading

import numpy as np
from PIL import Image


def jpeg(number):
    """The bytes of a 64x32 JPEG, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((64, 32)).save(buffer, "JPEG")
    return buffer.getvalue()


@contextlib.contextmanager
def served(folder):
    """Serves the files of a folder; gives the address."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
