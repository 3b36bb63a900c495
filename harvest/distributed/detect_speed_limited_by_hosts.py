"""Find out whether the hosts of a run, and not its workers, limit its speed; the summary says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.counts_as_text import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harvest.web.host_of_url import HostOfUrl

_MIN_SHARE = 0.5  # of the time with hits in flight


class PolitenessCeiling:
    """Adds up the time in which more hits waited than their hosts allow while workers were idle."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds = 0.0  # with hits in flight
        self._limited = 0.0
        self._idle = self._hosts = self._per_second = 0.0  # times seconds, while limited

    def sample(self, seconds: float, hosts: Mapping[HostOfUrl, int], busy: int) -> None:
        """Add a time in which so many hits were in flight at each host, and so many workers had any."""
        if not hosts:
            return
        self._seconds += seconds
        is_waiting = sum(hosts.values()) > sum(host.connections for host in hosts)
        if not is_waiting or busy >= self._workers:
            return
        self._limited += seconds
        self._idle += seconds * (self._workers - busy)
        self._hosts += seconds * len(hosts)
        self._per_second += seconds * sum(host.per_second for host in hosts)

    def describe(self) -> list[str]:
        """Return a note if the hosts were the limit for most of the run.

        >>> from harvest.web.host_of_url import find_host
        >>> ceiling = PolitenessCeiling(8)
        >>> ceiling.sample(1, {find_host(f"https://{n}.staticflickr.com/"): 50 for n in "ab"}, busy=5)
        >>> ceiling.describe()
        ['2 hosts allow 80 images a second; 3 of 8 workers idle']
        """
        if not self._limited or self._limited < _MIN_SHARE * self._seconds:
            return []
        hosts, rate, idle = (round(total / self._limited) for total in (self._hosts, self._per_second, self._idle))
        if not idle:
            return []
        named = count(hosts, "host allows", "hosts allow")
        return [f"{named} {rate:,} images a second; {idle:,} of {self._workers:,} workers idle"]
