"""What the driver asks of a worker in another process, and the error when it is gone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.distributed.jobs import DownloadJob, WorkerReport


class WorkerLost(Exception):
    """A worker, or the connection to it, is gone."""


class RemoteWorker(Protocol):
    """A `DownloadActor` in another process; every method raises `WorkerLost` when that is gone."""

    async def start(self) -> None:
        """Wait until the worker runs."""
        ...

    async def add(self, jobs: Sequence[DownloadJob]) -> None:
        """Give jobs to the worker."""
        ...

    async def collect(self) -> WorkerReport:
        """Wait for the next report."""
        ...

    async def stop(self) -> None:
        """Cancel what is not downloaded yet."""
        ...

    async def close(self) -> None:
        """End the worker, in an orderly way if it is still there."""
        ...


async def stop_if_there(remote: RemoteWorker) -> None:
    """Stop a worker, unless it is gone already."""
    with suppress(WorkerLost):
        await remote.stop()
