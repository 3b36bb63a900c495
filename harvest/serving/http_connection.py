"""One connection, within limits of time and number: by itself uvicorn waits for a request for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from harvest.serving.admission import pace
from harvest.serving.client_shares import client_key

if TYPE_CHECKING:
    import asyncio

    from harvest.serving.admission import Admission
    from harvest.serving.service_limits import ServiceLimits

_BODY = b'{"error": "This is no request that can be understood."}'
_ANSWER = b"\r\n".join(
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
    """Has to say what it wants within `bounds.head` seconds, at its start and after each answer."""

    def __init__(self, *args: Any, bounds: ServiceLimits, admission: Admission, **more: Any) -> None:
        super().__init__(*args, **more)
        self._bounds = bounds
        self._admission = admission
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._began = self.loop.time()  # of the present request
        self._sent = 0  # bytes of it

    @property
    def client_address(self) -> str:
        """Return whose connection it is."""
        return client_key(self.client[0]) if self.client else ""

    @property
    def is_waiting(self) -> bool:
        """Return whether the next step is the client's: no request, half of one, or an answer not read."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    def pace(self) -> float:
        """Return how fast the client sends its request."""
        return pace(self._sent, self.loop.time() - self._began)

    def close_now(self) -> None:
        """Close it without an answer."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        if self._admission.admit(self):
            self._start_timer()
        else:
            self.close_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_timer()
        self._read()
        self._admission.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes."""
        self._sent += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        """Wait no more where a request is here: the application has bounds for the rest of it."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_timer()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, whatever else still comes of this one."""
        self._began, self._sent = self.loop.time(), 0
        self._start_timer()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        self._unread = self.loop.call_later(self._bounds.idle, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Wait no more: it reads."""
        self._read()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - we have words of our own
        """Answer what is no request, if anything can still be answered."""
        if self.cycle is None or not self.cycle.response_started:
            self.transport.write(_ANSWER)
        self._start_timer()
        self.transport.close()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._late = self.loop.call_later(self._bounds.head, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
