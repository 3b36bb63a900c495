"""Batches: waiting items run together, and no item waits for a batch to fill."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from harvest.serving.batch_queue import BatchQueue


class Doubler:
    """Doubles numbers, fails on text, and records each batch; it blocks while `hold` is not set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.hold = threading.Event()

    def __call__(self, numbers):
        """Double each number of a batch."""
        self.batches.append(list(numbers))
        assert self.hold.wait(60)
        return [number + number // 1 for number in numbers]


def run_scene(scene, *, most=4):
    """Run a scene with a `BatchQueue` of a doubler; return its result and the batches that were run."""
    doubler = Doubler()

    async def play():
        with ThreadPoolExecutor(1) as threads:
            return await scene(BatchQueue(doubler, threads, most), doubler)

    return asyncio.run(play()), doubler.batches


async def start(batches, numbers):
    """Put numbers into the queue, in order, and return their tasks."""
    tasks = [asyncio.create_task(batches(number)) for number in numbers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_what_came_meanwhile_is_the_next_batch():
    """The first item runs alone and at once; those that arrive meanwhile run together, in order, up to the limit."""

    async def scene(batches, doubler):
        tasks = await start(batches, [1])
        tasks += await start(batches, range(2, 11))
        doubler.hold.set()
        return await asyncio.gather(*tasks)

    results, batches = run_scene(scene)

    assert results == [2 * number for number in range(1, 11)]
    assert batches == [[1], [2, 3, 4, 5], [6, 7, 8, 9], [10]]


def test_who_has_left_is_not_run():
    """A cancelled item is left out of the next batch, and the others get their results."""

    async def scene(batches, doubler):
        tasks = await start(batches, [1])
        tasks += await start(batches, [2, 3, 4])
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0)
        doubler.hold.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results, batches = run_scene(scene)

    assert [type(result) for result in results] == [asyncio.CancelledError, int, asyncio.CancelledError, int]
    assert batches == [[1], [2, 4]]


def test_a_failure_is_that_of_its_batch():
    """Each caller of a batch that fails gets the exception, and the next batch runs."""

    async def scene(batches, doubler):
        tasks = await start(batches, [1])
        tasks += await start(batches, [2, "no number", 3, 4, 5])
        doubler.hold.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results, batches = run_scene(scene)

    assert results[0] == 2
    assert {type(result) for result in results[1:5]} == {TypeError}
    assert results[5] == 10
    assert len(batches) == 3


def test_it_can_be_idle_in_between():
    """After the queue was empty, the next item runs like the first."""

    async def scene(batches, doubler):
        doubler.hold.set()
        return [await batches(number) for number in (1, 2)]

    assert run_scene(scene) == ([2, 4], [[1], [2]])
