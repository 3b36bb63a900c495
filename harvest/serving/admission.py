"""Which connections stay when there are too many: those that only wait for their client are closed first."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.serving.service_limits import ServiceLimits

_START = 1024  # bytes a new connection is credited with, or it would be closed before it can say anything


class Admitted(Protocol):
    """A connection as the admission sees it."""

    @property
    def client_address(self) -> str:
        """Return whose connection it is."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Return whether the next step is the client's: no request, half of one, or an answer not read."""
        ...

    def pace(self) -> float:
        """Return how fast the client sends its request."""
        ...

    def close_now(self) -> None:
        """Close it without an answer."""
        ...


class Admission:
    """Keep open connections within their limits, for each client address and for all of them."""

    def __init__(self, bounds: ServiceLimits) -> None:
        self._bounds = bounds
        self._open: defaultdict[str, set[Admitted]] = defaultdict(set)
        self._count = 0

    def admit(self, new: Admitted) -> bool:
        """Take in a connection, closing another one where there are too many; return False to refuse it."""
        own = self._open.get(new.client_address, set())
        if len(own) >= self._bounds.client_connections:
            has_room = self._close_one(own)
        elif self._count >= self._bounds.connections:
            has_room = self._close_one(each for crowd in self._open.values() for each in crowd)
        else:
            has_room = True
        if has_room:
            self._open[new.client_address].add(new)
            self._count += 1
        return has_room

    def forget(self, connection: Admitted) -> None:
        """Count a connection no longer; one that was refused or closed is not counted anyway."""
        crowd = self._open.get(connection.client_address, set())
        if connection in crowd:
            crowd.remove(connection)
            self._count -= 1
            if not crowd:
                del self._open[connection.client_address]

    def _close_one(self, crowd: Iterable[Admitted]) -> bool:
        """Close the slowest connection of the client with the most; one that we work for is never closed."""
        waiting = [each for each in crowd if each.is_waiting]
        if not waiting:
            return False
        slowest = min(waiting, key=lambda each: (-len(self._open[each.client_address]), each.pace()))
        self.forget(slowest)
        slowest.close_now()
        return True


def pace(sent: int, seconds: float) -> float:
    """Return by how many bytes a second a client is to be judged.

    Who has just come is credited with a kilobyte; who has been silent ever since comes below who sends.

    >>> pace(0, 0) > pace(10, 10) > pace(0, 10)
    True
    >>> pace(100_000, 10) > pace(0, 0)
    True
    """
    return (_START + sent) / (1 + seconds)
