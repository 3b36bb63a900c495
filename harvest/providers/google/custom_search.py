"""Google's Custom Search JSON API: a hundred results per query, a hundred free queries a day."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import photo_keys
from harvest.errors import Blocked, KeyMissing, KeyRefused, ProviderError, RateLimited, Unanswerable
from harvest.licences import Licence, LicenceFilter
from harvest.models import Hit, Safe
from harvest.providers import answer_values
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.providers.google import google_filters
from harvest.providers.json_response import page_changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_ADDRESS = "https://www.googleapis.com/customsearch/v1"
_NAME = "Google Custom Search"
_COUNT = 10  # results per page; there are ten pages
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
    """Google's API with a key; its licence filter is a claim of the web pages."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "Custom Search"
    variables: ClassVar = ("GOOGLE_API_KEY", "GOOGLE_CSE_ID")
    supported_filters: ClassVar = google_filters.SUPPORTED_FILTERS - {"min_size", "until"} | {"licence"}
    most: ClassVar = _CAP

    def check(self) -> None:
        """Raise `KeyMissing` when only one of the key and the search engine id is set."""
        missing = [name for name in self.variables if not self._setting(name)]
        if missing:
            raise KeyMissing(
                f"{_NAME} also needs {' and '.join(missing)}.",
                f"Get both at {_CONSOLE} and run: harvest keys set {missing[0]}\n{_END}.",
            )

    def notes(self) -> list[str]:
        """Return when the service ends."""
        return [f"{_END}. Saved pages (--google-pages), SerpApi and Serper continue to work."]

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, ten per page."""
        self.check()
        return NewHits(self.most).filter_new(self._walk(query, pages))

    def _walk(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        claim = Licence.from_filter(query.filters.licence)
        key = self._setting("GOOGLE_API_KEY")
        params = {**_arguments(query), "cx": self._setting("GOOGLE_CSE_ID"), "key": key}
        start: int | None = 1
        while start is not None:
            page = pages.get(_ADDRESS, params={**params, "start": start})
            found = parse(page)
            yield [replace(hit, licence=claim) for hit in found.hits]
            start = found.more


def _arguments(query: Query) -> dict[str, object]:
    filters = query.filters
    colour = google_filters.google_colour(filters)
    params = {
        "q": query.text,
        "searchType": "image",
        "num": max(1, min(query.limit or _COUNT, _COUNT)),
        "safe": "off" if filters.safe is Safe.OFF else "active",
        "rights": _RIGHTS.get(filters.licence),
        "imgType": "photo" if filters.photos else None,
        "imgColorType": _KINDS.get(colour or ""),
        "imgDominantColor": colour if colour in google_filters.COLOURS else None,
        "dateRestrict": f"d{_days_since(filters.since)}" if filters.since else None,
        "hl": filters.language,
        "gl": filters.region and filters.region.lower(),
        "siteSearch": filters.site,
        "siteSearchFilter": "i" if filters.site else None,
    }
    return {name: value for name, value in params.items() if value is not None}


def _days_since(day: str) -> int:
    return max(1, int(time.time() - answer_values.parse_day(day)) // _DAY + 1)


def parse(page: SearchPage) -> PageResults:
    """Read a response; raise the error it reports when it is not a list of results."""
    if page.status != HTTPStatus.OK:
        raise _failure(page)
    answer = answer_values.as_object(page.json())
    if "error" in answer:
        raise _failure(page)
    queries = answer_values.as_object(answer.get("queries"))
    hits = [hit for hit in map(_hit, answer_values.as_objects(answer.get("items"))) if hit]
    known = answer.get("kind") == "customsearch#search"
    if known and "items" not in answer and _says_none(answer, queries):
        return PageResults([])
    if not (known and hits):
        raise page_changed(page, _NAME, "a response with neither results nor a sign that there are none")
    following = _start(queries, "nextPage")
    return PageResults(hits, following if following and following <= _CAP else None)


def _says_none(answer: dict[str, Any], queries: dict[str, Any]) -> bool:
    """Return whether a response without results says so: its count is 0, or it is a page after the first."""
    total = answer_values.as_object(answer.get("searchInformation")).get("totalResults")
    return str(total) == "0" or (_start(queries, "request") or 1) > 1


def _start(queries: dict[str, Any], name: str) -> int | None:
    return next(
        (answer_values.parse_number(page.get("startIndex")) for page in answer_values.as_objects(queries.get(name))),
        None,
    )


def _hit(item: dict[str, Any]) -> Hit | None:
    if (url := answer_values.parse_url(item.get("link"))) is None:
        return None
    image = answer_values.as_object(item.get("image"))
    return Hit(
        url=url,
        provider="GOOGLE",
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(image.get("contextLink")),
        title=answer_values.parse_text(item.get("title")),
        width=answer_values.parse_number(image.get("width")),
        height=answer_values.parse_number(image.get("height")),
    )


def _failure(page: SearchPage) -> ProviderError:
    """Return the error for a response; bad keys, used-up quotas and refused queries differ only in their words."""
    answer = answer_values.as_object(page.json()) if page.text.lstrip().startswith("{") else {}
    error = answer_values.as_object(answer.get("error"))
    if not error:
        return Blocked(
            f"Google answers {page.status} instead of results.", "harvest stopped searching Google. Try again later."
        )
    reasons = " ".join(str(cause.get("reason")) for cause in answer_values.as_objects(error.get("errors")))
    reason = answer_values.parse_text(error.get("message")) or reasons
    if any(word in f"{reasons} {reason}".lower() for word in _EXHAUSTED):
        return RateLimited(
            f"{_NAME}: the quota of this key is used up: {reason}",
            "A hundred queries a day are free. What was found is kept; run the same command tomorrow to continue.",
        )
    if page.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or "key" in reason.lower():
        return KeyRefused(
            f"{_NAME} does not accept the key: {reason}",
            f"Compare GOOGLE_API_KEY and GOOGLE_CSE_ID with {_CONSOLE}\n{_END} and accepts no new customers.",
        )
    return Unanswerable(f"{_NAME} refuses this search: {reason}", "Compare GOOGLE_CSE_ID, or change the query.")
