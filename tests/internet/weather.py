"""The weather of the small Internet: how far away everything is, and how much of it is broken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares are drawn by address, so that the same address fares the same in every run and for every rival.

    A stall is drawn anew for each attempt, as on the real web; a dead link stays dead.
    """

    latency: float = 0.0  # seconds before any answer begins
    stalls: float = 0.0  # share of picture requests that are never answered
    dead: float = 0.0  # share of picture addresses that are 404

    def kills(self, url: str) -> bool:
        """Tell whether an address is dead in this weather."""
        return _chance(f"dead {url}") < self.dead

    def stalls_at(self, url: str, attempt: int) -> bool:
        """Tell whether a request is never answered."""
        return _chance(f"stall {attempt} {url}") < self.stalls


def _chance(text: str) -> float:
    """Give a number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) / 2**32
