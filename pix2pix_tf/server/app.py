"""What the server answers: TensorFlow Serving's REST API, the reference's `POST /NAME`, the page.

GET  /                               the page
GET  /health                         OK
GET  /v1/models/NAME                 status, as TensorFlow Serving
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
import contextlib
import re
from pathlib import Path

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pix2pix_tf.server import rest
from pix2pix_tf.server.limits import RequestError, area, check_file, check_pixels

WEB = Path(__file__).with_name("web")
_MODEL_PATH = re.compile(r"([^/:]+)(?:/versions/(\d+))?([:/]\w+)?")
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


def application(models, *, limits, origins, worker):
    """Makes the ASGI application; see `run`."""
    server = _Server(models, limits=limits, worker=worker)
    cors = {"allow_origins": origins, "allow_methods": ["GET", "POST"], "allow_headers": ["*"]}
    return Starlette(
        routes=[
            Route("/", _index),
            Route("/health", _health),
            Route("/page/models", server.page_models),
            Mount("/page", StaticFiles(directory=WEB)),
            Route("/v1/models/{path:path}", server.about, methods=["GET"]),
            Route("/v1/models/{path:path}", server.predict, methods=["POST"]),
            Route("/{name}", server.translate, methods=["POST"]),
        ],
        middleware=[
            Middleware(_Headers),
            *([Middleware(CORSMiddleware, **cors)] if origins else []),
        ],
        exception_handlers={
            RequestError: lambda _, error: _refusal(error.status, error),
            HTTPException: lambda _, error: _refusal(error.status_code, error.detail),
            ClientDisconnect: lambda *_: Response(status_code=400),  # nobody reads it
            Exception: lambda *_: _refusal(500, "The server failed; its log says how"),
        },
    )


def _refusal(status, message):
    headers = {"retry-after": "1"} if status == 503 else None
    return JSONResponse({"error": str(message)}, status_code=status, headers=headers)


class _Headers:
    """Adds the security headers to every answer."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _index(_):
    return FileResponse(WEB / "index.html")


async def _health(_):
    return PlainTextResponse("OK")


class _Server:
    """The routes that need the models."""

    def __init__(self, models, *, limits, worker):
        self._models = {model.name: model for model in models}
        self._limits, self._worker, self._busy = limits, worker, 0

    async def page_models(self, _):
        """What the page shows of each model."""
        return JSONResponse({"models": [model.about for model in self._models.values()]})

    async def about(self, request):
        """Status and metadata, as TensorFlow Serving."""
        model, verb = self._find(request.path_params["path"])
        if verb is None:
            return JSONResponse(rest.status(model.version))
        if verb == "/metadata":
            return JSONResponse(rest.metadata(model.name, model.version, model.signatures))
        raise RequestError(404, f"Expected a model's path or /metadata. Received: {verb}")

    async def predict(self, request):
        """`:predict`, as TensorFlow Serving."""
        async with self._admitted(request) as body:
            model, verb = self._find(request.path_params["path"])
            if verb != ":predict":
                raise RequestError(400, f"Expected POST to NAME:predict. Received: {verb}")
            call = await asyncio.to_thread(rest.parse, body, model.signatures)
            outputs = await self._call(model.signatures[call.signature], call.inputs)
            answer = await asyncio.to_thread(rest.respond, outputs, rows=call.rows)
        return Response(answer, media_type="application/json")

    async def translate(self, request):
        """An image file in, an image file out, as the reference's older server."""
        async with self._admitted(request) as body:
            model = self._model(request.path_params["name"])
            signature = model.signatures["serve_image_bytes"]
            outputs = await self._call(signature, {"input": np.array([body], object)})
        contents = outputs["output"][0]
        kind = "image/png" if contents.startswith(b"\x89PNG") else "image/jpeg"
        return Response(contents, media_type=kind)

    def _model(self, name):
        if name not in self._models:
            raise RequestError(
                404, f"Expected one of the models {', '.join(self._models)}. Received: {name}"
            )
        return self._models[name]

    def _find(self, path):
        """(model, what follows it): None, "/metadata" or ":predict"."""
        parts = _MODEL_PATH.fullmatch(path)
        if not parts:
            raise RequestError(404, f"Expected NAME[/versions/N][:predict]. Received: {path}")
        name, version, verb = parts.groups()
        model = self._model(name)
        if version not in (None, model.version):
            raise RequestError(
                404, f"Expected version {model.version} of {name}. Received: {version}"
            )
        return model, verb

    @contextlib.asynccontextmanager
    async def _admitted(self, request):
        """Counts a request and reads its body; one too many is read as well, but not kept.

        A client that is refused while it still sends would never see the answer.
        """
        full = self._busy >= self._limits.max_queue
        self._busy += not full
        try:
            body = await self._within(_read(request, 0 if full else self._limits.max_request_bytes))
            if full:
                raise RequestError(503, f"Expected at most {self._busy} requests at a time; retry")
            yield body
        finally:
            self._busy -= not full

    async def _within(self, awaitable, status=408):
        try:
            return await asyncio.wait_for(awaitable, self._limits.timeout)
        except asyncio.TimeoutError:
            raise RequestError(
                status, f"Expected to be done in {self._limits.timeout:g} s. Received: no end yet"
            ) from None

    async def _call(self, signature, inputs):
        inputs, pixels = await asyncio.to_thread(_checked, inputs, self._limits)
        future = self._worker.submit(signature.call, inputs, pixels=pixels)
        return await self._within(asyncio.wrap_future(future), 504)


async def _read(request, limit):
    """The body; nothing of it is kept once it is longer than `limit`, 0 for nothing at all."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise RequestError(415, f"Expected no content-encoding. Received: {encoding}")
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            body += chunk
    if limit and size > limit:
        raise RequestError(413, f"Expected at most {limit} bytes. Received: {size}")
    return bytes(body)


def _checked(inputs, limits):
    """Looks at the pictures of a call before TensorFlow does.

    Args:
        inputs: Dict of arrays, those of one of the three signatures.
        limits: `Limits`.

    Returns:
        (inputs, number of pixels).
    """
    if len({len(array) for array in inputs.values()}) != 1:
        raise RequestError(400, f"Expected as many of {' as of '.join(inputs)}")
    if "images" in inputs:
        count, height, width, _ = inputs["images"].shape
        pixels = count * area(width, height)
        check_pixels(pixels, limits)
        return inputs, pixels
    coded, pixels = "key" in inputs, 0
    files = inputs["input"].copy()
    for index, contents in enumerate(files):
        found, file = check_file(_decode(contents) if coded else contents, limits)
        pixels += found
        check_pixels(pixels, limits)
        files[index] = base64.urlsafe_b64encode(file) if coded else file
    return {**inputs, "input": files}, pixels


def _decode(text):
    """Web-safe base64 to bytes, as strict as TensorFlow's decoder."""
    try:
        padded = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise RequestError(
            400, f"Expected web-safe base64. Received text that is not: {error}"
        ) from None
