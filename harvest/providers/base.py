"""What a provider is: something that turns a query into hits, and says honestly how its search ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from harvest import source_keys
from harvest.errors import KeyMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harvest.models import Hit, Query
    from harvest.web.search_session import SearchSession

PATIENCE = 2  # pages in a row without a new hit; engines repeat their last page for ever


@dataclass(frozen=True, slots=True)
class Key:
    """The key a provider needs: the variable that holds it, where to get one, and what to know of it.

    `also` are other variables that people keep this key in.
    """

    variable: str
    page: str
    note: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageResults:
    """One page as its parser read it: the hits, where the next page starts, and how many hits there are.

    `more` is `None` after the last page. `total` is what the source says, where it says anything.
    """

    hits: list[Hit]
    more: int | None = None
    total: int | None = None


class Provider(ABC):
    """Searches one source; making one asks nothing, and `search` asks no page before it is needed."""

    name: ClassVar[str]  # as written after -c: "BING"
    label: ClassVar[str]  # as written in a sentence: "Bing"
    about: ClassVar[str]  # one line for the list of providers
    key: ClassVar[Key | None] = None
    variables: ClassVar[tuple[str, ...]] = ()  # other secrets it reads, for `harvest keys`
    supported_filters: ClassVar[frozenset[str]] = (
        frozenset()
    )  # the fields of `Filters` it maps; a run warns about others
    in_all: ClassVar[bool] = True  # part of `-c ALL` when it can be used
    pace: ClassVar[float] = 1.0  # seconds between two pages
    most: ClassVar[int] = 1000  # hits a query can give at all
    by_words: ClassVar[bool] = False  # a web engine: its results should share a word with the query
    probe: ClassVar[str | None] = "cat"  # what `harvest doctor` asks for; None: there is nobody to ask
    ephemeral: ClassVar[bool] = False  # its addresses die with the run: what is left over is searched anew

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def check(self) -> None:
        """Raise `KeyMissing` or `Unavailable` when the provider cannot work here; asks nothing."""
        if self.key is not None and not self._key():
            note = f"\n{self.key.note}." if self.key.note else ""
            raise KeyMissing(
                f"{self.label} needs an API key, in the variable {self.key.variable}.",
                f"Get one at {self.key.page} and run: harvest keys set {self.name.lower()}{note}\n"
                f"Or leave {self.label} out and choose others with -c.",
            )

    def is_dependable(self) -> bool:
        """Tell whether, with these settings, the provider may be part of `-c ALL`; asks nothing."""
        return self.in_all

    def notes(self) -> list[str]:
        """Say what a person should know of how the provider works here, before it is asked."""
        return []

    @abstractmethod
    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, best first; end when there are no more, else raise a `ProviderError`."""

    @property
    def secrets(self) -> frozenset[str]:
        """The keys it has here, which no message, log, file or record may show; `HARVEST_…` are no keys."""
        of_key = (self.key.variable, *self.key.also) if self.key else ()
        names = (name for name in (*of_key, *self.variables) if not name.startswith("HARVEST_"))
        return frozenset(filter(None, map(self._setting, names)))

    @property
    def trusted_hosts(self) -> frozenset[str]:
        """The "host:port" this provider serves pictures at itself, exempt from the rule on addresses."""
        return frozenset()

    def close(self) -> None:  # noqa: B027 - most providers hold nothing
        """Let go of what the provider holds, after its last hit is settled; a second call does nothing."""

    def _key(self) -> str:
        names = (self.key.variable, *self.key.also) if self.key else ()
        return next(filter(None, map(self._setting, names)), "")

    def _setting(self, variable: str) -> str:
        return self._environ.get(variable, "").strip()


@dataclass
class NewHits:
    """Lets each photograph through once, numbered, and by its largest rendition first.

    It notices when a source only repeats itself. `enlarge` is off where a source names every size it has.
    """

    most: int
    enlarge: bool = True
    _seen: set[str] = field(default_factory=set)

    def filter_new(self, pages: Iterable[Iterable[Hit]], patience: int = PATIENCE) -> Iterator[Hit]:
        """Yield the hits not seen before; stop after `patience` pages in a row without one, or at `most`."""
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
    """Put the larger renditions that the address tells of before it; the size told was the smaller one's."""
    first, *rest = dict.fromkeys((*source_keys.renditions(hit.url), *hit.others))
    if first == hit.url:
        return hit
    return replace(hit, url=first, others=tuple(rest), width=None, height=None)
