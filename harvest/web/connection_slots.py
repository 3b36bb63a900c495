"""Places for bodies in memory: as many as there are connections, and few among them for large ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.web.limits import ImageLimits


class ConnectionSlots:
    """Bounds the memory of all bodies together, whatever the other side sends."""

    def __init__(self, limits: ImageLimits) -> None:
        self.connections = asyncio.Semaphore(limits.connections)
        self.large = asyncio.Semaphore(limits.large_at_once)


class ConnectionSlot:
    """One body's place: a connection, and room to be large once it has outgrown the ordinary size."""

    def __init__(self, places: ConnectionSlots) -> None:
        self._places = places
        self._held: list[asyncio.Semaphore] = []

    async def acquire(self) -> None:
        """Wait for a free connection."""
        await self._take(self._places.connections)

    async def acquire_large(self) -> None:
        """Wait until there are few enough large bodies: the server waits, and its deadline runs."""
        await self._take(self._places.large)

    def release(self) -> None:
        """Give everything back; leaving twice does no harm."""
        while self._held:
            self._held.pop().release()

    async def _take(self, semaphore: asyncio.Semaphore) -> None:
        await semaphore.acquire()
        self._held.append(semaphore)
