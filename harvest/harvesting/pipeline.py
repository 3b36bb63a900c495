"""search → fetch → picture → twin? → place: the only module that knows all stages, and owns the concurrency.

Each provider is searched in a thread, at its own pace; one event loop moves the hits; threads decode; and one
thread, the keeper, alone touches the dataset, batch by batch. A search waits while its hits pile up.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from harvest.errors import HarvestError
from harvest.harvesting.search import (
    WINDOW,
    HitFound,
    ProviderSearch,
    SearchChannel,
    Searcher,
    SearchFinished,
)
from harvest.harvesting.summary import UNASKED, ProviderProblem
from harvest.models import Outcome, Picture, Refusal, Task
from harvest.unexpected import ENDS_THE_RUN, internal_error
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from harvest.dataset import Dataset
    from harvest.harvesting.deduplicate import Deduplicator
    from harvest.harvesting.download import Workers
    from harvest.harvesting.summary import Summary
    from harvest.models import Hit, Query
    from harvest.providers.base import Provider
    from harvest.web.search_session import SearchSession

T = TypeVar("T")
log = logging.getLogger(__name__)

# What a stop leaves for pictures already downloaded to be decoded and placed.
GRACE = 2.0
# Seconds between two calls of the progress callback; a terminal's table takes 5 ms to draw.
TICK = 0.2
# Seconds in which outcomes gather before they are written: two commits and a flush cost as much for three
# pictures as for thirty.
GATHER = 0.1


class Pipeline:
    """Runs searches over one dataset and fills in the summary as it goes."""

    def __init__(
        self,
        dataset: Dataset,
        placer: Deduplicator,
        summary: Summary,
        workers: Workers | None,
        *,
        refresh: bool = False,
        progress: Callable[[Summary], None] | None = None,
    ) -> None:
        self._dataset = dataset
        self._placer = placer
        self._summary = summary
        self._workers = workers  # without any, hits are found and judged and nothing is fetched
        self._refresh = refresh
        self._progress = progress
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._under_way: dict[int, ProviderSearch] = {}  # tasks, and the search that each counts for
        self._sources: dict[str, asyncio.Event] = {}  # photographs being fetched
        self._carriers: set[asyncio.Task[None]] = set()
        self._open = 0  # searchers at work, and arrivals without an end
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(
        self,
        jobs: Sequence[tuple[Provider, Sequence[Query]]],
        limit: int,
        pages: Callable[[Provider, threading.Event], SearchSession],
    ) -> None:
        """Search, fetch and place until nothing is left to do, or until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._arrivals: asyncio.Queue[HitFound | SearchFinished] = asyncio.Queue()
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._done = asyncio.Event()
        self._desk = SearchChannel(
            [provider.name for provider, _ in jobs],
            self._window(),
            begin=self._begin,
            left_over=self._unfinished_hits,
            is_full=self._is_full,
            arrive=self._arrive,
            out=self._searcher_out,
        )
        self._open = len(jobs)
        for provider, queries in jobs:
            Searcher(provider, queries, limit, self._desk, pages).start()
        try:
            await self._run_stages()
        finally:
            self._desk.stopping.set()
            self._keeper.shutdown(wait=True)

    async def _run_stages(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                stages = [group.create_task(stage()) for stage in (self._record, self._settle, self._report)]
                if self._summary.interrupted:  # before there was a loop to be told
                    self._wind_down()
                if self._open:
                    await self._done.wait()
                if self._failure is not None:
                    raise self._failure
                for task in (*stages, *self._carriers):
                    task.cancel()
        except BaseExceptionGroup as failures:
            # The stages fail together; the reason is the one that is not a consequence.
            alone = failures.exceptions[0] if len(failures.exceptions) == 1 else failures
            raise next((e for e in failures.exceptions if isinstance(e, HarvestError)), alone) from None

    def _window(self) -> int:
        """With a target, a search must not run far ahead of the pictures that are still wanted."""
        target = self._summary.target
        return WINDOW if target is None else min(WINDOW, max(32, 2 * target))

    # What the desk asks, from the searchers' threads.

    def _begin(self, query: Query, provider: Provider, limit: int) -> ProviderSearch:
        record = self._keeper.submit(self._dataset.begin_search, query, provider.name, limit).result()
        finished = record.finished and not self._refresh
        if provider.ephemeral and record.waiting:
            finished = False  # its old addresses died with the run that made them
        return ProviderSearch(record.id, query, provider.name, record.asked if finished else limit, finished)

    def _unfinished_hits(self, search: ProviderSearch) -> Sequence[Hit]:
        tasks = self._keeper.submit(self._dataset.unsettled_tasks, search.id).result()
        return [task.hit for task in tasks]

    def _is_full(self, class_name: str) -> bool:
        target = self._summary.target
        return target is not None and self._summary.kept.get(class_name, 0) >= target

    # The stages, on the event loop.

    def _arrive(self, item: HitFound | SearchFinished) -> None:
        self._open += 1
        self._arrivals.put_nowait(item)

    def _searcher_out(self, failure: BaseException | None) -> None:
        if failure is not None:
            self._failure = failure
            self._done.set()
        self._close()

    def _close(self) -> None:
        self._open -= 1
        if self._open == 0:
            self._done.set()

    async def _keep(self, function: Callable[..., T], *values: object) -> T:
        """Run one of the dataset's functions in the only thread that may."""
        return await asyncio.get_running_loop().run_in_executor(self._keeper, function, *values)

    async def _record(self) -> None:
        """Write arriving hits to the ledger, as many at a time as have come, and send on what is new."""
        while True:
            batch = await _drain(self._arrivals)
            for search, items in groupby(batch, key=lambda item: item.search):
                arrived = list(items)
                await self._record_hits(search, [item for item in arrived if isinstance(item, HitFound)])
                for item in arrived:
                    if isinstance(item, SearchFinished):
                        await self._end_search(item)

    async def _record_hits(self, search: ProviderSearch, found: Sequence[HitFound]) -> None:
        if not found:
            return
        hits = [item.hit for item in found]
        ways = await self._keep(self._dataset.record_hits, search.id, search.query.class_name, hits)
        for item, way in zip(found, ways, strict=True):
            self._send_on(item, way)

    def _send_on(self, item: HitFound, way: Task | Refusal) -> None:
        """Fetch a task and count a refusal; a hit that its search gives twice is one hit."""
        search = item.search
        line = self._summary.line(search.query.class_name, search.provider)
        if isinstance(way, Task) and way.id in self._under_way:
            self._let_go(search)
            return
        line.found += not item.again
        if isinstance(way, Refusal):
            line.verdicts[way.verdict] += 1
            log.debug("%s %s %s", way.verdict, item.hit.url, way.detail)
            self._let_go(search)
            return
        self._under_way[way.id] = search
        carrier = self._group.create_task(self._carry(way, search))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def _end_search(self, item: SearchFinished) -> None:
        """Remember how the search ended, behind its last hit."""
        search = item.search
        line = self._summary.line(search.query.class_name, search.provider)
        line.end = item.end
        if item.error is not None:
            self._summary.problems.append(ProviderProblem(search.provider, item.error, search.query.class_name))
        if item.doubt:
            self._summary.notes.append(item.doubt)
        if item.end not in UNASKED:
            await self._keep(self._dataset.finish_search, search.id, item.end, item.asked)
        self._close()

    async def _carry(self, task: Task, search: ProviderSearch) -> None:
        """Bring one hit to its outcome; another address of the same photograph waits for the first."""
        if (first := self._sources.get(task.hit.source)) is not None:
            await first.wait()
            del self._under_way[task.id]
            self._arrivals.put_nowait(HitFound(search, task.hit, again=True))
            return
        self._sources[task.hit.source] = asyncio.Event()
        if (refusal := _judge_unseen(task, search)) is not None:
            self._outcomes.put_nowait(Outcome(task, refusal))
        elif self._workers is None or self._desk.stopping.is_set() or self._is_full(task.class_name):
            self._leave(task)
        else:
            try:
                self._outcomes.put_nowait(await self._workers.work(task))
            except asyncio.CancelledError:
                self._leave(task)
            except ENDS_THE_RUN:
                raise
            except Exception as error:  # noqa: BLE001 - of whatever kind, it is about this hit alone
                self._outcomes.put_nowait(Outcome(task, internal_error(error, task.hit.url)))

    async def _settle(self) -> None:
        """Decide outcomes in batches: what has come while the last batch was written makes the next."""
        while True:
            batch = await _drain(self._outcomes, GATHER)
            wanted, late = self._split_at_target(batch)
            verdicts = await self._keep(self._placer.record_outcomes, wanted)
            for outcome, verdict in zip(wanted, verdicts, strict=True):
                self._count(outcome, verdict)
            for outcome in late:
                self._leave(outcome.task)
            for _ in batch:
                self._outcomes.task_done()

    def _split_at_target(self, batch: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
        """Keep a class from overshooting its target: pictures beyond it wait for a run that wants more."""
        if (target := self._summary.target) is None:
            return list(batch), []
        wanted: list[Outcome] = []
        late: list[Outcome] = []
        coming = dict(self._summary.kept)
        for outcome in batch:
            name = outcome.task.class_name
            if isinstance(outcome.result, Picture):
                coming[name] = coming.get(name, 0) + 1
            (late if coming.get(name, 0) > target else wanted).append(outcome)
        return wanted, late

    def _count(self, outcome: Outcome, verdict: Verdict) -> None:
        task = outcome.task
        summary = self._summary
        summary.line(task.class_name, self._under_way[task.id].provider).verdicts[verdict] += 1
        summary.bytes_read += outcome.bytes_read
        if verdict is Verdict.KEPT:
            summary.kept[task.class_name] = summary.kept.get(task.class_name, 0) + 1
        detail = outcome.result.detail if isinstance(outcome.result, Refusal) else ""
        log.debug("%s %s %s", verdict, task.hit.url, detail)
        self._leave(task)

    def _leave(self, task: Task) -> None:
        """Be done with a task, with or without a verdict, and wake those that wait for its photograph."""
        self._sources.pop(task.hit.source).set()
        self._let_go(self._under_way.pop(task.id))

    def _let_go(self, search: ProviderSearch) -> None:
        self._desk.release_slot(search.provider)
        self._close()

    async def _report(self) -> None:
        while self._progress is not None:
            self._progress(self._summary)
            await asyncio.sleep(TICK)

    # The end.

    def stop(self) -> None:
        """Stop, from any thread: what is downloaded is still placed, for at most `GRACE` seconds."""
        self._summary.interrupted = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wind_down)

    def _wind_down(self) -> None:
        self._desk.stopping.set()
        if self._workers is not None:
            self._workers.stop()
        self._group.create_task(self._give_up())

    async def _give_up(self) -> None:
        try:
            async with asyncio.timeout(GRACE):
                if self._workers is not None:
                    await self._workers.idle()
                await self._outcomes.join()
        except TimeoutError:
            log.debug("some downloads were not placed in time; the next run takes them up")
        self._done.set()


def _judge_unseen(task: Task, search: ProviderSearch) -> Refusal | None:
    """Refuse what the source itself says is not wanted, before anything is downloaded."""
    hit, filters = task.hit, search.query.filters
    if not hit.licence.allows(filters.licence):
        return Refusal(Verdict.LICENCE, f"licence {hit.licence.id or 'unknown'}, not {filters.licence}")
    if hit.width and hit.height and min(hit.width, hit.height) < filters.min_size:
        return Refusal(Verdict.TOO_SMALL, f"{hit.width}x{hit.height}, as the source says")
    return None


async def _drain(queue: asyncio.Queue[T], patience: float = 0.0, most: int = 256) -> list[T]:
    """Wait for one item and a moment for others, and take all that are there."""
    items = [await queue.get()]
    await asyncio.sleep(patience)
    while len(items) < most and not queue.empty():
        items.append(queue.get_nowait())
    return items
