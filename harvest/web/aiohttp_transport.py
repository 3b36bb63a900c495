"""Send httpx requests through aiohttp: directly, with checked addresses, or through a proxy.

A connection through a proxy resolves only the name of the proxy, so its resolver checks nothing.
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

_CHUNK = 256 * 1024  # the transport's default of 16 kB takes a third more CPU for an image of 0.4 MB
_KEEP_ALIVE = 5.0  # seconds; idle connections to thousands of hosts would exhaust the file descriptors
_unchanged_url: ContextVar[str] = ContextVar("unchanged_url")


async def _send_url_unchanged(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send the URL as the page wrote it: aiohttp would decode `%3D` and break signed URLs."""
    request.url = URL(_unchanged_url.get(), encoded=True)
    response = await handler(request)
    response.reason = None  # it is not used, and httpx fails on one that is not UTF-8
    return response


class _AiohttpTransport(AiohttpTransport):
    """An httpx transport on one aiohttp session."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _unchanged_url.set(str(request.url))
        response = await super().handle_async_request(request)
        if isinstance(response.stream, AiohttpResponseStream):
            response.stream.CHUNK_SIZE = _CHUNK
        return response


class ProxyRouter(httpx.AsyncBaseTransport):
    """Sends each request directly or through its proxy. Create it inside the event loop."""

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
        self._transports: dict[Proxy | None, _AiohttpTransport] = {None: self._open(direct)}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; `extensions["address"]` is its checked address."""
        address: Address = request.extensions["address"]
        proxy = self._proxies.choose(address) if self._proxies else None
        transport = self._transports.get(proxy)
        if transport is None:
            transport = self._transports[proxy] = self._open(self._proxied, proxy)
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()

    def _open(self, resolver: AbstractResolver, proxy: Proxy | None = None) -> _AiohttpTransport:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver,
                use_dns_cache=False,  # one lookup per connection, and each is checked
                ssl=self._tls,
                limit=0,  # `ImageClient` limits them: there no deadline runs while an image waits
                keepalive_timeout=_KEEP_ALIVE,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_CHUNK,
            middlewares=[_send_url_unchanged],
        )
        return _AiohttpTransport(verify=self._tls, client=session, proxy=_httpx_proxy(proxy) if proxy else None)


def _httpx_proxy(proxy: Proxy) -> httpx.Proxy:
    result = httpx.Proxy(proxy.url)
    # httpx removes the password and the transport passes it on in a way that aiohttp deprecates.
    # Left in the URL, aiohttp finds it, for http and https.
    result.url, result.auth = httpx.URL(proxy.url), None
    return result
