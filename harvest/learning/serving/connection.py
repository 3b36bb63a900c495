"""One connection, with an end to our patience: by itself uvicorn waits for a request for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from harvest.learning.serving.bounds import Bounds

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


class Connection(H11Protocol):
    """Has to say what it wants within `bounds.head` seconds, at its start and after each answer."""

    def __init__(self, *args: Any, bounds: Bounds, **more: Any) -> None:
        super().__init__(*args, **more)
        self._bounds = bounds
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            transport.abort()
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._unexpect()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Wait no more where a request is here: the application has bounds for the rest of it."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._unexpect()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, whatever else still comes of this one."""
        self._expect()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - we have words of our own
        """Answer what is no request, if anything can still be answered."""
        if self.cycle is None or not self.cycle.response_started:
            self.transport.write(_ANSWER)
        self.transport.close()

    def _expect(self) -> None:
        self._unexpect()
        self._late = self.loop.call_later(self._bounds.head, self.transport.abort)

    def _unexpect(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
