"""The response timeout adapts to the usual response time of a host."""

from __future__ import annotations

import asyncio

import pytest

from harvest.web.adaptive_timeout import ResponseTimeout
from harvest.web.limits import ImageLimits

LIMITS = ImageLimits(first_idle=5, idle=20, least_idle=2, attempts=3)


class Host:
    """Responds after the given seconds, on a clock of its own."""

    def __init__(self, *seconds: float) -> None:
        self.now = 0.0
        self.patience = ResponseTimeout(LIMITS, lambda: self.now)
        for second in seconds:
            asyncio.run(self._answer(second))

    async def _answer(self, seconds: float) -> None:
        async with self.patience.limit_wait(0):
            self.now += seconds

    def stalls(self) -> None:
        """Let one response time out."""
        asyncio.run(self._stall())

    async def _stall(self) -> None:
        with pytest.raises(TimeoutError):
            async with self.patience.limit_wait(0):
                raise TimeoutError


def test_an_unknown_host_has_only_the_limits() -> None:
    """Before its first response only the limits apply: connecting takes time, too."""
    assert Host().patience.seconds(0) is None


@pytest.mark.parametrize(("usual", "seconds"), [(0.01, 2), (0.5, 3), (0.75, 4.5), (2, 5), (30, 5)])
def test_the_timeout_follows_the_usual_response_time(usual: float, seconds: float) -> None:
    """The timeout is six times the usual response time, within the limits."""
    assert Host(usual, usual, usual).patience.seconds(0) == pytest.approx(seconds)


def test_the_timeout_grows_with_every_attempt() -> None:
    """Each attempt waits twice as long, and at the last only the limits apply."""
    assert [Host(0.1).patience.seconds(failures) for failures in range(3)] == [2, 4, None]


def test_slow_answers_are_not_usual_at_once() -> None:
    """One slow response moves the average by a fifth of the difference."""
    assert Host(0.5, 1.5).patience.seconds(0) == pytest.approx(6 * 0.7)


def test_a_stall_doubles_the_timeout() -> None:
    """Each timeout doubles the average, so that requests to a host that becomes slow are not all sent twice."""
    host = Host(0.4)
    host.stalls()
    assert host.patience.seconds(0) == pytest.approx(4.8)
    host.stalls()
    assert host.patience.seconds(0) == 5


def test_stalls_do_not_teach_forever() -> None:
    """The timeout of a host that stalls and then responds fast soon becomes short again."""
    host = Host(0.1)
    for _ in range(100):
        host.stalls()
    for _ in range(20):
        asyncio.run(host._answer(0.1))
    assert host.patience.seconds(0) == 2
