"""The base class of providers. A provider turns a query into hits, and reports how its search ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from harvest import photo_keys
from harvest.errors import KeyMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harvest.models import Hit, Query
    from harvest.web.request_search_pages import SearchSession

PATIENCE = 2  # pages in a row without a new hit; some engines repeat their last page forever


@dataclass(frozen=True, slots=True)
class Key:
    """The API key a provider needs: its environment variable, where to get one, and a note.

    `also` are other environment variables in common use for this key.
    """

    variable: str
    page: str
    note: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageResults:
    """The result of parsing one page: its hits, where the next page starts, and the total number of hits.

    `more` is `None` after the last page. `total` is the number the source states, if it states one.
    """

    hits: list[Hit]
    more: int | None = None
    total: int | None = None


class Provider(ABC):
    """Searches one source. Creating one makes no request, and `search` requests each page only when it is needed."""

    name: ClassVar[str]  # as written after -c: "BING"
    label: ClassVar[str]  # as written in a sentence: "Bing"
    about: ClassVar[str]  # one line for the list of providers
    key: ClassVar[Key | None] = None
    variables: ClassVar[tuple[str, ...]] = ()  # other settings it reads, for `harvest keys`
    # The fields of `Filters` it applies; a run warns about others.
    supported_filters: ClassVar[frozenset[str]] = frozenset()
    in_all: ClassVar[bool] = True  # part of `-c ALL` when it is usable
    pace: ClassVar[float] = 1.0  # seconds between two requests
    most: ClassVar[int] = 1000  # hits that one query can return
    by_words: ClassVar[bool] = False  # a web engine: its results should contain words of the query
    probe: ClassVar[str | None] = "cat"  # the query of `harvest doctor`; None: there is no service to test
    ephemeral: ClassVar[bool] = False  # its URLs are only valid during the run, so unfinished hits are searched again

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def check(self) -> None:
        """Raise `KeyMissing` or `Unavailable` when the provider is not usable here; makes no request."""
        if self.key is not None and not self._key():
            note = f"\n{self.key.note}." if self.key.note else ""
            raise KeyMissing(
                f"{self.label} needs an API key, in the variable {self.key.variable}.",
                f"Get one at {self.key.page} and run: harvest keys set {self.name.lower()}{note}\n"
                f"Or leave {self.label} out and choose others with -c.",
            )

    def is_dependable(self) -> bool:
        """Return whether the provider is part of `-c ALL` with these settings; makes no request."""
        return self.in_all

    def notes(self) -> list[str]:
        """Return what the user should know about this provider before it is searched."""
        return []

    def warnings(self) -> list[str]:
        """Return what the user should know about the results of the last search, once."""
        return []

    @abstractmethod
    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, best first. End when there are no more, or raise a `ProviderError`."""

    @property
    def secrets(self) -> frozenset[str]:
        """The values of its keys, which no message, log or record may show. `HARVEST_…` and `…_URL` are not keys."""
        of_key = (self.key.variable, *self.key.also) if self.key else ()
        names = (*of_key, *self.variables)
        secret = (name for name in names if not (name.startswith("HARVEST_") or name.endswith("_URL")))
        return frozenset(filter(None, map(self._setting, secret)))

    @property
    def trusted_hosts(self) -> frozenset[str]:
        """The "host:port" at which this provider serves images itself, exempt from the address check."""
        return frozenset()

    def close(self) -> None:  # noqa: B027 - most providers hold no resources
        """Release the resources of the provider after its last hit is processed; a second call does nothing."""

    def _key(self) -> str:
        names = (self.key.variable, *self.key.also) if self.key else ()
        return next(filter(None, map(self._setting, names)), "")

    def _setting(self, variable: str) -> str:
        return self._environ.get(variable, "").strip()


@dataclass
class NewHits:
    """Yields each photo once, ranked, with its largest rendition first.

    It stops when a source only repeats itself. `enlarge` is off where a source lists every size it has.
    """

    most: int
    enlarge: bool = True
    _seen: set[str] = field(default_factory=set)

    def filter_new(self, pages: Iterable[Iterable[Hit]], patience: int = PATIENCE) -> Iterator[Hit]:
        """Yield the hits not seen before. Stop after `patience` pages in a row without one, or at `most` hits."""
        stale = 0
        for page in pages:
            stale += 1
            for hit in page:
                if len(self._seen) >= self.most:
                    return
                if hit.source not in self._seen:
                    stale = 0
                    self._seen.add(hit.source)
                    yield replace(_with_larger_renditions(hit) if self.enlarge else hit, rank=len(self._seen))
            if stale >= patience or len(self._seen) >= self.most:
                return


def _with_larger_renditions(hit: Hit) -> Hit:
    """Put the larger renditions derived from the URL first; the stated size belongs to the smaller one."""
    first, *rest = dict.fromkeys((*photo_keys.renditions(hit.url), *hit.others))
    if first == hit.url:
        return hit
    return replace(hit, url=first, others=tuple(rest), width=None, height=None)
