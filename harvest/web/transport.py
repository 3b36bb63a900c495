"""httpx over aiohttp, by two ways: directly, with the address rule at the resolver, or through a proxy.

A connection through a proxy looks up the proxy's own name and no other, so its resolver asks no questions.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
import httpx
from httpx_aiohttp.transport import AiohttpResponseStream, AiohttpTransport
from yarl import URL

if TYPE_CHECKING:
    import ssl

    from aiohttp.abc import AbstractResolver

    from harvest.web.address_policy import Address
    from harvest.web.proxies import Proxies, Proxy

_CHUNK = 256 * 1024  # the transport's own 16 kB cost a third more CPU for a picture of 0.4 MB
_KEEP_ALIVE = 5.0  # idle connections to thousands of hosts would use up the open files
_as_written: ContextVar[str] = ContextVar("as_written")


async def _send_url_unchanged(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send the address as its page wrote it: aiohttp would decode `%3D` and break signed ones."""
    request.url = URL(_as_written.get(), encoded=True)
    response = await handler(request)
    response.reason = None  # nobody reads it, and httpx cannot take one that is not UTF-8
    return response


class _AiohttpTransport(AiohttpTransport):
    """One session of aiohttp under httpx."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _as_written.set(str(request.url))
        response = await super().handle_async_request(request)
        if isinstance(response.stream, AiohttpResponseStream):
            response.stream.CHUNK_SIZE = _CHUNK
        return response


class ProxyRouter(httpx.AsyncBaseTransport):
    """Sends each request its way. Made inside the event loop."""

    def __init__(
        self,
        proxies: Proxies,
        *,
        tls: ssl.SSLContext,
        direct: AbstractResolver,
        proxied: AbstractResolver,
    ) -> None:
        self._proxies = proxies
        self._tls = tls
        self._proxied = proxied
        self._ways: dict[Proxy | None, _AiohttpTransport] = {None: self._open(direct)}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; its address stands in its extensions, checked."""
        address: Address = request.extensions["address"]
        proxy = self._proxies.choose(address) if self._proxies else None
        way = self._ways.get(proxy)
        if way is None:
            way = self._ways[proxy] = self._open(self._proxied, proxy)
        return await way.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            await way.aclose()

    def _open(self, resolver: AbstractResolver, proxy: Proxy | None = None) -> _AiohttpTransport:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver,
                use_dns_cache=False,  # one lookup a connection, and the rule sees each
                ssl=self._tls,
                limit=0,  # counted by `Bodies`, where a waiting picture has no deadline yet
                keepalive_timeout=_KEEP_ALIVE,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_CHUNK,
            middlewares=[_send_url_unchanged],
        )
        return _AiohttpTransport(verify=self._tls, client=session, proxy=_for_httpx(proxy) if proxy else None)


def _for_httpx(proxy: Proxy) -> httpx.Proxy:
    made = httpx.Proxy(proxy.url)
    # httpx takes the password out and the transport hands it on by a way that aiohttp deprecates;
    # left in the address, aiohttp finds it itself, for http and https alike.
    made.url, made.auth = httpx.URL(proxy.url), None
    return made
