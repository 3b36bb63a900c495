"""One worker of a cluster: downloads and processes the jobs that it is given, and reports what is done.

It runs the local workers: one client for its own hosts, and one for each part of the rate of a host built for bulk.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from harvest import __version__
from harvest.contain_unexpected_errors import ENDS_THE_RUN
from harvest.distributed.byte_budget import ByteBudget
from harvest.distributed.download_within_domain import DomainWorkers, divide_limits
from harvest.distributed.jobs import DownloadJob, WorkerReport
from harvest.web.host_rules_cache import HostRulesCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.distributed.jobs import Shard
    from harvest.harvesting.worker_settings import DownloadSettings

REPORT_BYTES = 8 * 2**20  # of images in one report, and one image more
UNREPORTED_BYTES = 16 * 2**20  # of images that wait for the driver; with as many, no new download begins
_GATHER = 0.02  # seconds in which results gather before they are reported


class DownloadActor:
    """Receives jobs, and reports results; its methods are called over the network, each any number of times."""

    def __init__(self, settings: DownloadSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._workers: dict[str, DomainWorkers] = {}  # by the shard; "" for all whole domains
        self._opening: dict[str, asyncio.Future[DomainWorkers]] = {}
        self._report = WorkerReport()
        self._news = asyncio.Event()
        self._room = ByteBudget(UNREPORTED_BYTES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()  # of those, the ones that have not begun to download
        self._host_rules = HostRulesCache()
        self._parked = 0  # hosts that the last report named
        self._is_stopped = False
        self._failure: BaseException | None = None

    async def start(self) -> tuple[str, int]:
        """Return the version of this program here, and the id of the process."""
        return __version__, os.getpid()

    async def add(self, jobs: Sequence[DownloadJob]) -> None:
        """Begin jobs."""
        for job in jobs:
            task = asyncio.create_task(self._run(job))
            self._tasks.add(task)
            self._waiting.add(task)
            task.add_done_callback(self._tasks.discard)
            if self._is_stopped:
                task.cancel()

    async def collect(self) -> WorkerReport:
        """Wait for results, and return them, in reports of a limited size; raise what makes this worker useless."""
        await self._news.wait()
        await asyncio.sleep(_GATHER)
        if self._failure is not None:
            raise self._failure
        taken, size = 0, 0
        for result in self._report.results:
            if size >= REPORT_BYTES:
                break
            taken, size = taken + 1, size + result.size
        rest = self._report.results[taken:]
        report = replace(self._report, results=self._report.results[:taken], parked=self._new_parked())
        self._report = WorkerReport(results=rest)
        self._room.remove(size)
        if not rest:
            self._news.clear()
        return report

    async def stop(self) -> None:
        """Cancel the jobs that are not downloaded yet."""
        self._is_stopped = True
        for workers in self._workers.values():
            workers.stop()
        for task in self._waiting:
            task.cancel()

    async def close(self) -> None:
        """Close all connections, and store the rules of hosts for other runs."""
        await self._stack.aclose()

    async def _run(self, job: DownloadJob) -> None:
        me = asyncio.current_task()
        assert me is not None
        try:
            await self._room.wait()
            workers = await self._workers_for(job.shard)
            self._waiting.discard(me)
            done = await workers.work_in_domain(job)
        except asyncio.CancelledError:
            self._report.cancelled.append(job.task.id)
        except ENDS_THE_RUN as error:
            self._failure = error
        else:
            if isinstance(done, DownloadJob):
                self._report.moved.append(done)
            else:
                self._report.results.append(done)
                self._room.add(done.size)
        self._news.set()

    async def _workers_for(self, shard: Shard) -> DomainWorkers:
        key = "" if shard.parts == 1 else shard.name
        if key not in self._workers:
            settings = replace(self._settings, limits=divide_limits(self._settings.limits, shard.parts))
            self._workers[key] = DomainWorkers(settings, self._say, self._host_rules)
            self._opening[key] = asyncio.ensure_future(self._stack.enter_async_context(self._workers[key]))
        await asyncio.shield(self._opening[key])
        return self._workers[key]

    def _say(self, message: str) -> None:
        self._report.messages.append(message)
        self._news.set()

    def _new_parked(self) -> dict[str, str]:
        """Return all parked hosts, if there are more of them than in the last report."""
        parked: dict[str, str] = {}
        for workers in self._workers.values():
            parked |= workers.client.parked
        if len(parked) == self._parked:
            return {}
        self._parked = len(parked)
        return parked
