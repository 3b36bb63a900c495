"""What one address may cost, in seconds, bytes and tries. No single one can stop, hang or bloat a run."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of picture bodies; seconds unless said otherwise."""

    connect: float = 10
    idle: float = 20  # between two reads, at the last try
    first_idle: float = 5  # at the first: what stalls holds up its host, and mostly comes when asked again
    least_idle: float = 2  # until an answer begins, of a host that is usually quick
    total: float = 60  # one picture, all tries and redirects; waiting for its host's turn apart
    dns: float = 10
    body: int = 25 * MiB
    large: int = 4 * MiB  # few pictures are larger, and only so many of them are read at a time:
    large_at_once: int = 6  # one host cannot take all the room, and 32 bodies 250 MB and not 800
    redirects: int = 5
    attempts: int = 3
    connections: int = 32
    per_host: int = 4  # and for a few another number, see `manners`
    pace: float = 0.05  # between two requests to one host: twenty a second are enough to be polite with
    retry_after: float = 120  # a host that asks for more is parked for the rest of the run
    strikes: int = 6  # pictures in a row without any answer, after which their host is parked
    unfinished: int = 6  # images in a row that a domain begins and does not finish in time, likewise

    @property
    def per_domain(self) -> int:
        """Return how many connections the hosts of one domain share: a quarter, at least those of one host.

        Half of all are left to other domains in any case.

        >>> [ImageLimits(connections=number).per_domain for number in (1, 4, 8, 32, 256)]
        [1, 2, 4, 8, 64]
        """
        share = max(self.connections // 4, self.per_host)
        return max(1, min(share, self.connections // 2))

    def idle_timeout(self, failures: int) -> float:
        """Return how long to wait between two reads after so many failed tries.

        >>> [ImageLimits().idle_timeout(failures) for failures in range(4)]
        [5.0, 10.0, 20.0, 20.0]
        """
        return float(min(self.idle, self.first_idle * 2**failures))


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Limits of search pages; seconds unless said otherwise."""

    connect: float = 10
    idle: float = 20
    total: float = 30  # one page, all tries and redirects; the waits between them apart
    body: int = 10 * MiB  # decoded
    redirects: int = 5
    attempts: int = 3
    retry_after: float = 120
