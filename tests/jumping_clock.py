"""A clock that jumps over the pauses between search requests, so that no test waits for them.

The pauses themselves, how long they are and what ends them, are tested in tests/web/test_search_session.py.
"""

from __future__ import annotations

import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

VARIABLE = "HARVEST_TESTS_JUMP"  # set for the commands whose searches use this clock


class JumpingClock:
    """A clock that each wait moves forward by its seconds, at once."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._skipped = 0.0

    def read(self) -> float:
        """Return the time in seconds."""
        return time.monotonic() + self._skipped

    def wait(self, seconds: float) -> bool:
        """Move forward, and return whether the run was stopped, as `Event.wait` does."""
        self._skipped += seconds
        return self._stop.is_set()


def skip_pauses() -> None:
    """Let all searches that this process begins from now on use such a clock."""
    run: ModuleType = import_module("harvest.harvesting.run")
    real = run.SearchSession

    def begin_session(**options: Any) -> Any:
        options["stop"] = options.get("stop") or threading.Event()
        clock = JumpingClock(options["stop"])
        return real(**options, wait=clock.wait, clock=clock.read)

    run.SearchSession = begin_session
