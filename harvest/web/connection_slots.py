"""Limit the number of connections, and of large bodies among them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.web.limits import ImageLimits


class ConnectionSlots:
    """The semaphores that limit the memory of all bodies together, whatever servers send."""

    def __init__(self, limits: ImageLimits) -> None:
        self.connections = asyncio.Semaphore(limits.connections)
        self.large = asyncio.Semaphore(limits.large_at_once)


class ConnectionSlot:
    """The slot of one body: a connection, and a large-body slot once it is larger than `limits.large`."""

    def __init__(self, slots: ConnectionSlots) -> None:
        self._slots = slots
        self._held: list[asyncio.Semaphore] = []

    async def acquire(self) -> None:
        """Wait for a free connection."""
        await self._take(self._slots.connections)

    async def acquire_large(self) -> None:
        """Wait for a free large-body slot; nothing is read meanwhile, and the deadline of the image keeps running."""
        await self._take(self._slots.large)

    def release(self) -> None:
        """Release everything; safe to call twice."""
        while self._held:
            self._held.pop().release()

    async def _take(self, semaphore: asyncio.Semaphore) -> None:
        await semaphore.acquire()
        self._held.append(semaphore)
