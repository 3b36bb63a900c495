"""Report the progress of a long scan of the class folders."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DELAY = 3.0  # seconds before the first message; most scans take less
_INTERVAL = 10.0  # seconds between two messages


class ScanProgress:
    """Reports the progress of a scan that takes long, at intervals."""

    def __init__(self, say: Callable[[str], None] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._next = clock() + _DELAY

    def tick(self, task: str) -> Callable[[int, int], None]:
        """Return a function to call with the number of files done, and of all, after each file."""
        return partial(self._tick, task)

    def _tick(self, task: str, done: int, total: int) -> None:
        now = self._clock()
        if self._say is not None and now >= self._next:
            self._next = now + _INTERVAL
            self._say(f"{task}: {done:,} of {total:,}")
