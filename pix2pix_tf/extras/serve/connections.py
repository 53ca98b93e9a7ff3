"""Bounds that uvicorn does not have: slow clients, open connections, lines in the log."""

import asyncio
import contextlib
import enum
import logging
import os
import time
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# Connections that one turn of the event loop accepts before any of them is looked at.
BACKLOG = 64
# Bytes a second that a client has to send or to read.
LEAST_RATE = 4096
# Seconds over which the rate of reading an answer is measured.
_SPAN = 20.0
# However many files may be open.
_MAX_CONNECTIONS = 1024
# Files beside the connections that a running server opens.
_SPARE_FILES = 16


def connection_limit() -> int:
    """The most connections that leave enough of the process' file handles for other things."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return _MAX_CONNECTIONS
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = 64
    with contextlib.suppress(OSError):
        opened = len(os.listdir("/proc/self/fd"))
    if limit == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(8, min(_MAX_CONNECTIONS, limit - opened - BACKLOG - _SPARE_FILES))


class _Phase(enum.Enum):
    WAITING = "for a request"
    RECEIVING = "the body of a request"
    WORKING = "on the answer"
    SENDING = "the answer"


class BoundedProtocol(H11Protocol):
    """A connection whose client must neither be slow nor say nothing.

    A client has to send the headers of a request within `header_seconds`, and to read an answer at
    `LEAST_RATE`; the application bounds the time for bodies. Of too many connections the one whose
    client is furthest behind that rate is closed, so that slow clients cannot keep others out.

    Args:
        *args: See `H11Protocol`.
        max_connections: Largest number of open connections.
        header_seconds: Seconds to send the headers of a request.
        **options: See `H11Protocol`.
    """

    def __init__(
        self, *args: Any, max_connections: int, header_seconds: float, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._max_connections, self._header_seconds = max_connections, header_seconds
        # The phase, when it began, and the bytes that the client sent or had to read by then.
        self._phase, self._began, self._received, self._unread = _Phase.WORKING, 0.0, 0, 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # An answer is read once nothing of it is left here.
        transport.set_write_buffer_limits(high=0)
        self._enter_phase()
        peers = [
            peer
            for peer in self.connections
            if isinstance(peer, BoundedProtocol) and not peer.transport.is_closing()
        ]
        if len(peers) > self._max_connections:
            idle = [peer for peer in peers if peer._phase is not _Phase.WORKING]
            min(idle, key=BoundedProtocol._lead)._abort("there are too many")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        self._enter_phase()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._enter_phase()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._enter_phase()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._enter_phase()

    def _enter_phase(self) -> None:
        """Notes what the connection waits for now, and since when."""
        if self.flow.write_paused:
            phase = _Phase.SENDING
        elif self.cycle is None or self.cycle.response_complete:
            phase = _Phase.WAITING
        else:
            phase = _Phase.RECEIVING if self.cycle.more_body else _Phase.WORKING
        if phase is self._phase:
            return
        self._stop_timer()
        self._phase, self._began, self._received = phase, time.monotonic(), 0
        self._unread = self.transport.get_write_buffer_size()
        if phase is _Phase.WAITING and not self.transport.is_closing():
            self._timer = self.loop.call_later(self._header_seconds, self.transport.abort)
        elif phase is _Phase.SENDING:
            self._timer = self.loop.call_later(_SPAN, self._check_reader)

    def _check_reader(self) -> None:
        """Closes the connection if the client has read too little since the last check."""
        if self._lead() < 0:
            self._abort("its client reads the answer too slowly")
            return
        self._began, self._unread = time.monotonic(), self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(_SPAN, self._check_reader)

    def _lead(self) -> float:
        """Bytes by which the client is ahead of the least rate; negative if it is behind."""
        count = self._received
        if self._phase is _Phase.SENDING:
            count = self._unread - self.transport.get_write_buffer_size()
        return count - LEAST_RATE * (time.monotonic() - self._began)

    def _abort(self, reason: str) -> None:
        self.logger.warning("closed a connection: %s", reason)
        self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class RateLimit(logging.Filter):
    """Passes a few records of a logger at a time and counts the others.

    Args:
        records: Records in each span.
        seconds: Length of a span.
    """

    def __init__(self, *, records: int = 10, seconds: float = 60.0) -> None:
        super().__init__()
        self._records, self._seconds = records, seconds
        self._began, self._count = -float("inf"), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; the last of a span announces that others are not."""
        now = time.monotonic()
        if now - self._began > self._seconds:
            self._began, self._count = now, 0
        self._count += 1
        if self._count == self._records:
            record.msg = f"{record.getMessage()} (more such lines are left out for a minute)"
            record.args, record.exc_info = (), None
        return self._count <= self._records
