"""How many of our requests a server may have at once, and how fast they follow each other.

Four, twenty a second: what any server can bear, and fast enough wherever pictures come from many of them. A
search that finds all its pictures at one host waits for that host alone. Measured over a web 300 ms away,
half of 800 pictures at Flickr's: 42 of 47 s. So the few hosts that were built to hand out pictures in bulk
get twice as much; it is what a browser asks of them when it shows one page of results. Who wishes for less
gets less. A host that refuses slows us down and is left alone in the end, whoever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.web.domains import hostname, registrable_domain

if TYPE_CHECKING:
    from harvest.web.limits import ImageLimits

# Domains, their hosts included.
_IMAGE_CDNS = (
    "staticflickr.com",  # the network that serves Flickr's pictures; a page of results shows 100 of them
    "mm.bing.net",  # Bing's thumbnails, 35 to a page
    "inaturalist-open-data.s3.amazonaws.com",  # put there by iNaturalist to be taken in bulk
)
_AT_MOST = {"wikimedia.org": 2}  # "a total concurrency of at most 2" for media, in its robot policy


class HostLimits(NamedTuple):
    """What one server is asked for."""

    connections: int  # requests at once
    pace: float  # seconds between two


class DomainShare(NamedTuple):
    """The connections that all hosts of one domain share."""

    domain: str
    places: int


def host_limits(server: str, limits: ImageLimits) -> HostLimits:
    """Return how a server, named with or without its port, is to be treated.

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
    places = min((_AT_MOST[domain] for domain in domains & _AT_MOST.keys()), default=limits.per_host)
    return HostLimits(min(places, limits.per_host), limits.pace)


def share(server: str, limits: ImageLimits) -> DomainShare:
    """Return the domain of a server, and how many connections its hosts may have together.

    >>> from harvest.web.limits import ImageLimits
    >>> share("img7.example.co.uk:8080", ImageLimits()), share("tse1.mm.bing.net", ImageLimits())
    (DomainShare(domain='example.co.uk', places=8), DomainShare(domain='mm.bing.net', places=16))
    """
    for domain in _domains(server).intersection(_IMAGE_CDNS):
        return DomainShare(domain, 2 * limits.per_domain)
    return DomainShare(registrable_domain(hostname(server)), limits.per_domain)


def _domains(server: str) -> set[str]:
    labels = hostname(server).rstrip(".").split(".")
    return {".".join(labels[start:]) for start in range(len(labels))}
