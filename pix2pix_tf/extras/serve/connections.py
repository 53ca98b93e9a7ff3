"""Bounds that uvicorn does not have: open connections, time for headers, lines in the log."""

import asyncio
import contextlib
import logging
import os
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

# Connections that one turn of the event loop accepts before any of them is looked at.
BACKLOG = 64
# However many files may be open.
_MOST = 1024
# Files beside the connections that a running server opens.
_SPARE = 16


def connection_limit() -> int:
    """The most connections that leave enough of the process' file handles for other things."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return _MOST
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = 64
    with contextlib.suppress(OSError):
        opened = len(os.listdir("/proc/self/fd"))
    if limit == resource.RLIM_INFINITY:
        return _MOST
    return max(8, min(_MOST, limit - opened - BACKLOG - _SPARE))


def bounded_protocol(*, most: int, header_seconds: float) -> type[H11Protocol]:
    """Makes the protocol of a server with bounded connections.

    A connection without a request in work is closed after `header_seconds`, and the oldest of them
    at once when there are too many: clients that open connections and say nothing cannot keep
    others out.

    Args:
        most: Largest number of open connections.
        header_seconds: Seconds to send the headers of a request.

    Returns:
        The class for `uvicorn.Config(http=...)`.
    """
    # Those without a request in work, the oldest first.
    idle: dict[H11Protocol, asyncio.TimerHandle] = {}

    class Bounded(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()
            if len(self.connections) > most:
                oldest = next(iter(idle))
                idle.pop(oldest).cancel()
                oldest.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self._work()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._is_idle() and self not in idle:
                self._wait()
            super().data_received(data)
            if not self._is_idle():
                self._work()

        def on_response_complete(self) -> None:
            self._wait()
            super().on_response_complete()

        def _is_idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _wait(self) -> None:
            self._work()
            if not self.transport.is_closing():
                idle[self] = self.loop.call_later(header_seconds, self.transport.abort)

        def _work(self) -> None:
            if self in idle:
                idle.pop(self).cancel()

    return Bounded


class RateLimit(logging.Filter):
    """Passes a few records of a logger at a time and counts the others.

    Args:
        records: Records in each span.
        seconds: Length of a span.
    """

    def __init__(self, *, records: int = 10, seconds: float = 60.0) -> None:
        super().__init__()
        self._records, self._seconds = records, seconds
        self._began, self._seen = -float("inf"), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; the last of a span says that others are not."""
        now = time.monotonic()
        if now - self._began > self._seconds:
            self._began, self._seen = now, 0
        self._seen += 1
        if self._seen == self._records:
            record.msg = f"{record.getMessage()} (more such lines are left out for a minute)"
            record.args, record.exc_info = (), None
        return self._seen <= self._records
