"""One server's patience: how many at once, how fast, when to pause, and when to leave it alone.

Waiting for a host holds no connection and counts against no deadline, so a slow one starves only itself.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from harvest.verdicts import Verdict
from harvest.web.host_limits import host_limits, share
from harvest.web.response_timeout import ResponseTimeout
from harvest.web.retry import describe_wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harvest.web.failure_verdicts import Failure
    from harvest.web.limits import ImageLimits

_MAX_PAUSES_IN_A_ROW = 3  # pauses in a row without one good answer between them
_WAIT_STEP = 1.0  # a host may be parked while somebody waits for it: look up this often


class HostParked(Exception):
    """The host is left alone for the rest of the run; says why."""


class Domain:
    """What the hosts of one domain share: a bound on their connections, and the end of our patience."""

    def __init__(self, name: str, places: int, limits: ImageLimits, say: Callable[[str], None]) -> None:
        self.name = name
        self.parked = ""
        self.gate = asyncio.Semaphore(places)
        self.unfinished = 0  # images in a row that ran out of time after their answer had begun
        self._limits = limits
        self._say = say

    def leave_unfinished(self) -> None:
        """Note an image that was begun and not finished in time."""
        self.unfinished += 1
        if self.unfinished >= self._limits.unfinished and not self.parked:
            self.parked = f"{self.name} left {self.unfinished} images in a row unfinished"
            self._say(f"{self.parked}: its other images are left for the next run.")


class Host:
    """What we know of one server."""

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
        places, self.pace = host_limits(name, limits)
        self.slots = asyncio.Semaphore(places)
        self.response_timeout = ResponseTimeout(limits, clock)
        self.users = 0
        self.free_at = 0.0  # by the pace
        self.opens_at = 0.0  # by its own wish
        self.pauses = 0  # how often it has asked us to wait, ever: a round of requests counts once
        self._in_a_row = 0
        self._strikes = 0

    @property
    def given_up(self) -> str:
        """Why it gets no more requests, by its own fault or that of its domain; empty while it does."""
        return self.parked or self.domain.parked

    def record_success(self) -> None:
        """Note a good answer."""
        self._in_a_row = self._strikes = self.domain.unfinished = 0

    def pause(self, seconds: float, now: float, seen: int) -> None:
        """Wait, as the host asks; `seen` is `pauses` when the refused request began."""
        self._strikes = 0
        self.opens_at = max(self.opens_at, now + min(seconds, self._limits.retry_after))
        if seen == self.pauses:
            self.pauses += 1
            self._in_a_row += 1
            self.pace = min(max(2 * self.pace, 0.5), 8.0)  # it found us too fast; stay slower
        if seconds > self._limits.retry_after:
            self.park(f"{self.name} asks to wait {describe_wait(seconds)}")
        elif self._in_a_row >= _MAX_PAUSES_IN_A_ROW:
            self.park(f"{self.name} refused {_MAX_PAUSES_IN_A_ROW} times in a row")

    def record_failure(self) -> None:
        """Note a picture whose every try went without an answer."""
        self._strikes += 1
        if self._strikes >= self._limits.strikes:
            self.park(f"{self.name} left {self._strikes} pictures in a row without an answer")

    def park(self, reason: str) -> None:
        """Leave the host alone; whoever waits for it is told at once."""
        if not self.parked:
            self.parked = reason
            self._say(f"{reason}: its other pictures are left for the next run.")

    def has_state(self, now: float) -> bool:
        """Tell whether forgetting the host would lose anything."""
        return bool(self.users or self.parked or self._strikes or self.pauses or self.free_at > now)


class HostScheduler:
    """The servers of a run."""

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
        """Which hosts and domains are left alone, and why."""
        known: dict[str, Domain | Host] = {**self._domains, **self._hosts}
        return {name: each.parked for name, each in known.items() if each.parked}

    def record_failure(self, name: str, end: Failure) -> None:
        """Note that a picture failed for good; a host that never answers is parked in the end."""
        host = self._hosts.get(name)
        if host is None:
            return
        if not end.answered and end.refusal.verdict.is_transient:
            host.record_failure()
        elif end.answered and not end.is_transient and end.refusal.verdict is Verdict.TIMEOUT:
            host.domain.leave_unfinished()

    @asynccontextmanager
    async def request_slot(self, name: str, *, polite: bool = True) -> AsyncIterator[Host]:
        """Wait for a host's turn and hold one of its places; raise `HostParked` when there will be none.

        Its domain's place is taken last: who waits for a slow host keeps none from the others.
        """
        host = self._hosts.get(name) or self._add_host(name)
        host.users += 1
        try:
            if host.given_up:
                raise HostParked(host.given_up)
            async with host.slots:
                await self._wait_for_turn(host, polite=polite)
                async with host.domain.gate if polite else nullcontext():
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
        name, places = share(server, self._limits)
        if name not in self._domains:
            self._domains[name] = Domain(name, places, self._limits, self._say)
        return self._domains[name]
