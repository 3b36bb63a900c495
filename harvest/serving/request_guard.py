"""Who may ask at all, before anything else is looked at; and what every answer carries.

A web page in a browser on this machine can send requests to it, and read the answers under a name of its own
that it lets lead here (DNS rebinding). So a request has to name us by a number, by `localhost` or by a name
that we were told, and what a browser sends for a page has to come from our page.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from harvest.serving.http_errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from harvest.serving.service_limits import ServiceLimits

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", re.IGNORECASE)
_OURS = frozenset({"same-origin", "none"})  # "none": what a person typed, and no page's doing
_LOOKS = frozenset({"GET", "HEAD"})  # to look costs nothing, and no other page sees what comes of it
_REFUSED = 400
_CARRIED = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # "no-referrer" would have our own form say `Origin: null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_log = logging.getLogger("harvest.serve")


class RequestGuard:
    """Refuses strangers, and dresses every answer."""

    def __init__(self, app: ASGIApp, names: Collection[str], bounds: ServiceLimits) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        talk = _Exchange(scope, receive, send, self._bounds.farewell)
        objection = self._find_objection(Headers(scope=scope), asks=scope["method"] not in _LOOKS)
        answer = objection.response if objection else self._app
        await answer(scope, talk.receive, talk.send)

    def _find_objection(self, headers: Headers, *, asks: bool) -> HttpError | None:
        host = headers.get("host", "")
        if not self._is_allowed_host(host):
            return HttpError(403, "This service goes by another name: use the address it printed.")
        if asks and not _is_same_origin(headers, host):
            return HttpError(403, "Other pages may not use this service.")
        return None

    def _is_allowed_host(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        return found is not None and (found["name"].lower() in self._names or _is_ip_address(found["name"]))


class _Exchange:
    """One request and its answer: dressed, logged, and not cut off while the other side still speaks.

    Who uploads 30 MB sees a refusal only if we listen on for a moment: a connection closed with bytes unread
    is reset, and takes the answer with it.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, farewell: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._farewell = farewell
        self._began = time.monotonic()
        self._status = 0
        self._heard_all = scope["method"] in _LOOKS

    async def receive(self) -> Message:
        message = await self._receive()
        self._heard_all = self._heard_all or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableHeaders(scope=message).update(_CARRIED)
        elif not message.get("more_body", False):
            if self._status >= _REFUSED and not self._heard_all:
                await self._send({**message, "more_body": True})
                message = {"type": "http.response.body", "body": b""}
                await self._listen_on()
            self._log()
        await self._send(message)

    async def _listen_on(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._farewell):
                while not self._heard_all:
                    await self.receive()

    def _log(self) -> None:
        path = self._scope.get("raw_path", b"").decode("ascii", "replace")[:200]
        spent = (time.monotonic() - self._began) * 1000
        _log.info("%s %s %d %.0f ms", self._scope["method"], path, self._status, spent)


def _is_ip_address(name: str) -> bool:
    """Tell whether a host is an address as such, which no stranger's page can have for its name."""
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_same_origin(headers: Headers, host: str) -> bool:
    """Tell whether a request is no page's, or our own page's; a browser lets no page lie about these."""
    if headers.get("sec-fetch-site", "none").lower() not in _OURS:
        return False
    origin = headers.get("origin", f"http://{host}").lower()
    return origin in {f"http://{host.lower()}", f"https://{host.lower()}"}
