"""Brave Images: an independent index, with a key; a query gives one response of up to 200 images."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from harvest import photo_keys
from harvest.errors import Blocked, KeyRefused, ProviderError, RateLimited, Unanswerable
from harvest.models import Hit, Safe
from harvest.providers import answer_values
from harvest.providers.base import Key, NewHits, PageResults, Provider
from harvest.providers.json_response import page_changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchPage, SearchSession

_ADDRESS = "https://api.search.brave.com/res/v1/images/search"
_MOST = 200
_KEYS = "https://api-dashboard.search.brave.com/app/keys"
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Brave(Provider):
    """Brave Images: an index independent of Bing and Google; licences unknown."""

    name: ClassVar = "BRAVE"
    label: ClassVar = "Brave"
    about: ClassVar = "the whole web, an independent index, 200 per query; needs a key"
    key: ClassVar = Key(
        "BRAVE_API_KEY",
        _KEYS,
        "Brave is a paid service with some free queries a month",
        also=("BRAVE_SEARCH_API_KEY",),
    )
    supported_filters: ClassVar = frozenset({"safe", "language", "region", "site"})
    by_words: ClassVar = True
    pace: ClassVar = 1.1  # the free plan allows one request a second
    most: ClassVar = _MOST

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query, from its only page."""
        self.check()
        return NewHits(self.most).filter_new(self._ask(query, pages))

    def _ask(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        key = self._key()
        headers = {"X-Subscription-Token": key, "Accept": "application/json"}
        yield parse(pages.get(_ADDRESS, params=_arguments(query), headers=headers)).hits


def _arguments(query: Query) -> dict[str, object]:
    filters = query.filters
    params = {
        "q": f"{query.text} site:{filters.site}" if filters.site else query.text,
        "count": max(1, min(query.limit or _MOST, _MOST)),
        "safesearch": "off" if filters.safe is Safe.OFF else "strict",
        "spellcheck": "false",  # search for the query as written
        "search_lang": filters.language,
        "country": filters.region,
    }
    return {name: value for name, value in params.items() if value is not None}


def parse(page: SearchPage) -> PageResults:
    """Read a response; raise the error it reports when it is not a list of results."""
    if page.status != HTTPStatus.OK:
        raise _failure(page)
    answer: Any = page.json()
    results = answer_values.as_object(answer).get("results")
    hits = [hit for hit in map(_hit, answer_values.as_objects(results)) if hit]
    if not isinstance(results, list) or (results and not hits):
        raise page_changed(page, "Brave", "a response with neither results nor a sign that there are none")
    return PageResults(hits)


def _hit(result: dict[str, Any]) -> Hit | None:
    image = answer_values.as_object(result.get("properties"))
    if (url := answer_values.parse_url(image.get("url"))) is None:
        return None
    return Hit(
        url=url,
        provider=Brave.name,
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(result.get("url")),
        title=answer_values.parse_text(result.get("title"), html=True),
        width=answer_values.parse_number(image.get("width")),
        height=answer_values.parse_number(image.get("height")),
    )


def _failure(page: SearchPage) -> ProviderError:
    """Return the error for a bad key, an exhausted quota or a refused search; Brave answers 422 to a bad key."""
    answer = page.json() if page.text.lstrip().startswith("{") else None
    error = answer_values.as_object(answer_values.as_object(answer).get("error"))
    code, reason = str(error.get("code")), answer_values.parse_text(error.get("detail"))
    if not reason:
        return Blocked(
            f"Brave answers {page.status} instead of results.", "harvest stopped searching Brave. Try again later."
        )
    if "QUOTA" in code or "RATE" in code:
        return RateLimited(f"Brave's quota for this key is used up: {reason}", f"See {_KEYS}")
    if "TOKEN" in code or page.status in _REFUSED:
        return KeyRefused(f"Brave does not accept the key: {reason}", f"Compare BRAVE_API_KEY with {_KEYS}")
    return Unanswerable(f"Brave refuses this search: {reason}", "Change the query, or leave Brave out.")
