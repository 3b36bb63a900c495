"""Schedule the requests to each host: how many at once, how fast, when to pause, when to stop.

The default is four at once and twenty a second: any server can handle that, and it is fast enough when the
images are on many hosts. A search whose images are all on one host waits for that host: with 300 ms of
latency and half of 800 images at Flickr's, that was 42 of 47 s. So the few hosts that are built to serve
images in bulk get twice as much, which is what a browser requests to show one page of results. Hosts whose
policy asks for less get less.

A request that waits for its host holds no connection and no deadline runs, so a slow host delays only its own
images. A host that refuses requests is slowed down, and one that keeps refusing is parked: it gets no more
requests in this run.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from harvest.verdicts import Verdict
from harvest.web.adaptive_timeout import ResponseTimeout
from harvest.web.domains import hostname, registrable_domain
from harvest.web.retry_wait import describe_wait
from harvest.web.user_agent import is_wikimedia

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harvest.web.failure_verdicts import Failure
    from harvest.web.limits import ImageLimits

# Domains, with all of their hosts.
_IMAGE_CDNS = (
    "staticflickr.com",  # Flickr's image CDN; a page of results shows 100 images
    "mm.bing.net",  # Bing's thumbnails, 35 per page
    "inaturalist-open-data.s3.amazonaws.com",  # published by iNaturalist for bulk download
)
_AT_MOST = {"wikimedia.org": 2}  # "a total concurrency of at most 2" for media, in its robot policy
_SLOWER = 10  # times, for a host that asks for a contact and gets none
_MAX_PAUSES_IN_A_ROW = 3  # without a successful response between them
_WAIT_STEP = 1.0  # seconds after which a waiting request checks whether its host was parked


class HostLimits(NamedTuple):
    """Limits for one server."""

    connections: int  # requests at once
    pace: float  # seconds between two requests


class DomainShare(NamedTuple):
    """The number of connections that all hosts of one domain share."""

    domain: str
    connections: int


def host_limits(server: str, limits: ImageLimits) -> HostLimits:
    """Return the limits of a server, named with or without its port.

    >>> from harvest.web.limits import ImageLimits
    >>> host_limits("img.example.org", ImageLimits()), host_limits("live.staticflickr.com", ImageLimits())
    (HostLimits(connections=4, pace=0.05), HostLimits(connections=8, pace=0.025))
    >>> host_limits("upload.wikimedia.org:8443", ImageLimits()).connections
    2
    >>> host_limits("mystaticflickr.com", ImageLimits()).connections
    4
    """
    domains = _domains(server)
    if is_image_cdn(server):
        return HostLimits(2 * limits.per_host, limits.pace / 2)
    connections = min((_AT_MOST[domain] for domain in domains & _AT_MOST.keys()), default=limits.per_host)
    is_slow = limits.unidentified and is_wikimedia(hostname(server))
    return HostLimits(min(connections, limits.per_host), limits.pace * (_SLOWER if is_slow else 1))


def is_image_cdn(server: str) -> bool:
    """Return whether a server is built to serve images in bulk."""
    return not _domains(server).isdisjoint(_IMAGE_CDNS)


def share(server: str, limits: ImageLimits) -> DomainShare:
    """Return the domain of a server, and how many connections its hosts share.

    >>> from harvest.web.limits import ImageLimits
    >>> share("img7.example.co.uk:8080", ImageLimits()), share("tse1.mm.bing.net", ImageLimits())
    (DomainShare(domain='example.co.uk', connections=8), DomainShare(domain='mm.bing.net', connections=16))
    """
    for domain in _domains(server).intersection(_IMAGE_CDNS):
        return DomainShare(domain, 2 * limits.per_domain)
    return DomainShare(registrable_domain(hostname(server)), limits.per_domain)


def _domains(server: str) -> set[str]:
    labels = hostname(server).rstrip(".").split(".")
    return {".".join(labels[start:]) for start in range(len(labels))}


class ConnectionSlots:
    """The semaphores that limit the memory of all bodies together, whatever servers send."""

    def __init__(self, limits: ImageLimits) -> None:
        self.connections = asyncio.Semaphore(limits.connections)
        self.large = asyncio.Semaphore(limits.large_at_once)


class ConnectionSlot:
    """The slot of one body: a connection, and a large-body slot once it is larger than `limits.large`."""

    def __init__(self, slots: ConnectionSlots) -> None:
        self._slots = slots
        self._held: list[asyncio.Semaphore] = []

    async def acquire(self) -> None:
        """Wait for a free connection."""
        await self._take(self._slots.connections)

    async def acquire_large(self) -> None:
        """Wait for a free large-body slot; nothing is read meanwhile, and the deadline of the image keeps running."""
        await self._take(self._slots.large)

    def release(self) -> None:
        """Release everything; safe to call twice."""
        while self._held:
            self._held.pop().release()

    async def _take(self, semaphore: asyncio.Semaphore) -> None:
        await semaphore.acquire()
        self._held.append(semaphore)


class HostParked(Exception):
    """The host gets no more requests in this run; the message says why."""


class Domain:
    """What the hosts of one domain share: a connection limit, and the count of unfinished images."""

    def __init__(self, name: str, connections: int, limits: ImageLimits, say: Callable[[str], None]) -> None:
        self.name = name
        self.parked = ""
        self.slots = asyncio.Semaphore(connections)
        self.unfinished = 0  # images in a row whose response began and did not finish in time
        self._limits = limits
        self._say = say

    def record_unfinished(self) -> None:
        """Count an image whose response began and did not finish in time."""
        self.unfinished += 1
        if self.unfinished >= self._limits.unfinished and not self.parked:
            self.parked = f"{self.name} did not finish sending {self.unfinished} images in a row"
            self._say(f"{self.parked}. Its other images are left for the next run.")


class Host:
    """The limits and the state of one server."""

    def __init__(
        self,
        name: str,
        domain: Domain,
        limits: ImageLimits,
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.domain = domain
        self.parked = ""
        self._limits = limits
        self._say = say
        connections, self.pace = host_limits(name, limits)
        self.slots = asyncio.Semaphore(connections)
        self.response_timeout = ResponseTimeout(limits, clock)
        self.users = 0
        self.free_at = 0.0  # the earliest next request, by the pace
        self.opens_at = 0.0  # the end of the pause that the host asked for
        self.pauses = 0  # how often it asked to wait; requests that were under way together count once
        self._in_a_row = 0
        self._strikes = 0

    @property
    def given_up(self) -> str:
        """Why this host, or its domain, gets no more requests; empty while it does."""
        return self.parked or self.domain.parked

    def record_success(self) -> None:
        """Reset the failure counts after a successful response."""
        self._in_a_row = self._strikes = self.domain.unfinished = 0

    def pause(self, seconds: float, now: float, seen: int) -> None:
        """Pause, as the host asks; `seen` is the value of `pauses` when the refused request began."""
        self._strikes = 0
        self.opens_at = max(self.opens_at, now + min(seconds, self._limits.retry_after))
        if seen == self.pauses:
            self.pauses += 1
            self._in_a_row += 1
            self.pace = min(max(2 * self.pace, 0.5), 8.0)  # stay slower for the rest of the run
        if seconds > self._limits.retry_after:
            self.park(f"{self.name} asks to wait {describe_wait(seconds)}")
        elif self._in_a_row >= _MAX_PAUSES_IN_A_ROW:
            self.park(f"{self.name} refused {_MAX_PAUSES_IN_A_ROW} times in a row")

    def record_failure(self) -> None:
        """Count an image for which no attempt got a response."""
        self._strikes += 1
        if self._strikes >= self._limits.strikes:
            self.park(f"{self.name} did not answer for {self._strikes} images in a row")

    def park(self, reason: str) -> None:
        """Send the host no more requests; those that wait for it end with `HostParked`."""
        if not self.parked:
            self.parked = reason
            self._say(f"{reason}. Its other images are left for the next run.")

    def has_state(self, now: float) -> bool:
        """Return whether the host has state that must be kept."""
        return bool(self.users or self.parked or self._strikes or self.pauses or self.free_at > now)


class HostScheduler:
    """The hosts of a run."""

    def __init__(
        self,
        limits: ImageLimits,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        say: Callable[[str], None],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._hosts: dict[str, Host] = {}
        self._domains: dict[str, Domain] = {}
        self._sweep_at = 1024

    @property
    def parked(self) -> dict[str, str]:
        """The parked hosts and domains, and why."""
        known: dict[str, Domain | Host] = {**self._domains, **self._hosts}
        return {name: each.parked for name, each in known.items() if each.parked}

    def record_failure(self, name: str, failure: Failure) -> None:
        """Record that an image failed for good; a host that never responds is parked in the end."""
        host = self._hosts.get(name)
        if host is None:
            return
        if not failure.answered and failure.refusal.verdict.is_transient:
            host.record_failure()
        elif failure.answered and not failure.is_transient and failure.refusal.verdict is Verdict.TIMEOUT:
            host.domain.record_unfinished()

    @asynccontextmanager
    async def request_slot(self, name: str, *, polite: bool = True) -> AsyncIterator[Host]:
        """Wait for a free slot of a host and hold it; raise `HostParked` when the host is parked.

        The domain's slot is taken last, so that waiting for a slow host takes no slot from the domain's other hosts.
        Without `polite`, pace and domain limit do not apply.
        """
        host = self._hosts.get(name) or self._add_host(name)
        host.users += 1
        try:
            if host.given_up:
                raise HostParked(host.given_up)
            async with host.slots:
                await self._wait_for_turn(host, polite=polite)
                async with host.domain.slots if polite else nullcontext():
                    if host.given_up:
                        raise HostParked(host.given_up)
                    yield host
        finally:
            host.users -= 1

    async def _wait_for_turn(self, host: Host, *, polite: bool) -> None:
        while not host.given_up:
            now = self._clock()
            start = max(host.opens_at, host.free_at if polite else 0.0)
            if start <= now:
                host.free_at = now + host.pace
                return
            await self._sleep(min(start - now, _WAIT_STEP))
        raise HostParked(host.given_up)

    def _add_host(self, name: str) -> Host:
        if len(self._hosts) >= self._sweep_at:
            now = self._clock()
            self._hosts = {name: host for name, host in self._hosts.items() if host.has_state(now)}
            self._sweep_at = max(1024, 2 * len(self._hosts))
            used = {host.domain.name for host in self._hosts.values()}
            self._domains = {
                name: domain
                for name, domain in self._domains.items()
                if name in used or domain.parked or domain.unfinished
            }
        domain = self._domain(name)
        host = self._hosts[name] = Host(name, domain, self._limits, self._say, self._clock)
        return host

    def _domain(self, server: str) -> Domain:
        name, connections = share(server, self._limits)
        if name not in self._domains:
            self._domains[name] = Domain(name, connections, self._limits, self._say)
        return self._domains[name]
