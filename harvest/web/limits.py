"""Limits for one URL, in seconds, bytes and attempts, so that no single URL can hang or bloat a run."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of image downloads; in seconds unless noted."""

    connect: float = 10
    idle: float = 20  # between two reads, at the last attempt
    first_idle: float = 5  # at the first attempt: a stalled request blocks its host, and a retry mostly succeeds
    least_idle: float = 2  # until the response begins, of a host that is usually fast
    total: float = 60  # one image, all attempts and redirects; without the wait for a slot of its host
    dns: float = 10
    body: int = 25 * MiB
    large: int = 4 * MiB  # few images are larger, and only `large_at_once` of them are read at a time:
    large_at_once: int = 6  # one host cannot use all the memory, and 32 bodies take 250 MB instead of 800
    document: int = 500 * 1024  # a robots.txt or tdmrep.json, which is cut off there as RFC 9309 allows
    document_total: float = 10  # one of those, with its redirects
    redirects: int = 5
    attempts: int = 3
    connections: int = 32
    per_host: int = 4  # a few hosts have another number, see `host_limits`
    pace: float = 0.05  # between two requests to one host: at most twenty a second
    unidentified: bool = False  # there is no contact, which Wikimedia asks for: ten times slower there
    retry_after: float = 120  # a host that asks for a longer wait is parked for the rest of the run
    strikes: int = 6  # images in a row without any response, after which their host is parked
    unfinished: int = 6  # images in a row that a domain begins to send and does not finish in time, likewise

    @property
    def per_domain(self) -> int:
        """Return how many connections the hosts of one domain share: a quarter, at least those of one host.

        At least half of all connections are left to other domains.

        >>> [ImageLimits(connections=number).per_domain for number in (1, 4, 8, 32, 256)]
        [1, 2, 4, 8, 64]
        """
        share = max(self.connections // 4, self.per_host)
        return max(1, min(share, self.connections // 2))

    def idle_timeout(self, failures: int) -> float:
        """Return how long to wait between two reads after a number of failed attempts.

        >>> [ImageLimits().idle_timeout(failures) for failures in range(4)]
        [5.0, 10.0, 20.0, 20.0]
        """
        return float(min(self.idle, self.first_idle * 2**failures))


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Limits of search pages; in seconds unless noted."""

    connect: float = 10
    idle: float = 20
    total: float = 30  # one page, all attempts and redirects; without the waits between attempts
    body: int = 10 * MiB  # after decompression
    redirects: int = 5
    attempts: int = 3
    retry_after: float = 120
