"""Limit what one client address may use of a shared resource: memory, requests, downloads."""

from __future__ import annotations

import ipaddress
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harvest.serving import http_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

_CUSTOMER_PREFIX = 64  # bits; an internet provider assigns such an IPv6 network to one customer


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
