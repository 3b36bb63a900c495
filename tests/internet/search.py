"""What every search service of the small Internet has: shelves by query, and moods that come and go."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.catalogue import Shelf
from tests.internet.proxy_server import FOREVER, Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.internet.catalogue import Catalogue, Listing


@dataclass(frozen=True, slots=True)
class Turn:
    """A mood and the searches it lasts for: those after the `after`th, `times` of them."""

    mood: str
    after: float = 0
    times: float = inf
    retry_after: str = "1"
    seconds: float = 1.0

    def covers(self, number: int) -> bool:
        """Tell whether the `number`th search, from 1, meets this mood."""
        return self.after < number <= self.after + self.times


# The moods any service can have. Those that need no page are answers already.
MOODS: dict[str, Callable[[Turn], Answer]] = {
    "limited": lambda turn: Answer(b"slow down", status=429, headers={"Retry-After": turn.retry_after}),
    "down": lambda _: Answer(b"<h1>Service Unavailable</h1>", status=503),
    "forbidden": lambda _: Answer(b"<h1>Forbidden</h1>", status=403),
    "hiccup": lambda _: Answer(b""),  # 200 and nothing at all; Bing does it one time in ten
    "stalled": lambda _: Answer(wait=FOREVER),
    "bloated": lambda _: Answer(repeat(b"<p>and so on, and so on</p>" * 4096)),
}


class SearchService:
    """A service that answers queries from its shelves, in its mood of the moment."""

    host: ClassVar[str]
    moods: ClassVar[dict[str, str]]  # its own, beyond the common ones, with what they mean

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.shelves: dict[str, Shelf] = {}
        self.searches = 0  # answered so far, in whatever mood
        self._turns: list[Turn] = []

    def shows(self, query: str, count: int, **kinds: Any) -> Shelf:
        """Show `count` listings for a query; `Catalogue.shelf` tells what they can be."""
        shelf = self.catalogue.shelf(query, count, address=self.address, **kinds)
        self.shelves[_key(query)] = shelf
        return shelf

    def turns(
        self, mood: str, *, after: int = 0, times: float = inf, retry_after: str = "1", seconds: float = 1.0
    ) -> None:
        """Change the mood: at once, or `after` so many more searches; for good, or for so many `times`."""
        known = {"slow", *MOODS, *self.moods}
        if mood not in known:
            raise ValueError(f"no mood {mood!r}; there are {', '.join(sorted(known))}")
        self._turns.append(Turn(mood, self.searches + after, times, retry_after, seconds))

    def calms_down(self) -> None:
        """Be in the ordinary mood again."""
        self._turns.clear()

    def answer(self, request: Request) -> Answer:
        """Answer one search, in the mood of the moment; the latest word about it counts."""
        self.searches += 1
        covering = (turn for turn in reversed(self._turns) if turn.covers(self.searches))
        turn = next(covering, Turn("ordinary"))
        if turn.mood in MOODS:
            return MOODS[turn.mood](turn)
        shelf = self.shelves.get(_key(self.query(request)), Shelf(self.query(request), ()))
        wait = turn.seconds if turn.mood == "slow" else 0.0
        return self.page(request, shelf, turn.mood, wait)

    def address(self, listing: Listing) -> str:
        """Tell where a picture of this service's listings lies; by default on the host of its behaviour."""
        return listing.url

    def query(self, request: Request) -> str:
        """Read what is searched for."""
        raise NotImplementedError

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Write the page that is asked for."""
        raise NotImplementedError


def _key(query: str) -> str:
    return " ".join(query.split()).casefold()
