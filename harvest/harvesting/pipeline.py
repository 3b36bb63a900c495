"""search → download → deduplicate → record: the only module that knows all stages, and owns the concurrency.

Each provider is searched in a thread, at its own pace; one event loop moves the hits; threads decode; and one
thread, the ledger thread, alone uses the dataset, batch by batch. A search waits while too many hits are in flight.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

from harvest.contain_unexpected_errors import ENDS_THE_RUN, internal_error
from harvest.errors import HarvestError, Interrupted
from harvest.harvesting.in_flight import InFlight
from harvest.harvesting.search import HitFound, ProviderSearch, Searcher, SearchFinished, TaskResumed
from harvest.harvesting.summary import UNASKED, ProviderProblem
from harvest.harvesting.target import WINDOW, Target
from harvest.models import Outcome, Refusal, Task
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from harvest.dataset import SearchRecord
    from harvest.harvesting.download import Workers
    from harvest.harvesting.search import Arrival
    from harvest.harvesting.summary import Summary, SummaryLine
    from harvest.models import Hit, Query
    from harvest.providers.base import Provider
    from harvest.web.request_search_pages import SearchSession

T = TypeVar("T")
log = logging.getLogger(__name__)

# Seconds that a stop leaves for images already downloaded to be decoded and placed.
GRACE = 2.0
# Seconds between two calls of the progress callback; a terminal's table takes 5 ms to draw.
TICK = 0.2
# Seconds in which outcomes gather before they are written: two commits and a flush cost as much for three
# images as for thirty.
GATHER = 0.1
# Seconds between two looks whether a thread that waits must stop.
POLL = 0.2


class HitLedger(Protocol):
    """What the pipeline needs of a dataset: its searches, and the hits that they find."""

    def begin_search(self, query: Query, provider: str, limit: int) -> SearchRecord:
        """Open a search, and return what the ledger knows about it."""
        ...

    def finish_search(self, search_id: int, end: str, asked: int) -> None:
        """Record how a search ended."""
        ...

    def record_hits(self, search_id: int, class_name: str, hits: Sequence[Hit]) -> list[Task | Refusal]:
        """Record hits; return for each the task to download it, or why it is not to be downloaded."""
        ...

    def recheck_hits(self, tasks: Sequence[Task]) -> list[Task | Refusal]:
        """Look up again what is known of recorded hits."""
        ...

    def unsettled_tasks(self, search_id: int) -> list[Task]:
        """Return the hits of a search that earlier runs left unfinished."""
        ...


class OutcomeRecorder(Protocol):
    """What the pipeline gives outcomes to: it decides what is placed."""

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> list[Verdict]:
        """Record a batch of outcomes, and return their verdicts."""
        ...


class Pipeline:
    """Runs searches over one dataset and updates the summary as it goes; it is the channel of its searchers."""

    def __init__(
        self,
        dataset: HitLedger,
        deduplicator: OutcomeRecorder,
        summary: Summary,
        workers: Workers | None,
        *,
        refresh: bool = False,
        progress: Callable[[Summary], None] | None = None,
        window: int = WINDOW,
    ) -> None:
        self.stopping = threading.Event()
        self._dataset = dataset
        self._deduplicator = deduplicator
        self._summary = summary
        self._workers = workers  # None: hits are searched and judged, and nothing is downloaded
        self._refresh = refresh
        self._progress = progress
        self._target = Target(summary, window)
        self._slots = {name: threading.Semaphore(self._target.window) for name in summary.providers}
        self._ledger_thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._in_flight = InFlight()
        self._tasks: set[asyncio.Task[None]] = set()  # stages and downloads
        # An arrival is done when its hit has a verdict or is left for the next run.
        self._arrivals: asyncio.Queue[Arrival] = asyncio.Queue()
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(
        self,
        jobs: Sequence[tuple[Provider, Sequence[Query]]],
        limit: int,
        open_session: Callable[[Provider, threading.Event], SearchSession],
    ) -> None:
        """Search, download and record until nothing is left to do, or until `stop`."""
        self._loop = asyncio.get_running_loop()
        searchers = [Searcher(provider, queries, limit, self, open_session) for provider, queries in jobs]
        try:
            await self._run_stages(searchers)
        finally:
            self.stopping.set()
            self._ledger_thread.shutdown(wait=True)

    async def _run_stages(self, searchers: Sequence[Searcher]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for stage in (self._record_arrivals, self._record_outcomes, self._report_progress):
                    self._start(stage())
                self._start(self._finish_all(searchers))
                if self._summary.interrupted:  # stopped before there was a loop
                    self._wind_down()
                await self._over.wait()
                for task in self._tasks:
                    task.cancel()
        except BaseExceptionGroup as failures:
            # The stages fail together; the reason is the error that is not a consequence.
            alone = failures.exceptions[0] if len(failures.exceptions) == 1 else failures
            raise next((e for e in failures.exceptions if isinstance(e, HarvestError)), alone) from None

    async def _finish_all(self, searchers: Sequence[Searcher]) -> None:
        for searcher in searchers:
            searcher.start()
        await asyncio.gather(*(asyncio.wrap_future(searcher.finished) for searcher in searchers))
        await self._arrivals.join()
        self._over.set()

    # The channel of the searchers, called from their threads.

    def begin_search(self, query: Query, provider: Provider, limit: int) -> ProviderSearch:
        """Open a search in the ledger, which knows whether it is finished."""
        self._check_running()
        record = self._ledger_thread.submit(self._dataset.begin_search, query, provider.name, limit).result()
        finished = record.finished and not self._refresh
        if provider.ephemeral and record.waiting:
            finished = False  # the URLs of an earlier run are no longer valid
        return ProviderSearch(record.id, query, provider.name, record.asked if finished else limit, finished)

    def unfinished_tasks(self, search: ProviderSearch) -> Sequence[Task]:
        """Return what earlier runs found and did not finish."""
        self._check_running()
        return self._ledger_thread.submit(self._dataset.unsettled_tasks, search.id).result()

    def has_enough(self, class_name: str) -> bool:
        """Return whether a class has all the images that the run wants."""
        return self._target.is_reached(class_name)

    def put(self, item: Arrival) -> None:
        """Pass an item on to the event loop; a hit waits for a slot of its provider."""
        self._check_running()
        if not isinstance(item, SearchFinished):
            while not self._slots[item.search.provider].acquire(timeout=POLL):
                self._check_running()
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._arrivals.put_nowait, item)
        except RuntimeError as closed:
            raise Interrupted("the run is over") from closed

    def _check_running(self) -> None:
        if self.stopping.is_set():
            raise Interrupted("stopped")

    # The stages, on the event loop.

    async def _use_ledger(self, function: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._ledger_thread, function, *values)

    async def _record_arrivals(self) -> None:
        """Record arrivals in the ledger, as many at a time as there are, and start what is to be downloaded."""
        while True:
            batch = await _take_batch(self._arrivals)
            for search, group in groupby(batch, key=lambda item: item.search):
                items = list(group)
                if hits := [item.hit for item in items if isinstance(item, HitFound)]:
                    record = partial(self._dataset.record_hits, search.id, search.class_name, hits)
                    self._accept(search, hits, await self._use_ledger(record))
                if tasks := [item.task for item in items if isinstance(item, TaskResumed)]:
                    hits = [task.hit for task in tasks]
                    self._accept(search, hits, await self._use_ledger(self._dataset.recheck_hits, tasks))
                for item in items:
                    if isinstance(item, SearchFinished):
                        await self._finish_search(item)

    def _accept(self, search: ProviderSearch, hits: Sequence[Hit], decisions: Sequence[Task | Refusal]) -> None:
        for hit, decision in zip(hits, decisions, strict=True):
            if isinstance(decision, Task) and decision in self._in_flight:  # the search gave the hit twice
                self._release(search)
            else:
                self._line(search).found += 1
                self._follow(search, hit, decision)

    def _follow(self, search: ProviderSearch, hit: Hit, decision: Task | Refusal) -> None:
        """Download a task, unless another URL of its photograph is being downloaded; count a refusal."""
        if isinstance(decision, Refusal):
            self._line(search).verdicts[decision.verdict] += 1
            log.debug("%s %s %s", decision.verdict, hit.url, decision.detail)
            self._release(search)
        elif self._in_flight.start(decision, search):
            self._start(self._download(decision, search))

    async def _finish_search(self, item: SearchFinished) -> None:
        """Record how a search ended."""
        self._line(item.search).end = item.end
        if item.error is not None:
            self._summary.problems.append(ProviderProblem(item.search.provider, item.error, item.search.class_name))
        self._summary.notes += item.warnings
        if item.end not in UNASKED:
            await self._use_ledger(self._dataset.finish_search, item.search.id, item.end, item.asked)
        self._arrivals.task_done()

    async def _download(self, task: Task, search: ProviderSearch) -> None:
        """Get the outcome of one task, or leave it for the next run."""
        if (refusal := search.refusal_before_download(task.hit)) is not None:
            self._outcomes.put_nowait(Outcome(task, refusal))
        elif self._workers is None or self.stopping.is_set() or self._target.is_reached(task.class_name):
            self._finish(task)
        else:
            try:
                self._outcomes.put_nowait(await self._workers.work(task))
            except asyncio.CancelledError:
                self._finish(task)
            except ENDS_THE_RUN:
                raise
            except Exception as error:  # noqa: BLE001 - of whatever kind, it is about this hit alone
                self._outcomes.put_nowait(Outcome(task, internal_error(error, task.hit.url)))

    async def _record_outcomes(self) -> None:
        """Record outcomes in batches: those that arrive while one batch is written make the next."""
        while True:
            batch = await _take_batch(self._outcomes, GATHER)
            requested = [outcome for outcome in batch if not _is_unrequested(outcome)]
            unrequested = [outcome for outcome in batch if _is_unrequested(outcome)]
            self._summary.unrequested += len(unrequested)
            within, beyond = self._target.split(requested)
            verdicts = await self._use_ledger(self._deduplicator.record_outcomes, within)
            for outcome, verdict in zip(within, verdicts, strict=True):
                self._summary.count(outcome, self._in_flight.search_of(outcome.task).provider, verdict)
                self._finish(outcome.task)
            for outcome in (*beyond, *unrequested):
                self._finish(outcome.task)
            for outcome in batch:
                if self._workers is not None:
                    self._workers.release(outcome)
                self._outcomes.task_done()

    def _finish(self, task: Task) -> None:
        """Be done with a task, with or without a verdict, and look again at those that waited for it."""
        search = self._in_flight.search_of(task)
        if waiting := self._in_flight.finish(task):
            self._start(self._recheck(waiting))
        self._release(search)

    async def _recheck(self, tasks: Sequence[Task]) -> None:
        """Follow tasks that waited for another URL of their photograph: the ledger may know the photograph now."""
        decisions = await self._use_ledger(self._dataset.recheck_hits, tasks)
        for task, decision in zip(tasks, decisions, strict=True):
            search = self._in_flight.search_of(task)
            self._in_flight.drop(task)
            self._follow(search, task.hit, decision)

    def _release(self, search: ProviderSearch) -> None:
        self._slots[search.provider].release()
        self._arrivals.task_done()

    def _line(self, search: ProviderSearch) -> SummaryLine:
        return self._summary.line(search.class_name, search.provider)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report_progress(self) -> None:
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
        self.stopping.set()
        if self._workers is not None:
            self._workers.stop()
        self._group.create_task(self._place_downloaded())

    async def _place_downloaded(self) -> None:
        try:
            async with asyncio.timeout(GRACE):
                if self._workers is not None:
                    await self._workers.idle()
                await self._outcomes.join()
        except TimeoutError:
            log.debug("some downloads were not placed in time; the next run resumes them")
        self._over.set()


def _is_unrequested(outcome: Outcome) -> bool:
    """Return whether no request was sent for a hit, because its host gets no more of them in this run."""
    return isinstance(outcome.result, Refusal) and outcome.result.verdict is Verdict.HOST_PARKED


async def _take_batch(queue: asyncio.Queue[T], seconds: float = 0.0, most: int = 256) -> list[T]:
    """Wait for one item and some time for others, unless a batch is there already, and take all that are there."""
    items = [await queue.get()]
    await asyncio.sleep(seconds if queue.qsize() < most // 2 else 0)
    while len(items) < most and not queue.empty():
        items.append(queue.get_nowait())
    return items
