"""Openverse: openly licensed pictures of many archives, without a key; each with its author and licence."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, ClassVar

from harvest.errors import KeyMissing
from harvest.licences import LicenceFilter
from harvest.models import Safe
from harvest.providers.base import NewHits, Provider
from harvest.providers.oauth import OAuthCredentials
from harvest.providers.openverse_answers import CAP, openverse_licence, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harvest.models import Hit, Query
    from harvest.providers.base import PageResults
    from harvest.web.search_session import SearchSession

    Ask = Callable[..., PageResults]
    Splits = list[list[dict[str, str]]]

__all__ = ["Openverse", "parse"]

_API = "https://api.openverse.org/v1"
_ID, _SECRET = "OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"
_ANONYMOUS, _KNOWN = 20, 48  # results a page; five of the larger are the cap
_LONGEST = 200  # characters of a query
_LOST = 24  # pages in a row without a new hit: the best of a part are known from the whole
_LICENCES = ("by", "by-sa", "cc0", "pdm", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
_SIZES = (("large", inf), ("medium", 1600 * 1200), ("small", 640 * 480))  # by their pixels at most
_LARGEST = "flickr", "wikimedia"  # of its sources; the others come in one


class Openverse(Provider):
    """Openverse: 800 million pictures under open licences; its terms forbid to copy the whole catalogue."""

    name: ClassVar = "OPENVERSE"
    label: ClassVar = "Openverse"
    about: ClassVar = "openly licensed pictures of many archives, without a key"
    variables: ClassVar = (_ID, _SECRET)
    supported_filters: ClassVar = frozenset({"licence", "min_size", "photos", "safe"})
    pace: ClassVar = 3.0  # without credentials 20 a minute, and 200 a day
    most: ClassVar = 10_000

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        keys = self._setting(_ID), self._setting(_SECRET)
        self._credentials = OAuthCredentials(self.label, f"{_API}/auth_tokens/token/", *keys)

    def check(self) -> None:
        """Raise `KeyMissing` for half a key; none is needed."""
        missing = [name for name in (_ID, _SECRET) if not self._setting(name)]
        if len(missing) == 1:
            raise KeyMissing(
                f"Openverse has half of its credentials: {missing[0]} is not set.",
                "Set both, or neither: it works without them, only slower.",
            )

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the 240 hits that fit the query best, then more of them by source, licence and size."""
        asked = _parameters(query, _KNOWN if self._credentials else _ANONYMOUS)

        def ask(**narrowed: object) -> PageResults:
            headers = self._credentials.headers(pages)
            return parse(pages.get(f"{_API}/images/", params=asked | narrowed, headers=headers))

        sieve = NewHits(self.most)
        first = ask(page=1)
        yield from sieve.filter_new(_window(ask, first))
        if (first.total or 0) > CAP:
            yield from sieve.filter_new(_parts(ask, _splits(query)), patience=_LOST)


def _parameters(query: Query, most: int) -> dict[str, object]:
    filters = query.filters
    asked: dict[str, object] = {
        "q": query.text[:_LONGEST],
        "page_size": max(1, min(query.limit or most, most)),
        "mature": str(filters.safe is Safe.OFF).lower(),
    }
    if filters.licence is not LicenceFilter.ANY:
        asked["license"] = ",".join(_licence_parameters(query))
    if len(sizes := _large_enough(query)) < len(_SIZES):
        asked["size"] = ",".join(sizes)
    if filters.photos:
        asked["category"] = "photograph"
    return asked


def _licence_parameters(query: Query) -> list[str]:
    return [terms for terms in _LICENCES if openverse_licence(terms, "4.0").allows(query.filters.licence)]


def _large_enough(query: Query) -> list[str]:
    """Name the sizes a picture may be of whose shorter side is long enough."""
    return [size for size, pixels in _SIZES if pixels >= query.filters.min_size**2]


def _splits(query: Query) -> Splits:
    """Return the ways to narrow a search, one after the other, each into parts that make up the whole."""
    return [
        [*({"source": name} for name in _LARGEST), {"excluded_source": ",".join(_LARGEST)}],
        [{"license": terms} for terms in _licence_parameters(query)],
        [{"size": size} for size in _large_enough(query)],
    ]


def _window(ask: Ask, found: PageResults, **narrowed: str) -> Iterator[list[Hit]]:
    yield found.hits
    while found.more is not None:
        found = ask(page=found.more, **narrowed)
        yield found.hits


def _parts(ask: Ask, splits: Splits, **narrowed: str) -> Iterator[list[Hit]]:
    """Read a search part by part; a part that is still more than the cap likewise, in the next way."""
    for part in splits[0]:
        found = ask(page=1, **narrowed, **part)
        if (found.total or 0) > CAP and splits[1:]:
            yield found.hits
            yield from _parts(ask, splits[1:], **narrowed, **part)
        else:
            yield from _window(ask, found, **narrowed, **part)
