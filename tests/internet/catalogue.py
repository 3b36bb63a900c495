"""What there is to find: shelves of listings, and what a sound program keeps of them.

A listing is one picture at one address on one page. Everything about it follows from the order in which a
test fills its shelves, so that two small Internets filled alike are alike, byte for byte.
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

# How twins differ from their originals: changes that every rule for twins must see through.
TWINS = ("smaller", "rough", "webp", "larger")


@dataclass(frozen=True, slots=True)
class Listing:
    """One picture at one address: what a search engine knows, and what the picture's host will do."""

    id: int
    url: str
    page: str
    title: str
    photo: Photo
    behaviour: str = "good"
    change: str = ""  # how the photo was passed on; "" is as taken
    licence: int = 0  # Flickr's number

    @property
    def verdict(self) -> Verdict:
        """What should become of it, were it alone in the world."""
        return BEHAVIOURS[self.behaviour].verdict

    def answer(self, request: Request) -> Answer:
        """Do what its host does."""
        if not self.change:
            return BEHAVIOURS[self.behaviour].answer(request, self.photo)
        return Answer(self.body, kind="image/webp" if self.change == "webp" else "image/jpeg")

    @property
    def body(self) -> bytes:
        """The bytes a good host serves for it."""
        return self.photo.changed(self.change) if self.change else self.photo.body


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a source shows for one query, in its order."""

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
        """The addresses in order."""
        return [listing.url for listing in self.listings]

    def of(self, *behaviours: str) -> list[Listing]:
        """Give the listings of these behaviours."""
        return [listing for listing in self.listings if listing.behaviour in behaviours]

    @property
    def twins(self) -> list[Listing]:
        """The listings whose photo another listing of this shelf shows as well."""
        times = Counter(listing.photo for listing in self.listings)
        return [listing for listing in self.listings if times[listing.photo] > 1]


class Catalogue:
    """All listings by address, and the numbers they are made from."""

    def __init__(self) -> None:
        self._all: list[Listing] = []
        self._by_url: dict[str, Listing] = {}

    def __len__(self) -> int:
        return len(self._all)

    def numbered(self, number: int) -> Listing | None:
        """Give a listing by its number."""
        return self._all[number - 1] if 0 < number <= len(self._all) else None

    def at(self, url: str) -> Listing | None:
        """Give what is at an address, whatever its query says."""
        return self._by_url.get(url.partition("?")[0])

    def shelf(
        self,
        query: str,
        count: int,
        *,
        size: tuple[int, int] = SMALL,
        hosts: int = 10,
        scheme: str = "https",
        title: str = "",
        licence: int = 4,
        twin: int = 0,
        copy: int = 0,
        also: Sequence[Listing] = (),
        address: Callable[[Listing], str] | None = None,
        **behaviours: int,
    ) -> Shelf:
        """Make a shelf of `count` listings, as many of each kind as said, the rest good ones.

        `twin` listings show a good one's photo changed as the web changes pictures, `copy` ones its very
        bytes from another host, and those of a behaviour by its name (`dead=3`) what its host does. Kinds are
        dealt out in an order drawn from the query. `also` appends listings of other shelves, at their own
        addresses; `title` may hold `{n}`, the listing's number.
        """
        draw = Random(f"{query} {len(self)}")
        kinds = _kinds(count, {**behaviours, "twin": twin, "copy": copy})
        draw.shuffle(kinds)
        prepare(size)
        first = len(self) + 1
        good = [Photo(first + i, size) for i, kind in enumerate(kinds) if kind == "good"]
        seconds, changes = cycle(draw.sample(good, len(good))), cycle(TWINS)
        listings = []
        for number, kind in enumerate(kinds, start=first):
            photo = next(seconds) if kind in {"twin", "copy"} else Photo(number, size)
            listing = Listing(
                id=number,
                url=_address(query, number, kind, hosts, scheme),
                page=f"https://pages{number % 7}.stories.test/{_slug(query)}/{number}",
                title=title.replace("{n}", str(number)) or f"{query} {number}",
                photo=photo,
                behaviour=kind if kind in BEHAVIOURS else "good",
                change=next(changes) if kind == "twin" else "",
                licence=licence,
            )
            listings.append(self._add(listing, address))
        return Shelf(query, (*listings, *also))

    def _add(self, listing: Listing, address: Callable[[Listing], str] | None) -> Listing:
        if address:
            listing = replace(listing, url=address(listing))
        self._all.append(listing)
        self._by_url[listing.url] = listing
        return listing


def expected(*shelves: Shelf, conditions: NetworkConditions | None = None) -> Counter[str]:
    """Count, by the summary's columns, what a run over these shelves in this order comes to.

    The shelves fill one class, or classes that share nothing. Timing may swap who of two twins is the second;
    it does not change the numbers.
    """
    columns: Counter[str] = Counter()
    urls: set[str] = set()
    photos: set[Photo] = set()
    for listing in (listing for shelf in shelves for listing in shelf):
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
    """List what each of `count` listings is to be: what is said, and good ones for the rest."""
    unknown = special.keys() - BEHAVIOURS.keys() - {"twin", "copy"}
    if unknown:
        raise ValueError(f"no kind {', '.join(unknown)}; there are {', '.join(sorted(BEHAVIOURS))}, twin and copy")
    good = count - sum(special.values())
    if good < 0 or (special["twin"] + special["copy"] and not good):
        raise ValueError(f"{count} listings cannot be {special}")
    return ["good"] * good + [kind for kind, times in special.items() for _ in range(times)]


def _address(query: str, number: int, kind: str, hosts: int, scheme: str) -> str:
    scheme = "http" if kind == "plain" else scheme
    host = f"img{number % hosts}" if kind in {"good", "twin", "copy"} else kind
    return f"{scheme}://{host}.pictures.test/{_slug(query)}/{number}.jpg"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
