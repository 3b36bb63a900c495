"""Find the host of a URL with its limits, for programs that divide URLs by host before any request is sent."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from harvest.web.address_policy import AddressRefused, check_url
from harvest.web.host_scheduler import host_limits, is_image_cdn, share
from harvest.web.limits import ImageLimits
from harvest.web.send_one_request import allow_any

_DEFAULT = ImageLimits()


class HostOfUrl(NamedTuple):
    """A server, the domain whose hosts share its limits, and what it allows."""

    server: str
    domain: str
    connections: int
    per_second: float
    is_bulk: bool  # built to serve images in bulk


def find_host(url: str, limits: ImageLimits = _DEFAULT) -> HostOfUrl | None:
    """Return the host of a URL; `None` if no request would be sent to it.

    >>> find_host("https://img7.example.co.uk/1.jpg")
    HostOfUrl(server='img7.example.co.uk', domain='example.co.uk', connections=4, per_second=20.0, is_bulk=False)
    >>> find_host("https://live.staticflickr.com/1.jpg").domain, find_host("ftp://example.com/") is None
    ('staticflickr.com', True)
    """
    try:
        address = check_url(url, allowed=allow_any)
    except AddressRefused:
        return None
    return _describe_host(address.server, limits)


@lru_cache(4096)  # of a million URLs, many are on one host
def _describe_host(server: str, limits: ImageLimits) -> HostOfUrl:
    connections, pace = host_limits(server, limits)
    return HostOfUrl(server, share(server, limits).domain, connections, 1 / pace, is_image_cdn(server))
