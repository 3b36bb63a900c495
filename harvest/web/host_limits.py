"""Set how many requests a server gets at once, and how fast.

The default is four at once and twenty a second: any server can handle that, and it is fast enough when the
images are on many hosts. A search whose images are all on one host waits for that host: with 300 ms of
latency and half of 800 images at Flickr's, that was 42 of 47 s. So the few hosts that are built to serve
images in bulk get twice as much, which is what a browser requests to show one page of results. Hosts whose
policy asks for less get less. Any host that refuses requests is slowed down, and parked in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.web.domains import hostname, registrable_domain

if TYPE_CHECKING:
    from harvest.web.limits import ImageLimits

# Domains, with all of their hosts.
_IMAGE_CDNS = (
    "staticflickr.com",  # Flickr's image CDN; a page of results shows 100 images
    "mm.bing.net",  # Bing's thumbnails, 35 per page
    "inaturalist-open-data.s3.amazonaws.com",  # published by iNaturalist for bulk download
)
_AT_MOST = {"wikimedia.org": 2}  # "a total concurrency of at most 2" for media, in its robot policy


class HostLimits(NamedTuple):
    """Limits for one server."""

    connections: int  # requests at once
    pace: float  # seconds between two requests


class DomainShare(NamedTuple):
    """The number of connections that all hosts of one domain share."""

    domain: str
    connections: int


def host_limits(server: str, limits: ImageLimits) -> HostLimits:
    """Return the limits of a server, named with or without its port.

    >>> from harvest.web.limits import ImageLimits
    >>> host_limits("img.example.org", ImageLimits()), host_limits("live.staticflickr.com", ImageLimits())
    (HostLimits(connections=4, pace=0.05), HostLimits(connections=8, pace=0.025))
    >>> host_limits("upload.wikimedia.org:8443", ImageLimits()).connections
    2
    >>> host_limits("mystaticflickr.com", ImageLimits()).connections
    4
    """
    domains = _domains(server)
    if not domains.isdisjoint(_IMAGE_CDNS):
        return HostLimits(2 * limits.per_host, limits.pace / 2)
    connections = min((_AT_MOST[domain] for domain in domains & _AT_MOST.keys()), default=limits.per_host)
    return HostLimits(min(connections, limits.per_host), limits.pace)


def share(server: str, limits: ImageLimits) -> DomainShare:
    """Return the domain of a server, and how many connections its hosts share.

    >>> from harvest.web.limits import ImageLimits
    >>> share("img7.example.co.uk:8080", ImageLimits()), share("tse1.mm.bing.net", ImageLimits())
    (DomainShare(domain='example.co.uk', connections=8), DomainShare(domain='mm.bing.net', connections=16))
    """
    for domain in _domains(server).intersection(_IMAGE_CDNS):
        return DomainShare(domain, 2 * limits.per_domain)
    return DomainShare(registrable_domain(hostname(server)), limits.per_domain)


def _domains(server: str) -> set[str]:
    labels = hostname(server).rstrip(".").split(".")
    return {".".join(labels[start:]) for start in range(len(labels))}
