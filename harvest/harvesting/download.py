"""Download and process one hit: a task in, a picture or a refusal out.

What goes in and out can be pickled, and a picture has its bytes, so that this stage may run here (asyncio and
threads) or on other machines; ledger and tree stay with the one driver.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, Self

from harvest import images, photo_keys
from harvest.contain_unexpected_errors import ENDS_THE_RUN, internal_error
from harvest.harvesting.target import WINDOW
from harvest.models import DEFAULT_RULES, Body, Outcome, Picture, Refusal, Task
from harvest.verdicts import Followup, Verdict
from harvest.web.image_client import OtherDomain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from harvest.models import Recipe, StatementRules
    from harvest.web.image_client import ImageClient

# Large images share this much memory for decoding (a 50-MP PNG takes 375 MB); ordinary ones never wait for it.
DECODE_BUDGET = 400 * 2**20

_MAX_HOSTS = 5  # parked hosts that the summary names


class Workers(Protocol):
    """Anything that turns tasks into outcomes; `work` never raises for a bad hit."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def work(self, task: Task) -> Outcome:
        """Download and process one hit."""
        ...

    def stop(self) -> None:
        """Cancel the `work` that is not downloaded yet; the rest is completed."""
        ...

    async def idle(self) -> None:
        """Wait until everything downloaded is processed."""
        ...

    def release(self, outcome: Outcome) -> None:
        """Note that an outcome is recorded, or left for the next run: its bytes are no longer in memory."""
        ...


class RunWorkers(Workers, Protocol):
    """The workers of a run, with what its summary says about them."""

    @property
    def window(self) -> int:
        """The number of hits of one provider that may be in flight."""
        ...

    @property
    def notes(self) -> list[str]:
        """What the summary says about the downloads, after the run."""
        ...


class LocalWorkers:
    """Downloads with asyncio and decodes in threads: Pillow releases the GIL.

    All images are written by one `recipe`, unless `recipe_of` gives each its own.
    """

    def __init__(
        self,
        client: ImageClient,
        recipe: Recipe,
        *,
        rules: StatementRules = DEFAULT_RULES,
        recipe_of: Callable[[Task], Recipe] | None = None,
        threads: int | None = None,
    ) -> None:
        self._client = client
        self._recipe_of = recipe_of or (lambda _: recipe)
        self._rules = rules
        self._threads = ThreadPoolExecutor(threads or os.cpu_count() or 2, thread_name_prefix="decode")
        self._memory = MemoryBudget(DECODE_BUDGET)
        self._fetching: set[asyncio.Task[object]] = set()
        self._processing: set[asyncio.Task[object]] = set()
        self._stopped = False

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._client.__aexit__(kind, error, trace)

    def stop(self) -> None:
        """Cancel what is not downloaded yet."""
        self._stopped = True
        for task in self._fetching:
            task.cancel()

    async def idle(self) -> None:
        """Wait until everything downloaded is processed."""
        while self._processing:
            await asyncio.wait(set(self._processing))

    def release(self, outcome: Outcome) -> None:
        """Do nothing: the window limits the outcomes in memory."""

    @property
    def window(self) -> int:
        """The number of hits of one provider that may be in flight."""
        return WINDOW

    @property
    def notes(self) -> list[str]:
        """The hosts that this run stopped asking, with the reasons."""
        return describe_parked_hosts(self._client.parked)

    async def work(self, task: Task) -> Outcome:
        """Try the largest rendition first, and a smaller one when that fails."""
        return await self.work_at(task, (task.hit.url, *task.hit.others))

    async def work_at(self, task: Task, urls: Sequence[str]) -> Outcome:
        """Try other URLs than those of the hit, in their order, until one gives the image."""
        read = 0
        result: Picture | Refusal = Refusal(Verdict.BAD_ADDRESS, "no address")
        for url in urls:
            try:
                result, size = await self._attempt(url, task)
            except (*ENDS_THE_RUN, OtherDomain):
                raise
            except Exception as error:  # noqa: BLE001 - of whatever kind, it is about this URL alone
                result, size = internal_error(error, url), 0
            read += size
            if not may_try_next_rendition(result):
                break
        return Outcome(task, result, read)

    def open_fetch(self, url: str, task: Task) -> AbstractAsyncContextManager[Body | Refusal]:
        """Return the download of one URL of a task."""
        return self._client.fetch(url, referer=task.hit.page)

    async def _attempt(self, url: str, task: Task) -> tuple[Picture | Refusal, int]:
        if self._stopped:
            raise asyncio.CancelledError
        me = asyncio.current_task()
        assert me is not None
        self._fetching.add(me)
        try:
            # The connection's slot is held while its body is in memory: that bounds the bodies in memory.
            async with self.open_fetch(url, task) as body:
                self._fetching.discard(me)
                if not isinstance(body, Body):
                    return body, 0
                if photo_keys.is_placeholder(body.url):
                    return Refusal(Verdict.GONE, "the host serves a placeholder instead of the image"), len(body.data)
                self._processing.add(me)
                return await self._process(body, task), len(body.data)
        finally:
            self._fetching.discard(me)
            self._processing.discard(me)

    async def _process(self, body: Body, task: Task) -> Picture | Refusal:
        return await self.process(body.data, task)

    async def process(self, data: bytes, task: Task) -> Picture | Refusal:
        """Turn the bytes of an image into a picture, in a thread and within the memory budget."""
        recipe = self._recipe_of(task)
        async with self._memory.share(images.memory_needed(data, recipe.size)):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, images.process_image, data, task.hit, recipe, self._rules)


def may_try_next_rendition(result: Picture | Refusal) -> bool:
    """Return whether a smaller rendition of the same photograph may succeed where this one failed."""
    return isinstance(result, Refusal) and Followup.NEXT_RENDITION in result.verdict.followup


def describe_parked_hosts(parked: Mapping[str, str]) -> list[str]:
    """Return a note for each host that the run stopped asking; of many, for the first ones and their number."""
    reasons = list(parked.values())
    more = [f"{len(reasons) - _MAX_HOSTS:,} more hosts"] if len(reasons) > _MAX_HOSTS else []
    return [f"{reason}: left alone until the next run" for reason in reasons[:_MAX_HOSTS] + more]


class MemoryBudget:
    """A number of bytes that decoders share; a decoder waits until its part is free."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def share(self, wanted: int) -> AsyncIterator[None]:
        """Reserve `wanted` bytes, or the whole budget where that is less, for the duration of the block."""
        held = min(wanted, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= held)
            self._free -= held
        try:
            yield
        finally:
            async with self._changed:
                self._free += held
                self._changed.notify_all()
