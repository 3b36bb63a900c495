"""Check the Host and Origin of every request, and set the headers of every response.

A web page in a browser on this machine can send requests to the service, and it can read the responses if it
makes its own host name resolve to this machine (DNS rebinding). So a service accepts only the hosts of its `HostRule`,
and requests that a browser sends for a page must come from the service's own page.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from harvest.http_server.http_errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from harvest.http_server.service_limits import ServiceLimits

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>\d{1,5}))?", re.IGNORECASE)
_OWN_SITE = frozenset({"same-origin", "none"})  # "none": the user typed the URL
_SAFE_METHODS = frozenset({"GET", "HEAD"})  # cheap, and other pages cannot read the response
_FIRST_ERROR = 400
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with "no-referrer" the page's own form would send `Origin: null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_log = logging.getLogger("harvest.http_server")


@dataclass(frozen=True, slots=True)
class HostRule:
    """The hosts that a service accepts: `names`, and with `any_address` every IP address; with `port` on it only."""

    names: Collection[str]
    any_address: bool = True
    port: int | None = None

    def allows(self, host: str) -> bool:
        """Return whether the Host header of a request is accepted.

        >>> rule = HostRule({"localhost", "127.0.0.1"}, any_address=False, port=8765)
        >>> [rule.allows(host) for host in ("localhost:8765", "localhost", "localhost:80", "192.0.2.1:8765")]
        [True, False, False, False]
        """
        found = _HOST.fullmatch(host)
        if found is None or (self.port is not None and found["port"] != str(self.port)):
            return False
        name = found["name"].lower()
        return name in {each.lower() for each in self.names} or (self.any_address and _is_ip_address(name))


class RequestGuard:
    """Refuses requests from other sites, and sets the headers of every response.

    With `own_page_only`, requests that change something must state that the service's own page sends them, and a
    browser's requests for other sites are refused for everything but the start page.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: HostRule,
        limits: ServiceLimits,
        *,
        command: str,
        own_page_only: bool = False,
        frame_ancestors: str = "'none'",
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._limits = limits
        self._command = command
        self._own_page_only = own_page_only
        self._headers = {"Content-Security-Policy": f"{_POLICY}; frame-ancestors {frame_ancestors}", **_HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._headers, self._limits.farewell)
        error = self._check(Headers(scope=scope), scope)
        respond = error.response if error else self._app
        await respond(scope, exchange.receive, exchange.send)

    def _check(self, headers: Headers, scope: Scope) -> HttpError | None:
        host = headers.get("host", "")
        if not self._hosts.allows(host):
            return HttpError(403, f"This host name is not accepted: use the URL that {self._command} printed.")
        is_safe = scope["method"] in _SAFE_METHODS
        if is_safe and (not self._own_page_only or scope["path"] == "/"):
            return None
        if not _is_same_origin(headers, host) or (self._own_page_only and not is_safe and not _has_origin(headers)):
            return HttpError(403, "Pages of other sites may not use this service.")
        return None


class _Exchange:
    """One request and its response, with headers and a log line.

    After a refusal the request is read for `farewell` more seconds: closing a connection with unread bytes
    resets it, and a client that uploads 30 MB would never see the response.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str], farewell: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = headers
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
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
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


def _has_origin(headers: Headers) -> bool:
    """Return whether a browser states which page sends a request."""
    return headers.get("sec-fetch-site", "").lower() == "same-origin" or "origin" in headers


def _is_same_origin(headers: Headers, host: str) -> bool:
    """Return whether a request comes from the service's own page or from no page; browsers set these headers."""
    if headers.get("sec-fetch-site", "none").lower() not in _OWN_SITE:
        return False
    origin = headers.get("origin", f"http://{host}").lower()
    return origin in {f"http://{host.lower()}", f"https://{host.lower()}"}
