"""Run waiting requests as one batch: while a batch runs, the next one is collected."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

T = TypeVar("T")
R = TypeVar("R")


class BatchQueue(Generic[T, R]):
    """Passes items to `run`; items that arrive while it runs form the next batch, at most `most` at a time.

    No item waits for a batch to fill: a single item runs at once.
    """

    def __init__(self, run: Callable[[Sequence[T]], Sequence[R]], executor: Executor, most: int) -> None:
        self._run = run
        self._executor = executor
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Return the result of `run` for an item."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while batch := self._next_batch():
                await self._run_batch(batch)
        finally:
            self._worker = None

    def _next_batch(self) -> list[tuple[T, asyncio.Future[R]]]:
        """Take the oldest waiting items, without those whose caller is gone."""
        batch: list[tuple[T, asyncio.Future[R]]] = []
        while self._waiting and len(batch) < self._most:
            item, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((item, answer))
        return batch

    async def _run_batch(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        loop = asyncio.get_running_loop()
        items = [item for item, _ in batch]
        (outcome,) = await asyncio.gather(
            loop.run_in_executor(self._executor, self._run, items), return_exceptions=True
        )
        if isinstance(outcome, BaseException):  # each caller gets the exception, and the next batch runs
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(outcome)
            return
        for (_, answer), result in zip(batch, outcome, strict=True):
            if not answer.done():
                answer.set_result(result)
