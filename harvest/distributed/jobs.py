"""What the driver and its workers send each other; everything here can be pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.models import Picture, Refusal, Task


@dataclass(frozen=True, slots=True)
class Shard:
    """Hosts whose requests one worker makes at a time: a domain, or a part of the rate of one built for bulk."""

    name: str
    parts: int = 1  # the worker may use this part of the limits of the domain: 1 is all of them


@dataclass(frozen=True, slots=True)
class DownloadJob:
    """A task with the URLs that are still to be tried, and what earlier workers did for it."""

    task: Task
    urls: tuple[str, ...]
    shard: Shard
    redirects: int = 0  # that led to the first URL
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job, without its task, which the driver has."""

    task_id: int
    result: Picture | Refusal
    bytes_read: int

    @property
    def size(self) -> int:
        """The bytes of the image files in it."""
        return count_bytes(self.result)


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker has finished since its last report."""

    results: list[JobResult] = field(default_factory=list)
    moved: list[DownloadJob] = field(default_factory=list)  # whose next URL is of another domain
    cancelled: list[int] = field(default_factory=list)  # ids of tasks, after a stop
    messages: list[str] = field(default_factory=list)
    parked: dict[str, str] = field(default_factory=dict)  # all parked hosts so far, with the reasons


def count_bytes(result: Picture | Refusal) -> int:
    """Return the bytes of the files of a picture; 0 for a refusal."""
    return len(getattr(result, "data", b"")) + len(getattr(result, "original", None) or b"")
