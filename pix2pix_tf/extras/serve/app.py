"""The server's routes: TensorFlow Serving's REST API, the reference's `POST /NAME`, the page.

GET  /                               the page
GET  /health                         OK
GET  /v1/models                      names and versions
GET  /v1/models/NAME                 status, as TensorFlow Serving; also /versions/N
GET  /v1/models/NAME/metadata        signatures, likewise
POST /v1/models/NAME:predict         JSON, rows or columns, likewise; also /versions/N:predict
POST /NAME                           an image file, answered by an image file

Reference:
    https://www.tensorflow.org/tfx/serving/api_rest; affinelayer/pix2pix-tensorflow, server/serve.py
    of December 2017.
"""

import asyncio
import base64
import binascii
import concurrent.futures
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pix2pix_tf.extras.serve import rest
from pix2pix_tf.extras.serve.connections import LEAST_RATE
from pix2pix_tf.extras.serve.limits import (
    Limits,
    RequestError,
    area,
    check_file,
    check_pixels,
    is_out_of_memory,
)
from pix2pix_tf.extras.serve.page import STATIC
from pix2pix_tf.extras.serve.worker import Worker

if TYPE_CHECKING:  # it loads TensorFlow, and the address is taken before that
    from pix2pix_tf.extras.serve.models import Model, Signature

Result = TypeVar("Result")

# Seconds before the rate of a body counts.
_GRACE = 5.0
# Nothing but our own files, no inline script or style; blob: is what was drawn.
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def application(
    models: Sequence["Model"], *, limits: Limits, origins: Sequence[str], worker: Worker
) -> Starlette:
    """Makes the ASGI application.

    Args:
        models: Models with different names.
        limits: Bounds of the requests.
        origins: Origins allowed by CORS.
        worker: What calls the models.

    Returns:
        The application.
    """
    server = _Server(models, limits=limits, worker=worker)
    cors: dict[str, Any] = {
        "allow_origins": origins,
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["*"],
    }
    routes: list[Route | Mount] = [
        Route("/", _index),
        Route("/health", _health),
        Route("/health", _refuse_others("GET, HEAD"), methods=["POST"]),
        Route("/page/models", server.page_models),
        Mount("/page", StaticFiles(directory=STATIC)),
        Route("/v1/models", server.list_models),
    ]
    for path in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        routes += [
            Route(f"{path}:predict", server.predict, methods=["POST"]),
            Route(f"{path}:predict", _refuse_others("POST")),
            Route(f"{path}/metadata", server.metadata),
            Route(path, server.status),
        ]
    app = Starlette(
        routes=[*routes, Route("/{name}", server.translate, methods=["POST"])],
        middleware=[
            Middleware(_Headers),
            *([Middleware(CORSMiddleware, **cors)] if origins else []),
        ],
        exception_handlers={
            RequestError: lambda _, error: _refusal(error.status, error),
            HTTPException: lambda _, e: _refusal(e.status_code, e.detail, e.headers),
            ClientDisconnect: lambda *_: Response(status_code=400),  # nobody reads it
            Exception: lambda *_: _refusal(500, "internal error; see the server's log"),
        },
    )
    app.router.redirect_slashes = False
    return app


def _refusal(
    status: int, message: object, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    headers = {"retry-after": "1"} if status == 503 else headers
    return JSONResponse({"error": str(message)}, status_code=status, headers=headers)


class _Headers:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _index(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _refuse_others(allowed: str) -> Callable[[Request], Awaitable[Response]]:
    """Makes the answer to a method that would otherwise match a later route."""

    async def refuse(_: Request) -> Response:
        raise HTTPException(405, headers={"Allow": allowed})

    return refuse


async def _health(_: Request) -> Response:
    return PlainTextResponse("OK")


class _Server:
    """The routes that need the models."""

    def __init__(self, models: Sequence["Model"], *, limits: Limits, worker: Worker) -> None:
        self._models = {model.name: model for model in models}
        self._limits, self._worker = limits, worker
        # Requests in work, and the bytes of all bodies in memory.
        self._busy, self._buffered = 0, 0
        # JSON holds the interpreter, and a list many times its text: one document at a time.
        self._json = concurrent.futures.ThreadPoolExecutor(1, "json")

    async def page_models(self, _: Request) -> Response:
        """What the page shows of each model."""
        return JSONResponse({"models": [model.about for model in self._models.values()]})

    async def list_models(self, _: Request) -> Response:
        """The names and versions of all models."""
        models = [{"name": m.name, "version": m.version} for m in self._models.values()]
        return JSONResponse({"models": models})

    async def status(self, request: Request) -> Response:
        """The status of a model, as TensorFlow Serving."""
        return JSONResponse(rest.status(self._model(request).version))

    async def metadata(self, request: Request) -> Response:
        """The signatures of a model, as TensorFlow Serving."""
        model = self._model(request)
        return JSONResponse(rest.metadata(model.name, model.version, model.signatures))

    async def predict(self, request: Request) -> Response:
        """`:predict`, as TensorFlow Serving."""
        async with self._admitted(request) as body:
            answer = await self._within_limits(request, self._predict(self._model(request), body))
        return Response(answer, media_type="application/json")

    async def _predict(self, model: "Model", body: bytes) -> bytes:
        run, limits = asyncio.get_running_loop().run_in_executor, self._limits
        call = await run(self._json, rest.parse, body, model.signatures, limits)
        outputs = await self._call(model.signatures[call.signature], call.inputs)
        return await run(self._json, functools.partial(rest.respond, outputs, rows=call.rows))

    async def translate(self, request: Request) -> Response:
        """An image file in, an image file out, as the reference's older server."""
        async with self._admitted(request) as body:
            signature = self._model(request).signatures["serve_image_bytes"]
            call = self._call(signature, {"input": np.array([body], object)})
            outputs = await self._within_limits(request, call)
        contents: Any = outputs["output"][0]
        kind = "image/png" if contents.startswith(b"\x89PNG") else "image/jpeg"
        return Response(contents, media_type=kind)

    def _model(self, request: Request) -> "Model":
        """The model that the path of a request names."""
        name, version = request.path_params["name"], request.path_params.get("version")
        if name not in self._models:
            raise RequestError(
                404, f"Expected one of the models {', '.join(self._models)}. Received: {name}"
            )
        model = self._models[name]
        if version not in (None, model.version):
            raise RequestError(
                404, f"Expected version {model.version} of {name}. Received: {version}"
            )
        return model

    @contextlib.asynccontextmanager
    async def _admitted(self, request: Request) -> AsyncIterator[bytes]:
        """Reads the body of a request, then counts the request as work until the block ends.

        The body is read to its end before a refusal: a client that still sends would not see it.
        """
        chunks: list[bytes] = []
        try:
            size, allowed = await self._receive(request, chunks), self._limits.max_request_bytes
            if size > allowed:
                raise RequestError(413, f"Expected at most {allowed} bytes. Received: {size}")
            if self._busy >= self._limits.max_queue or (size and not chunks):
                raise RequestError(503, f"too many requests: at most {self._busy} at a time")
            self._busy += 1
            try:
                chunks[:] = [b"".join(chunks)]
                yield chunks[0]
            finally:
                self._busy -= 1
        finally:
            self._buffered -= sum(map(len, chunks))

    async def _receive(self, request: Request, chunks: list[bytes]) -> int:
        """Adds what a client sends to `chunks`, as long as there is room; returns its size.

        A body has to be there within the timeout and, after a grace, to come at a least rate.
        """
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise RequestError(415, f"Expected no content-encoding. Received: {encoding}")
        limits, started = self._limits, time.monotonic()
        room = limits.max_queue * limits.max_request_bytes
        size, more, fits = 0, True, True
        while more:
            seconds = min(limits.timeout, _GRACE + size / LEAST_RATE)
            left = seconds - (time.monotonic() - started)
            try:
                message = await asyncio.wait_for(request.receive(), left)
            except asyncio.TimeoutError:
                raise RequestError(408, "timed out while receiving the request body") from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect()
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            fits &= size <= limits.max_request_bytes and self._buffered + len(chunk) <= room
            if fits:
                chunks.append(chunk)
                self._buffered += len(chunk)
            else:  # others may need the room
                self._buffered -= sum(map(len, chunks))
                chunks.clear()
        return size

    async def _call(
        self, signature: "Signature", inputs: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        inputs, pixels = await asyncio.to_thread(
            _check_images, inputs, self._limits, signature.ranged
        )
        job = self._worker.submit(signature.call, inputs, pixels=pixels)
        return await asyncio.wrap_future(job)

    async def _within_limits(self, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
        """Awaits the work on a request, as long as its client waits and there is time and memory.

        Raises:
            RequestError: With status 503 or 504.
            ClientDisconnect: If the client has left.
        """
        task = asyncio.ensure_future(work)
        left = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait(
                {task, left}, timeout=self._limits.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if task.done():
                return task.result()
            if left.done():
                raise ClientDisconnect()
            raise RequestError(504, "timed out while translating")
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            logging.getLogger("uvicorn.error").warning("out of memory: answered with 503")
            raise RequestError(503, "out of memory: send a smaller image") from None
        finally:
            task.cancel()
            left.cancel()


async def _disconnected(request: Request) -> None:
    """Waits until the client of a request, whose body was read, has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_images(
    inputs: dict[str, np.ndarray], limits: Limits, ranged: bool
) -> tuple[dict[str, np.ndarray], int]:
    """Checks the images of a call before TensorFlow sees them.

    Args:
        inputs: Dict of arrays, those of one of the three signatures.
        limits: Bounds of the request.
        ranged: Whether the samples of files have units.

    Returns:
        (inputs, number of pixels).
    """
    if len({len(array) for array in inputs.values()}) != 1:
        raise RequestError(400, f"Expected equal numbers of {' and '.join(inputs)}")
    if "images" in inputs:
        count, height, width, _ = inputs["images"].shape
        return inputs, count * area(width, height)
    coded, pixels = "key" in inputs, 0
    files = inputs["input"].copy()
    for index, contents in enumerate(files):
        contents = _decode(contents) if coded else contents
        size, file = check_file(contents, limits, ranged=ranged)
        pixels += size
        check_pixels(pixels, limits)
        files[index] = base64.urlsafe_b64encode(file) if coded else file
    return {**inputs, "input": files}, pixels


def _decode(text: bytes) -> bytes:
    """Web-safe base64 to bytes, as strict as TensorFlow's decoder."""
    try:
        padded = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise RequestError(400, f"the value is not valid web-safe base64: {error}") from None
