"""One provider searched for all its queries, in a thread of its own and at its own pace."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harvest.contain_unexpected_errors import provider_failure
from harvest.errors import HarvestError, Interrupted, ProviderError, Unanswerable
from harvest.harvesting.detect_unrelated_results import Relevance, ResultQuality
from harvest.harvesting.summary import (
    EXHAUSTED,
    FAILED,
    FINISHED_EARLIER,
    FULL,
    LIMIT_REACHED,
    NOT_ASKED,
    TARGET_REACHED,
)
from harvest.models import Hit, Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harvest.models import Query, Task
    from harvest.providers.base import Provider
    from harvest.web.request_search_pages import SearchSession

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderSearch:
    """One query at one provider, as the ledger knows it; `limit` is the maximum number of hits."""

    id: int
    query: Query
    provider: str
    limit: int
    finished: bool

    @property
    def class_name(self) -> str:
        """The class that the search is for."""
        return self.query.class_name

    def refusal_before_download(self, hit: Hit) -> Refusal | None:
        """Return why the filters refuse a hit, by what its source says of it."""
        filters = self.query.filters
        if not hit.licence.allows(filters.licence):
            return Refusal(Verdict.LICENCE, f"licence {hit.licence.id or 'unknown'}, not {filters.licence}")
        if hit.width and hit.height and min(hit.width, hit.height) < filters.min_size:
            return Refusal(Verdict.TOO_SMALL, f"{hit.width}x{hit.height}, as the source says")
        return None


@dataclass(frozen=True, slots=True)
class HitFound:
    """A hit that a search found in this run."""

    search: ProviderSearch
    hit: Hit


@dataclass(frozen=True, slots=True)
class TaskResumed:
    """A hit that an earlier run found and did not finish."""

    search: ProviderSearch
    task: Task


@dataclass(frozen=True, slots=True)
class SearchFinished:
    """The end of a search, behind its last hit."""

    search: ProviderSearch
    end: str
    asked: int
    error: ProviderError | None = None
    warnings: tuple[str, ...] = ()  # about the quality of its provider's results, at the provider's last search


Arrival = HitFound | TaskResumed | SearchFinished


class SearchChannel(Protocol):
    """What a searching thread needs of the run. Calls may wait, and raise `Interrupted` once the run stops."""

    stopping: threading.Event

    def begin_search(self, query: Query, provider: Provider, limit: int) -> ProviderSearch:
        """Open a search in the ledger, which knows whether it is finished."""
        ...

    def unfinished_tasks(self, search: ProviderSearch) -> Sequence[Task]:
        """Return what earlier runs found and did not finish."""
        ...

    def has_enough(self, class_name: str) -> bool:
        """Return whether a class has all the images that the run wants."""
        ...

    def put(self, item: Arrival) -> None:
        """Pass an item on; a hit waits until there is room for it."""
        ...


class Searcher(threading.Thread):
    """Searches one provider for query after query; after an error, the provider is not asked again."""

    def __init__(
        self,
        provider: Provider,
        queries: Sequence[Query],
        limit: int,
        channel: SearchChannel,
        open_session: Callable[[Provider, threading.Event], SearchSession],
    ) -> None:
        # A daemon: a page that hangs must not keep the program from exiting.
        super().__init__(name=f"search-{provider.name}", daemon=True)
        self.finished: Future[None] = Future()  # with an error where the run cannot continue
        self._provider = provider
        self._queries = queries
        self._limit = limit
        self._channel = channel
        self._open_session = open_session
        self._failure: ProviderError | None = None
        self._quality = ResultQuality(query.text for query in queries)
        self._searches_left = len(queries)

    def run(self) -> None:
        """Search for the queries class by class."""
        if not self.finished.set_running_or_notify_cancel():
            return
        try:
            with self._open_session(self._provider, self._channel.stopping) as session:
                for queries in _group_by_class(self._queries):
                    self._search_class(queries, session)
        except Interrupted:
            log.debug("%s stopped", self.name)
        except BaseException as failure:  # noqa: BLE001 - nothing is above a thread: the run must get the error
            self.finished.set_exception(failure)
            return
        self.finished.set_result(None)

    def _search_class(self, queries: Sequence[Query], session: SearchSession) -> None:
        """Share the limit: each query may use an even part of what the queries before it did not use."""
        left = self._limit
        for place, query in enumerate(queries):
            even = -(-left // (len(queries) - place))
            used = self._search(query, even if query.limit is None else query.limit, session)
            left = max(0, left - used)

    def _search(self, query: Query, share: int, session: SearchSession) -> int:
        """Search for one query, and return how many hits of the limit it used."""
        search = self._channel.begin_search(query, self._provider, share)
        progress = _SearchProgress(self._quality.begin_search(query.text))
        end = self._run_search(search, share, session, progress)
        for task in self._channel.unfinished_tasks(search):
            self._channel.put(TaskResumed(search, task))
        self._searches_left -= 1
        warnings = (*self._provider.warnings(), *(() if self._searches_left else self._describe_low_quality()))
        self._channel.put(SearchFinished(search, end, progress.count, progress.error or self._failure, warnings))
        return search.limit if search.finished else progress.count

    def _describe_low_quality(self) -> Iterator[str]:
        """Yield a warning for each query of an engine whose results have little to do with it."""
        if self._provider.by_words:
            for search in self._quality.low_searches():
                yield (
                    f"{self._provider.label} may be serving degraded results to automated clients: "
                    f"only {search} for {search.query!r} contain its main words. Check its images, or choose other "
                    "sources with -c."
                )

    def _run_search(self, search: ProviderSearch, share: int, session: SearchSession, progress: _SearchProgress) -> str:
        """Search unless there is a reason not to, and return how the search ended."""
        if search.finished:
            return FINISHED_EARLIER
        if self._failure is not None:
            return NOT_ASKED
        if self._channel.has_enough(search.class_name):
            return FULL
        try:
            return self._collect(search, share, session, progress)
        except Interrupted:
            raise
        except HarvestError as error:
            if not isinstance(error, ProviderError):
                error = ProviderError(error.message, error.hint)
            progress.error = error
            if not isinstance(error, Unanswerable):
                self._failure = error
            return type(error).__name__
        except (Exception, SystemExit) as bug:  # noqa: BLE001
            # A provider may be third-party code: its bug ends its own searches, and is reported as a bug.
            self._failure = provider_failure(bug, search.provider, f" on {search.query.text!r}")
            return FAILED

    def _collect(self, search: ProviderSearch, share: int, session: SearchSession, progress: _SearchProgress) -> str:
        """Take hits until there are enough; a provider is lazy: it requests a page when its hits are taken."""
        if share <= 0:
            return LIMIT_REACHED
        query = replace(search.query, limit=share)  # so that a source's pages are no larger than needed
        for hit in self._provider.search(query, session):
            if self._channel.has_enough(search.class_name):
                return TARGET_REACHED
            self._channel.put(HitFound(search, _check_hit(hit, search.provider)))
            progress.count += 1
            progress.relevance.see(hit)
            if progress.count >= share:
                return LIMIT_REACHED
        return EXHAUSTED


@dataclass(slots=True)
class _SearchProgress:
    """What a search found so far, also when it ends in an error, and the error."""

    relevance: Relevance
    count: int = 0
    error: ProviderError | None = None


def _check_hit(hit: object, provider: str) -> Hit:
    """Raise an error for a hit that the ledger cannot store: it ends the search of its provider, not the run."""
    if not isinstance(hit, Hit):
        raise TypeError(f"a {type(hit).__name__} is not a Hit")
    texts = (hit.url, hit.source, *hit.others, hit.page or "", hit.title or "", hit.author or "")
    "".join((*texts, hit.author_url or "")).encode()  # raises for what is not text, and for half a character
    if not all(isinstance(number, int | None) for number in (hit.rank, hit.width, hit.height)):
        raise TypeError("rank, width and height must be whole numbers")
    if hit.provider != provider:
        raise ValueError(f"a hit of {hit.provider!r}, not of {provider}")
    return hit


def _group_by_class(queries: Iterable[Query]) -> Iterable[Sequence[Query]]:
    classes: dict[str, list[Query]] = {}
    for query in queries:
        classes.setdefault(query.class_name, []).append(query)
    return classes.values()
