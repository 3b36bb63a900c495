"""Check the Host and Origin of every request, and set the headers of every response.

A web page in a browser on this machine can send requests to the service, and it can read the responses if it
makes its own host name resolve to this machine (DNS rebinding). So the Host of a request must be an IP address,
`localhost` or a name from `--name`, and requests that a browser sends for a page must come from the service's
own page.
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
_OWN_SITE = frozenset({"same-origin", "none"})  # "none": the user typed the URL
_SAFE_METHODS = frozenset({"GET", "HEAD"})  # cheap, and other pages cannot read the response
_FIRST_ERROR = 400
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with "no-referrer" the page's own form would send `Origin: null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_log = logging.getLogger("harvest.serve")


class RequestGuard:
    """Refuses requests from other sites, and sets the headers of every response."""

    def __init__(self, app: ASGIApp, names: Collection[str], limits: ServiceLimits) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._limits.farewell)
        error = self._check(Headers(scope=scope), is_safe=scope["method"] in _SAFE_METHODS)
        respond = error.response if error else self._app
        await respond(scope, exchange.receive, exchange.send)

    def _check(self, headers: Headers, *, is_safe: bool) -> HttpError | None:
        host = headers.get("host", "")
        if not self._is_allowed_host(host):
            return HttpError(403, "This host name is not accepted: use the URL that harvest serve printed.")
        if not is_safe and not _is_same_origin(headers, host):
            return HttpError(403, "Pages of other sites may not use this service.")
        return None

    def _is_allowed_host(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        return found is not None and (found["name"].lower() in self._names or _is_ip_address(found["name"]))


class _Exchange:
    """One request and its response, with headers and a log line.

    After a refusal the request is read for `farewell` more seconds: closing a connection with unread bytes
    resets it, and a client that uploads 30 MB would never see the response.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, farewell: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._farewell = farewell
        self._started = time.monotonic()
        self._status = 0
        self._is_request_complete = scope["method"] in _SAFE_METHODS

    async def receive(self) -> Message:
        message = await self._receive()
        self._is_request_complete = self._is_request_complete or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableHeaders(scope=message).update(_HEADERS)
        elif not message.get("more_body", False):
            if self._status >= _FIRST_ERROR and not self._is_request_complete:
                await self._send({**message, "more_body": True})
                message = {"type": "http.response.body", "body": b""}
                await self._read_rest()
            self._log()
        await self._send(message)

    async def _read_rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._farewell):
                while not self._is_request_complete:
                    await self.receive()

    def _log(self) -> None:
        path = self._scope.get("raw_path", b"").decode("ascii", "replace")[:200]
        milliseconds = (time.monotonic() - self._started) * 1000
        _log.info("%s %s %d %.0f ms", self._scope["method"], path, self._status, milliseconds)


def _is_ip_address(name: str) -> bool:
    """Return whether a host is an IP address, which cannot be the host name of another site's page."""
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_same_origin(headers: Headers, host: str) -> bool:
    """Return whether a request comes from the service's own page or from no page; browsers set these headers."""
    if headers.get("sec-fetch-site", "none").lower() not in _OWN_SITE:
        return False
    origin = headers.get("origin", f"http://{host}").lower()
    return origin in {f"http://{host.lower()}", f"https://{host.lower()}"}
