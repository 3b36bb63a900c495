"""A number of bytes in flight: who adds to it waits while it is used up."""

from __future__ import annotations

import asyncio


class ByteBudget:
    """Counts bytes in memory; it may be exceeded by what one `add` brings."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = asyncio.Event()
        self._free.set()
        self.used = 0
        self.most = 0  # at once, so far

    async def wait(self) -> None:
        """Wait until fewer bytes are in flight than the limit."""
        await self._free.wait()

    def add(self, size: int) -> None:
        """Count bytes that arrived."""
        self.used += size
        self.most = max(self.most, self.used)
        self._update()

    def remove(self, size: int) -> None:
        """Count bytes that are no longer in memory."""
        self.used -= size
        self._update()

    def _update(self) -> None:
        if self.used < self._limit:
            self._free.set()
        else:
            self._free.clear()
