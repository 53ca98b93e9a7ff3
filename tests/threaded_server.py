"""An ASGI application on a port, in a thread of the tests."""

import asyncio
import contextlib
import threading
import time

import uvicorn

from pix2pix_tf.extras.serve import run


@contextlib.contextmanager
def threaded(application, **options):
    """Serves an application until the block ends; yields its port."""
    settings = uvicorn.Config(application, ws="none", lifespan="off", **options)
    server, listener = uvicorn.Server(settings), run.listen("127.0.0.1", 0)
    serve = server.serve(sockets=[listener])
    thread = threading.Thread(target=asyncio.run, args=(serve,), daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)
