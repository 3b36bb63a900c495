"""Google's Custom Search JSON API: a hundred results a query, a hundred queries a day for nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import sources
from harvest.errors import (
    Blocked,
    KeyMissing,
    KeyRefused,
    PageChanged,
    ProviderError,
    RateLimited,
    Unavailable,
)
from harvest.models import Hit, Licence, LicenceFilter, Safe
from harvest.providers import values
from harvest.providers.base import Found, Provider, Sieve
from harvest.providers.google import narrow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.pages import Page, Pages

_ADDRESS = "https://www.googleapis.com/customsearch/v1"
_COUNT = 10  # results a page, ten pages
_CAP = 100
_CONSOLE = "https://programmablesearchengine.google.com/controlpanel/all"
_END = "Google ends Custom Search on 2027-01-01"
_OPEN = "cc_publicdomain|cc_attribute|cc_sharealike"
_RIGHTS = {
    LicenceFilter.OPEN: f"({_OPEN}).-(cc_noncommercial|cc_nonderived)",
    LicenceFilter.COMMERCIAL: f"({_OPEN}|cc_nonderived).-(cc_noncommercial)",
    LicenceFilter.PUBLIC_DOMAIN: "cc_publicdomain",
}
_KINDS = {"transparent": "trans", "bw": "mono"}
_DAY = 86_400
_EXHAUSTED = ("limit", "quota", "exceeded")


class CustomSearch(Provider):
    """Google's own answer to a key; what it claims of licences is its pages' word."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "Custom Search"
    variables: ClassVar = ("GOOGLE_API_KEY", "GOOGLE_CSE_ID")
    knows: ClassVar = narrow.KNOWS - {"min_size", "until"} | {"licence"}
    most: ClassVar = _CAP

    def check(self) -> None:
        """Raise `KeyMissing` when there is a key and no search engine, or the other way round."""
        missing = [name for name in self.variables if not self._setting(name)]
        if missing:
            raise KeyMissing(
                f"Google Custom Search needs {' and '.join(missing)} too.",
                f"Both are found at {_CONSOLE}; keep them with: harvest keys set {missing[0]}\n{_END}.",
            )

    def notes(self) -> list[str]:
        """Say when it ends."""
        return [f"{_END}; saved pages (--google-pages) and SerpApi go on."]

    def search(self, query: Query, pages: Pages) -> Iterator[Hit]:
        """Yield the hits of a query, ten a page."""
        self.check()
        return Sieve(self.most).fresh(self._walk(query, pages))

    def _walk(self, query: Query, pages: Pages) -> Iterator[list[Hit]]:
        claim = Licence.claimed(query.filters.licence)
        key = self._setting("GOOGLE_API_KEY")
        asked = {**_arguments(query), "cx": self._setting("GOOGLE_CSE_ID"), "key": key}
        start: int | None = 1
        while start is not None:
            page = pages.get(_ADDRESS, params={**asked, "start": start}).without(key)
            found = parse(page)
            yield [replace(hit, licence=claim) for hit in found.hits]
            start = found.more


def _arguments(query: Query) -> dict[str, object]:
    filters = query.filters
    colour = narrow.colour(filters)
    asked = {
        "q": query.text,
        "searchType": "image",
        "num": max(1, min(query.limit or _COUNT, _COUNT)),
        "safe": "off" if filters.safe is Safe.OFF else "active",
        "rights": _RIGHTS.get(filters.licence),
        "imgType": "photo" if filters.photos else None,
        "imgColorType": _KINDS.get(colour or ""),
        "imgDominantColor": colour if colour in narrow.COLOURS else None,
        "dateRestrict": f"d{_days_since(filters.since)}" if filters.since else None,
        "hl": filters.language,
        "gl": filters.region and filters.region.lower(),
        "siteSearch": filters.site,
        "siteSearchFilter": "i" if filters.site else None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _days_since(day: str) -> int:
    return max(1, int(time.time() - values.moment(day)) // _DAY + 1)


def parse(page: Page) -> Found:
    """Read an answer; raise what it says when it is no list of results."""
    answer: Any = page.json() if page.text.lstrip().startswith("{") or page.status == HTTPStatus.OK else {}
    if page.status != HTTPStatus.OK or "error" in answer:
        raise _failure(page, answer.get("error") if isinstance(answer, dict) else None)
    if not isinstance(answer, dict) or answer.get("kind") != "customsearch#search":
        raise _changed(page)
    queries = answer.get("queries")
    queries = queries if isinstance(queries, dict) else {}
    items = answer.get("items")
    if items is None and _says_none(answer, queries):
        return Found([])
    hits = [hit for hit in map(_hit, items) if hit] if isinstance(items, list) else []
    if not hits:
        raise _changed(page)
    following = values.number(_first(queries.get("nextPage")).get("startIndex"))
    return Found(hits, following if following and following <= _CAP else None)


def _says_none(answer: dict[str, Any], queries: dict[str, Any]) -> bool:
    """Tell whether an answer without results means it: it counts none, or is a page after the first."""
    information = answer.get("searchInformation")
    total = information.get("totalResults") if isinstance(information, dict) else None
    return str(total) == "0" or (values.number(_first(queries.get("request")).get("startIndex")) or 1) > 1


def _first(listed: object) -> dict[str, object]:
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}


def _hit(item: object) -> Hit | None:
    if not isinstance(item, dict) or (url := values.address(item.get("link"))) is None:
        return None
    image = item.get("image")
    about = image if isinstance(image, dict) else {}
    return Hit(
        url=url,
        provider="GOOGLE",
        source=sources.key(url),
        page=values.address(about.get("contextLink")),
        title=values.text(item.get("title")),
        width=values.number(about.get("width")),
        height=values.number(about.get("height")),
    )


def _failure(page: Page, error: object) -> ProviderError:
    """Return what an error means; it tells bad keys, empty accounts and odd queries apart by words only."""
    if not isinstance(error, dict):
        return Blocked(
            f"Google answers {page.status} instead of results.", "We asked no further; try again later."
        )
    reasons = " ".join(str(_first(error.get("errors")).get(name)) for name in ("reason", "domain"))
    said = values.text(error.get("message")) or reasons
    if any(word in f"{reasons} {said}".lower() for word in _EXHAUSTED):
        return RateLimited(
            f"Google Custom Search has had too many queries with this key: {said}",
            "A hundred a day are free. What was found is kept; the same line goes on tomorrow.",
        )
    if page.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or "key" in said.lower():
        return KeyRefused(
            f"Google Custom Search does not accept the key: {said}",
            f"Compare GOOGLE_API_KEY and GOOGLE_CSE_ID with {_CONSOLE}\n{_END}, and takes no new customers.",
        )
    return Unavailable(
        f"Google Custom Search refuses this search: {said}", "Compare GOOGLE_CSE_ID, or change the query."
    )


def _changed(page: Page) -> PageChanged:
    return PageChanged(
        "Google Custom Search sent an answer with neither results nor a sign that there are none.",
        "Its answers may be new. `harvest doctor` tells whether it is you or everyone.",
        page.text,
    )
