"""Adapt the response timeout of a host to its usual response time.

A request that stalls holds one of the few slots of its host. With 300 ms of latency and 2 % of the requests
never answered, waiting 5 s for each of those took a quarter of a busy host's time; waiting 2 s takes a tenth.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from harvest.web.limits import ImageLimits

_FACTOR = 6  # a response that takes this many times as long as usual hardly ever comes
_WEIGHT = 0.2  # of the latest response in the moving average


class ResponseTimeout:
    """The response timeout of one host; `clock` returns seconds."""

    def __init__(self, limits: ImageLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._usual: float | None = None

    def seconds(self, failures: int) -> float | None:
        """Return how long a response may take to begin after a number of failed attempts.

        `None` means that only the limits apply: for a host that has not responded yet, and at the last attempt,
        so that slow hosts are not excluded.
        """
        if self._usual is None or failures + 1 >= self._limits.attempts:
            return None
        wait = max(self._limits.least_idle, _FACTOR * self._usual) * 2.0**failures
        return min(wait, self._limits.idle_timeout(failures))

    @asynccontextmanager
    async def limit_wait(self, failures: int) -> AsyncIterator[None]:
        """Raise `TimeoutError` when the block takes too long; update the usual response time."""
        started = self._clock()
        try:
            async with asyncio.timeout(self.seconds(failures)):
                yield
        except TimeoutError:
            self._record_timeout()
            raise
        self._record_time(self._clock() - started)

    def _record_time(self, seconds: float) -> None:
        self._usual = seconds if self._usual is None else self._usual + _WEIGHT * (seconds - self._usual)

    def _record_timeout(self) -> None:
        """Wait longer for the next responses, or every request to a host that has become slow would be sent twice."""
        if self._usual is not None:
            self._usual = min(2 * self._usual, self._limits.first_idle)
