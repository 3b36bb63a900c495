"""Picture bodies: many at a time, each within its limits, from public addresses only.

A body is asked for and read as it is (`Accept-Encoding: identity`, raw bytes), because unpacking is where a
few hundred bytes become two hundred megabytes. Redirects are followed here, one hop at a time, so that each
hop passes the address rule and waits for its own host.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import httpx

from harvest.models import Body, Refusal
from harvest.verdicts import Verdict
from harvest.web import image_response, tls
from harvest.web.address_policy import (
    Address,
    AddressRefused,
    Allowed,
    BadAddress,
    check_host,
    check_url,
    is_public,
)
from harvest.web.connection_slots import ConnectionSlot, ConnectionSlots
from harvest.web.dns import (
    GuardedResolver,
    Resolve,
    Resolver,
    resolve,
)
from harvest.web.failure_verdicts import ERRORS, Failure, classify_error
from harvest.web.host_scheduler import HostParked, HostScheduler
from harvest.web.image_response import Redirect
from harvest.web.limits import ImageLimits
from harvest.web.pending_fetch import PendingFetch
from harvest.web.proxies import Proxies
from harvest.web.retry import backoff_seconds
from harvest.web.transport import ProxyRouter
from harvest.web.user_agent import USER_AGENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

__all__ = ["ImageClient", "ImageLimits"]

End = Body | Refusal | Failure | Redirect

_HEADERS = {"User-Agent": USER_AGENT, "Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
_PROXY_NOTICE = (
    "Pictures come through the proxy {}. It looks names up itself, so private addresses can be refused only "
    "where they are written as numbers."
)


class ImageClient:
    """Fetches picture bodies; an async context manager.

    `trusted` holds each `host:port` that we serve ourselves: no guard, no proxy and no pace apply to it.
    `say` is told once that a proxy is in use, and when a host is parked. `resolve`, `allowed`, `clock`,
    `sleep` and `jitter` are for tests.
    """

    def __init__(
        self,
        *,
        limits: ImageLimits | None = None,
        proxy: str | None = None,
        allow_private: bool = False,
        trusted: Collection[str] = (),
        obey_opt_out: bool = True,
        say: Callable[[str], None] | None = None,
        resolve: Resolve = resolve,
        allowed: Allowed = is_public,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.bytes_read = 0
        self._limits = limits or ImageLimits()
        self._proxies = Proxies(proxy, trusted=trusted)
        self._allow_private = allow_private
        self._allowed = _allow_any if allow_private else allowed
        self._trusted = frozenset(trusted)
        self._obey_opt_out = obey_opt_out
        self._say = say or _ignore_message
        self._resolve = resolve
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._hosts = HostScheduler(self._limits, clock=clock, sleep=sleep, say=self._say)
        self._places = ConnectionSlots(self._limits)
        self._ways: ProxyRouter | None = None

    async def __aenter__(self) -> Self:
        lookups = Resolver(self._resolve, self._limits.dns)
        self._ways = ProxyRouter(
            self._proxies,
            tls=tls.ssl_context(),
            direct=GuardedResolver(lookups, allowed=self._allowed, trusted=self._trusted),
            proxied=GuardedResolver(lookups, allowed=_allow_any),
        )
        if self._proxies:
            self._say(_PROXY_NOTICE.format(self._proxies.describe()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ways is not None:
            await self._ways.aclose()

    @property
    def parked(self) -> dict[str, str]:
        """Which hosts are left alone for the rest of the run, and why."""
        return self._hosts.parked

    def fetch(self, url: str, *, referer: str | None = None) -> PendingFetch:
        """Return the body of an address, or why there is none; `referer` is the page that shows it.

        Waits for the host's turn first, however long that takes; the picture's own deadline runs only while
        it is asked for. Awaited, it gives the body and is done. As `async with bodies.fetch(url) as body` it
        keeps its place among the connections until the block ends: that bounds the bodies in memory.
        """
        return PendingFetch(self._open_fetch(url, referer))

    @asynccontextmanager
    async def _open_fetch(self, url: str, referer: str | None) -> AsyncIterator[Body | Refusal]:
        end: Body | Refusal
        place = ConnectionSlot(self._places)
        try:
            end = await self._fetch(self._check(url), referer, place)
        except AddressRefused as error:
            end = Refusal(error.verdict, str(error))
        except HostParked as error:
            end = Refusal(Verdict.HOST_PARKED, str(error))
        try:
            yield end
        finally:
            place.release()

    async def _fetch(self, address: Address, referer: str | None, place: ConnectionSlot) -> Body | Refusal:
        headers = _HEADERS | _referer(referer, address)
        left = self._limits.total
        failures = hops = 0
        while True:
            end, spent = await self._try_once(address, headers, failures, left, place)
            left -= spent
            if isinstance(end, Redirect):
                hops += 1
                if hops > self._limits.redirects:
                    return Refusal(Verdict.TOO_MANY_REDIRECTS, f"{hops} redirects")
                address = self._check(_join(address, end.location))
            elif isinstance(end, Failure):
                failures += 1
                wait = 0.0 if end.busy else backoff_seconds(failures, self._jitter())
                if not end.is_transient or failures >= self._limits.attempts or wait >= left:
                    self._hosts.record_failure(address.server, end)
                    return end.refusal
                left -= wait
                await self._sleep(wait)  # for a busy host it is the host that waits, with all its pictures
            else:
                return end

    async def _try_once(
        self, address: Address, headers: dict[str, str], failures: int, left: float, place: ConnectionSlot
    ) -> tuple[End, float]:
        """Ask once, in the host's turn; a body keeps its place among the connections."""
        polite = address.host_and_port not in self._trusted and not (self._allow_private and _is_private(address.host))
        async with self._hosts.request_slot(address.server, polite=polite) as host:
            await place.acquire()
            end: End | None = None
            try:
                seen, started = host.pauses, self._clock()
                request = self._request(address, headers, failures)
                end = await self._send(request, left, place, host.response_timeout.limit_wait(failures))
                now = self._clock()
            finally:
                if not isinstance(end, Body):
                    place.release()
            if not isinstance(end, Failure):
                host.record_success()
            elif end.busy:
                host.pause(backoff_seconds(1, self._jitter()) if end.wait is None else end.wait, now, seen)
            return end, now - started

    async def _send(
        self,
        request: httpx.Request,
        left: float,
        place: ConnectionSlot,
        begins: AbstractAsyncContextManager[None],
    ) -> End:
        # Without a client of httpx: its redirects, cookies and passwords are what we must not have, and going
        # through them takes a tenth of what fetching takes.
        assert self._ways is not None, "use `async with Bodies() as bodies`"
        deadline = asyncio.timeout(left)
        answered = False
        try:
            async with deadline:
                async with begins:
                    response = await self._ways.handle_async_request(request)
                answered = True
                try:
                    return await image_response.read_response(
                        response,
                        self._limits,
                        obey_opt_out=self._obey_opt_out,
                        count=self._count,
                        grow=place.acquire_large,
                    )
                finally:
                    await response.aclose()
        except ERRORS as error:
            if deadline.expired():
                late = Refusal(Verdict.TIMEOUT, f"not finished within {self._limits.total:g} s")
                return Failure(late, is_transient=False, answered=answered)
            return replace(classify_error(error), answered=answered)

    def _request(self, address: Address, headers: dict[str, str], failures: int) -> httpx.Request:
        connect = self._limits.connect
        together = self._limits.dns + connect  # what aiohttp calls the pool's
        timeout = httpx.Timeout(self._limits.idle_timeout(failures), connect=connect, pool=together)
        extensions = {"address": address, "timeout": timeout.as_dict()}
        # Of a host like xn--ls8h, an emoji, httpx cannot make the header itself: it raises IDNAError.
        headers = {"Host": address.url.netloc.decode("ascii"), **headers}
        return httpx.Request("GET", address.url, headers=headers, extensions=extensions)

    def _check(self, url: str | httpx.URL) -> Address:
        return check_url(url, allowed=self._allowed, trusted=self._trusted)

    def _count(self, read: int) -> None:
        self.bytes_read += read


def _join(address: Address, location: str) -> httpx.URL:
    try:
        return address.url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise BadAddress(f"a redirect to no address: {error}") from None


def _referer(page: str | None, address: Address) -> dict[str, str]:
    """Return the header naming the page that shows a picture, as a browser would send it."""
    try:
        url = check_url(page or "", allowed=_allow_any).url
    except AddressRefused:
        return {}
    return {} if (url.scheme, address.url.scheme) == ("https", "http") else {"Referer": str(url)}


def _is_private(host: str) -> bool:
    try:
        check_host(host)
    except AddressRefused:
        return True
    return False


def _allow_any(_ip: str) -> bool:
    return True


def _ignore_message(_text: str) -> None:
    pass
