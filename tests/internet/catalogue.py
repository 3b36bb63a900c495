"""Result lists of listings, and what a correct program keeps of them.

A listing is one image at one URL on one page. It depends only on the order in which a test adds its result lists,
so that two test Internets with the same results are identical, byte for byte.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING

from harvest.verdicts import Verdict
from tests.internet.all_behaviours import BEHAVIOURS
from tests.internet.drawing import SMALL, Photo, prepare
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.internet.network_conditions import NetworkConditions
    from tests.internet.proxy_server import Request

# How changed copies differ from their originals; every rule for duplicates must recognise them.
TWINS = ("smaller", "rough", "webp", "larger")


@dataclass(frozen=True, slots=True)
class Listing:
    """One image at one URL: what a search engine knows of it, and the behaviour of its host."""

    id: int
    url: str
    page: str
    title: str
    photo: Photo
    behaviour: str = "good"
    change: str = ""  # how the photo was changed; "" is unchanged
    licence: int = 0  # Flickr's number

    @property
    def verdict(self) -> Verdict:
        """The verdict of the listing on its own."""
        return BEHAVIOURS[self.behaviour].verdict

    def answer(self, request: Request) -> Answer:
        """Return the answer of its host."""
        if not self.change:
            return BEHAVIOURS[self.behaviour].answer(request, self.photo)
        return Answer(self.body, kind="image/webp" if self.change == "webp" else "image/jpeg")

    @property
    def body(self) -> bytes:
        """The bytes a good host serves for it."""
        return self.photo.changed(self.change) if self.change else self.photo.body


@dataclass(frozen=True, slots=True)
class ResultList:
    """The results of a source for one query, in order."""

    query: str
    listings: tuple[Listing, ...]

    def __len__(self) -> int:
        return len(self.listings)

    def __iter__(self) -> Iterator[Listing]:
        return iter(self.listings)

    def __getitem__(self, rank: int) -> Listing:
        return self.listings[rank]

    @property
    def urls(self) -> list[str]:
        """The URLs in order."""
        return [listing.url for listing in self.listings]

    def of(self, *behaviours: str) -> list[Listing]:
        """Return the listings with these behaviours."""
        return [listing for listing in self.listings if listing.behaviour in behaviours]

    @property
    def duplicates(self) -> list[Listing]:
        """The listings whose photo appears more than once in this result list."""
        times = Counter(listing.photo for listing in self.listings)
        return [listing for listing in self.listings if times[listing.photo] > 1]


class Catalogue:
    """All listings, by URL and by number."""

    def __init__(self) -> None:
        self._all: list[Listing] = []
        self._by_url: dict[str, Listing] = {}

    def __len__(self) -> int:
        return len(self._all)

    def numbered(self, number: int) -> Listing | None:
        """Return a listing by its number."""
        return self._all[number - 1] if 0 < number <= len(self._all) else None

    def at(self, url: str) -> Listing | None:
        """Return the listing at a URL, without regard to its query."""
        return self._by_url.get(url.partition("?")[0])

    def add_results(
        self,
        query: str,
        count: int,
        *,
        size: tuple[int, int] = SMALL,
        hosts: int = 10,
        scheme: str = "https",
        title: str = "",
        licence: int = 4,
        changed: int = 0,
        copy: int = 0,
        also: Sequence[Listing] = (),
        address: Callable[[Listing], str] | None = None,
        **behaviours: int,
    ) -> ResultList:
        """Create a result list of `count` listings: the given number of each kind, and good ones for the rest.

        `changed` listings are changed copies of a good photo, `copy` ones its exact bytes on another host, and those
        of a behaviour by its name (`dead=3`) do what their host does. The order of the kinds is drawn from the
        query. `also` appends listings of other result lists, at their own URLs; `title` may contain `{n}`, the
        number of the listing.
        """
        draw = Random(f"{query} {len(self)}")
        kinds = _kinds(count, {**behaviours, "changed": changed, "copy": copy})
        draw.shuffle(kinds)
        prepare(size)
        first = len(self) + 1
        good = [Photo(first + i, size) for i, kind in enumerate(kinds) if kind == "good"]
        seconds, changes = cycle(draw.sample(good, len(good))), cycle(TWINS)
        listings = []
        for number, kind in enumerate(kinds, start=first):
            photo = next(seconds) if kind in {"changed", "copy"} else Photo(number, size)
            listing = Listing(
                id=number,
                url=_address(query, number, kind, hosts, scheme),
                page=f"https://pages{number % 7}.stories.test/{_slug(query)}/{number}",
                title=title.replace("{n}", str(number)) or f"{query} {number}",
                photo=photo,
                behaviour=kind if kind in BEHAVIOURS else "good",
                change=next(changes) if kind == "changed" else "",
                licence=licence,
            )
            listings.append(self._add(listing, address))
        return ResultList(query, (*listings, *also))

    def _add(self, listing: Listing, address: Callable[[Listing], str] | None) -> Listing:
        if address:
            listing = replace(listing, url=address(listing))
        self._all.append(listing)
        self._by_url[listing.url] = listing
        return listing


def expected(*result_lists: ResultList, conditions: NetworkConditions | None = None) -> Counter[str]:
    """Count the results of a run over these result lists, in this order, by the columns of the summary.

    The result lists fill one class, or classes that share nothing. Timing may decide which of two copies is the
    duplicate; it does not change the numbers.
    """
    columns: Counter[str] = Counter()
    urls: set[str] = set()
    photos: set[Photo] = set()
    for listing in (listing for result_list in result_lists for listing in result_list):
        verdict = listing.verdict
        if conditions and conditions.is_dead(listing.url):
            verdict = Verdict.GONE
        if listing.url in urls:
            verdict = Verdict.HAD
        elif verdict is Verdict.KEPT and listing.photo in photos:
            verdict = Verdict.DUPLICATE
        elif verdict is Verdict.KEPT:
            photos.add(listing.photo)
        urls.add(listing.url)
        columns[verdict.column] += 1
    return columns


def _kinds(count: int, special: dict[str, int]) -> list[str]:
    """List the kind of each of `count` listings: the given ones, and good ones for the rest."""
    unknown = special.keys() - BEHAVIOURS.keys() - {"changed", "copy"}
    if unknown:
        raise ValueError(f"no kind {', '.join(unknown)}; there are {', '.join(sorted(BEHAVIOURS))}, changed and copy")
    good = count - sum(special.values())
    if good < 0 or (special["changed"] + special["copy"] and not good):
        raise ValueError(f"{count} listings cannot be {special}")
    return ["good"] * good + [kind for kind, times in special.items() for _ in range(times)]


def _address(query: str, number: int, kind: str, hosts: int, scheme: str) -> str:
    scheme = "http" if kind == "plain" else scheme
    host = f"img{number % hosts}" if kind in {"good", "changed", "copy"} else kind
    return f"{scheme}://{host}.pictures.test/{_slug(query)}/{number}.jpg"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
