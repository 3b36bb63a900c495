"""The conditions of the test Internet: latency, stalled requests and dead links."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkConditions:
    """Latency and failure rates.

    Failures are drawn by URL, so that a URL behaves the same in every run and for every program compared. A stall
    is drawn anew for each attempt, as on the real web; a dead link stays dead.
    """

    latency: float = 0.0  # seconds before any answer begins
    stalls: float = 0.0  # share of picture requests that are never answered
    dead: float = 0.0  # share of picture addresses that are 404

    def is_dead(self, url: str) -> bool:
        """Return whether a URL is dead under these conditions."""
        return _chance(f"dead {url}") < self.dead

    def is_stalled(self, url: str, attempt: int) -> bool:
        """Return whether a request is never answered."""
        return _chance(f"stall {attempt} {url}") < self.stalls


def _chance(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) / 2**32
