"""Enforce a minimum rate for uploads: slow ones hold a connection and memory that others need."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class MinimumRate:
    """A token bucket of seconds: time uses them up, and each received byte adds some.

    The bucket starts full, so every upload has `window` seconds of grace. It never holds more, so a fast start
    does not make up for a slow end.
    """

    def __init__(self, rate: int, window: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._window = window
        self._now = now
        self._end = now() + window

    @property
    def seconds_left(self) -> float:
        """Return how long the next byte may take; 0 or less when the upload is too slow."""
        return self._end - self._now()

    def receive(self, count: int) -> None:
        """Count received bytes."""
        self._end = min(self._end + count / self._rate, self._now() + self._window)
