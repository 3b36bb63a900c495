"""Measure how fast a person reviews: images that were decided, and the time that was spent on them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PAUSE = 60.0  # seconds; a longer time without a decision is a pause, and does not count


class Pace:
    """Counts the images that were decided since the page was opened, and the seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._images: set[int] = set()
        self._seconds = 0.0
        self._last: float | None = None

    def start(self) -> None:
        """Start the clock when images are shown, unless it runs."""
        if self._last is None:
            self._last = self._clock()

    def add(self, images: Iterable[int]) -> None:
        """Count the images of a decision; one that is decided twice counts once."""
        now = self._clock()
        if self._last is not None and now - self._last <= _PAUSE:
            self._seconds += now - self._last
        self._last = now
        self._images.update(images)

    def as_json(self) -> dict[str, int]:
        """Return the number of images, and of seconds."""
        return {"images": len(self._images), "seconds": round(self._seconds)}
