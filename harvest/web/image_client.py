"""Download images: many at a time, each within its limits, from public addresses only.

A body is requested and read without compression (`Accept-Encoding: identity`, raw bytes), because
decompression can turn a few hundred bytes into two hundred megabytes. Redirects are followed here, one hop at
a time, so that each hop passes the address check and waits for its own host.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import httpx

from harvest.ignore_message import ignore_message
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
from harvest.web.dns import (
    GuardedResolver,
    Resolve,
    Resolver,
    resolve,
)
from harvest.web.failure_verdicts import ERRORS, Failure, classify_error
from harvest.web.host_scheduler import ConnectionSlot, ConnectionSlots, HostParked, HostScheduler
from harvest.web.image_response import Redirect
from harvest.web.limits import ImageLimits
from harvest.web.proxies import Proxies
from harvest.web.retry import backoff_seconds
from harvest.web.transport import ProxyRouter
from harvest.web.user_agent import USER_AGENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

__all__ = ["ImageClient", "ImageLimits"]

Result = Body | Refusal | Failure | Redirect

_HEADERS = {"User-Agent": USER_AGENT, "Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
_PROXY_NOTICE = (
    "Images are downloaded through the proxy {}. The proxy resolves host names itself, so harvest can refuse a "
    "private address only where the URL contains it as a number."
)


class PendingFetch:
    """A fetch to `await` for its result, or to enter with `async with`, as the requests of aiohttp."""

    def __init__(self, context: AbstractAsyncContextManager[Body | Refusal]) -> None:
        self._context = context

    def __await__(self) -> Generator[Any, None, Body | Refusal]:
        return self._wait().__await__()

    async def __aenter__(self) -> Body | Refusal:
        return await self._context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)

    async def _wait(self) -> Body | Refusal:
        async with self._context as result:
            return result


class ImageClient:
    """Downloads the bodies of images; an async context manager.

    `trusted` holds the `host:port` pairs of servers that belong to this program: no address check, no proxy and
    no pace apply to them. `say` gets a message when a proxy is in use and when a host is parked. `resolve`,
    `allowed`, `clock`, `sleep` and `jitter` are for tests.
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
        self._say = say or ignore_message
        self._resolve = resolve
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._hosts = HostScheduler(self._limits, clock=clock, sleep=sleep, say=self._say)
        self._slots = ConnectionSlots(self._limits)
        self._router: ProxyRouter | None = None

    async def __aenter__(self) -> Self:
        lookups = Resolver(self._resolve, self._limits.dns)
        self._router = ProxyRouter(
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
        if self._router is not None:
            await self._router.aclose()

    @property
    def parked(self) -> dict[str, str]:
        """The hosts that get no more requests in this run, and why."""
        return self._hosts.parked

    def fetch(self, url: str, *, referer: str | None = None) -> PendingFetch:
        """Return the body of a URL, or why there is none; `referer` is the page that shows the image.

        Waits for a free slot of the host first, however long that takes; the deadline of the image runs only
        during its requests. `await client.fetch(url)` returns the body and frees its connection slot. In
        `async with client.fetch(url) as body` the slot is held until the block ends, which limits the number of
        bodies in memory.
        """
        return PendingFetch(self._open_fetch(url, referer))

    @asynccontextmanager
    async def _open_fetch(self, url: str, referer: str | None) -> AsyncIterator[Body | Refusal]:
        result: Body | Refusal
        slot = ConnectionSlot(self._slots)
        try:
            result = await self._fetch(self._check(url), referer, slot)
        except AddressRefused as error:
            result = Refusal(error.verdict, str(error))
        except HostParked as error:
            result = Refusal(Verdict.HOST_PARKED, str(error))
        try:
            yield result
        finally:
            slot.release()

    async def _fetch(self, address: Address, referer: str | None, slot: ConnectionSlot) -> Body | Refusal:
        headers = _HEADERS | _referer(referer, address)
        left = self._limits.total
        failures = redirects = 0
        while True:
            result, spent = await self._try_once(address, headers, failures, left, slot)
            left -= spent
            if isinstance(result, Redirect):
                redirects += 1
                if redirects > self._limits.redirects:
                    return Refusal(Verdict.TOO_MANY_REDIRECTS, f"{redirects} redirects")
                address = self._check(_join(address, result.location))
            elif isinstance(result, Failure):
                failures += 1
                wait = 0.0 if result.busy else backoff_seconds(failures, self._jitter())
                if not result.is_transient or failures >= self._limits.attempts or wait >= left:
                    self._hosts.record_failure(address.server, result)
                    return result.refusal
                left -= wait
                await self._sleep(wait)  # 0 for a busy host: `Host.pause` delays all of its requests
            else:
                return result

    async def _try_once(
        self, address: Address, headers: dict[str, str], failures: int, left: float, slot: ConnectionSlot
    ) -> tuple[Result, float]:
        """Send one request when the host has a free slot; return the result and the seconds it took.

        The connection slot stays taken when the result is a body.
        """
        polite = address.host_and_port not in self._trusted and not (self._allow_private and _is_private(address.host))
        async with self._hosts.request_slot(address.server, polite=polite) as host:
            await slot.acquire()
            result: Result | None = None
            try:
                pauses, started = host.pauses, self._clock()
                request = self._request(address, headers, failures)
                result = await self._send(request, left, slot, host.response_timeout.limit_wait(failures))
                now = self._clock()
            finally:
                if not isinstance(result, Body):
                    slot.release()
            if not isinstance(result, Failure):
                host.record_success()
            elif result.busy:
                host.pause(backoff_seconds(1, self._jitter()) if result.wait is None else result.wait, now, pauses)
            return result, now - started

    async def _send(
        self,
        request: httpx.Request,
        left: float,
        slot: ConnectionSlot,
        response_timeout: AbstractAsyncContextManager[None],
    ) -> Result:
        # Not through an httpx client: it would handle redirects, cookies and passwords, which must not be used
        # here, and that takes a tenth of the time of a download.
        assert self._router is not None, "use `async with ImageClient() as client`"
        deadline = asyncio.timeout(left)
        answered = False
        try:
            async with deadline:
                async with response_timeout:
                    response = await self._router.handle_async_request(request)
                answered = True
                try:
                    return await image_response.read_response(
                        response,
                        self._limits,
                        obey_opt_out=self._obey_opt_out,
                        count=self._count,
                        grow=slot.acquire_large,
                    )
                finally:
                    await response.aclose()
        except ERRORS as error:
            if deadline.expired():
                timeout = Refusal(Verdict.TIMEOUT, f"not finished within {self._limits.total:g} s")
                return Failure(timeout, is_transient=False, answered=answered)
            return replace(classify_error(error), answered=answered)

    def _request(self, address: Address, headers: dict[str, str], failures: int) -> httpx.Request:
        connect = self._limits.connect
        # The transport passes httpx's pool timeout to aiohttp as the time for lookup and connection together.
        pool = self._limits.dns + connect
        timeout = httpx.Timeout(self._limits.idle_timeout(failures), connect=connect, pool=pool)
        extensions = {"address": address, "timeout": timeout.as_dict()}
        # httpx cannot make this header for a host like xn--ls8h, an emoji: it raises IDNAError.
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
        raise BadAddress(f"the redirect is not a URL: {error}") from None


def _referer(page: str | None, address: Address) -> dict[str, str]:
    """Return the Referer header for the page that shows an image, as a browser would send it."""
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
