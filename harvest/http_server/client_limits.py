"""Limit what one client address may use: memory, running requests, downloads, and connections."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from harvest.http_server import http_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.requests import Request

    from harvest.http_server.service_limits import ServiceLimits

_CUSTOMER_PREFIX = 64  # bits; an internet provider assigns such an IPv6 network to one customer
_INITIAL_CREDIT = 1024  # bytes; without it a new connection would be closed before it can send anything


def client_key(host: str) -> str:
    """Return the key of a client: its IPv4 address, or the /64 network of its IPv6 address.

    >>> client_key("192.0.2.7"), client_key("::ffff:192.0.2.7"), client_key("2001:db8:1:2::7")
    ('192.0.2.7', '192.0.2.7', '2001:db8:1:2::/64')
    """
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((ip, _CUSTOMER_PREFIX), strict=False))


def client_of(request: Request) -> str:
    """Return the client that sent a request."""
    return client_key(request.client.host) if request.client else ""


class Shares:
    """Counts what each client uses: at most `each`, and at most `total` for all of them."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._held: Counter[str] = Counter()

    @contextmanager
    def share(self, client: str) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes a count for a client or raises `HttpError`; release everything at the end."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if self._held[client] + count > self._each or self._held.total() + count > self._total:
                raise http_errors.busy_error()
            self._held[client] += count
            taken += count

        try:
            yield take
        finally:
            self._held[client] -= taken
            self._held += Counter()  # remove the clients that hold nothing


class Admitted(Protocol):
    """What the admission needs to know about a connection."""

    @property
    def client_address(self) -> str:
        """Return the address of the client."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Return whether the client has to act: it has sent no complete request, or does not read the response."""
        ...

    def pace(self) -> float:
        """Return the rate at which the client sends its request."""
        ...

    def close_now(self) -> None:
        """Close the connection without a response."""
        ...


class Admission:
    """Limits the open connections, per client address and in total."""

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits = limits
        self._open: defaultdict[str, set[Admitted]] = defaultdict(set)
        self._count = 0

    def admit(self, new: Admitted) -> bool:
        """Add a connection, and close another one if there are too many; return False if it must be refused."""
        own = self._open.get(new.client_address, set())
        if len(own) >= self._limits.client_connections:
            has_room = self._close_one(own)
        elif self._count >= self._limits.connections:
            has_room = self._close_one(each for connections in self._open.values() for each in connections)
        else:
            has_room = True
        if has_room:
            self._open[new.client_address].add(new)
            self._count += 1
        return has_room

    def forget(self, connection: Admitted) -> None:
        """Remove a connection; does nothing for one that was refused or closed."""
        connections = self._open.get(connection.client_address, set())
        if connection in connections:
            connections.remove(connection)
            self._count -= 1
            if not connections:
                del self._open[connection.client_address]

    def _close_one(self, connections: Iterable[Admitted]) -> bool:
        """Close the slowest waiting connection of the client that has the most; return False if none is waiting."""
        waiting = [each for each in connections if each.is_waiting]
        if not waiting:
            return False
        slowest = min(waiting, key=lambda each: (-len(self._open[each.client_address]), each.pace()))
        self.forget(slowest)
        slowest.close_now()
        return True


def pace(sent: int, seconds: float) -> float:
    """Return the rate of a client in bytes per second, for comparing connections.

    A new connection starts with a credit of one kilobyte; one that stays silent falls below one that sends.

    >>> pace(0, 0) > pace(10, 10) > pace(0, 10)
    True
    >>> pace(100_000, 10) > pace(0, 0)
    True
    """
    return (_INITIAL_CREDIT + sent) / (1 + seconds)
