"""Ray workers against the local pool, more workers on a slow web, and the driver alone. Prints ratios of one run.

    python tests/bench/scale_ray.py [--images 600] [--slow 160] [--hits 20000]

The small Internet runs in a process of its own, on the same cores as everything else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

import harvest
from harvest import Query
from harvest.dataset import Dataset
from harvest.distributed import ray_cluster
from harvest.distributed.jobs import JobResult, WorkerReport
from harvest.distributed.sharded_workers import ShardedWorkers
from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.pipeline import Pipeline
from harvest.harvesting.summary import Summary
from harvest.models import Fingerprint, Hit
from tests.datasets import a_picture, sha
from tests.distributed.many_domains import list_on_many_domains
from tests.internet.internet_process import InternetProcess
from tests.internet.network_conditions import NetworkConditions
from tests.scripted import Fetcher, Scripted, no_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.distributed.jobs import DownloadJob
    from tests.web import Internet

HOSTS = 2000


def quick_web(internet: Internet) -> None:
    """List many images on many hosts that answer at once."""
    list_on_many_domains(internet, "quick", int(os.environ["BENCH_IMAGES"]), hosts=HOSTS, size=(640, 480))


def slow_web(internet: Internet) -> None:
    """List images on hosts that take 300 ms."""
    list_on_many_domains(internet, "slow", int(os.environ["BENCH_SLOW"]), hosts=HOSTS)
    internet.conditions = NetworkConditions(latency=0.3)


@contextmanager
def cluster(internet: Internet, workers: int) -> Iterator[None]:
    """Start Ray with so many idle workers, before the clock runs."""
    os.environ.update(internet.environ)
    with ray_cluster.open_cluster(None, workers):
        yield


def run(internet: Internet, workers: str, count: int, jobs: int) -> float:
    """Return the seconds from the first image to the last: of an image before it, every worker has started."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(internet.environ)
        urls = [internet.catalogue.numbered(number + 1).url for number in range(len(internet.catalogue))]
        (Path(folder) / "urls.txt").write_text("\n".join(urls), "utf-8")
        first: list[float] = []

        def progress(summary: Summary) -> None:
            if summary.total().settled and not first:
                first.extend((time.monotonic(), summary.total().settled))

        summary = harvest.harvest(
            [Query(str(Path(folder) / "urls.txt"), "all")],
            "URLS",
            Path(folder) / "dataset",
            workers=workers,
            ray_workers=count,
            connections=jobs,
            obey_opt_out=False,
            limit=len(urls),
            progress=progress,
        )
        seconds = time.monotonic() - first[0]
        assert summary.total().settled == len(urls), summary.as_json()
        return seconds / (len(urls) - first[1]) * len(urls)


class InstantWorker:
    """A worker that answers at once, each job with one of 1,000 small images."""

    def __init__(self, pictures: Sequence) -> None:
        self._pictures = pictures
        self._jobs: asyncio.Queue = asyncio.Queue()

    async def start(self) -> None:
        """Start at once."""

    async def add(self, jobs: Sequence[DownloadJob]) -> None:
        """Queue jobs."""
        self._jobs.put_nowait(jobs)

    async def collect(self) -> WorkerReport:
        """Return the images of one batch."""
        jobs = await self._jobs.get()
        count = len(self._pictures)
        return WorkerReport(results=[JobResult(j.task.id, self._pictures[j.task.id % count], 1000) for j in jobs])

    async def stop(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def driver_alone(hits: int) -> tuple[float, float]:
    """Return the hits a second that the driver records, by wall and by CPU time."""
    pictures = [distinct_picture(number) for number in range(1000)]
    found = [Hit(f"https://h{n % HOSTS}.example/{n}.jpg", "BING", f"url:{n}", n) for n in range(1, hits + 1)]
    with tempfile.TemporaryDirectory() as folder, Dataset.open(Path(folder) / "d", create=True, exclusive=True) as data:
        summary = Summary(classes=("all",), providers=("BING",))
        workers = ShardedWorkers(lambda: InstantWorker(pictures), 8, Fetcher(), say=lambda _: None)
        pipeline = Pipeline(data, Deduplicator(data), summary, workers, window=workers.window)

        async def harvest_all() -> None:
            async with workers:
                await pipeline.run([(Scripted({"all": found}), [Query("all", "all")])], hits, no_pages)

        wall, cpu = time.monotonic(), time.process_time()
        asyncio.run(harvest_all())
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        assert summary.total().settled == hits
    return hits / wall, hits / cpu


def distinct_picture(number: int):
    """Return a picture unlike every other."""
    picture = a_picture(number)
    random = b"".join(bytes.fromhex(sha(b"%d %d" % (number, part))) for part in range(60))
    return replace(picture, fingerprint=Fingerprint(random[: len(picture.fingerprint.data)]))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--slow", type=int, default=160)
    parser.add_argument("--hits", type=int, default=20_000)
    options = parser.parse_args()
    os.environ.update(BENCH_IMAGES=str(options.images), BENCH_SLOW=str(options.slow))
    setups = import_module("tests.bench.scale_ray")  # under a name by which the other process finds it
    wall, cpu = driver_alone(options.hits)
    print(f"driver alone, {options.hits:,} hits: {wall:,.0f} a second, {cpu:,.0f} a second of its CPU")
    with InternetProcess(setups.quick_web) as internet, cluster(internet, 4):
        local, distributed = run(internet, "local", 4, 32), run(internet, "ray", 4, 8)
    ratio = local / distributed
    print(f"{options.images:,} images: local {local:.1f} s, 4 Ray workers {distributed:.1f} s: {ratio:.2f} x")
    with InternetProcess(setups.slow_web) as internet, cluster(internet, 8):
        one, eight = run(internet, "ray", 1, 1), run(internet, "ray", 8, 1)
    print(f"300 ms, {options.slow:,} images: 1 worker {one:.1f} s, 8 workers {eight:.1f} s: {one / eight:.1f} x")
    print(f"peak memory of the driver: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
