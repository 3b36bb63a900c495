"""The driver of a cluster, with workers that a test scripts: lost, slow, or of another domain."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from harvest.distributed import sharded_workers
from harvest.distributed.detect_speed_limited_by_hosts import PolitenessCeiling
from harvest.distributed.jobs import JobResult, WorkerReport
from harvest.distributed.remote_worker import WorkerLost
from harvest.distributed.sharded_workers import ShardedWorkers
from harvest.errors import OutOfResources
from harvest.models import Hit, Outcome, Refusal, Task
from harvest.verdicts import Verdict
from harvest.web.host_of_url import find_host
from tests.datasets import a_picture
from tests.scripted import Fetcher

GONE = Refusal(Verdict.GONE)


class Remote:
    """A worker that answers each job with `answer(job)`, and is lost where that raises."""

    def __init__(self, answer, log) -> None:
        self._answer, self._log = answer, log
        self._jobs: asyncio.Queue = asyncio.Queue()

    async def start(self) -> None:
        """Fail to start if there is no answer to give."""
        if self._answer is None:
            raise WorkerLost("no module named harvest")

    async def add(self, jobs) -> None:
        """Queue jobs."""
        for job in jobs:
            self._log.append((id(self), job.urls[0]))
            self._jobs.put_nowait(job)

    async def collect(self) -> WorkerReport:
        """Report one job."""
        job = await self._jobs.get()
        report = self._answer(job)
        if isinstance(report, WorkerReport):
            return report
        return WorkerReport(results=[JobResult(job.task.id, report, 10)])

    async def stop(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class Cluster:
    """Runs tasks on scripted workers."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(sharded_workers, "_RESTART_WAIT", 0)
        self.log: list = []

    def workers(self, answer, count=2, **options) -> ShardedWorkers:
        """Return workers that answer so."""
        return ShardedWorkers(lambda: Remote(answer, self.log), count, Fetcher(), say=lambda _: None, **options)

    def run(self, answer, urls, **options) -> list[Outcome]:
        """Return the outcomes of URLs."""

        async def run() -> list[Outcome]:
            async with self.workers(answer, **options) as self.driver:
                return await asyncio.gather(*(self.driver.work(task) for task in tasks(urls)))

        return asyncio.run(asyncio.wait_for(run(), 60))


@pytest.fixture
def cluster(monkeypatch):
    return Cluster(monkeypatch)


def tasks(urls) -> list[Task]:
    return [Task(number, "coral", Hit(url, "BING", f"url:{url}")) for number, url in enumerate(urls)]


def test_each_host_has_one_worker(cluster):
    """All images of a host are downloaded by the same worker, and several workers are used."""
    outcomes = cluster.run(lambda _: GONE, [f"https://a.site{n % 9}.com/{n}.jpg" for n in range(90)], count=3)

    assert len(outcomes) == 90
    owners = {}
    for worker, url in cluster.log:
        owners.setdefault(find_host(url).domain, set()).add(worker)
    assert all(len(workers) == 1 for workers in owners.values())
    assert len({worker for worker, _ in cluster.log}) > 1


def test_hits_of_a_lost_worker_are_given_out_again(cluster):
    """A worker that is lost is replaced; every hit still has exactly one outcome."""
    losses = iter([True, False, True])

    def answer(_):
        if next(losses, False):
            raise WorkerLost("killed")
        return GONE

    outcomes = cluster.run(answer, [f"https://a.site{n}.com/{n}.jpg" for n in range(40)])

    assert sorted(outcome.task.id for outcome in outcomes) == list(range(40))
    assert cluster.driver.lost == 2
    assert cluster.driver.notes == ["2 workers were lost; others downloaded their hits"]


def test_a_worker_that_comes_later_gets_its_hosts_at_once(cluster):
    """Hits that wait in the driver go to a new worker; only those that another one has already stay there."""
    late = asyncio.Event()

    async def run() -> None:
        async with cluster.workers(lambda _: GONE, count=2, connections=1) as driver:
            make = driver._make_remote
            remotes = []

            def make_late():
                remote = make()
                if remotes:
                    remote.start = late.wait
                    remote.collect = remote_collect(remote, None)
                else:
                    remote.collect = remote_collect(remote, late)
                remotes.append(remote)
                return remote

            driver._make_remote = make_late
            waiting = [asyncio.create_task(driver.work(task)) for task in tasks(urls)]
            while len(cluster.log) < 8:  # noqa: ASYNC110 - the driver has no event for it
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(cluster.log) == 8
            late.set()
            await asyncio.gather(*waiting)

    def remote_collect(remote, gate):
        real = remote.collect

        async def collect():
            if gate is not None:
                await gate.wait()
            return await real()

        return collect

    urls = [f"https://a.site{n}.com/{n}.jpg" for n in range(60)]
    asyncio.run(asyncio.wait_for(run(), 60))
    workers = Counter(worker for worker, _ in cluster.log)
    assert len(workers) == 2
    assert min(workers.values()) > 10


def test_a_second_result_of_a_hit_is_dropped(cluster):
    """A worker that reports a hit twice, or one that nobody waits for, changes nothing."""
    twice = [JobResult(0, GONE, 10), JobResult(0, a_picture(1), 20), JobResult(99, a_picture(2), 30)]

    outcomes = cluster.run(lambda _: WorkerReport(results=twice), ["https://a.com/1.jpg"])

    assert [outcome.bytes_read for outcome in outcomes] == [10]
    assert cluster.driver.room.used == 0


def test_a_job_goes_on_at_the_worker_of_its_next_domain(cluster):
    """A redirect to another domain is followed by the worker of that domain, which is told of the redirects."""

    def answer(job):
        if job.redirects:
            return Refusal(Verdict.GONE, f"{job.shard.name} {job.redirects} {job.bytes_read}")
        return WorkerReport(moved=[replace(job, urls=("https://cdn.other.org/1.jpg",), redirects=2, bytes_read=7)])

    outcomes = cluster.run(answer, ["https://a.com/1.jpg"], count=4)

    assert outcomes[0].result.detail == "other.org 2 7"


def test_images_in_memory_are_limited(cluster):
    """While too many bytes wait to be recorded, no further report is asked for."""
    picture = a_picture(1)

    async def run() -> None:
        urls = [f"https://a.com/{n}.jpg" for n in range(6)]
        async with cluster.workers(lambda _: picture, count=1, in_flight_bytes=2 * len(picture.data)) as driver:
            waiting = {asyncio.create_task(driver.work(task)) for task in tasks(urls)}
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for _ in range(20):
                    await asyncio.sleep(0)
                assert driver.room.used <= 2 * len(picture.data)
                for each in done:
                    driver.release(each.result())
            assert driver.room.used == 0
            assert driver.room.most == 2 * len(picture.data)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_cluster_without_any_worker_ends_the_run(cluster):
    """If no worker can be started, the run ends with the reason, and not with thousands of failed hits."""
    with pytest.raises(OutOfResources, match="no module named harvest"):
        cluster.run(None, ["https://a.com/1.jpg"])


def test_a_stop_leaves_hits_for_the_next_run(cluster):
    """After a stop, what was not downloaded is cancelled, and nothing new begins."""

    async def run() -> None:
        async with cluster.workers(lambda _: GONE, count=1) as driver:
            driver.stop()
            with pytest.raises(asyncio.CancelledError):
                await driver.work(tasks(["https://a.com/1.jpg"])[0])
            await driver.idle()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_idle_workers_without_waiting_hits_are_not_the_fault_of_hosts():
    """The summary does not name politeness where workers are idle because a search finds too little."""
    ceiling = PolitenessCeiling(8)

    ceiling.sample(10, {find_host("https://a.com/"): 2}, busy=1)

    assert ceiling.describe() == []
