"""One provider asked for all its queries, in a thread of its own and at its own pace."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harvest.errors import HarvestError, Interrupted, ProviderError, Unanswerable
from harvest.harvesting import summary as account
from harvest.harvesting.result_quality import Relevance
from harvest.models import Hit
from harvest.unexpected import provider_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from harvest.models import Query
    from harvest.providers.base import Provider
    from harvest.web.search_session import SearchSession

log = logging.getLogger(__name__)

# Hits of one provider under way at once: a slow host may hold up a few hundred before its provider must wait.
WINDOW = 600


@dataclass(frozen=True, slots=True)
class ProviderSearch:
    """One query put to one provider, as the ledger knows it; `limit` bounds the hits asked for."""

    id: int
    query: Query
    provider: str
    limit: int
    finished: bool


@dataclass(frozen=True, slots=True)
class HitFound:
    """A hit on its way from a searching thread to the ledger."""

    search: ProviderSearch
    hit: Hit
    again: bool = False  # it waited for another address of the same photograph, and is counted already


@dataclass(frozen=True, slots=True)
class SearchFinished:
    """The last word of a search."""

    search: ProviderSearch
    end: str
    asked: int
    error: ProviderError | None = None
    doubt: str = ""  # what a person should know of its results


class SearchChannel:
    """Where searching threads leave what they find; its calls may wait, and end the thread on a stop."""

    def __init__(
        self,
        providers: Collection[str],
        window: int,
        *,
        begin: Callable[[Query, Provider, int], ProviderSearch],
        left_over: Callable[[ProviderSearch], Sequence[Hit]],
        is_full: Callable[[str], bool],
        arrive: Callable[[HitFound | SearchFinished], None],
        out: Callable[[BaseException | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._windows = {name: threading.Semaphore(window) for name in providers}
        self._begin = begin
        self._left_over = left_over
        self._arrive = arrive
        self._out = out
        self.is_full = is_full
        self.stopping = threading.Event()

    def begin(self, query: Query, provider: Provider, limit: int) -> ProviderSearch:
        """Open the search in the ledger, which knows whether it is finished already."""
        self._check()
        return self._begin(query, provider, limit)

    def unfinished_hits(self, search: ProviderSearch) -> Sequence[Hit]:
        """Give what earlier runs found and did not finish."""
        self._check()
        return self._left_over(search)

    def put_hit(self, search: ProviderSearch, hit: Hit) -> None:
        """Take the hit on once there is room for it."""
        while not self._windows[search.provider].acquire(timeout=0.2):
            self._check()
        self._call(self._arrive, HitFound(search, hit))

    def put_finished(self, ending: SearchFinished) -> None:
        """Close the search behind its last hit."""
        self._call(self._arrive, ending)

    def close(self, failure: BaseException | None = None) -> None:
        """Say that a searcher has nothing more to do, or that the run cannot go on."""
        with suppress(Interrupted):  # then nobody waits to hear it
            self._call(self._out, failure)

    def release_slot(self, provider: str) -> None:
        """Let the provider's next hit in."""
        self._windows[provider].release()

    def _call(self, function: Callable[..., None], value: object) -> None:
        self._check()
        try:
            self._loop.call_soon_threadsafe(function, value)
        except RuntimeError as closed:
            raise Interrupted("the run is over") from closed

    def _check(self) -> None:
        if self.stopping.is_set():
            raise Interrupted("stopped")


class Searcher(threading.Thread):
    """Asks one provider query after query; an error parks it, and what is left says why."""

    def __init__(
        self,
        provider: Provider,
        queries: Sequence[Query],
        limit: int,
        desk: SearchChannel,
        pages: Callable[[Provider, threading.Event], SearchSession],
    ) -> None:
        # A daemon: a page that hangs must not keep the program from ending.
        super().__init__(name=f"search-{provider.name}", daemon=True)
        self._provider = provider
        self._queries = queries
        self._limit = limit
        self._desk = desk
        self._pages = pages
        self._parked: ProviderError | None = None

    def run(self) -> None:
        """Go through the queries class by class; nothing leaves this thread but through the desk."""
        try:
            with self._pages(self._provider, self._desk.stopping) as pages:
                for rows in _group_by_class(self._queries):
                    self._fill_class(rows, pages)
            self._desk.close()
        except Interrupted:
            log.debug("%s stopped", self.name)
        except BaseException as failure:  # noqa: BLE001  a thread has nobody above it: the run must hear of it
            self._desk.close(failure)

    def _fill_class(self, rows: Sequence[Query], pages: SearchSession) -> None:
        """Share the limit: each row may take an even part of what the rows before it left over."""
        left = self._limit
        for place, query in enumerate(rows):
            even = -(-left // (len(rows) - place))
            taken = self._search(query, even if query.limit is None else query.limit, pages)
            left = max(0, left - taken)

    def _search(self, query: Query, share: int, pages: SearchSession) -> int:
        """Put one query to the provider and tell how many hits of the limit it used."""
        search = self._desk.begin(query, self._provider, share)
        drawn = _SearchProgress(Relevance(query.text))
        end = self._run_search(search, share, pages, drawn)
        for hit in self._desk.unfinished_hits(search):
            self._desk.put_hit(search, hit)
        self._desk.put_finished(
            SearchFinished(
                search,
                end,
                drawn.count,
                drawn.error or self._parked,
                self._describe_low_relevance(query, drawn),
            )
        )
        return search.limit if search.finished else drawn.count

    def _describe_low_relevance(self, query: Query, drawn: _SearchProgress) -> str:
        """Say when an engine's results have little to do with the query: nothing else would tell."""
        if not (self._provider.by_words and drawn.relevance.is_low):
            return ""
        return (
            f"{self._provider.label} may be serving degraded results to automated clients: "
            f"only {drawn.relevance} for {query.text!r} share a word with it."
        )

    def _run_search(self, search: ProviderSearch, share: int, pages: SearchSession, drawn: _SearchProgress) -> str:
        """Draw from the provider unless it is done or parked, and tell how it ended."""
        if search.finished:
            return account.FINISHED_EARLIER
        if self._parked is not None:
            return account.NOT_ASKED
        if self._desk.is_full(search.query.class_name):
            return account.FULL
        try:
            return self._collect(search, share, pages, drawn)
        except Interrupted:
            raise
        except HarvestError as error:
            if not isinstance(error, ProviderError):
                error = ProviderError(error.message, error.hint)
            drawn.error = error
            if not isinstance(error, Unanswerable):
                self._parked = error
            return type(error).__name__
        except (Exception, SystemExit) as bug:  # noqa: BLE001
            # A provider may be anybody's: its bug ends its own search and no other, and is shown as a bug.
            self._parked = provider_failure(bug, search.provider, f" on {search.query.text!r}")
            return account.FAILED

    def _collect(self, search: ProviderSearch, share: int, pages: SearchSession, drawn: _SearchProgress) -> str:
        """Draw hits until there are enough; a provider is lazy: what is not drawn is not asked."""
        if share <= 0:
            return account.LIMIT_REACHED
        query = replace(search.query, limit=share)  # so that a source's pages are no larger than needed
        for hit in self._provider.search(query, pages):
            if self._desk.is_full(search.query.class_name):
                return account.TARGET_REACHED
            self._desk.put_hit(search, _check_hit(hit, search.provider))
            drawn.count += 1
            drawn.relevance.see(hit)
            if drawn.count >= share:
                return account.LIMIT_REACHED
        return account.EXHAUSTED


@dataclass(slots=True)
class _SearchProgress:
    """What a search gave, also when it ends in an error, and the error."""

    relevance: Relevance
    count: int = 0
    error: ProviderError | None = None


def _check_hit(hit: object, provider: str) -> Hit:
    """Refuse what the ledger would choke on: where a provider is wrong, its search ends and not the run."""
    if not isinstance(hit, Hit):
        raise TypeError(f"a {type(hit).__name__} is no Hit")
    texts = (hit.url, hit.source, *hit.others, hit.page or "", hit.title or "", hit.author or "")
    "".join((*texts, hit.author_url or "")).encode()  # raises for what is no text, and for half a character
    if not all(isinstance(number, int | None) for number in (hit.rank, hit.width, hit.height)):
        raise TypeError("rank, width and height are whole numbers")
    if hit.provider != provider:
        raise ValueError(f"a hit of {hit.provider!r}, not of {provider}")
    return hit


def _group_by_class(queries: Iterable[Query]) -> Iterable[Sequence[Query]]:
    classes: dict[str, list[Query]] = {}
    for query in queries:
        classes.setdefault(query.class_name, []).append(query)
    return classes.values()
