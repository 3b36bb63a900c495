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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from harvest.default_callbacks import ignore_message
from harvest.models import Body, Refusal
from harvest.verdicts import Verdict
from harvest.web import image_response, opt_out
from harvest.web.address_policy import Address, AddressRefused, Allowed, check_url, is_public, join_url
from harvest.web.dns import Resolve, resolve
from harvest.web.failure_verdicts import Failure
from harvest.web.fetch_robots_and_tdmrep import HostRulesLoader, ObeyedRules
from harvest.web.host_document import HostDocuments
from harvest.web.host_scheduler import ConnectionSlot, ConnectionSlots, HostParked, HostScheduler, share
from harvest.web.image_response import Redirect
from harvest.web.limits import ImageLimits
from harvest.web.proxies import Proxies
from harvest.web.retry_wait import backoff_seconds
from harvest.web.send_one_request import RequestSender, allow_any
from harvest.web.user_agent import UserAgents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    import httpx

    from harvest.web.host_rules_cache import HostRulesCache

__all__ = ["ImageClient", "ImageLimits", "OtherDomain"]

_HEADERS = {"Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
_PROXY_NOTICE = (
    "Images are downloaded through the proxy {}. The proxy resolves host names itself, so harvest can refuse a "
    "private address only where the URL contains it as a number."
)


class OtherDomain(Exception):
    """A redirect leads to a host of another domain, and the caller asked for none of those."""

    def __init__(self, url: str, redirects: int) -> None:
        super().__init__(url)
        self.url = url
        self.redirects = redirects  # so far, this one included


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
    no pace apply to them. With `host_rules`, each host is asked for its robots.txt and tdmrep.json before its first
    image. `contact` is an e-mail or web address for Wikimedia, which asks for one; no other host gets it. `say` gets
    a message when a proxy is in use, when a host is parked, and when Wikimedia is asked without a contact. `resolve`,
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
        obey_robots: bool = False,
        host_rules: HostRulesCache | None = None,
        contact: str = "",
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
        self._allowed = allow_any if allow_private else allowed
        self._trusted = frozenset(trusted)
        self._obeyed = ObeyedRules(obey_opt_out, obey_robots)
        self._rules_cache = host_rules if any(self._obeyed) else None
        self._say = say or ignore_message
        self._resolve = resolve
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._agents = UserAgents(contact, self._say)
        host_limits = self._limits if self._agents.has_contact else replace(self._limits, unidentified=True)
        self._hosts = HostScheduler(host_limits, clock=clock, sleep=sleep, say=self._say)
        self._slots = ConnectionSlots(self._limits)
        self._sender: RequestSender | None = None
        self._rules: HostRulesLoader | None = None

    async def __aenter__(self) -> Self:
        self._sender = RequestSender(
            self._hosts,
            self._limits,
            proxies=self._proxies,
            resolve=self._resolve,
            allowed=self._allowed,
            trusted=self._trusted,
            allow_private=self._allow_private,
            clock=self._clock,
            jitter=self._jitter,
        )
        if self._rules_cache is not None:
            documents = HostDocuments(
                self._sender, self._slots, self._limits, agents=self._agents, check=self._check, count=self._count
            )
            self._rules = HostRulesLoader(documents.fetch, self._rules_cache, self._obeyed)
        if self._proxies:
            self._say(_PROXY_NOTICE.format(self._proxies.describe()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rules is not None:
            await self._rules.aclose()
        if self._sender is not None:
            await self._sender.aclose()

    @property
    def parked(self) -> dict[str, str]:
        """The hosts that get no more requests in this run, and why."""
        return self._hosts.parked

    def fetch(
        self, url: str, *, referer: str | None = None, leaves_domain: bool = True, redirects: int = 0
    ) -> PendingFetch:
        """Return the body of a URL, or why there is none; `referer` is the page that shows the image.

        Without `leaves_domain`, a redirect to another domain raises `OtherDomain`: who calls lets another client
        continue there, with the number of `redirects` so far.

        Waits for a free slot of the host first, however long that takes; the deadline of the image runs only
        during its requests. `await client.fetch(url)` returns the body and frees its connection slot. In
        `async with client.fetch(url) as body` the slot is held until the block ends, which limits the number of
        bodies in memory.
        """
        return PendingFetch(self._open_fetch(url, referer, _Redirects(redirects, leaves_domain=leaves_domain)))

    @asynccontextmanager
    async def _open_fetch(self, url: str, referer: str | None, redirects: _Redirects) -> AsyncIterator[Body | Refusal]:
        result: Body | Refusal
        slot = ConnectionSlot(self._slots)
        try:
            result = await self._fetch(self._check(url), referer, slot, redirects)
        except AddressRefused as error:
            result = Refusal(error.verdict, str(error))
        except HostParked as error:
            result = Refusal(Verdict.HOST_PARKED, str(error))
        except OtherDomain:
            slot.release()
            raise
        try:
            yield result
        finally:
            slot.release()

    async def _fetch(
        self, address: Address, referer: str | None, slot: ConnectionSlot, redirects: _Redirects
    ) -> Body | Refusal:
        assert self._sender is not None, "use `async with ImageClient() as client`"
        headers = _HEADERS | _referer(referer, address)
        left = self._limits.total
        failures = 0
        answer: Refusal | None = None  # the last one, if the host refused or failed
        while True:
            rules = None if address.host_and_port in self._trusted else self._rules
            if rules is not None and (refusal := await rules.find_refusal(address)):
                return refusal
            headers["User-Agent"] = self._agents.choose(address.host)
            read = partial(self._read, address, rules, slot)
            try:
                result, spent = await self._sender.send(address, headers, slot, read, left=left, failures=failures)
            except HostParked:
                if answer is None:
                    raise
                return answer
            left -= spent
            if isinstance(result, Redirect):
                redirects.count += 1
                if redirects.count > self._limits.redirects:
                    return Refusal(Verdict.TOO_MANY_REDIRECTS, f"{redirects.count} redirects")
                before, address = address, self._check(join_url(address, result.location))
                if not redirects.leaves_domain and self._domain(before) != self._domain(address):
                    raise OtherDomain(str(address.url), redirects.count)
            elif isinstance(result, Failure):
                failures += 1
                answer = result.refusal if result.answered else answer
                wait = 0.0 if result.busy else backoff_seconds(failures, self._jitter())
                if not result.is_transient or failures >= self._limits.attempts or wait >= left:
                    self._hosts.record_failure(address.server, result)
                    return result.refusal
                left -= wait
                await self._sleep(wait)  # 0 for a busy host: `Host.pause` delays all of its requests
            else:
                return result

    async def _read(
        self, address: Address, rules: HostRulesLoader | None, slot: ConnectionSlot, response: httpx.Response
    ) -> Body | Refusal | Failure | Redirect:
        is_reserved = rules is not None and await rules.is_reserved(address)
        return await image_response.read_response(
            response,
            self._limits,
            find_opt_out=partial(opt_out.find_opt_out, is_reserved=is_reserved) if self._obeyed.opt_out else _ignore,
            count=self._count,
            grow=slot.acquire_large,
        )

    def _check(self, url: str | httpx.URL) -> Address:
        return check_url(url, allowed=self._allowed, trusted=self._trusted)

    def _domain(self, address: Address) -> str:
        return share(address.server, self._limits).domain

    def _count(self, read: int) -> None:
        self.bytes_read += read


@dataclass(slots=True)
class _Redirects:
    """How many redirects one image has followed, and whether they may lead to another domain."""

    count: int
    leaves_domain: bool = field(kw_only=True)


def _referer(page: str | None, address: Address) -> dict[str, str]:
    """Return the Referer header for the page that shows an image, as a browser would send it."""
    if not page:
        return {}
    try:
        url = check_url(page, allowed=allow_any).url
    except AddressRefused:
        return {}
    return {} if (url.scheme, address.url.scheme) == ("https", "http") else {"Referer": str(url)}


def _ignore(_headers: httpx.Headers) -> None:
    """Find no opt-out."""
