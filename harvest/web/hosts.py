"""One server's patience: how many at once, how fast, when to pause, and when to leave it alone.

Waiting for a host holds no connection and counts against no deadline, so a slow one starves only itself.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from harvest.web.manners import manner
from harvest.web.patience import Patience
from harvest.web.retry import in_words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harvest.web.failures import Failure
    from harvest.web.limits import Limits

_PATIENCE = 3  # pauses in a row without one good answer between them
_SLICE = 1.0  # a host may be parked while somebody waits for it: look up this often


class HostParked(Exception):
    """The host is left alone for the rest of the run; says why."""


class Host:
    """What we know of one server."""

    def __init__(
        self, name: str, limits: Limits, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self.name = name
        self.parked = ""
        self._limits = limits
        self._say = say
        places, self.pace = manner(name, limits)
        self.gate = asyncio.Semaphore(places)
        self.patience = Patience(limits, clock)
        self.users = 0
        self.free_at = 0.0  # by the pace
        self.opens_at = 0.0  # by its own wish
        self.pauses = 0  # how often it has asked us to wait, ever: a round of requests counts once
        self._in_a_row = 0
        self._strikes = 0

    def answered(self) -> None:
        """Note a good answer."""
        self._in_a_row = self._strikes = 0

    def pause(self, seconds: float, now: float, seen: int) -> None:
        """Wait, as the host asks; `seen` is `pauses` when the refused request began."""
        self._strikes = 0
        self.opens_at = max(self.opens_at, now + min(seconds, self._limits.retry_after))
        if seen == self.pauses:
            self.pauses += 1
            self._in_a_row += 1
            self.pace = min(max(2 * self.pace, 0.5), 8.0)  # it found us too fast; stay slower
        if seconds > self._limits.retry_after:
            self.park(f"{self.name} asks to wait {in_words(seconds)}")
        elif self._in_a_row >= _PATIENCE:
            self.park(f"{self.name} refused {_PATIENCE} times in a row")

    def strike(self) -> None:
        """Note a picture whose every try went without an answer."""
        self._strikes += 1
        if self._strikes >= self._limits.strikes:
            self.park(f"{self.name} left {self._strikes} pictures in a row without an answer")

    def park(self, reason: str) -> None:
        """Leave the host alone; whoever waits for it is told at once."""
        if not self.parked:
            self.parked = reason
            self._say(f"{reason}: its other pictures are left for the next run.")

    def is_memorable(self, now: float) -> bool:
        """Tell whether forgetting the host would lose anything."""
        return bool(self.users or self.parked or self._strikes or self.pauses or self.free_at > now)


class Hosts:
    """The servers of a run."""

    def __init__(
        self,
        limits: Limits,
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
        self._sweep_at = 1024

    @property
    def parked(self) -> dict[str, str]:
        """Which hosts are left alone, and why."""
        return {name: host.parked for name, host in self._hosts.items() if host.parked}

    def gave_up(self, name: str, end: Failure) -> None:
        """Note that a picture failed for good; a host that never answers is parked in the end."""
        host = self._hosts.get(name)
        if host is not None and not end.answered and end.refusal.verdict.is_passing:
            host.strike()

    @asynccontextmanager
    async def visit(self, name: str, *, polite: bool = True) -> AsyncIterator[Host]:
        """Wait for a host's turn and hold one of its places; raise `HostParked` when there will be none."""
        host = self._hosts.get(name) or self._meet(name)
        host.users += 1
        try:
            if host.parked:
                raise HostParked(host.parked)
            async with host.gate:
                await self._wait_for(host, polite=polite)
                yield host
        finally:
            host.users -= 1

    async def _wait_for(self, host: Host, *, polite: bool) -> None:
        while not host.parked:
            now = self._clock()
            start = max(host.opens_at, host.free_at if polite else 0.0)
            if start <= now:
                host.free_at = now + host.pace
                return
            await self._sleep(min(start - now, _SLICE))
        raise HostParked(host.parked)

    def _meet(self, name: str) -> Host:
        if len(self._hosts) >= self._sweep_at:
            now = self._clock()
            self._hosts = {name: host for name, host in self._hosts.items() if host.is_memorable(now)}
            self._sweep_at = max(1024, 2 * len(self._hosts))
        host = self._hosts[name] = Host(name, self._limits, self._say, self._clock)
        return host
