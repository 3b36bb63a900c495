"""The driver alone: hits that workers answer at once, through pipeline, duplicates, tree and ledger. Prints JSON.

    python tests/bench/scale_driver.py HITS [--distinct 1000]

`scale.py` runs it, each size in a process of its own, whose peak memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from harvest import Query
from harvest.dataset import Dataset
from harvest.distributed.jobs import JobResult, WorkerReport
from harvest.distributed.sharded_workers import ShardedWorkers
from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.pipeline import Pipeline
from harvest.harvesting.summary import Summary
from harvest.models import Fingerprint, Hit, Picture
from tests.datasets import a_picture, sha
from tests.scripted import Fetcher, Scripted, no_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.distributed.jobs import DownloadJob

HOSTS = 2000
WORKERS = 8


class InstantWorker:
    """A worker that answers at once, each job with one of some distinct small images."""

    def __init__(self, distinct: int) -> None:
        self._distinct = distinct
        self._pictures = [distinct_picture(number) for number in range(distinct)] if distinct <= 1000 else []
        self._jobs: asyncio.Queue = asyncio.Queue()

    async def start(self) -> None:
        """Start at once."""

    async def add(self, jobs: Sequence[DownloadJob]) -> None:
        """Queue jobs."""
        self._jobs.put_nowait(jobs)

    async def collect(self) -> WorkerReport:
        """Return the images of one batch."""
        jobs = await self._jobs.get()
        return WorkerReport(results=[JobResult(job.task.id, self._picture(job.task.id), 1000) for job in jobs])

    def _picture(self, number: int) -> Picture:
        number %= self._distinct
        return self._pictures[number] if self._pictures else distinct_picture(number)

    async def stop(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def distinct_picture(number: int) -> Picture:
    """Return a picture unlike every other; to draw one would take as long as to record it."""
    first, data = a_picture(0), b"%s%d" % (a_picture(0).data, number)
    hashes = {name: sha(name.encode() + data) for name in ("content", "body", "pixels")}
    random = hashlib.shake_128(data).digest(len(first.fingerprint.data))
    return replace(first, data=data, **hashes, fingerprint=Fingerprint(random))


def list_hits(count: int) -> Iterator[Hit]:
    """Return hits on many hosts, one by one, as `URLS` reads them from its file."""
    return (Hit(f"https://h{n % HOSTS}.example/{n}.jpg", "BING", f"url:{n}", n) for n in range(1, count + 1))


def measure(hits: int, distinct: int) -> dict[str, float]:
    """Harvest so many hits, and return seconds, memory and the size of the ledger."""
    with tempfile.TemporaryDirectory() as folder, Dataset.open(Path(folder) / "d", create=True, exclusive=True) as data:
        summary = Summary(classes=("all",), providers=("BING",))
        workers = ShardedWorkers(lambda: InstantWorker(distinct), WORKERS, Fetcher(), say=lambda _: None)
        pipeline = Pipeline(data, Deduplicator(data), summary, workers, window=workers.window)

        async def harvest_all() -> None:
            async with workers:
                await pipeline.run([(Scripted({"all": list_hits(hits)}), [Query("all", "all")])], hits, no_pages)

        wall, cpu = time.monotonic(), time.process_time()
        asyncio.run(harvest_all())
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        assert summary.total().settled == hits
        ledger = sum(file.stat().st_size for file in (Path(folder) / "d").glob("harvest.db*"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"hits": hits, "wall": wall, "cpu": cpu, "memory": memory, "ledger": ledger}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hits", type=int)
    parser.add_argument("--distinct", type=int, default=1000)
    options = parser.parse_args()
    print(json.dumps(measure(options.hits, options.distinct)))


if __name__ == "__main__":
    main()
