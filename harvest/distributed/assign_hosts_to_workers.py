"""Divide hosts among workers by rendezvous hashing: each host has one worker, and few move when workers change.

Workers that have many more jobs than the average are left out (rendezvous hashing with bounded loads).

A shard keeps its worker while any of its jobs is in flight, so that two workers never ask one host at the same time.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harvest.distributed.jobs import Shard
from harvest.web.host_of_url import find_host

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.web.host_of_url import HostOfUrl

# A worker with so many more jobs in flight than the average gets no further hosts. By hashing alone, the busiest of
# eight workers had 14 % of 2,000 hosts, and the others waited for it.
_MOST_ABOVE_AVERAGE = 4

# The limits of a host that is built for bulk are 8 connections for at most 4 workers: each may have 2.
_MOST_PARTS = 4


def choose_worker(shard: str, workers: Iterable[str]) -> str:
    """Return the worker with the highest score for a shard: when another one leaves, the choice stays.

    >>> choose_worker("example.com", ["a", "b", "c"]), choose_worker("example.com", ["c", "a"])
    ('a', 'a')
    """
    return max(workers, key=lambda worker: (_score(shard, worker), worker))


def _score(shard: str, worker: str) -> bytes:
    text = f"{shard}\0{worker}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).digest()


def count_parts(workers: int) -> int:
    """Return into how many parts the rate of a host that is built for bulk is divided; it does not change in a run.

    >>> [count_parts(workers) for workers in (1, 2, 3, 4, 100)]
    [1, 2, 2, 4, 4]
    """
    return next(parts for parts in (_MOST_PARTS, 2, 1) if parts <= workers)


def find_shard(url: str, host: HostOfUrl | None, parts: int) -> Shard:
    """Return the shard of a URL on a host: its domain, or one part of the rate of a domain built for bulk.

    >>> url = "https://live.staticflickr.com/1.jpg"
    >>> find_shard(url, find_host(url), 4).name[:-1], find_shard(url, find_host(url), 1).name
    ('staticflickr.com/', 'staticflickr.com')
    """
    if host is None:
        return Shard(f"?{url}")  # no request is sent to it: any worker may refuse it
    if not host.is_bulk or parts == 1:
        return Shard(host.domain)
    part = int.from_bytes(_score(url, "")) % parts
    return Shard(f"{host.domain}/{part}", parts)


def is_same_domain(first: str, second: str) -> bool:
    """Return whether two URLs are on hosts of one domain."""
    hosts = find_host(first), find_host(second)
    return hosts[0] is not None and hosts[1] is not None and hosts[0].domain == hosts[1].domain


class ShardOwners:
    """Which worker each shard with jobs in flight belongs to."""

    def __init__(self) -> None:
        self._workers: dict[str, int] = {}  # jobs in flight, by worker
        self._owners: dict[str, str] = {}
        self._jobs: dict[str, int] = {}  # in flight, by shard

    def __len__(self) -> int:
        return len(self._workers)

    def add(self, worker: str) -> None:
        """Add a worker; it gets its shards as soon as they have no jobs in flight."""
        self._workers.setdefault(worker, 0)

    def remove(self, worker: str) -> None:
        """Remove a worker, and forget its shards and their jobs."""
        self._workers.pop(worker, None)
        for shard in [shard for shard, owner in self._owners.items() if owner == worker]:
            del self._owners[shard], self._jobs[shard]

    def start(self, shard: str) -> str | None:
        """Count a job of a shard, and return its worker; `None` if there is none."""
        if not self._workers:
            return None
        owner = self._owners.get(shard) or self._choose_owner(shard)
        self._owners[shard] = owner
        self._jobs[shard] = self._jobs.get(shard, 0) + 1
        self._workers[owner] += 1
        return owner

    def _choose_owner(self, shard: str) -> str:
        most = sum(self._workers.values()) / len(self._workers) + _MOST_ABOVE_AVERAGE
        return choose_worker(shard, [worker for worker, jobs in self._workers.items() if jobs < most])

    def finish(self, shard: str, worker: str) -> None:
        """Count a job of a shard as done by a worker."""
        if self._owners.get(shard) != worker:
            return
        self._jobs[shard] -= 1
        self._workers[worker] -= 1
        if not self._jobs[shard]:
            del self._owners[shard], self._jobs[shard]
