"""The base of all search services of the test Internet: result lists by query, and modes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.catalogue import ResultList
from tests.internet.proxy_server import FOREVER, Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.internet.catalogue import Catalogue, Listing


@dataclass(frozen=True, slots=True)
class ModeChange:
    """A mode and the searches it applies to: `times` searches after the first `after`."""

    mode: str
    after: float = 0
    times: float = inf
    retry_after: str = "1"
    seconds: float = 1.0

    def covers(self, number: int) -> bool:
        """Return whether this mode applies to search `number`, from 1."""
        return self.after < number <= self.after + self.times


# Modes of every service, with answers that need no page.
MODES: dict[str, Callable[[ModeChange], Answer]] = {
    "limited": lambda change: Answer(b"slow down", status=429, headers={"Retry-After": change.retry_after}),
    "down": lambda _: Answer(b"<h1>Service Unavailable</h1>", status=503),
    "forbidden": lambda _: Answer(b"<h1>Forbidden</h1>", status=403),
    "hiccup": lambda _: Answer(b""),  # 200 without a body; Bing does it one time in ten
    "stalled": lambda _: Answer(wait=FOREVER),
    "bloated": lambda _: Answer(repeat(b"<p>and so on, and so on</p>" * 4096)),
}


class SearchService:
    """A service that answers queries from its result lists, in its current mode."""

    host: ClassVar[str]
    modes: ClassVar[dict[str, str]]  # its own modes besides the common ones, with their meaning

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.result_lists: dict[str, ResultList] = {}
        self.searches = 0  # answered so far, in any mode
        self._mode_changes: list[ModeChange] = []

    def add_results(self, query: str, count: int, **kinds: Any) -> ResultList:
        """Add `count` listings for a query; see `Catalogue.add_results` for their kinds."""
        result_list = self.catalogue.add_results(query, count, address=self.address, **kinds)
        self.result_lists[_key(query)] = result_list
        return result_list

    def set_mode(
        self, mode: str, *, after: int = 0, times: float = inf, retry_after: str = "1", seconds: float = 1.0
    ) -> None:
        """Set the mode now or `after` that many more searches, permanently or for `times` searches."""
        known = {"slow", *MODES, *self.modes}
        if mode not in known:
            raise ValueError(f"no mode {mode!r}; there are {', '.join(sorted(known))}")
        self._mode_changes.append(ModeChange(mode, self.searches + after, times, retry_after, seconds))

    def reset_mode(self) -> None:
        """Return to the ordinary mode."""
        self._mode_changes.clear()

    def answer(self, request: Request) -> Answer:
        """Answer one search in the current mode; the mode set last counts."""
        self.searches += 1
        covering = (change for change in reversed(self._mode_changes) if change.covers(self.searches))
        change = next(covering, ModeChange("ordinary"))
        if change.mode in MODES:
            return MODES[change.mode](change)
        result_list = self.result_lists.get(_key(self.query(request)), ResultList(self.query(request), ()))
        wait = change.seconds if change.mode == "slow" else 0.0
        return self.page(request, result_list, change.mode, wait)

    def address(self, listing: Listing) -> str:
        """Return the URL of a listing of this service; by default on the host of its behaviour."""
        return listing.url

    def query(self, request: Request) -> str:
        """Read the search text."""
        raise NotImplementedError

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Write the requested page."""
        raise NotImplementedError


def _key(query: str) -> str:
    return " ".join(query.split()).casefold()
