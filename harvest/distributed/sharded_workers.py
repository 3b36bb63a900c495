"""The driver's side of a cluster: gives each hit to the worker of its host, and waits for its result.

A worker that is lost is replaced, and its hits are given out again. A hit has one result, whatever is repeated: the
first report that names it counts. Images in memory are limited: no report is asked for while too many bytes wait
to be recorded, and a worker that cannot report begins no download.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from harvest.counts_as_text import count
from harvest.distributed.assign_hosts_to_workers import ShardOwners, count_parts, find_shard
from harvest.distributed.byte_budget import ByteBudget
from harvest.distributed.detect_speed_limited_by_hosts import PolitenessCeiling
from harvest.distributed.jobs import DownloadJob, count_bytes
from harvest.distributed.remote_worker import WorkerLost, stop_if_there
from harvest.errors import HarvestError, OutOfResources
from harvest.harvesting.download import describe_parked_hosts
from harvest.harvesting.target import WINDOW
from harvest.models import Outcome
from harvest.web.host_of_url import find_host

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from harvest.distributed.jobs import JobResult
    from harvest.distributed.remote_worker import RemoteWorker
    from harvest.harvesting.download import LocalWorkers
    from harvest.models import Task
    from harvest.web.host_of_url import HostOfUrl

log = logging.getLogger(__name__)

IN_FLIGHT_BYTES = 64 * 2**20  # of images that were reported and are not recorded
_BATCH = 64  # jobs in one call
_SENT_PER_CONNECTION = 8  # jobs that a worker has: enough beside a slow host; the others can still move
_MAX_LOSSES = 5  # workers that one hit may have been with; then it is left for the next run
_MAX_FAILED_STARTS = 3  # in a row of each worker, of ten at most, while there is none
_RESTART_WAIT = 1.0  # seconds before a worker is replaced
_SAMPLE = 0.5  # seconds between two looks at how busy the workers are


@dataclass(slots=True)
class _Pending:
    """A job without a result."""

    job: DownloadJob
    host: HostOfUrl | None
    future: asyncio.Future[Outcome]
    losses: int = 0
    worker: str | None = None
    is_sent: bool = False


@dataclass(slots=True)
class _Member:
    """A worker that runs, and the jobs that it was not sent yet."""

    name: str
    remote: RemoteWorker
    unsent: list[_Pending] = field(default_factory=list)
    sent: int = 0  # jobs without a result
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class ShardedWorkers:
    """Workers of a run, on other machines or in other processes.

    `local` works on the hits at `trusted` servers, which only this machine reaches.
    """

    def __init__(
        self,
        make_remote: Callable[[], RemoteWorker],
        count: int,
        local: LocalWorkers,
        *,
        trusted: frozenset[str] = frozenset(),
        say: Callable[[str], None],
        in_flight_bytes: int = IN_FLIGHT_BYTES,
        connections: int = 32,
    ) -> None:
        self._make_remote = make_remote
        self._count = count
        self._most_sent = _SENT_PER_CONNECTION * connections
        self._local = local
        self._trusted = trusted
        self._say_once = _SayOnce(say)
        self._parts = count_parts(count)
        self._owners = ShardOwners()
        self._members: dict[str, _Member] = {}
        self._pending: dict[int, _Pending] = {}
        self._waiting: list[_Pending] = []  # for a first worker
        self._background: set[asyncio.Task[None]] = set()
        self._error: HarvestError | None = None
        self._is_stopped = False
        self._failed_starts = 0
        self._parked: dict[str, str] = {}
        self._ceiling = PolitenessCeiling(count)
        self.room = ByteBudget(in_flight_bytes)
        self.lost = 0  # workers

    async def __aenter__(self) -> Self:
        await self._local.__aenter__()
        for number in range(self._count):
            self._start(self._keep_worker(f"worker {number}"))
        self._start(self._sample())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = tuple(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._local.__aexit__(kind, error, trace)

    # What the pipeline calls.

    async def work(self, task: Task) -> Outcome:
        """Wait for the result of one hit."""
        host = find_host(task.hit.url)
        if host is not None and host.server in self._trusted:
            return await self._local.work(task)
        if self._error is not None:
            raise self._error
        if self._is_stopped:
            raise asyncio.CancelledError
        urls = (task.hit.url, *task.hit.others)
        job = DownloadJob(task, urls, find_shard(urls[0], host, self._parts))
        pending = _Pending(job, host, asyncio.get_running_loop().create_future())
        self._pending[task.id] = pending
        self._send(pending)
        try:
            return await pending.future
        finally:
            if self._pending.pop(task.id, None) is not None:
                self._leave_worker(pending)

    def release(self, outcome: Outcome) -> None:
        """Note that an outcome is recorded, or left for the next run."""
        self.room.remove(count_bytes(outcome.result))

    def stop(self) -> None:
        """Cancel what is not downloaded yet."""
        self._is_stopped = True
        self._local.stop()
        unsent = [pending for member in self._members.values() for pending in member.unsent]
        for pending in [*self._waiting, *unsent]:
            pending.future.cancel()
        for member in self._members.values():
            self._start(stop_if_there(member.remote))

    async def idle(self) -> None:
        """Wait until everything downloaded is processed."""
        await self._local.idle()
        while self._pending:
            await asyncio.wait([pending.future for pending in self._pending.values()])
            await asyncio.sleep(0)

    @property
    def window(self) -> int:
        """The number of hits of one provider that may be in flight."""
        return WINDOW * self._count

    @property
    def notes(self) -> list[str]:
        """What limited the speed, how many workers were lost, and which hosts were parked."""
        lost = []
        if self.lost:
            lost = [f"{count(self.lost, 'worker was', 'workers were')} lost; others downloaded their hits"]
        return [*self._ceiling.describe(), *lost, *describe_parked_hosts(self._parked)]

    # Jobs.

    def _send(self, pending: _Pending) -> None:
        """Queue a job for the worker of its shard."""
        pending.worker = self._owners.start(pending.job.shard.name)
        if pending.worker is None:
            self._waiting.append(pending)
            return
        pending.is_sent = False
        member = self._members[pending.worker]
        member.unsent.append(pending)
        member.changed.set()

    def _leave_worker(self, pending: _Pending) -> None:
        if pending.worker is None:
            return
        self._owners.finish(pending.job.shard.name, pending.worker)
        member = self._members.get(pending.worker)
        if member is not None and pending.is_sent:
            member.sent -= 1
            member.changed.set()

    def _take_unsent(self) -> list[_Pending]:
        """Take back all jobs that no worker has yet, so that a new worker gets its hosts at once."""
        taken, self._waiting = self._waiting, []
        for member in self._members.values():
            for pending in member.unsent:
                self._leave_worker(pending)
            taken += member.unsent
            member.unsent = []
        return [pending for pending in taken if not pending.future.done()]

    def _settle(self, result: JobResult) -> None:
        """Hand a result to who waits for it; a second result of the same hit is dropped."""
        pending = self._pending.get(result.task_id)
        if pending is None or pending.future.done():
            return
        self.room.add(result.size)
        pending.future.set_result(Outcome(pending.job.task, result.result, result.bytes_read))

    def _move(self, job: DownloadJob) -> None:
        """Send a job on to the worker of its next URL."""
        pending = self._pending.get(job.task.id)
        if pending is None or pending.future.done():
            return
        self._leave_worker(pending)
        pending.host = find_host(job.urls[0])
        pending.job = replace(job, shard=find_shard(job.urls[0], pending.host, self._parts))
        self._send(pending)

    # Workers.

    async def _keep_worker(self, name: str) -> None:
        """Run a worker, and replace it when it is lost, until the run is over."""
        while self._error is None:
            remote = self._make_remote()
            try:
                await remote.start()
                self._failed_starts = 0
                await self._use_worker(_Member(name, remote))
            except WorkerLost as loss:
                log.warning("%s is lost: %s", name, loss)
                self._count_loss(name, str(loss))
            finally:
                await remote.close()
            await asyncio.sleep(_RESTART_WAIT)

    async def _use_worker(self, member: _Member) -> None:
        unsent = self._take_unsent()
        self._members[member.name] = member
        self._owners.add(member.name)
        for pending in unsent:
            self._send(pending)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send_jobs(member))
                group.create_task(self._collect_reports(member))
        except* WorkerLost as losses:
            raise WorkerLost(str(losses.exceptions[0])) from None

    def _count_loss(self, name: str, reason: str) -> None:
        """Give the jobs of a lost worker to others; end the run when none can be started."""
        if self._members.pop(name, None) is not None:
            self.lost += 1
        else:
            self._failed_starts += 1
        self._owners.remove(name)
        for pending in [each for each in self._pending.values() if each.worker == name and not each.future.done()]:
            pending.losses += 1
            if self._is_stopped or pending.losses >= _MAX_LOSSES:
                pending.future.cancel()
            else:
                self._send(pending)
        if not self._members and self._failed_starts >= _MAX_FAILED_STARTS * min(self._count, 10):
            self._fail(reason)

    def _fail(self, reason: str) -> None:
        self._error = OutOfResources(
            f"No worker of the Ray cluster can be started: {reason.rstrip('.')}. What was downloaded is recorded.",
            "Check the cluster with `ray status`, and that its nodes have the same harvest; then run the same command.",
        )
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_exception(self._error)

    async def _send_jobs(self, member: _Member) -> None:
        while True:
            await member.changed.wait()
            member.changed.clear()
            while count := min(_BATCH, self._most_sent - member.sent, len(member.unsent)):
                batch, member.unsent = member.unsent[:count], member.unsent[count:]
                batch = [pending for pending in batch if not pending.future.done()]
                for pending in batch:
                    pending.is_sent = True
                member.sent += len(batch)
                await member.remote.add([pending.job for pending in batch])

    async def _collect_reports(self, member: _Member) -> None:
        while True:
            await self.room.wait()
            report = await member.remote.collect()
            for result in report.results:
                self._settle(result)
            for job in report.moved:
                self._move(job)
            for number in report.cancelled:
                if (pending := self._pending.get(number)) is not None:
                    pending.future.cancel()
            for message in report.messages:
                self._say_once(message)
            self._parked |= report.parked

    async def _sample(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(_SAMPLE)
            now = time.monotonic()
            in_flight = [each for each in self._pending.values() if each.worker is not None]
            hosts = Counter(each.host for each in in_flight if each.host is not None)
            self._ceiling.sample(now - before, hosts, len({each.worker for each in in_flight}))
            before = now

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class _SayOnce:
    """Passes on each message once: every worker finds the same proxy."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._messages: set[str] = set()

    def __call__(self, message: str) -> None:
        if message not in self._messages:
            self._messages.add(message)
            self._say(message)
