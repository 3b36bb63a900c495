"""How long to wait until a host's answer begins, by how long its answers usually take.

A request that stalls holds one of its host's few places. On a web 300 ms away on which 2 % of the requests
are never answered, waiting 5 s for each of those took a quarter of a busy host's time; 2 s take a tenth.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from harvest.web.limits import ImageLimits

_TIMES = 6  # what is this much later than usual will hardly come at all
_SHARE = 0.2  # of the latest answer in what is usual


class ResponseTimeout:
    """One host's; `clock` tells the seconds."""

    def __init__(self, limits: ImageLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._usual: float | None = None

    def seconds(self, failures: int) -> float | None:
        """Return how long an answer may take to begin after so many failed tries.

        `None` leaves it to the limits: for a host that never answered yet, and at the last try, which is for
        what is slow by nature.
        """
        if self._usual is None or failures + 1 >= self._limits.attempts:
            return None
        wait = max(self._limits.least_idle, _TIMES * self._usual) * 2.0**failures
        return min(wait, self._limits.idle_timeout(failures))

    @asynccontextmanager
    async def limit_wait(self, failures: int) -> AsyncIterator[None]:
        """Raise `TimeoutError` when the block takes too long, and learn from how long it takes."""
        begun = self._clock()
        try:
            async with asyncio.timeout(self.seconds(failures)):
                yield
        except TimeoutError:
            self._record_timeout()
            raise
        self._record_time(self._clock() - begun)

    def _record_time(self, seconds: float) -> None:
        self._usual = seconds if self._usual is None else self._usual + _SHARE * (seconds - self._usual)

    def _record_timeout(self) -> None:
        """Wait longer for the next ones: a host that has become slow must not be asked everything twice."""
        if self._usual is not None:
            self._usual = min(2 * self._usual, self._limits.first_idle)
