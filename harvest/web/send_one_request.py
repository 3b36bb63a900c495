"""Send single requests, each when its host has a free slot, within its deadline, to a checked address."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import httpx

from harvest.models import Body, Refusal
from harvest.verdicts import Verdict
from harvest.web import certificate_authorities
from harvest.web.address_policy import AddressRefused, check_host
from harvest.web.aiohttp_transport import ProxyRouter
from harvest.web.dns import GuardedResolver, Resolver
from harvest.web.failure_verdicts import ERRORS, Failure, classify_error
from harvest.web.retry_wait import backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from contextlib import AbstractAsyncContextManager

    from harvest.web.address_policy import Address, Allowed
    from harvest.web.dns import Resolve
    from harvest.web.host_scheduler import ConnectionSlot, HostScheduler
    from harvest.web.limits import ImageLimits
    from harvest.web.proxies import Proxies

T = TypeVar("T")


class RequestSender:
    """Sends requests to the hosts of a scheduler. Create it inside the event loop.

    The hosts in `trusted`, and private ones with `allow_private`, need no pace.
    """

    def __init__(
        self,
        hosts: HostScheduler,
        limits: ImageLimits,
        *,
        proxies: Proxies,
        resolve: Resolve,
        allowed: Allowed,
        trusted: Collection[str],
        allow_private: bool,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._hosts = hosts
        self._limits = limits
        self._trusted = trusted
        self._allow_private = allow_private
        self._clock = clock
        self._jitter = jitter
        lookups = Resolver(resolve, limits.dns)
        self._router = ProxyRouter(
            proxies,
            tls=certificate_authorities.ssl_context(),
            direct=GuardedResolver(lookups, allowed=allowed, trusted=trusted),
            proxied=GuardedResolver(lookups, allowed=allow_any),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._router.aclose()

    async def send(
        self,
        address: Address,
        headers: dict[str, str],
        slot: ConnectionSlot,
        read: Callable[[httpx.Response], Awaitable[T]],
        *,
        left: float,
        failures: int = 0,
        is_image: bool = True,
    ) -> tuple[T | Failure, float]:
        """Send one request, `left` seconds at most; return what `read` made of the response and the seconds it took.

        Waits for a free slot of the host first. The connection slot stays taken when the result is a body. Only
        images count for the usual response time of the host.
        """
        polite = address.host_and_port not in self._trusted and not (self._allow_private and _is_private(address.host))
        async with self._hosts.request_slot(address.server, polite=polite) as host:
            await slot.acquire()
            result: T | Failure | None = None
            try:
                pauses, started = host.pauses, self._clock()
                request = self._request(address, headers, failures)
                response_timeout = host.response_timeout.limit_wait(failures) if is_image else nullcontext()
                result = await self._exchange(request, left, read, response_timeout)
                now = self._clock()
            finally:
                if not isinstance(result, Body):
                    slot.release()
            if not isinstance(result, Failure):
                host.record_success()
            elif result.busy:
                host.pause(backoff_seconds(1, self._jitter()) if result.wait is None else result.wait, now, pauses)
            return result, now - started

    async def _exchange(
        self,
        request: httpx.Request,
        left: float,
        read: Callable[[httpx.Response], Awaitable[T]],
        response_timeout: AbstractAsyncContextManager[None],
    ) -> T | Failure:
        # Not through an httpx client: it would handle redirects, cookies and passwords, which must not be used
        # here, and that takes a tenth of the time of a download.
        deadline = asyncio.timeout(left)
        answered = False
        try:
            async with deadline:
                async with response_timeout:
                    response = await self._router.handle_async_request(request)
                answered = True
                try:
                    return await read(response)
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


def allow_any(_ip: str) -> bool:
    """Accept every address."""
    return True


def _is_private(host: str) -> bool:
    try:
        check_host(host)
    except AddressRefused:
        return True
    return False
