"""The hits that are in flight: recorded in the ledger, and without a verdict of this run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.harvesting.search import ProviderSearch
    from harvest.models import Task


class InFlight:
    """Knows the search of each task; of one photograph, one URL is downloaded at a time and the others wait."""

    def __init__(self) -> None:
        self._searches: dict[int, ProviderSearch] = {}  # by the id of the task
        self._waiting: dict[str, list[Task]] = {}  # by the photograph that is being downloaded

    def __contains__(self, task: Task) -> bool:
        return task.id in self._searches

    def start(self, task: Task, search: ProviderSearch) -> bool:
        """Add a task; return whether to download it now, rather than wait for another URL of its photograph."""
        self._searches[task.id] = search
        if (waiting := self._waiting.get(task.hit.source)) is not None:
            waiting.append(task)
            return False
        self._waiting[task.hit.source] = []
        return True

    def search_of(self, task: Task) -> ProviderSearch:
        """Return the search that found a task."""
        return self._searches[task.id]

    def finish(self, task: Task) -> list[Task]:
        """Remove a task that was downloaded, and return those that waited for it."""
        del self._searches[task.id]
        return self._waiting.pop(task.hit.source)

    def drop(self, task: Task) -> None:
        """Remove a task that waited and need not be downloaded."""
        del self._searches[task.id]
