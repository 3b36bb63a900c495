"""Batches: what waits is run together, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from harvest.serving.batch_queue import BatchQueue


class Doubler:
    """Doubles numbers as long as they are no text, and tells of each batch; `hold` keeps it at work."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.hold = threading.Event()

    def __call__(self, numbers):
        """Double."""
        self.batches.append(list(numbers))
        assert self.hold.wait(60)
        return [number + number // 1 for number in numbers]


def told(scene, *, most=4):
    """Run a scene with batches of a doubler, and return what it returns and the batches there were."""
    doubler = Doubler()

    async def play():
        with ThreadPoolExecutor(1) as threads:
            return await scene(BatchQueue(doubler, threads, most), doubler)

    return asyncio.run(play()), doubler.batches


async def begun(batches, numbers):
    """Let numbers wait, in order, and return their tasks."""
    tasks = [asyncio.create_task(batches(number)) for number in numbers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_what_came_meanwhile_is_the_next_batch():
    """The first runs alone and at once; all that came meanwhile together, in order, so many at a time."""

    async def scene(batches, doubler):
        tasks = await begun(batches, [1])
        tasks += await begun(batches, range(2, 11))
        doubler.hold.set()
        return await asyncio.gather(*tasks)

    results, batches = told(scene)

    assert results == [2 * number for number in range(1, 11)]
    assert batches == [[1], [2, 3, 4, 5], [6, 7, 8, 9], [10]]


def test_who_has_left_is_not_run():
    """What nobody waits for any more is left out of the next batch, and the others get their answers."""

    async def scene(batches, doubler):
        tasks = await begun(batches, [1])
        tasks += await begun(batches, [2, 3, 4])
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0)
        doubler.hold.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results, batches = told(scene)

    assert [type(result) for result in results] == [asyncio.CancelledError, int, asyncio.CancelledError, int]
    assert batches == [[1], [2, 4]]


def test_a_failure_is_that_of_its_batch():
    """Each caller of a batch that fails hears why, and the next batch runs."""

    async def scene(batches, doubler):
        tasks = await begun(batches, [1])
        tasks += await begun(batches, [2, "no number", 3, 4, 5])
        doubler.hold.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results, batches = told(scene)

    assert results[0] == 2
    assert {type(result) for result in results[1:5]} == {TypeError}
    assert results[5] == 10
    assert len(batches) == 3


def test_it_can_be_idle_in_between():
    """After all is done the next one is run like the first."""

    async def scene(batches, doubler):
        doubler.hold.set()
        return [await batches(number) for number in (1, 2)]

    assert told(scene) == ([2, 4], [[1], [2]])
