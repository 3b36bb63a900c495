"""Openverse: openly licensed images of many archives, without a key; each with its author and licence."""

from __future__ import annotations

from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import photo_keys
from harvest.errors import KeyMissing, KeyRefused
from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit, Safe
from harvest.providers import answer_values, json_response, licence_parsing
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.providers.oauth import OAuthCredentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

    Ask = Callable[..., PageResults]
    Splits = list[list[dict[str, str]]]

_CAP = 240  # results of one search, with or without credentials; `result_count` never states more
_API = "https://api.openverse.org/v1"
_ID, _SECRET = "OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"
_ANONYMOUS, _KNOWN = 20, 48  # results per page; five of the larger pages reach the cap
_LONGEST = 200  # characters of a query
_LOST = 24  # pages in a row without a new hit: the best hits of a part are known from the whole
_LICENCES = ("by", "by-sa", "cc0", "pdm", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
_SIZES = (("large", inf), ("medium", 1600 * 1200), ("small", 640 * 480))  # with their maximum of pixels
_LARGEST = "flickr", "wikimedia"  # of its sources; the others are searched together


class Openverse(Provider):
    """Openverse: 800 million images under open licences; its terms forbid copying the whole catalogue."""

    name: ClassVar = "OPENVERSE"
    label: ClassVar = "Openverse"
    about: ClassVar = "openly licensed images of many archives, without a key"
    variables: ClassVar = (_ID, _SECRET)
    supported_filters: ClassVar = frozenset({"licence", "min_size", "photos", "safe"})
    pace: ClassVar = 3.0  # without credentials 20 requests a minute, and 200 a day
    most: ClassVar = 10_000

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        keys = self._setting(_ID), self._setting(_SECRET)
        self._credentials = OAuthCredentials(self.label, f"{_API}/auth_tokens/token/", *keys)

    def check(self) -> None:
        """Raise `KeyMissing` if only one of the two credentials is set; neither is needed."""
        missing = [name for name in (_ID, _SECRET) if not self._setting(name)]
        if len(missing) == 1:
            raise KeyMissing(
                f"Openverse needs both of its credentials: {missing[0]} is not set.",
                "Set both or neither: Openverse also works without them, but slower.",
            )

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the 240 most relevant hits, then more by source, licence and size."""
        params = _parameters(query, _KNOWN if self._credentials else _ANONYMOUS)

        def ask(**narrowed: object) -> PageResults:
            headers = self._credentials.headers(pages)
            return parse(pages.get(f"{_API}/images/", params=params | narrowed, headers=headers))

        new_hits = NewHits(self.most)
        first = ask(page=1)
        yield from new_hits.filter_new(_window(ask, first))
        if (first.total or 0) >= _CAP:
            yield from new_hits.filter_new(_parts(ask, _splits(query)), patience=_LOST)


def _parameters(query: Query, most: int) -> dict[str, object]:
    filters = query.filters
    params: dict[str, object] = {
        "q": query.text[:_LONGEST],
        "page_size": max(1, min(query.limit or most, most)),
        "mature": str(filters.safe is Safe.OFF).lower(),
    }
    if filters.licence is not LicenceFilter.ANY:
        params["license"] = ",".join(_licence_parameters(query))
    if len(sizes := _large_enough(query)) < len(_SIZES):
        params["size"] = ",".join(sizes)
    if filters.photos:
        params["category"] = "photograph"
    return params


def _licence_parameters(query: Query) -> list[str]:
    return [terms for terms in _LICENCES if _parse_licence(terms, "4.0").allows(query.filters.licence)]


def _large_enough(query: Query) -> list[str]:
    """Return the size classes that may contain images whose shorter side is long enough."""
    return [size for size, pixels in _SIZES if pixels >= query.filters.min_size**2]


def _splits(query: Query) -> Splits:
    """Return the ways to split a search, in order; the parts of each add up to the whole."""
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
    """Read a search part by part; split a part that still reaches the cap in the next way."""
    for part in splits[0]:
        found = ask(page=1, **narrowed, **part)
        if (found.total or 0) >= _CAP and splits[1:]:
            yield found.hits
            yield from _parts(ask, splits[1:], **narrowed, **part)
        else:
            yield from _window(ask, found, **narrowed, **part)


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it is not one."""
    number = answer_values.parse_number(answer_values.url_parameter(page.url, "page")) or 1
    if page.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} and number > 1:
        return PageResults([])  # past the end
    if page.status == HTTPStatus.UNAUTHORIZED:
        raise KeyRefused(
            f"Openverse refuses the credentials (401): {json_response.read_reason(page) or 'no reason given'}",
            "Check OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET. Openverse also works without them.",
        )
    answer = json_response.read_object(page, Openverse.label)
    listed = json_response.read_list(page, Openverse.label, answer)
    hits = [hit for hit in map(_hit, listed) if hit]
    if listed and not hits:
        raise json_response.page_changed(page, Openverse.label, "results that cannot be read")
    size, last = (answer_values.parse_number(answer.get(name)) or 0 for name in ("page_size", "page_count"))
    more = number + 1 if number < last and number * size < _CAP else None
    return PageResults(hits, more, answer_values.parse_number(answer.get("result_count")))


def _hit(result: dict[str, Any]) -> Hit | None:
    url = answer_values.parse_url(result.get("url"))
    if url is None:
        return None
    thumbnail = answer_values.parse_url(result.get("thumbnail"))
    stated = licence_parsing.parse_licence(str(result.get("license_url")))  # it names the country of a ported one
    return Hit(
        url=url,
        provider=Openverse.name,
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("foreign_landing_url")),
        title=answer_values.parse_text(result.get("title"), html=True),
        width=answer_values.parse_number(result.get("width")),
        height=answer_values.parse_number(result.get("height")),
        author=answer_values.parse_text(result.get("creator"), html=True),
        author_url=answer_values.parse_url(result.get("creator_url")),
        licence=stated if stated.id else _parse_licence(result.get("license"), result.get("license_version")),
        others=(thumbnail,) if thumbnail and thumbnail != url else (),
    )


def _parse_licence(terms: object, version: object) -> Licence:
    """Return the licence for Openverse's own names of its terms and version."""
    marks = {"cc0": licence_parsing.CC0, "pdm": licence_parsing.PUBLIC_DOMAIN_MARK}
    return marks.get(str(terms)) or licence_parsing.parse_licence(f"cc-{terms}-{version}")
