"""A connection with timeouts: uvicorn alone waits for a request forever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from harvest.http_server.client_limits import client_key, pace

if TYPE_CHECKING:
    import asyncio

    from harvest.http_server.client_limits import Admission
    from harvest.http_server.service_limits import ServiceLimits

_BODY = b'{"error": "This is not a valid HTTP request."}'
_RESPONSE = b"\r\n".join(
    (
        b"HTTP/1.1 400 Bad Request",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(_BODY),
        b"Connection: close",
        b"",
        _BODY,
    )
)


class LimitedConnection(H11Protocol):
    """Must send a request line and headers within `head` seconds, at the start and after each response."""

    def __init__(self, *args: Any, limits: ServiceLimits, admission: Admission, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self._admission = admission
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._started = self.loop.time()  # of the current request
        self._sent = 0  # bytes of the current request

    @property
    def client_address(self) -> str:
        """Return the address of the client."""
        return client_key(self.client[0]) if self.client else ""

    @property
    def is_waiting(self) -> bool:
        """Return whether the client has to act: it has sent no complete request, or does not read the response."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    def pace(self) -> float:
        """Return the rate at which the client sends its request."""
        return pace(self._sent, self.loop.time() - self._started)

    def close_now(self) -> None:
        """Close the connection without a response."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, or close the connection if there are too many."""
        super().connection_made(transport)
        if self._admission.admit(self):
            self._start_timer()
        else:
            self.close_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop_timer()
        self._stop_read_timer()
        self._admission.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the received bytes."""
        self._sent += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        """Stop the timer once a request has begun: the application limits the time for its body."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_timer()

    def on_response_complete(self) -> None:
        """Wait for the next request; the rest of this one is ignored."""
        self._started, self._sent = self.loop.time(), 0
        self._start_timer()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read the response."""
        self._read_timer = self.loop.call_later(self._limits.idle, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the timer: the client reads."""
        self._stop_read_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the response has its own message
        """Respond to an invalid request, unless a response has begun."""
        if self.cycle is None or not self.cycle.response_started:
            self.transport.write(_RESPONSE)
        self._start_timer()
        self.transport.close()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(self._limits.head, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
